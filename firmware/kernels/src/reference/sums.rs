//! The inner loops of layers with sums: functions of their own, so that each has all registers for
//! itself. Sums wrap.

use edgepkg_format::plan::{Accumulation, Rounding, Scale};

use crate::element::Element;
use crate::fixed_point::{multiply_by_scale, multiply_wide_by_scale};
use crate::view::View;

/// `sum` plus each input times its weight.
#[inline(never)]
pub(super) fn add_dot_product<E: Element>(mut sum: i32, inputs: View<'_, E>, weights: &[i8]) -> i32 {
    inputs.for_each_with(weights, |x, &weight| {
        sum = sum.wrapping_add(x.into() * i32::from(weight));
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
pub(super) fn add_inputs<E: Element>(sums: &mut [i32], inputs: View<'_, E>) {
    inputs.for_each_with(sums, |x, sum| *sum = sum.wrapping_add(x.into()));
}

/// The sum of `weights`.
#[inline(never)]
pub(super) fn sum_of(weights: &[i8]) -> i32 {
    weights.iter().fold(0, |sum: i32, &weight| sum.wrapping_add(i32::from(weight)))
}

/// A 64-bit sum in another scale: its lower half, or all of it.
#[inline]
pub(super) fn scale_sum(sum: i64, scale: Scale, accumulation: Accumulation) -> i32 {
    match accumulation {
        Accumulation::Narrow => multiply_by_scale(sum as i32, scale, Rounding::Twice),
        Accumulation::Wide => multiply_wide_by_scale(sum, scale),
    }
}

/// Products of int16 and int8 whose sum fits 32 bits.
const NARROW_PRODUCTS: usize = 256;

/// The sum of each input times its weight, as many of both, in 64 bits.
#[inline(never)]
pub(super) fn wide_dot_product<E: Element>(inputs: View<'_, E>, weights: &[i8]) -> i64 {
    let mut sum = 0i64;
    let mut start = 0;
    for weights in weights.chunks(NARROW_PRODUCTS) {
        sum += i64::from(add_dot_product(0, inputs.run(start, weights.len()), weights));
        start += weights.len();
    }
    sum
}
