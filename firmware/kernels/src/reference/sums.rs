//! Sums along channels.

use crate::view::View;

/// `sum` plus the products of `input` and `weights`, wrapping.
#[inline(always)]
pub(super) fn add_dot_product(mut sum: i32, input: View<'_>, weights: &[i8]) -> i32 {
    input.for_each_with(weights, |x, &weight| {
        sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
    });
    sum
}

/// The sum of `weights`, wrapping.
#[inline(always)]
pub(super) fn sum_of(weights: &[i8]) -> i32 {
    weights.iter().fold(0, |sum: i32, &weight| sum.wrapping_add(i32::from(weight)))
}
