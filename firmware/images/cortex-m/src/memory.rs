//! The board's memory, by the symbols of its linker script.

use core::slice;

unsafe extern "C" {
    static mut _arena_start: u8;
    static _arena_end: u8;
    static _stack_start: u8;
    static _stack_end: u8;
}

/// What start-up fills the stack with, so that use leaves a trace.
pub const STACK_PAINT: u32 = 0x5AC4_5AC4;

/// The value of a linker symbol that is a number.
#[macro_export]
macro_rules! number {
    ($symbol:ident) => {
        (&raw const $symbol).addr()
    };
}
pub(crate) use number;

/// All RAM that nothing else uses.
///
/// # Safety
///
/// To be called once.
pub unsafe fn arena() -> &'static mut [i8] {
    let start = &raw mut _arena_start;
    let length = number!(_arena_end) - start.addr();
    // SAFETY: the linker script gives the arena the RAM after `.bss` to its end, which nothing else
    // names; the caller takes it once. Any byte is an i8, and no compiler knows what RAM holds.
    unsafe { slice::from_raw_parts_mut(start.cast(), length) }
}

/// The most bytes of stack that were in use since start-up painted it.
pub fn stack_bytes() -> u32 {
    let top = number!(_stack_start);
    let mut lowest = &raw const _stack_end as *const u32;
    // SAFETY: the words between the stack's two ends are RAM; those below the stack pointer are read
    // by nobody else.
    while lowest.addr() < top && unsafe { lowest.read_volatile() } == STACK_PAINT {
        lowest = lowest.wrapping_add(1);
    }
    (top - lowest.addr()) as u32
}
