//! The inner loops of layers with sums: functions of their own, so that each has all registers for
//! itself. Sums wrap.

use crate::view::View;

/// `sum` plus each input times its weight.
#[inline(never)]
pub(super) fn add_dot_product(mut sum: i32, inputs: View<'_>, weights: &[i8]) -> i32 {
    inputs.for_each_with(weights, |x, &weight| {
        sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
    });
    sum
}

/// `sum` plus each input's distance from `zero_point` times its weight.
#[inline(never)]
pub(super) fn add_centred_products(mut sum: i32, inputs: View<'_>, zero_point: i32, weights: &[i8]) -> i32 {
    inputs.for_each_with(weights, |x, &weight| {
        let x = i32::from(x).wrapping_sub(zero_point);
        sum = sum.wrapping_add(x.wrapping_mul(i32::from(weight)));
    });
    sum
}

/// Adds to each sum its input times its weight.
#[inline(never)]
pub(super) fn add_products(sums: &mut [i32], inputs: View<'_>, weights: &[i8]) {
    inputs.for_each_with(sums.iter_mut().zip(weights), |x, (sum, &weight)| {
        *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
    });
}

/// Adds to each sum `x` times its weight.
#[inline(never)]
pub(super) fn add_scaled(sums: &mut [i32], x: i32, weights: &[i8]) {
    for (sum, &weight) in sums.iter_mut().zip(weights) {
        *sum = sum.wrapping_add(x.wrapping_mul(i32::from(weight)));
    }
}

/// Adds to each sum its input.
#[inline(never)]
pub(super) fn add_inputs(sums: &mut [i32], inputs: View<'_>) {
    inputs.for_each_with(sums, |x, sum| *sum = sum.wrapping_add(i32::from(x)));
}

/// The sum of `weights`.
#[inline(never)]
pub(super) fn sum_of(weights: &[i8]) -> i32 {
    weights.iter().fold(0, |sum: i32, &weight| sum.wrapping_add(i32::from(weight)))
}
