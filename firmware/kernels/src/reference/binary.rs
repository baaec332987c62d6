//! Functions of two tensors, with broadcasting.

use core::cell::Cell;

use edgepkg_format::plan::{Binary, BinaryFunction, Scale};

use super::elementwise::combine;
use crate::element::Element;
use crate::fixed_point::{multiply_by_scale, requantize};
use crate::view::View;

/// `op.function` of `a` and `b`, which are laid out by `op`'s strides. `output`: dense, `op.dims`.
#[inline(never)]
pub fn binary_i8(op: &Binary, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    binary(op, a, b, output);
}

/// As [`binary_i8`], of int16.
#[inline(never)]
pub fn binary_i16(op: &Binary, a: View<'_, i16>, b: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    binary(op, a, b, output);
}

#[inline(always)]
fn binary<E: Element>(op: &Binary, a: View<'_, E>, b: View<'_, E>, output: &[E::Cells]) {
    let scaled = |x: i32, scale: Scale| multiply_by_scale(x, scale, op.rounding);
    combine(&op.dims, [&op.a_strides, &op.b_strides], [a, b], output, |a, b| {
        let x = a.wrapping_sub(op.a_zero_point).wrapping_shl(op.left_shift);
        let y = b.wrapping_sub(op.b_zero_point).wrapping_shl(op.left_shift);
        if op.function == BinaryFunction::ParametricRelu {
            let value = match x {
                0.. => scaled(x, op.a_scale),
                _ => scaled(x.wrapping_mul(y), op.b_scale),
            };
            return value.wrapping_add(op.output_zero_point).max(op.clamp.min).min(op.clamp.max);
        }
        let (x, y) = (scaled(x, op.a_scale), scaled(y, op.b_scale));
        let value = match op.function {
            BinaryFunction::Maximum => x.max(y),
            BinaryFunction::Minimum => x.min(y),
            BinaryFunction::SquaredDifference => x.wrapping_sub(y).wrapping_mul(x.wrapping_sub(y)),
            BinaryFunction::Equal => (x == y).into(),
            BinaryFunction::NotEqual => (x != y).into(),
            BinaryFunction::Greater => (x > y).into(),
            BinaryFunction::GreaterOrEqual => (x >= y).into(),
            BinaryFunction::Subtract | BinaryFunction::ParametricRelu => x.wrapping_sub(y),
        };
        requantize(value, op.output_scale, op.rounding, op.output_zero_point, op.clamp)
    });
}
