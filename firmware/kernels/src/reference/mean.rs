//! Mean over dimensions.

use core::cell::Cell;

use edgepkg_format::plan::{Clamp, Mean};

use super::walk::Walk;
use crate::fixed_point::requantize;
use crate::view::View;

/// `(sum - bias) * scale + output_zero_point` for each element of `op.kept`, the sum over `op.reduced`.
/// `input` is laid out by `op`'s strides; `output`: dense, `op.kept`.
#[inline(never)]
pub fn mean_i8(op: &Mean, input: View<'_>, output: &[Cell<i8>]) {
    const INT8: Clamp = Clamp { min: i8::MIN as i32, max: i8::MAX as i32 };
    let reduced = Walk::new(&op.reduced, [&op.reduced_strides]);
    let mut outputs = output.iter();
    Walk::new(&op.kept, [&op.kept_strides]).for_each([0], |start| {
        let mut sum = op.bias.wrapping_neg();
        reduced.for_each(start, |[offset]| {
            sum = sum.wrapping_add(i32::from(input.get(offset as usize)));
        });
        if let Some(output) = outputs.next() {
            output.set(requantize(sum, op.scale, op.rounding, op.output_zero_point, INT8) as i8);
        }
    });
}
