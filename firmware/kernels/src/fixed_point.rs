//! The integer arithmetic that every result is made of.
//!
//! The formulas are those of gemmlowp's `fixedpoint.h` and of TensorFlow Lite Micro's requantization
//! with its default, double rounding; or with a single one, where a record says so. Every function is
//! total: products and sums wrap, and shifts are taken modulo the width of their type, so that no bit
//! pattern in an artifact can panic.

use edgepkg_format::plan::{Clamp, Rounding, Scale};

/// The rounded upper half of `2 * a * b`: gemmlowp's `SaturatingRoundingDoublingHighMul`.
///
/// gemmlowp adds `2^30` or, to a negative product, `1 - 2^30`, and divides by `2^31` toward zero. That
/// is the same as adding `2^30` and shifting: halves round up. `i32::MIN * i32::MIN` saturates.
#[inline]
pub fn saturating_rounding_doubling_high_multiply(a: i32, b: i32) -> i32 {
    let product = i64::from(a) * i64::from(b);
    ((product + (1 << 30)) >> 31).min(i64::from(i32::MAX)) as i32
}

/// The rounded upper half of `2 * a * b` in 16 bits, as [`saturating_rounding_doubling_high_multiply`] is
/// in 32.
#[inline]
pub fn saturating_rounding_doubling_high_multiply_i16(a: i16, b: i16) -> i16 {
    let product = i32::from(a) * i32::from(b);
    ((product + (1 << 14)) >> 15).min(i32::from(i16::MAX)) as i16
}

/// `x / 2^exponent`, rounded to the nearest, halves away from zero: gemmlowp's
/// `RoundingDivideByPOT`. `exponent` is 0 to 31.
#[inline]
pub fn rounding_divide_by_power_of_two(x: i32, exponent: u32) -> i32 {
    let mask = 1i32.wrapping_shl(exponent).wrapping_sub(1);
    let remainder = x & mask;
    let threshold = (mask >> 1) + i32::from(x < 0);
    x.wrapping_shr(exponent) + i32::from(remainder > threshold)
}

/// `x * 2^exponent`, saturating: gemmlowp's `SaturatingRoundingMultiplyByPOT` for an exponent of 0 or
/// more. `exponent` is 0 to 31.
#[inline]
pub fn saturating_shift_left(x: i32, exponent: u32) -> i32 {
    let exponent = exponent & 31;
    (i64::from(x) << exponent).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// Half of `a + b`, rounded away from zero: gemmlowp's `RoundingHalfSum`.
#[inline]
pub fn rounding_half_sum(a: i32, b: i32) -> i32 {
    let sum = i64::from(a) + i64::from(b);
    ((sum + i64::from(sum >= 0)) >> 1) as i32
}

/// The lower half of `a * b / 2^(31 + exponent)`, rounded once to the nearest, halves up. `exponent` is 0 to
/// 31.
#[inline]
fn multiply_and_divide(a: i32, b: i32, exponent: u32) -> i32 {
    let product = i64::from(a) * i64::from(b);
    let high = (product >> 31) as i32;
    // The bit below the result is what tells whether the rest is a half or more.
    let below = match exponent.checked_sub(1) {
        None => (product >> 30) as i32,
        Some(shift) => high.wrapping_shr(shift),
    };
    high.wrapping_shr(exponent).wrapping_add(below & 1)
}

/// `x * scale`: the shift to the left first, wrapping; the multiplier; the shift to the right. Rounded twice,
/// that is TensorFlow Lite Micro's `MultiplyByQuantizedMultiplier` by default.
#[inline]
pub fn multiply_by_scale(x: i32, scale: Scale, rounding: Rounding) -> i32 {
    let x = x.wrapping_shl(scale.shift.max(0) as u32);
    let right = scale.shift.min(0).wrapping_neg() as u32;
    match rounding {
        Rounding::Twice => {
            let product = saturating_rounding_doubling_high_multiply(x, scale.multiplier);
            rounding_divide_by_power_of_two(product, right)
        }
        Rounding::Once => multiply_and_divide(x, scale.multiplier, right),
    }
}

/// [`multiply_by_scale`], rounded twice, by a scale whose multiplier may be negative: the product with its
/// magnitude is negated.
#[inline]
pub fn multiply_by_signed_scale(x: i32, scale: Scale) -> i32 {
    if scale.multiplier >= 0 {
        return multiply_by_scale(x, scale, Rounding::Twice);
    }
    let magnitude = Scale { multiplier: scale.multiplier.wrapping_neg(), ..scale };
    multiply_by_scale(x, magnitude, Rounding::Twice).wrapping_neg()
}

/// `x * scale` of a 64-bit sum, with the multiplier's upper 16 bits, rounded, and rounded once: TensorFlow
/// Lite Micro's `MultiplyByQuantizedMultiplier` of 64 bits. The scale's shift is at most 14.
#[inline]
pub fn multiply_wide_by_scale(x: i64, scale: Scale) -> i32 {
    let multiplier = scale.multiplier.saturating_add(1 << 15) >> 16;
    let shift = 15i32.wrapping_sub(scale.shift) as u32;
    let half = 1i64.wrapping_shl(shift.wrapping_sub(1));
    x.wrapping_mul(multiplier.into()).wrapping_add(half).wrapping_shr(shift) as i32
}

/// `x * scale + zero_point`, clamped. A range whose ends are exchanged gives its greatest value.
#[inline]
pub fn requantize(x: i32, scale: Scale, rounding: Rounding, zero_point: i32, clamp: Clamp) -> i32 {
    multiply_by_scale(x, scale, rounding).wrapping_add(zero_point).max(clamp.min).min(clamp.max)
}

/// The greatest value with 0 integer bits: what stands for 1.
pub const ONE_Q0: i32 = i32::MAX;

/// `exp(x)` with 0 integer bits for `x <= 0` with `integer_bits` (4 or 5) integer bits: gemmlowp's
/// `exp_on_negative_values`.
///
/// `x` is split into a rest in `[-1/4, 0)`, taken by a polynomial around -1/8, and multiples of 1/4,
/// taken by a factor for each bit.
pub fn exp_on_negative_values(x: i32, integer_bits: u32) -> i32 {
    /// `exp(-2^j)` for `j` from -2 to 4, with 0 integer bits.
    const FACTORS: [i32; 7] = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];

    if x == 0 {
        return ONE_Q0;
    }
    let integer_bits = integer_bits & 7;
    let quarter = 1i32 << (31 - integer_bits - 2);
    let rest = (x & (quarter - 1)) - quarter;
    let multiples = rest.wrapping_sub(x);
    let mut result = exp_around_minus_one_eighth(saturating_shift_left(rest, integer_bits));
    for (j, factor) in FACTORS.into_iter().enumerate().take(integer_bits as usize + 2) {
        if multiples & quarter.wrapping_shl(j as u32) != 0 {
            result = saturating_rounding_doubling_high_multiply(result, factor);
        }
    }
    result
}

/// `exp(x)` for `x` in `[-1/4, 0)`, both with 0 integer bits: gemmlowp's
/// `exp_on_interval_between_negative_one_quarter_and_0_excl`.
fn exp_around_minus_one_eighth(x: i32) -> i32 {
    const EXP_OF_MINUS_ONE_EIGHTH: i32 = 1895147668;
    const ONE_THIRD: i32 = 715827883;
    let multiply = saturating_rounding_doubling_high_multiply;

    let x = x.wrapping_add(1 << 28);
    let x2 = multiply(x, x);
    let x3 = multiply(x2, x);
    let x4 = multiply(x2, x2);
    let cubic_and_quartic = rounding_divide_by_power_of_two(x4, 2).wrapping_add(x3);
    let from_second = multiply(cubic_and_quartic, ONE_THIRD).wrapping_add(x2);
    let series = x.wrapping_add(rounding_divide_by_power_of_two(from_second, 1));
    EXP_OF_MINUS_ONE_EIGHTH.wrapping_add(multiply(EXP_OF_MINUS_ONE_EIGHTH, series))
}

/// `2 / (1 + x)` with 2 integer bits for `x` in `[0, 1)` with 0 integer bits: three Newton steps, as in
/// gemmlowp's `one_over_one_plus_x_for_x_in_0_1`.
fn two_over_one_plus(x: i32) -> i32 {
    const FORTY_EIGHT_SEVENTEENTHS_Q2: i32 = 1515870810;
    const MINUS_THIRTY_TWO_SEVENTEENTHS_Q2: i32 = -1010580540;
    const ONE_Q2: i32 = 1 << 29;
    let multiply = saturating_rounding_doubling_high_multiply;

    let half_denominator = rounding_half_sum(x, ONE_Q0);
    let mut quotient = FORTY_EIGHT_SEVENTEENTHS_Q2
        .wrapping_add(multiply(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS_Q2));
    for _ in 0..3 {
        let error = ONE_Q2.wrapping_sub(multiply(half_denominator, quotient));
        let correction_q4 = multiply(quotient, error);
        quotient = quotient.wrapping_add(saturating_shift_left(correction_q4, 2));
    }
    quotient
}

/// The natural logarithm with 5 integer bits for `x` of at least 1 with 12 integer bits: TensorFlow Lite's
/// `log_x_for_x_greater_than_or_equal_to_1_impl`.
///
/// `x` is a power of two, which counts in halves, times a rest `r` near 1; the rest's logarithm is a quotient
/// of polynomials around its middle.
pub fn log(x: i32) -> i32 {
    const SQUARE_ROOT_OF_HALF: i32 = 1518500250;
    const MIDDLE: i32 = 1805811301;
    const LOG_OF_2: i32 = 1488522236;
    const QUARTER_Q5: i32 = 1 << 23;
    let multiply = saturating_rounding_doubling_high_multiply;
    let power = |zeros: u32| saturating_shift_left(12i32.wrapping_sub(zeros as i32), 25);

    let zeros = x.leading_zeros();
    let normalized = saturating_shift_left(x, zeros.wrapping_sub(1));
    let rest = saturating_shift_left(multiply(normalized, SQUARE_ROOT_OF_HALF), 1);
    let zeros_of_lower = multiply(x, SQUARE_ROOT_OF_HALF).leading_zeros().wrapping_sub(1);
    let rest_of_lower = saturating_shift_left(x, zeros_of_lower);
    let r = rest.min(rest_of_lower);
    let halves = power(zeros).wrapping_add(QUARTER_Q5).max(power(zeros_of_lower).wrapping_sub(QUARTER_Q5));

    let p = rounding_half_sum(r, MIDDLE);
    let q = r.wrapping_sub(MIDDLE).wrapping_mul(2);
    let square = multiply(q, q);
    let numerator = multiply(q, r).wrapping_add(multiply(multiply(q, square), 117049297));
    let series = 1057819769i32.wrapping_add(q).wrapping_add(multiply(127690142, square));
    let denominator = multiply(p, series).wrapping_add(multiply(638450708, q));
    let of_rest = multiply(rounding_divide_by_power_of_two(numerator, 6), one_over_one_plus(denominator));
    saturating_shift_left(multiply(halves, LOG_OF_2).wrapping_add(of_rest), 1)
}

/// `1 / (1 + x)` for `x` in `[0, 1)`, both with 0 integer bits.
pub fn one_over_one_plus(x: i32) -> i32 {
    saturating_shift_left(two_over_one_plus(x), 1)
}

/// `(1 - x) / (1 + x)` for `x` in `[0, 1)`, both with 0 integer bits.
pub fn one_minus_x_over_one_plus(x: i32) -> i32 {
    saturating_shift_left(two_over_one_plus(x).wrapping_sub(1 << 29), 2)
}

/// `1 / (1 + exp(-x))` with 0 integer bits for `x` with 4 integer bits: gemmlowp's `logistic`.
pub fn logistic(x: i32) -> i32 {
    if x == 0 {
        return 1 << 30;
    }
    let of_magnitude = one_over_one_plus(exp_on_negative_values(negative_magnitude(x), 4));
    if x > 0 { of_magnitude } else { ONE_Q0.wrapping_sub(of_magnitude) }
}

/// The hyperbolic tangent with 0 integer bits for `x` with 4 integer bits: gemmlowp's `tanh`.
pub fn tanh(x: i32) -> i32 {
    // The same bits with 5 integer bits are twice the value.
    let of_magnitude = one_minus_x_over_one_plus(exp_on_negative_values(negative_magnitude(x), 5));
    match x {
        0 => 0,
        1.. => of_magnitude,
        _ => of_magnitude.wrapping_neg(),
    }
}

fn negative_magnitude(x: i32) -> i32 {
    if x > 0 { -x } else { x }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// The ends of ranges and what lies around them, and values between.
    fn words() -> Vec<i32> {
        let powers = (0..32).map(|exponent| 1i32.wrapping_shl(exponent));
        let around = powers.flat_map(|power| [-1, 0, 1].map(|step| power.wrapping_add(step)));
        around.flat_map(|x| [x, x.wrapping_neg(), x.wrapping_mul(0x2545_f491)]).collect()
    }

    #[test]
    fn high_multiply_is_gemmlowps() {
        for &a in &words() {
            for &b in &words() {
                let product = i64::from(a) * i64::from(b);
                let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
                let expected = if a == i32::MIN && b == i32::MIN {
                    i32::MAX.into()
                } else {
                    (product + nudge) / (1 << 31)
                };
                assert_eq!(
                    i64::from(saturating_rounding_doubling_high_multiply(a, b)),
                    expected,
                    "{a} * {b}"
                );
            }
        }
    }

    #[test]
    fn divisions_round_half_away_from_zero() {
        for &x in &words() {
            for exponent in 0..32 {
                let magnitude = (i64::from(x).abs() + (1i64 << exponent) / 2) >> exponent;
                let expected = magnitude * i64::from(x.signum());
                assert_eq!(
                    i64::from(rounding_divide_by_power_of_two(x, exponent)),
                    expected,
                    "{x} >> {exponent}"
                );
            }
            assert_eq!(rounding_divide_by_power_of_two(x, 32), x, "shifts are modulo 32");
        }
    }

    #[test]
    fn half_sums_round_away_from_zero() {
        let cases =
            [(1, 2, 2), (-1, -2, -2), (1, 0, 1), (0, -1, -1), (3, 5, 4), (i32::MAX, i32::MAX, i32::MAX)];
        for (a, b, expected) in cases {
            assert_eq!(rounding_half_sum(a, b), expected, "{a} and {b}");
        }
    }

    #[test]
    fn left_shifts_saturate() {
        assert_eq!(saturating_shift_left(3, 4), 48);
        assert_eq!(saturating_shift_left(1 << 29, 2), i32::MAX);
        assert_eq!(saturating_shift_left(-1 - (1 << 29), 2), i32::MIN);
        assert_eq!(saturating_shift_left(-1 << 29, 2), i32::MIN);
    }

    #[test]
    fn scales_round_twice() {
        let scale = |multiplier, shift| Scale { multiplier, shift };
        let multiply_by_scale = |x, scale| multiply_by_scale(x, scale, Rounding::Twice);
        assert_eq!(multiply_by_scale(1234, scale(1 << 30, 1)), 1234, "a scale of 1");
        assert_eq!(multiply_by_scale(-7, scale(1 << 30, 3)), -28);
        assert_eq!(multiply_by_scale(5, scale(1 << 30, 0)), 3, "2.5");
        assert_eq!(multiply_by_scale(-5, scale(1 << 30, 0)), -2, "-2.5: the multiplier rounds halves up");
        assert_eq!(multiply_by_scale(-10, scale(1 << 30, -1)), -3, "-2.5: the shift rounds halves away");
        assert_eq!(multiply_by_scale(9, scale(1 << 30, -1)), 3, "2.25, by way of 4.5 and 5");
        assert_eq!(multiply_by_scale(i32::MAX, scale(0, 0)), 0);
    }

    #[test]
    fn scales_round_once() {
        let multiply =
            |x, multiplier, shift| multiply_by_scale(x, Scale { multiplier, shift }, Rounding::Once);
        assert_eq!(multiply(1234, 1 << 30, 1), 1234, "a scale of 1");
        assert_eq!(multiply(9, 1 << 30, -1), 2, "2.25");
        assert_eq!([multiply(5, 1 << 30, 0), multiply(-5, 1 << 30, 0)], [3, -2], "2.5 and -2.5");
        assert_eq!([multiply(10, 1 << 30, -1), multiply(-10, 1 << 30, -1)], [3, -2], "2.5 and -2.5");
        for &x in &words() {
            for &multiplier in &words() {
                for shift in -31..=0 {
                    let ends = x == i32::MIN && multiplier == i32::MIN;
                    let product = if ends { -1 << 62 } else { i128::from(x) * i128::from(multiplier) };
                    let expected = (product + (1 << (30 - shift))) >> (31 - shift);
                    let found = multiply(x, multiplier, shift);
                    assert_eq!(found, expected as i32, "{x} * {multiplier} * 2^({shift} - 31)");
                }
            }
        }
    }

    #[test]
    fn wide_sums_are_scaled_by_sixteen_bits_and_rounded_up() {
        let multiply = |x, multiplier, shift| multiply_wide_by_scale(x, Scale { multiplier, shift });
        assert_eq!(multiply(1234, 1 << 30, 1), 1234, "a scale of 1");
        assert_eq!([multiply(5, 1 << 30, 0), multiply(-5, 1 << 30, 0)], [3, -2], "2.5 and -2.5");
        assert_eq!(multiply(1 << 40, 1 << 30, -20), 1 << 19);
        assert_eq!(multiply(1 << 15, i32::MAX, 0), 0x7fff, "the greatest multiplier is cut off");
        assert_eq!(multiply(1 << 15, (1 << 30) + (1 << 15), 0), 0x4001, "half a step rounds up");
        assert_eq!(multiply(1 << 15, (1 << 30) + (1 << 15) - 1, 0), 0x4000);
    }

    #[test]
    fn negative_slopes_negate_the_product() {
        let slope = |multiplier| Scale { multiplier, shift: 0 };
        assert_eq!(multiply_by_signed_scale(-5, slope(1 << 30)), -2);
        assert_eq!(multiply_by_signed_scale(-5, slope(-1 << 30)), 2);
    }

    fn real(x: i32, integer_bits: i32) -> f64 {
        f64::from(x) / f64::powi(2.0, 31 - integer_bits)
    }

    #[test]
    fn transcendental_functions_are_close_to_their_real_values() {
        for step in 1..20_000 {
            let x = i32::MIN / 20_000 * step + 77;
            let exp = real(exp_on_negative_values(x, 5), 0);
            assert!((exp - real(x, 5).exp()).abs() < 5e-7, "exp({})", real(x, 5));
            for x in [x, -x] {
                let expected = 1.0 / (1.0 + (-real(x, 4)).exp());
                assert!((real(logistic(x), 0) - expected).abs() < 5e-7, "logistic({})", real(x, 4));
                let expected = real(x, 4).tanh();
                assert!((real(tanh(x), 0) - expected).abs() < 1e-6, "tanh({})", real(x, 4));
            }
            let fraction = real(-x, 0);
            let quotient = real(one_over_one_plus(-x), 0);
            assert!((quotient - 1.0 / (1.0 + fraction)).abs() < 1e-8, "1 / (1 + {fraction})");
        }
        for step in 0..20_000 {
            let x = (1 << 19) + step * ((i32::MAX - (1 << 19)) / 20_000);
            assert!((real(log(x), 5) - real(x, 12).ln()).abs() < 1e-6, "log({})", real(x, 12));
        }
        assert_eq!(exp_on_negative_values(0, 5), ONE_Q0);
        assert_eq!((logistic(0), tanh(0)), (1 << 30, 0));
    }

    #[test]
    fn every_value_has_a_result() {
        for &x in &words() {
            logistic(x);
            tanh(x);
            one_over_one_plus(x);
            one_minus_x_over_one_plus(x);
            log(x);
            for &y in &words() {
                exp_on_negative_values(x, y as u32);
                rounding_half_sum(x, y);
                saturating_shift_left(x, y as u32);
                rounding_divide_by_power_of_two(x, y as u32);
                let scale = Scale { multiplier: y, shift: y.rotate_left(9) };
                multiply_by_signed_scale(x, scale);
                multiply_wide_by_scale(i64::from(x) << 31 ^ i64::from(y), scale);
                for rounding in Rounding::ALL {
                    requantize(x, scale, rounding, y, Clamp { min: y, max: x });
                }
            }
        }
    }
}
