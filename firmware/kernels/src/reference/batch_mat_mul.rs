//! Products of matrices that are both computed.

use core::cell::Cell;

use edgepkg_format::plan::BatchMatMul;

use super::walk::Walk;
use crate::fixed_point::requantize;
use crate::view::View;

/// The product of each matrix of `a` with one of `b`, which are laid out by `op`'s strides. `output`: dense,
/// `[op.batches, op.rows, op.columns]`.
#[inline(never)]
pub fn batch_mat_mul_i8(op: &BatchMatMul, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    let mut rows = output.chunks_exact(op.columns as usize);
    Walk::new(&op.batches, [&op.a_strides, &op.b_strides]).for_each([0, 0], |[a_matrix, b_matrix]| {
        for row in 0..op.rows {
            let Some(outputs) = rows.next() else { return };
            for (column, output) in (0..).zip(outputs) {
                let mut sum = 0i32;
                let mut at_a = (a_matrix + row * op.a_row_stride) as usize;
                let mut at_b = (b_matrix + column * op.b_column_stride) as usize;
                for _ in 0..op.depth {
                    let x = i32::from(a.get(at_a)).wrapping_sub(op.a_zero_point);
                    let y = i32::from(b.get(at_b)).wrapping_sub(op.b_zero_point);
                    sum = sum.wrapping_add(x.wrapping_mul(y));
                    at_a = at_a.wrapping_add(op.a_depth_stride as usize);
                    at_b = at_b.wrapping_add(op.b_depth_stride as usize);
                }
                output.set(requantize(sum, op.scale, op.rounding, op.output_zero_point, op.clamp) as i8);
            }
        }
    });
}
