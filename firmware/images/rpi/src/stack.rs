//! How deep the stack has been: `_start` has painted all of it.

use core::ptr::addr_of;

use crate::boot::STACK_PAINT;

unsafe extern "C" {
    static __stack_start: u32;
    static __stack_end: u32;
}

/// Bytes between the stack's start and the deepest word written since boot.
pub fn deepest_bytes() -> u32 {
    let (mut word, end) = (addr_of!(__stack_start), addr_of!(__stack_end));
    // SAFETY: link.ld puts both symbols at the ends of one region of whole words; `word` stays inside.
    // The reads are volatile: below the stack pointer the words belong to no Rust object.
    while word < end && unsafe { word.read_volatile() } == STACK_PAINT {
        word = word.wrapping_add(1);
    }
    (end as usize - word as usize) as u32
}
