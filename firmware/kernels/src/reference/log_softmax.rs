//! The logarithm of softmax.

use core::cell::Cell;
use core::ops::Range;

use edgepkg_format::plan::{LogSoftmax, Rounding};

use crate::fixed_point::{exp_on_negative_values, log, multiply_by_scale, rounding_divide_by_power_of_two};
use crate::view::View;

/// Integer bits of a scaled difference to the row's greatest value, and of the logarithm.
const INTEGER_BITS: u32 = 5;
/// Integer bits of the sum of exponentials.
const SUM_INTEGER_BITS: u32 = 12;
/// From the logarithm's steps to the output's, which are 1/16.
const TO_SIXTEENTHS: u32 = 31 - INTEGER_BITS - 4;

/// `x - log(sum(exp(x)))` of each row, in steps of 1/16 with zero point 127. `input` and `output`:
/// `[op.rows, op.depth]`.
#[inline(never)]
pub fn log_softmax_i8(op: &LogSoftmax, input: View<'_>, output: &[Cell<i8>]) {
    let depth = op.depth as usize;
    for row in 0..op.rows as usize {
        log_softmax_row(op, input, output, row * depth..(row + 1) * depth);
    }
}

#[inline(always)]
fn log_softmax_row(op: &LogSoftmax, input: View<'_>, output: &[Cell<i8>], row: Range<usize>) {
    let greatest = row.clone().map(|index| input.get(index)).max().unwrap_or(i8::MIN);
    let difference = |index: usize| i32::from(input.get(index)) - i32::from(greatest);
    let scaled = |difference: i32| multiply_by_scale(difference, op.scale, Rounding::Twice);
    let counted = row.clone().map(difference).filter(|&difference| difference >= op.diff_min);
    let sum = counted.fold(0i32, |sum, difference| {
        let exponential = exp_on_negative_values(scaled(difference), INTEGER_BITS);
        sum.saturating_add(rounding_divide_by_power_of_two(exponential, SUM_INTEGER_BITS))
    });
    let logarithm = log(sum);
    // From here down a difference has no value that the logarithm leaves above the least one.
    let shown = multiply_by_scale(logarithm.wrapping_add(i32::MIN), op.inverse_scale, Rounding::Twice);
    let least_shown = shown.max(op.diff_min.wrapping_sub(1));
    for index in row {
        let difference = difference(index);
        let value = if difference > least_shown {
            let value = scaled(difference).wrapping_sub(logarithm);
            let steps = rounding_divide_by_power_of_two(value, TO_SIXTEENTHS);
            steps.wrapping_add(i8::MAX.into()).clamp(i8::MIN.into(), i8::MAX.into())
        } else {
            i8::MIN.into()
        };
        output[index].set(value as i8);
    }
}
