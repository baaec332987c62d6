//! Products of matrices that are both computed.

use core::cell::Cell;

use edgepkg_format::plan::BatchMatMul;

use super::walk::Walk;
use crate::element::Element;
use crate::fixed_point::{multiply_wide_by_scale, requantize};
use crate::view::View;

/// The product of each matrix of `a` with one of `b`, which are laid out by `op`'s strides. `output`: dense,
/// `[op.batches, op.rows, op.columns]`.
#[inline(never)]
pub fn batch_mat_mul_i8(op: &BatchMatMul, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    batch_mat_mul(op, [a, b], output, i32::wrapping_add, |sum| {
        requantize(sum, op.scale, op.rounding, op.output_zero_point, op.clamp)
    });
}

/// As [`batch_mat_mul_i8`], of int16, its sums of 64 bits.
#[inline(never)]
pub fn batch_mat_mul_i16(op: &BatchMatMul, a: View<'_, i16>, b: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    let add = |sum: i64, product: i32| sum.wrapping_add(product.into());
    batch_mat_mul(op, [a, b], output, add, |sum| {
        let value = multiply_wide_by_scale(sum, op.scale).wrapping_add(op.output_zero_point);
        value.max(op.clamp.min).min(op.clamp.max)
    });
}

#[inline(always)]
fn batch_mat_mul<E: Element, S: Default>(
    op: &BatchMatMul,
    [a, b]: [View<'_, E>; 2],
    output: &[E::Cells],
    add: impl Fn(S, i32) -> S,
    requantized: impl Fn(S) -> i32,
) {
    let mut rows = output.chunks_exact(op.columns as usize);
    Walk::new(&op.batches, [&op.a_strides, &op.b_strides]).for_each([0, 0], |[a_matrix, b_matrix]| {
        for row in 0..op.rows {
            let Some(outputs) = rows.next() else { return };
            for (column, output) in (0..).zip(outputs) {
                let mut sum = S::default();
                let mut at_a = (a_matrix + row * op.a_row_stride) as usize;
                let mut at_b = (b_matrix + column * op.b_column_stride) as usize;
                for _ in 0..op.depth {
                    let x: i32 = a.get(at_a).into();
                    let y: i32 = b.get(at_b).into();
                    let (x, y) = (x.wrapping_sub(op.a_zero_point), y.wrapping_sub(op.b_zero_point));
                    sum = add(sum, x.wrapping_mul(y));
                    at_a = at_a.wrapping_add(op.a_depth_stride as usize);
                    at_b = at_b.wrapping_add(op.b_depth_stride as usize);
                }
                E::set(output, E::wrapping_from(requantized(sum)));
            }
        }
    });
}
