//! Mean over dimensions.

use core::cell::Cell;

use edgepkg_format::plan::Mean;

use super::walk::Walk;
use crate::element::Element;
use crate::fixed_point::requantize;
use crate::view::View;

/// `(sum - bias) * scale + output_zero_point` for each element of `op.kept`, the sum over `op.reduced`.
/// `input` is laid out by `op`'s strides; `output`: dense, `op.kept`.
#[inline(never)]
pub fn mean_i8(op: &Mean, input: View<'_>, output: &[Cell<i8>]) {
    mean(op, input, output);
}

/// As [`mean_i8`], of int16.
#[inline(never)]
pub fn mean_i16(op: &Mean, input: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    mean(op, input, output);
}

#[inline(always)]
fn mean<E: Element>(op: &Mean, input: View<'_, E>, output: &[E::Cells]) {
    let reduced = Walk::new(&op.reduced, [&op.reduced_strides]);
    let mut outputs = output.iter();
    Walk::new(&op.kept, [&op.kept_strides]).for_each([0], |start| {
        let mut sum = op.bias.wrapping_neg();
        reduced.for_each(start, |[offset]| {
            sum = sum.wrapping_add(input.get(offset as usize).into());
        });
        if let Some(output) = outputs.next() {
            let value = requantize(sum, op.scale, op.rounding, op.output_zero_point, E::RANGE);
            E::set(output, E::wrapping_from(value));
        }
    });
}
