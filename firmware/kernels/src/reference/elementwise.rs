//! Sums and products of two tensors, with broadcasting.

use core::cell::Cell;

use edgepkg_format::plan::{Add, Dims, Mul, Scale};

use super::walk::Walk;
use crate::element::Element;
use crate::fixed_point::{multiply_by_scale, requantize};
use crate::view::View;

/// What is made of two values in a common scale.
#[derive(Clone, Copy)]
pub enum Combination {
    /// `a + b`.
    Sum,
    /// `a - b`.
    Difference,
    /// `(a - b) * (a - b)`.
    SquaredDifference,
}

/// `a + b` in a common scale, then in the output's. `a` and `b` are laid out by `op`'s strides;
/// `output`: dense, `op.dims`.
#[inline(never)]
pub fn add_i8(op: &Add, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    rescale_both(op, a, b, output, Combination::Sum);
}

/// As [`add_i8`], of int16, with any combination for the sum.
#[inline(never)]
pub fn combine_i16(
    op: &Add,
    a: View<'_, i16>,
    b: View<'_, i16>,
    output: &[[Cell<i8>; 2]],
    combination: Combination,
) {
    rescale_both(op, a, b, output, combination);
}

#[inline(always)]
fn rescale_both<E: Element>(
    op: &Add,
    a: View<'_, E>,
    b: View<'_, E>,
    output: &[E::Cells],
    combination: Combination,
) {
    let common = |q: i32, zero_point: i32, scale: Scale| {
        let x = q.wrapping_sub(zero_point).wrapping_shl(op.left_shift);
        multiply_by_scale(x, scale, op.rounding)
    };
    combine(&op.dims, [&op.a_strides, &op.b_strides], [a, b], output, |a, b| {
        let a = common(a, op.a_zero_point, op.a_scale);
        let b = common(b, op.b_zero_point, op.b_scale);
        let combined = match combination {
            Combination::Sum => a.wrapping_add(b),
            Combination::Difference => a.wrapping_sub(b),
            Combination::SquaredDifference => a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b)),
        };
        requantize(combined, op.output_scale, op.rounding, op.output_zero_point, op.clamp)
    });
}

/// `a * b` in the output's scale. `a` and `b` are laid out by `op`'s strides; `output`: dense,
/// `op.dims`.
#[inline(never)]
pub fn mul_i8(op: &Mul, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    mul(op, a, b, output);
}

/// As [`mul_i8`], of int16.
#[inline(never)]
pub fn mul_i16(op: &Mul, a: View<'_, i16>, b: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    mul(op, a, b, output);
}

#[inline(always)]
fn mul<E: Element>(op: &Mul, a: View<'_, E>, b: View<'_, E>, output: &[E::Cells]) {
    combine(&op.dims, [&op.a_strides, &op.b_strides], [a, b], output, |a, b| {
        let a = a.wrapping_sub(op.a_zero_point);
        let b = b.wrapping_sub(op.b_zero_point);
        requantize(a.wrapping_mul(b), op.output_scale, op.rounding, op.output_zero_point, op.clamp)
    });
}

/// `function` of each two elements.
#[inline(always)]
pub(super) fn combine<E: Element>(
    dims: &Dims,
    strides: [&Dims; 2],
    [a, b]: [View<'_, E>; 2],
    output: &[E::Cells],
    function: impl Fn(i32, i32) -> i32,
) {
    let mut outputs = output.iter();
    Walk::new(dims, strides).for_each([0, 0], |[a_offset, b_offset]| {
        if let Some(output) = outputs.next() {
            let value = function(a.get(a_offset as usize).into(), b.get(b_offset as usize).into());
            E::set(output, E::wrapping_from(value));
        }
    });
}
