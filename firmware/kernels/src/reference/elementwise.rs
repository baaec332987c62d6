//! Sums and products of two tensors, with broadcasting.

use core::cell::Cell;

use edgepkg_format::plan::{Add, Dims, Mul, Scale};

use super::walk::Walk;
use crate::fixed_point::{multiply_by_scale, requantize};
use crate::view::View;

/// `a + b` in a common scale, then in the output's. `a` and `b` are laid out by `op`'s strides;
/// `output`: dense, `op.dims`.
#[inline(never)]
pub fn add_i8(op: &Add, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    let common = |q: i8, zero_point: i32, scale: Scale| {
        let x = i32::from(q).wrapping_sub(zero_point).wrapping_shl(op.left_shift);
        multiply_by_scale(x, scale, op.rounding)
    };
    combine(&op.dims, [&op.a_strides, &op.b_strides], [a, b], output, |a, b| {
        let a = common(a, op.a_zero_point, op.a_scale);
        let b = common(b, op.b_zero_point, op.b_scale);
        requantize(a.wrapping_add(b), op.output_scale, op.rounding, op.output_zero_point, op.clamp)
    });
}

/// `a * b` in the output's scale. `a` and `b` are laid out by `op`'s strides; `output`: dense,
/// `op.dims`.
#[inline(never)]
pub fn mul_i8(op: &Mul, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    combine(&op.dims, [&op.a_strides, &op.b_strides], [a, b], output, |a, b| {
        let a = i32::from(a).wrapping_sub(op.a_zero_point);
        let b = i32::from(b).wrapping_sub(op.b_zero_point);
        requantize(a.wrapping_mul(b), op.output_scale, op.rounding, op.output_zero_point, op.clamp)
    });
}

/// `function` of each two elements.
#[inline(always)]
pub(super) fn combine(
    dims: &Dims,
    strides: [&Dims; 2],
    [a, b]: [View<'_>; 2],
    output: &[Cell<i8>],
    function: impl Fn(i8, i8) -> i32,
) {
    let mut outputs = output.iter();
    Walk::new(dims, strides).for_each([0, 0], |[a_offset, b_offset]| {
        if let Some(output) = outputs.next() {
            output.set(function(a.get(a_offset as usize), b.get(b_offset as usize)) as i8);
        }
    });
}
