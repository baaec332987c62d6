//! From the firmware's jump to `kernel8.img` to [`main`](crate::main): exception level, stack, data.

use core::arch::global_asm;

use edgepkg_image_aarch64::STACK_PAINT;

// The firmware, and QEMU, enter at EL2 (non-secure) with the MMU off; only core 0 goes on. `main`
// runs at EL1 on SP_EL0, so that an exception finds a stack of its own in SP_EL1 even when the
// stack has overflowed. All interrupts stay masked.
global_asm!(
    r#"
    .section .text.boot, "ax"
    .global _start
    .type   _start, %function
_start:
    b       1f
    .ascii  "edgepkg-rpi\0"             // by which a kernel8.img is known to be this one
1:  mrs     x1, mpidr_el1
    tst     x1, #0xff
    b.ne    park

    mrs     x1, CurrentEL
    cmp     x1, #(2 << 2)
    b.ne    at_el1

    mov     x1, #(1 << 31)              // HCR_EL2.RW: EL1 is 64-bit
    msr     hcr_el2, x1
    mov     x1, #0x33ff                 // CPTR_EL2: floating point is not trapped
    msr     cptr_el2, x1
    msr     hstr_el2, xzr
    mov     x1, #3                      // CNTHCTL_EL2: EL1 may read the timers
    msr     cnthctl_el2, x1
    msr     cntvoff_el2, xzr
    mrs     x1, pmcr_el0                // MDCR_EL2.HPMN: EL1 has all event counters
    ubfx    x1, x1, #11, #5
    msr     mdcr_el2, x1
    mrs     x1, midr_el1
    msr     vpidr_el2, x1
    mrs     x1, mpidr_el1
    msr     vmpidr_el2, x1
    ldr     x1, =0x30d00800             // SCTLR_EL1: reserved ones; MMU and caches off
    msr     sctlr_el1, x1
    mov     x1, #0x3c5                  // EL1h, interrupts masked
    msr     spsr_el2, x1
    adr     x1, at_el1
    msr     elr_el2, x1
    eret

at_el1:
    msr     daifset, #0xf
    msr     spsel, #1
    ldr     x1, =_fault_stack_start
    mov     sp, x1
    ldr     x1, =exception_vectors
    msr     vbar_el1, x1
    mov     x1, #(3 << 20)              // CPACR_EL1.FPEN: floating point and SIMD
    msr     cpacr_el1, x1
    isb

    ldr     x1, =_data_load
    ldr     x2, =_data_start
    ldr     x3, =_data_end
1:  cmp     x2, x3
    b.hs    2f
    ldr     x4, [x1], #8
    str     x4, [x2], #8
    b       1b
2:  ldr     x2, =_bss_start
    ldr     x3, =_bss_end
3:  cmp     x2, x3
    b.hs    4f
    str     xzr, [x2], #8
    b       3b
4:  ldr     x2, =_stack_end
    ldr     x3, =_stack_start
    mov     w4, #{paint_low}
    movk    w4, #{paint_high}, lsl #16
5:  cmp     x2, x3
    b.hs    6f
    str     w4, [x2], #4
    b       5b
6:  msr     spsel, #0
    mov     sp, x3
    mov     x29, xzr
    mov     x30, xzr
    b       main

park:
    wfe
    b       park
    .size   _start, . - _start
    "#,
    paint_low = const STACK_PAINT & 0xffff,
    paint_high = const STACK_PAINT >> 16,
);

// Sixteen entries: four kinds (synchronous, IRQ, FIQ, SError) from each of four origins. All of them
// are the end. The stack they run on is SP_EL1's, also where an exception came from SP_EL1.
global_asm!(
    r#"
    .section .text.vectors, "ax"
    .macro  vector index
    .balign 0x80
    ldr     x0, =_fault_stack_start
    mov     sp, x0
    mov     w0, #\index
    b       exception
    .endm

    .balign 0x800
    .global exception_vectors
exception_vectors:
    .set    index, 0
    .rept   16
    vector  index
    .set    index, index + 1
    .endr
    "#
);
