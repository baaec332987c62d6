//! From reset to the image's entry.

use core::arch::global_asm;

use edgepkg_format::Isa;

use crate::memory::STACK_PAINT;

/// The vectors of the core itself: no interrupt is enabled.
#[repr(C)]
pub struct Vectors {
    stack_start: *const u8,
    reset: unsafe extern "C" fn() -> !,
    faults: [unsafe extern "C" fn() -> !; 14],
}

// SAFETY: it is never written, and its pointer is only the initial stack pointer.
unsafe impl Sync for Vectors {}

unsafe extern "C" {
    static _stack_start: u8;
    fn reset() -> !;
    fn image_main() -> !;
    fn image_fault() -> !;
}

#[unsafe(link_section = ".vectors")]
#[unsafe(no_mangle)]
#[used]
pub static VECTORS: Vectors =
    Vectors { stack_start: &raw const _stack_start, reset, faults: [image_fault; 14] };

/// Whether the compiler may use the floating-point unit: by the target's rules for calls, or because it is told of a
/// Cortex-M33, which is called so with that unit.
const USES_FLOATING_POINT_UNIT: bool =
    cfg!(target_abi = "eabihf") || matches!(edgepkg_runtime::ISA, Isa::Armv8mMainDsp);

// Paints the stack, enables the floating-point unit (CPACR, full access to CP10 and CP11) where there is
// one, copies `.data`, clears `.bss`. In assembly, because Rust may not run before its statics are there; in
// instructions that every Cortex-M has.
global_asm!(
    ".section .text.reset, \"ax\"",
    ".global reset",
    ".type reset, %function",
    ".thumb_func",
    "reset:",
    "    ldr r0, =_stack_end",
    "    ldr r1, =_stack_start",
    "    ldr r2, ={paint}",
    "1:  cmp r0, r1",
    "    bhs 2f",
    "    stmia r0!, {{r2}}",
    "    b 1b",
    "2:",
    ".if {uses_floating_point_unit}",
    "    ldr r0, =0xE000ED88",
    "    ldr r1, [r0]",
    "    orr r1, r1, #(0xF << 20)",
    "    str r1, [r0]",
    "    dsb",
    "    isb",
    ".endif",
    "    ldr r0, =_data_start",
    "    ldr r1, =_data_end",
    "    ldr r2, =_data_load",
    "3:  cmp r0, r1",
    "    bhs 4f",
    "    ldmia r2!, {{r3}}",
    "    stmia r0!, {{r3}}",
    "    b 3b",
    "4:  ldr r0, =_bss_start",
    "    ldr r1, =_bss_end",
    "    movs r2, #0",
    "5:  cmp r0, r1",
    "    bhs 6f",
    "    stmia r0!, {{r2}}",
    "    b 5b",
    "6:",
    "    bl {main}",
    "    udf #0",
    ".size reset, . - reset",
    paint = const STACK_PAINT,
    uses_floating_point_unit = const USES_FLOATING_POINT_UNIT as u32,
    main = sym image_main,
);
