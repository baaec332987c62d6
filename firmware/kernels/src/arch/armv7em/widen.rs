//! Bytes to pairs of 16-bit values, as the multiplying loops read them.
//!
//! Of a word's bytes 0 to 3, `sxtb16` makes the pairs (0, 2) and, rotated, (1, 3). Convolutions read two
//! windows side by side: of each 4 inputs the first window's pair (0, 2), the second's, then both pairs
//! (1, 3).

use core::arch::naked_asm;

/// Bytes that 4 inputs of two windows take.
pub(super) const UNIT_BYTES: usize = 16;

/// Rows of bytes to widen.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Rows {
    /// Words of a row; not 0.
    pub(super) words: usize,
    /// Rows; not 0.
    pub(super) rows: usize,
    /// Bytes from a row's end to the next one's start.
    pub(super) gap: usize,
}

/// Widens rows of one window; the other's places are left as they are.
///
/// # Safety
///
/// The rows can be read from `window` on, at any alignment, and [`UNIT_BYTES`] but the last 4 written for each of
/// their words at `columns`, which is aligned to 4.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen_one(window: *const i8, columns: *mut u32, rows: *const Rows) {
    naked_asm!(
        with_dsp!(),
        "push {{r4, r5, r6, lr}}",
        "ldm r2, {{r2, r4, r5}}",
        "2:",
        "mov r6, r2",
        "1:",
        "ldr r3, [r0], #4",
        "sxtb16 r12, r3",
        "sxtb16 r3, r3, ror #8",
        "str r3, [r1, #8]",
        "str r12, [r1], #16",
        "subs r6, #1",
        "bne 1b",
        "add r0, r5",
        "subs r4, #1",
        "bne 2b",
        "pop {{r4, r5, r6, pc}}",
    )
}

/// Widens 4 channels of `pairs` pairs of pixels, `step` bytes from one pixel to the next: of each pair a word for
/// each channel, the first pixel below.
///
/// # Safety
///
/// `pairs` is not 0. 4 bytes can be read at each pixel, at any alignment, and 4 words for each pair
/// written at `plane`, which is aligned to 4.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen_pairs(pixels: *const i8, step: usize, plane: *mut u32, pairs: usize) {
    naked_asm!(
        with_dsp!(),
        "push {{r4-r9, lr}}",
        "lsrs r3, r3, #1",
        "bcc 1f",
        widen_pair!(),
        "beq 2f",
        "1:",
        widen_pair!(),
        widen_pair!(),
        "subs r3, #1",
        "bne 1b",
        "2:",
        "pop {{r4-r9, pc}}",
    )
}

/// Fills the places that [`widen_pairs`] does with `value`.
///
/// # Safety
///
/// `pairs` is not 0. 4 words for each pair can be written at `plane`, which is aligned to 4.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn fill_pairs(value: u32, plane: *mut u32, pairs: usize) {
    naked_asm!(
        "push {{r4, lr}}",
        "mov r3, r0",
        "mov r4, r0",
        "mov r12, r0",
        "1:",
        "stm r1!, {{r0, r3, r4, r12}}",
        "subs r2, #1",
        "bne 1b",
        "pop {{r4, pc}}",
    )
}

macro_rules! widen_pair {
    () => {
        concat!(
            "ldr r8, [r0]\n",
            "ldr r9, [r0, r1]\n",
            "add r0, r0, r1, lsl #1\n",
            "pkhbt r12, r8, r9, lsl #16\n",
            "pkhtb lr, r9, r8, asr #16\n",
            "sxtb16 r4, r12\n",
            "sxtb16 r5, r12, ror #8\n",
            "sxtb16 r6, lr\n",
            "sxtb16 r7, lr, ror #8\n",
            "stm r2!, {{r4-r7}}\n",
        )
    };
}
use widen_pair;

/// A value in both halves of a word.
pub(super) fn both_halves(value: i32) -> u32 {
    let half = value as u32 & 0xffff;
    half | half << 16
}
