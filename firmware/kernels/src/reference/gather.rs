//! Elements at indices.

use core::cell::Cell;

use edgepkg_format::plan::Gather;

use crate::view::{View, word};

/// `output[b][o][i] = input[b][o][indices[b][i]]`, elements of `op.inner` bytes.
///
/// An index outside of the dimension is taken for its nearest end.
#[inline(never)]
pub fn gather(op: &Gather, input: View<'_>, indices: View<'_>, output: &[Cell<i8>]) {
    let (count, inner) = (op.count as usize, op.inner as usize);
    let last = op.extent.wrapping_sub(1) as i32;
    for (block, elements) in output.chunks_exact(count * inner).enumerate() {
        let list = block / op.outer as usize * count;
        for (at, element) in elements.chunks_exact(inner).enumerate() {
            let index = word(indices, list + at).min(last).max(0) as usize;
            let from = (block * op.extent as usize + index) * inner;
            input.run(from, inner).for_each_with(element, |byte, cell| cell.set(byte));
        }
    }
}
