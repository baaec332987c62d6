//! Running sums.

use core::cell::Cell;

use edgepkg_format::plan::{Clamp, CumulativeSum, Direction, Running};

use crate::fixed_point::{multiply_by_scale, requantize};
use crate::view::View;

/// Sums along the middle dimension. `input` and `output`: `[op.outer, op.count, op.inner]`.
#[inline(never)]
pub fn cumulative_sum_i8(op: &CumulativeSum, input: View<'_>, output: &[Cell<i8>]) {
    const INT8: Clamp = Clamp { min: i8::MIN as i32, max: i8::MAX as i32 };
    let (count, inner) = (op.count as usize, op.inner as usize);
    for line in 0..op.outer as usize * inner {
        let first = line / inner * count * inner + line % inner;
        let mut sum = op.start;
        for at in 0..count {
            let at = if op.direction == Direction::Backward { count - 1 - at } else { at };
            let index = first + at * inner;
            let before = sum;
            let x = i32::from(input.get(index)).wrapping_sub(op.input_zero_point);
            let x = multiply_by_scale(x.wrapping_shl(op.left_shift), op.input_scale, op.rounding);
            sum = sum.wrapping_add(x);
            let shown = if op.running == Running::Excluding { before } else { sum };
            let value = requantize(shown, op.output_scale, op.rounding, op.output_zero_point, INT8);
            output[index].set(value as i8);
        }
    }
}
