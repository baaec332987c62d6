//! From Linux's first instruction to [`main`](crate::main), on a stack of the program's own, whose use can be measured.

use core::arch::global_asm;

use edgepkg_image_aarch64::STACK_PAINT;

// Linux enters with its own stack, at whose top the arguments lie: main is given that. The new stack is mapped where
// link.ld says, where a program that is not moved has nothing (mmap, number 222: readable, writable; private, anonymous,
// at this address).
global_asm!(
    r#"
    .section .text.start, "ax"
    .global _start
    .type   _start, %function
_start:
    mov     x19, sp
    ldr     x0, =_stack_end
    ldr     x1, =_stack_start
    sub     x1, x1, x0
    mov     x2, #3
    mov     x3, #0x32
    mov     x4, #-1
    mov     x5, #0
    mov     x8, #222
    svc     #0
    ldr     x1, =_stack_end
    cmp     x0, x1
    b.ne    2f
    ldr     x2, =_stack_start
    ldr     w3, ={paint}
1:  str     w3, [x1], #4
    cmp     x1, x2
    b.lo    1b
    mov     sp, x2
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x19
    b       main
2:  mov     x0, #{no_stack}             // exit_group
    mov     x8, #94
    svc     #0
    .size   _start, . - _start
    "#,
    paint = const STACK_PAINT,
    no_stack = const crate::EXIT_SYSTEM,
);
