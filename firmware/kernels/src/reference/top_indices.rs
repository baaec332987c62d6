//! Where the greatest or least elements of rows are.

use core::cell::Cell;

use edgepkg_format::plan::{Extreme, TopIndices};

use crate::view::{View, element};

/// The indices of the greatest or least elements of each row, in their order; of equal ones the first or last come first.
/// `input`: `[op.rows, op.depth]`, int8 or int16; `output`: `[op.rows, op.count]` int32.
///
/// It needs no memory of its own: the next element is found by going through the row behind the last one.
#[inline(never)]
pub fn top_indices(op: &TopIndices, input: View<'_>, output: &[Cell<i8>]) {
    let (depth, count) = (op.depth as usize, op.count as usize);
    // What is least is the greatest of the complements.
    let flipped = if matches!(op.extreme, Extreme::Least | Extreme::LastLeast) { !0 } else { 0 };
    let is_last = matches!(op.extreme, Extreme::LastGreatest | Extreme::LastLeast);
    // A value, and how many come before it in the direction in which equal ones are taken.
    let mut last: Option<(i32, usize)> = None;
    for (index, word) in output.as_chunks::<4>().0.iter().enumerate() {
        if index.is_multiple_of(count) {
            last = None;
        }
        let place = |step: usize| if is_last { depth - 1 - step } else { step };
        let mut best: Option<(i32, usize)> = None;
        for step in 0..depth {
            let value = element(input, op.input.dtype, index / count * depth + place(step)) ^ flipped;
            let is_left = last.is_none_or(|last| (value, last.1) < (last.0, step));
            if is_left && best.is_none_or(|best| value > best.0) {
                best = Some((value, step));
            }
        }
        last = best;
        let found = best.map_or(0, |(_, step)| place(step)) as u32;
        word.iter().zip(found.to_le_bytes()).for_each(|(cell, byte)| cell.set(byte as i8));
    }
}
