//! Functions of int16 by tables: points, and lines between them.

use core::cell::Cell;

use edgepkg_format::plan::{Interpolate16, Rounding, Softmax16};

use crate::element::Element;
use crate::fixed_point::multiply_by_scale;
use crate::view::View;

/// Points of a table: for inputs -32768, -32640 and so on to 32768.
const POINTS: usize = 513;

/// The function's value at `x`, which is saturated to int16.
#[inline(never)]
fn interpolate(table: View<'_, i16>, x: i32) -> i32 {
    let x = x.clamp(i16::RANGE.min, i16::RANGE.max);
    let index = (256 + (x >> 7)) as usize;
    let [left, right] = [index, index + 1].map(|index| i32::from(table.get(index)));
    left + (((right - left) * (x & 127) + 64) >> 7)
}

/// `table` at each element; it has 513 points.
#[inline(never)]
pub fn interpolate_i16(
    _op: &Interpolate16,
    input: View<'_, i16>,
    table: View<'_, i16>,
    output: &[[Cell<i8>; 2]],
) {
    input.for_each_with(output, |x, output| i16::set(output, interpolate(table, x.into()) as i16));
}

/// Softmax of each row. `input`, `output`: `[rows, depth]`; `tables`: `exp`, then `1 / (1 + x)`, of 513 points
/// each.
#[inline(never)]
pub fn softmax_i16(op: &Softmax16, input: View<'_, i16>, tables: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    let depth = op.depth as usize;
    let (exponentials, reciprocals) = (tables.run(0, POINTS), tables.run(POINTS, POINTS));
    for (row, outputs) in output.chunks_exact(depth).enumerate() {
        let inputs = input.run(row * depth, depth);
        let greatest = (0..depth).map(|index| i32::from(inputs.get(index))).max().unwrap_or_default();
        let exponential = |x: i16| {
            let difference = multiply_by_scale(i32::from(x) - greatest, op.scale, Rounding::Twice);
            interpolate(exponentials, difference.wrapping_add(i32::from(i16::MAX)))
        };
        let mut sum = 0i32;
        inputs.for_each_with(outputs, |x, _| sum = sum.wrapping_add(exponential(x)));
        let headroom = sum.leading_zeros();
        // The sum's distance to the power of two below it, in steps of 2^-16.
        let above_power = sum.wrapping_shl(headroom.wrapping_sub(1)).wrapping_add(1 << 13) >> 14;
        let reciprocal = interpolate(reciprocals, above_power - 98_304);
        let shift = 31u32.wrapping_sub(headroom);
        let half = 1i32.wrapping_shl(shift.wrapping_sub(1));
        inputs.for_each_with(outputs, |x, output| {
            let product = exponential(x).wrapping_mul(reciprocal);
            let value = product.wrapping_add(half).wrapping_shr(shift);
            i16::set(output, value.clamp(0, i32::from(i16::MAX)) as i16);
        });
    }
}
