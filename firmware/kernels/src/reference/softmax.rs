//! Softmax.

use core::cell::Cell;

use edgepkg_format::DType;
use edgepkg_format::plan::Softmax;

use crate::fixed_point::{
    exp_on_negative_values, one_over_one_plus, rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_multiply,
};
use crate::view::{View, set_element};

/// Integer bits of a scaled difference to the row's greatest value.
const DIFFERENCE_INTEGER_BITS: u32 = 5;
/// Integer bits of the sum of exponentials.
const SUM_INTEGER_BITS: u32 = 12;

/// Softmax of each row. `input`: `[rows, depth]` int8; `output`: `[rows, depth]` int8 or int16.
///
/// A row of int8 whose exponentials sum to 512 or more has no value that int8 can show: all its outputs
/// are -128.
#[inline(never)]
pub fn softmax_i8(op: &Softmax, input: View<'_>, output: &[Cell<i8>]) {
    let depth = op.depth as usize;
    for row in 0..op.rows as usize {
        softmax_row(op, input, output, row * depth..(row + 1) * depth);
    }
}

#[inline(always)]
fn softmax_row(op: &Softmax, input: View<'_>, output: &[Cell<i8>], row: core::ops::Range<usize>) {
    let greatest = row.clone().map(|index| input.get(index)).max().unwrap_or(i8::MIN);
    let exponential = |index: usize| {
        let difference = i32::from(input.get(index)) - i32::from(greatest);
        (difference >= op.diff_min).then(|| exponential(op, difference))
    };

    let sum = row.clone().filter_map(exponential).fold(0i32, |sum, exponential| {
        sum.saturating_add(rounding_divide_by_power_of_two(exponential, SUM_INTEGER_BITS))
    });
    let headroom = sum.leading_zeros();
    let reciprocal = one_over_one_plus(sum.wrapping_shl(headroom).wrapping_add(i32::MIN));
    let output_bits = if op.output.dtype == DType::Int16 { 16 } else { 8 };
    let exponent = (SUM_INTEGER_BITS + 31 - output_bits).wrapping_sub(headroom);

    let least = -(1 << (output_bits - 1));
    for index in row {
        let value = match exponential(index) {
            Some(exponential) if exponent < 32 => {
                let ratio = saturating_rounding_doubling_high_multiply(reciprocal, exponential);
                rounding_divide_by_power_of_two(ratio, exponent).wrapping_add(least).min(-1 - least)
            }
            _ => least,
        };
        set_element(output, op.output.dtype, index, value);
    }
}

/// `exp(difference)` with 0 integer bits.
#[inline(never)]
fn exponential(op: &Softmax, difference: i32) -> i32 {
    let shifted = difference.wrapping_shl(op.scale.shift as u32);
    let scaled = saturating_rounding_doubling_high_multiply(shifted, op.scale.multiplier);
    exp_on_negative_values(scaled, DIFFERENCE_INTEGER_BITS)
}
