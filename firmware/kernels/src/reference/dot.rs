//! Sums of products along channels.

use crate::view::Bytes;

/// `accumulator` plus the products of `input` and `weights`, wrapping.
#[inline(always)]
pub(super) fn dot(accumulator: i32, input: impl Bytes, weights: &[i8]) -> i32 {
    input
        .values()
        .zip(weights)
        .fold(accumulator, |sum, (x, &weight)| sum.wrapping_add(i32::from(x) * i32::from(weight)))
}

/// `value` times the sum of `weights`, wrapping: what taps outside of the image add.
#[inline(always)]
pub(super) fn padding(value: i32, weights: &[i8]) -> i32 {
    let sum = weights.iter().fold(0i32, |sum, &weight| sum.wrapping_add(i32::from(weight)));
    value.wrapping_mul(sum)
}
