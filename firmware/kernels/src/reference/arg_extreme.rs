//! Where the greatest or least element is.

use core::cell::Cell;

use edgepkg_format::plan::{ArgExtreme, Extreme};

use crate::view::View;

/// The index along the middle dimension of the greatest or least element, the first or last of equal
/// ones. `input`: `[op.outer, op.count, op.inner]`; `output`: `[op.outer, op.inner]` int32.
#[inline(never)]
pub fn arg_extreme_i8(op: &ArgExtreme, input: View<'_>, output: &[Cell<i8>]) {
    let (count, inner) = (op.count as usize, op.inner as usize);
    // What is least is the greatest of the complements.
    let flipped = if matches!(op.extreme, Extreme::Least | Extreme::LastLeast) { !0 } else { 0 };
    let is_last = matches!(op.extreme, Extreme::LastGreatest | Extreme::LastLeast);
    for (index, word) in output.chunks_exact(4).enumerate() {
        let first = index / inner * count * inner + index % inner;
        let (mut found, mut greatest) = (0, input.get(first) ^ flipped);
        for at in 1..count {
            let value = input.get(first + at * inner) ^ flipped;
            if value > greatest || (is_last && value == greatest) {
                (found, greatest) = (at, value);
            }
        }
        for (cell, byte) in word.iter().zip((found as u32).to_le_bytes()) {
            cell.set(byte as i8);
        }
    }
}
