//! How deep the stack has been: `_start` has painted all of it.

use core::ptr::addr_of;

use crate::boot::STACK_PAINT;

unsafe extern "C" {
    /// The stack's last word; it grows down to here.
    static _stack_end: u32;
    /// The address above the stack's first word.
    static _stack_start: u32;
}

/// Bytes between the stack's start and the deepest word written since boot.
pub fn deepest_bytes() -> u32 {
    let (mut word, start) = (addr_of!(_stack_end), addr_of!(_stack_start));
    // SAFETY: link.ld puts both symbols at the ends of one region of whole words; `word` stays inside.
    // The reads are volatile: below the stack pointer the words belong to no Rust object.
    while word < start && unsafe { word.read_volatile() } == STACK_PAINT {
        word = word.wrapping_add(1);
    }
    (start as usize - word as usize) as u32
}
