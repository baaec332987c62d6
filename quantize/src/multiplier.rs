//! Fixed-point factors, derived from the scales exactly as TensorFlow Lite Micro derives them; where results are
//! rounded once, the nearest to what the scales say.
//!
//! Scales are float32. Each function says in which precision it multiplies and divides them, because
//! the last bit of the multiplier depends on it.

use edgepkg_format::DType;
use edgepkg_format::plan::{Clamp, Scale, Sigmoid};

use crate::graph::{Activation, Op, Quantization, Rounding};

/// A factor that the operator's fixed-point arithmetic cannot take.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("scales give the factor {factor}, which must be {must_be}")]
pub struct FactorOutOfRange {
    /// The factor.
    pub factor: f64,
    /// What it has to be, as the end of a sentence.
    pub must_be: &'static str,
}

const ANY_FACTOR: &str = "0 or more and less than 2^30";

/// The greatest left shift that a 32-bit accumulator of 1 survives.
const MAX_SHIFT: i32 = 30;

/// `factor` as a mantissa in `[2^30, 2^31)` and an exponent in `[-31, 30]`. Factors below `2^-32`
/// become 0.
///
/// # Errors
///
/// When `factor` is negative, not finite, or so large that every accumulator but 0 would overflow.
pub fn quantize_multiplier(factor: f64) -> Result<Scale, FactorOutOfRange> {
    let out_of_range = FactorOutOfRange { factor, must_be: ANY_FACTOR };
    if !(factor.is_finite() && factor >= 0.0) {
        return Err(out_of_range);
    }
    let (multiplier, shift) = mantissa_and_exponent(factor);
    if shift > MAX_SHIFT {
        return Err(out_of_range);
    }
    Ok(Scale { multiplier, shift })
}

fn mantissa_and_exponent(factor: f64) -> (i32, i32) {
    if factor == 0.0 {
        return (0, 0);
    }
    let (fraction, mut exponent) = libm::frexp(factor);
    let mut mantissa = (fraction * (1u64 << 31) as f64).round() as i64;
    if mantissa == 1 << 31 {
        mantissa = 1 << 30;
        exponent += 1;
    }
    if exponent < -31 { (0, 0) } else { (mantissa as i32, exponent) }
}

/// From the scales of input, weights and output to a layer's factor.
pub type WeightedFactor = fn(f32, f32, f32) -> Result<Scale, FactorOutOfRange>;

/// The factors of a layer with `weight_scales` weight scales: `input * weight / output` in double. Where results
/// are rounded twice, the product of a fully connected layer with one weight scale is in float32.
pub fn weighted_factor(op: &Op, weight_scales: usize, rounding: Rounding) -> WeightedFactor {
    match (rounding, op) {
        (Rounding::Twice, Op::FullyConnected { .. }) if weight_scales == 1 => per_tensor_product,
        _ => per_channel_product,
    }
}

/// `input * weight / output` in double.
fn per_channel_product(input: f32, weight: f32, output: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(f64::from(input) * f64::from(weight) / f64::from(output))
}

/// The product in float32, the quotient in double.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn per_tensor_product(input: f32, weight: f32, output: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(f64::from(input * weight) / f64::from(output))
}

/// Multiplication: `a * b / output` in double.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn mul(a: f32, b: f32, output: f32) -> Result<Scale, FactorOutOfRange> {
    per_channel_product(a, b, output)
}

/// A quotient: `a / (b * output)` in float32.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn div(a: f32, b: f32, output: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(f64::from(a / (b * output)))
}

/// Requantization: `input / output` in double.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn requantize(input: f32, output: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(f64::from(input) / f64::from(output))
}

/// Factors of an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddScales {
    /// Bits both inputs are shifted left by first.
    pub left_shift: u32,
    /// The first input's scale in the common one.
    pub a: Scale,
    /// The second input's scale in the common one.
    pub b: Scale,
    /// The common scale in the output's.
    pub output: Scale,
}

/// Addition of tensors of `dtype`: both inputs in the common scale `2 * max(a, b)`, shifted left by 20, or of
/// int16 by 15; in double.
///
/// # Errors
///
/// As [`quantize_multiplier`]; and when a factor is not below 1, which the references refuse: the
/// output's scale is then less than about a millionth of an input's.
pub fn add(a: f32, b: f32, output: f32, dtype: DType) -> Result<AddScales, FactorOutOfRange> {
    let left_shift = shift_of_sums(dtype);
    let common = 2.0 * f64::from(a.max(b));
    Ok(AddScales {
        left_shift,
        a: below_one(f64::from(a) / common)?,
        b: below_one(f64::from(b) / common)?,
        output: below_one(common / (f64::from(1u32 << left_shift) * f64::from(output)))?,
    })
}

/// Bits that inputs of sums are shifted left by first.
fn shift_of_sums(dtype: DType) -> u32 {
    if dtype == DType::Int16 { 15 } else { 20 }
}

/// Subtraction of tensors of `dtype`: as [`add`], with all in float32.
///
/// # Errors
///
/// As [`add`].
pub fn subtract(a: f32, b: f32, output: f32, dtype: DType) -> Result<AddScales, FactorOutOfRange> {
    let left_shift = shift_of_sums(dtype);
    let common = 2.0 * a.max(b);
    Ok(AddScales {
        left_shift,
        a: below_one(f64::from(a / common))?,
        b: below_one(f64::from(b / common))?,
        output: below_one(f64::from(common / ((1u32 << left_shift) as f32 * output)))?,
    })
}

/// The square of a difference of tensors of `dtype`: both inputs in the common scale `2 * max(a, b)`, of int8 shifted left
/// by 7; in double, but for the output's scale times `2^14`.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn squared_difference(a: f32, b: f32, output: f32, dtype: DType) -> Result<AddScales, FactorOutOfRange> {
    let left_shift = if dtype == DType::Int16 { 0 } else { 7 };
    let common = 2.0 * f64::from(a.max(b));
    let finer = (1u32 << (2 * left_shift)) as f32 * output;
    Ok(AddScales {
        left_shift,
        a: below_one(f64::from(a) / common)?,
        b: below_one(f64::from(b) / common)?,
        output: quantize_multiplier(common * common / f64::from(finer))?,
    })
}

/// The product of two matrices: `a * b` in float32, the quotient in double. Rounded once, all in double.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn batch_mat_mul(a: f32, b: f32, output: f32, rounding: Rounding) -> Result<Scale, FactorOutOfRange> {
    match rounding {
        Rounding::Twice => per_tensor_product(a, b, output),
        Rounding::Once => per_channel_product(a, b, output),
    }
}

/// Factors of a running sum of int8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CumulativeSumScales {
    /// Bits the input is shifted left by first.
    pub left_shift: u32,
    /// The input's scale in the sum's.
    pub input: Scale,
    /// The sum's scale in the output's.
    pub output: Scale,
}

/// Running sums of int8: the input shifted left by 20 and halved; in double.
///
/// # Errors
///
/// As [`add`].
pub fn cumulative_sum(input: f32, output: f32) -> Result<CumulativeSumScales, FactorOutOfRange> {
    const LEFT_SHIFT: u32 = 20;
    let common = 2.0 * f64::from(input);
    Ok(CumulativeSumScales {
        left_shift: LEFT_SHIFT,
        input: below_one(0.5)?,
        output: below_one(common / (f64::from(1u32 << LEFT_SHIFT) * f64::from(output)))?,
    })
}

fn below_one(factor: f64) -> Result<Scale, FactorOutOfRange> {
    let scale = quantize_multiplier(factor)?;
    let out_of_range = FactorOutOfRange { factor, must_be: "less than 1" };
    if scale.shift > 0 { Err(out_of_range) } else { Ok(scale) }
}

/// Mean over `count` elements. Rounded once, it is `input / (output * count)` in double. Rounded twice, the
/// multiplier of `input / output` is divided by `count` as an integer, truncated, after as many doublings as
/// leave it below `2^31`: it may be less than `2^30`, for `count` need not be a power of two.
///
/// # Errors
///
/// As [`quantize_multiplier`].
///
/// # Panics
///
/// When `count` is 0.
pub fn mean(input: f32, output: f32, count: u32, rounding: Rounding) -> Result<Scale, FactorOutOfRange> {
    if rounding == Rounding::Once {
        return quantize_multiplier(f64::from(input) / (f64::from(output) * f64::from(count)));
    }
    let whole = requantize(input, output)?;
    let doublings = (count.ilog2() as i32).min(31 + whole.shift);
    let multiplier = (i64::from(whole.multiplier) << doublings) / i64::from(count);
    Ok(Scale { multiplier: multiplier as i32, shift: whole.shift - doublings })
}

/// How softmax scales the differences from the greatest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftmaxScale {
    /// To Q5.26; its shift is not negative.
    pub scale: Scale,
    /// Differences below this count as exp = 0.
    pub diff_min: i32,
}

/// Softmax of int8: `beta * input * 2^26` in double, at most `2^31 - 1`.
///
/// # Errors
///
/// When the factor is not above 1: the references refuse such an input scale.
pub fn softmax(beta: f32, input: f32) -> Result<SoftmaxScale, FactorOutOfRange> {
    const FRACTION_BITS: i32 = 26;
    let factor = f64::from(beta) * f64::from(input) * f64::from(1 << FRACTION_BITS);
    if factor.is_nan() || factor <= 1.0 {
        return Err(FactorOutOfRange { factor, must_be: "more than 1" });
    }
    let (multiplier, shift) = mantissa_and_exponent(factor.min(f64::from(i32::MAX)));
    let greatest = 31.0 * f64::from(1 << FRACTION_BITS) / (1u64 << shift) as f64;
    // At a shift of 31 only the difference 0 counts, and every shift takes 0 to 0.
    let scale = Scale { multiplier, shift: shift.min(MAX_SHIFT) };
    Ok(SoftmaxScale { scale, diff_min: -(greatest.floor() as i32) })
}

/// Softmax of int16: `beta * input`, in steps of 10/65535, in double.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn softmax_int16(beta: f32, input: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(f64::from(input) * f64::from(beta) / (10.0 / 65_535.0))
}

/// What a layer with singular value decomposition filters makes of its state: `state * time / output` in float32.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn svdf_output(state: f32, time: f32, output: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(f64::from(state * time / output))
}

/// A sum of a long short-term memory's gate in steps of `2^-12`: the product in float32.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn lstm_gate(values: f32, weights: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(f64::from(values * weights) * 4096.0)
}

/// A product of two gates, whose steps are `2^-15`, in steps of `output`; in double.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn lstm_product(output: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(libm::exp2(-30.0) / f64::from(output))
}

/// A part of a recurrent layer's gate: `values * weights` in steps of `step`, else of `1 / (3 * 2^12)`; in double.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn recurrent_part(values: f32, weights: f32, step: Option<f32>) -> Result<Scale, FactorOutOfRange> {
    let product = f64::from(values) * f64::from(weights);
    quantize_multiplier(step.map_or(product * 3.0 * 4096.0, |step| product / f64::from(step)))
}

/// The greatest exponent of a recurrent layer's state.
pub const GREATEST_STATE_EXPONENT: u32 = 15;

/// The scale of a recurrent layer's state, `2^(exponent - 15)`.
pub fn scale_of_state(exponent: u32) -> f32 {
    libm::exp2f(exponent as f32 - 15.0)
}

/// The exponent of a recurrent layer's state, 0 to 15; `None` where its scale is another one.
pub fn exponent_of_state(scale: f32) -> Option<u32> {
    (0..=GREATEST_STATE_EXPONENT).find(|&exponent| scale_of_state(exponent) == scale)
}

/// The tangent of cells whose scale is a power of two; `None` where it is none.
pub fn tanh_of_cells(scale: f32) -> Option<WideSigmoidScale> {
    let exponent = libm::log2(scale.into());
    let above = 12 + exponent.round() as i32;
    let is_power = (exponent - exponent.round()).abs() < 1e-3;
    let in_range = is_power && (-30..16).contains(&above);
    in_range.then(|| WideSigmoidScale { multiplier: 3 << above.max(0), shift: (-above).max(0) as u32 })
}

/// How the logistic function and tanh of int16 scale their input to steps of `1 / (3 * 2^12)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideSigmoidScale {
    /// Factor,
    pub multiplier: i32,
    /// and then so many bits to the right.
    pub shift: u32,
}

/// The logistic function and tanh of int16. Powers of two that need no shift are taken as they are: `2^-12`, for
/// tanh `2^-11` too. Otherwise the factor has 15 bits.
pub fn wide_sigmoid(input: f32, function: Sigmoid) -> WideSigmoidScale {
    const STEPS: f64 = 3.0 * 4096.0;
    let exponent = libm::log2(input.into());
    let above = 12.0 + exponent.round();
    let greatest = if function == Sigmoid::Tanh { 1.0 } else { 0.0 };
    if (exponent - exponent.round()).abs() < 1e-3 && (0.0..=greatest).contains(&above) {
        return WideSigmoidScale { multiplier: 3 << above as u32, shift: 0 };
    }
    let (mut factor, mut shift) = (f64::from(input) * STEPS, 0);
    while factor <= f64::from(i16::MAX) / 2.0 && shift <= 30 {
        factor *= 2.0;
        shift += 1;
    }
    WideSigmoidScale { multiplier: factor as i32, shift }
}

/// From the scaled differences of softmax back to differences, for its logarithm.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn inverse_of_softmax(scale: Scale) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(libm::exp2(f64::from(31 - scale.shift)) / f64::from(scale.multiplier))
}

/// How the logistic function and tanh of int8 scale their input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigmoidScale {
    /// To Q4.27.
    pub scale: Scale,
    /// From this distance to the zero point on, the result is the greatest or least one.
    pub radius: i32,
}

/// The logistic function and tanh: `input * 2^27` in double.
///
/// # Errors
///
/// When the scale is negative or not finite.
pub fn sigmoid(input: f32) -> Result<SigmoidScale, FactorOutOfRange> {
    const FRACTION_BITS: i32 = 27;
    let factor = f64::from(input) * f64::from(1 << FRACTION_BITS);
    if !(factor.is_finite() && factor >= 0.0) {
        return Err(FactorOutOfRange { factor, must_be: "0 or more" });
    }
    let (multiplier, shift) = mantissa_and_exponent(factor);
    let greatest = 15.0 * f64::from(1 << FRACTION_BITS) * libm::exp2(f64::from(-shift));
    // Above a shift of 30 the radius is 0 and the factor never used.
    let scale = Scale { multiplier, shift: shift.min(MAX_SHIFT) };
    Ok(SigmoidScale { scale, radius: greatest.floor() as i32 })
}

/// Relu: `input / output` in float32.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn relu(input: f32, output: f32) -> Result<Scale, FactorOutOfRange> {
    quantize_multiplier(f64::from(input / output))
}

/// The slopes of a leaky relu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakyReluScales {
    /// From the zero point up.
    pub identity: Scale,
    /// Below the zero point; its multiplier is negative where the slope is.
    pub alpha: Scale,
}

/// Leaky relu: `input / output` and `input * alpha / output`, both in float32.
///
/// # Errors
///
/// As [`quantize_multiplier`].
pub fn leaky_relu(input: f32, output: f32, alpha: f32) -> Result<LeakyReluScales, FactorOutOfRange> {
    let slope = quantize_multiplier(f64::from((input * alpha / output).abs()))?;
    let multiplier = if alpha < 0.0 { -slope.multiplier } else { slope.multiplier };
    Ok(LeakyReluScales {
        identity: quantize_multiplier(f64::from(input / output))?,
        alpha: Scale { multiplier, ..slope },
    })
}

/// How the 16-bit arithmetic of hard swish scales its input times 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HardSwishScales {
    /// To the output's scale; not shifted to the left.
    pub output: Scale,
    /// To steps of `3 / 2^15`.
    pub gate: Scale,
}

/// Hard swish: `input / 128 / output` and `input / 128 / (3 / 2^15)`, in float32, their multipliers rounded
/// to 16 bits.
///
/// # Errors
///
/// As [`quantize_multiplier`]; and when the first is not below 1, which the references refuse.
pub fn hard_swish(input: f32, output: f32) -> Result<HardSwishScales, FactorOutOfRange> {
    let in_16_bits = |scale: Scale| {
        let multiplier = (i64::from(scale.multiplier) + (1 << 15)) >> 16;
        Scale { multiplier: multiplier.min(i16::MAX.into()) as i32, ..scale }
    };
    let finer = input / 128.0;
    let factor = f64::from(finer / output);
    let output = quantize_multiplier(factor)?;
    if output.shift > 0 {
        return Err(FactorOutOfRange { factor, must_be: "less than 1" });
    }
    let gate = quantize_multiplier(f64::from(finer / (3.0 / 32_768.0)))?;
    Ok(HardSwishScales { output: in_16_bits(output), gate: in_16_bits(gate) })
}

/// The least and greatest value of a type.
///
/// # Panics
///
/// When the type is wider than 32 bits.
pub fn type_range(dtype: DType) -> Clamp {
    match dtype {
        DType::Int4 => Clamp { min: -8, max: 7 },
        DType::Int8 => Clamp { min: i32::from(i8::MIN), max: i32::from(i8::MAX) },
        DType::Int16 => Clamp { min: i32::from(i16::MIN), max: i32::from(i16::MAX) },
        DType::Int32 => Clamp { min: i32::MIN, max: i32::MAX },
        DType::Int64 => panic!("int64 values do not fit a clamp"),
    }
}

/// `value` in a tensor's quantized form, without regard to its type's range: `zero_point +
/// round(value / scale)`, the quotient in float32, rounded half away from zero, saturating.
pub fn quantize(value: f32, quantization: &Quantization) -> i32 {
    quantization.zero_point().saturating_add((value / quantization.scale()).round() as i32)
}

/// The range that `activation` leaves of the output type's.
pub fn activation_range(activation: &Activation, quantization: &Quantization, dtype: DType) -> Clamp {
    let Clamp { min, max } = type_range(dtype);
    let bound = |value: Option<f32>, default| match value {
        Some(value) => quantize(value, quantization).clamp(min, max),
        None => default,
    };
    Clamp { min: bound(activation.min, min), max: bound(activation.max, max) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(multiplier: i32, shift: i32) -> Scale {
        Scale { multiplier, shift }
    }

    #[test]
    fn powers_of_two_have_the_least_mantissa() {
        assert_eq!(quantize_multiplier(1.0), Ok(scale(1 << 30, 1)));
        assert_eq!(quantize_multiplier(0.5), Ok(scale(1 << 30, 0)));
        assert_eq!(quantize_multiplier(0.25), Ok(scale(1 << 30, -1)));
        assert_eq!(quantize_multiplier(0.75), Ok(scale(3 << 29, 0)));
        assert_eq!(quantize_multiplier(0.0), Ok(scale(0, 0)));
    }

    #[test]
    fn a_mantissa_that_rounds_up_to_one_carries() {
        let below_one = 1.0 - f64::powi(2.0, -40);
        assert_eq!(quantize_multiplier(below_one), Ok(scale(1 << 30, 1)));
    }

    #[test]
    fn tiny_factors_flush_to_zero() {
        assert_eq!(quantize_multiplier(f64::powi(2.0, -32)), Ok(scale(1 << 30, -31)));
        assert_eq!(quantize_multiplier(f64::powi(2.0, -33)), Ok(scale(0, 0)));
    }

    #[test]
    fn impossible_factors_are_refused() {
        assert!(quantize_multiplier(f64::powi(2.0, 30)).is_err());
        assert_eq!(quantize_multiplier(f64::powi(2.0, 29)), Ok(scale(1 << 30, 30)));
        assert!(quantize_multiplier(-1.0).is_err());
        assert!(quantize_multiplier(f64::NAN).is_err());
        assert!(quantize_multiplier(f64::INFINITY).is_err());
    }

    #[test]
    fn the_float32_product_differs_from_the_double_one() {
        let (input, weight, output) = (0.1f32, 0.3f32, 1.0f32);
        assert_eq!(per_channel_product(input, weight, output), Ok(scale(2_061_584_415, -5)));
        assert_eq!(per_tensor_product(input, weight, output), Ok(scale(2_061_584_384, -5)));
    }

    #[test]
    fn additions_share_twice_the_greater_scale() {
        let scales = add(0.5, 0.25, 0.125, DType::Int8).unwrap();
        assert_eq!(scales.left_shift, 20);
        assert_eq!(scales.a, scale(1 << 30, 0));
        assert_eq!(scales.b, scale(1 << 30, -1));
        assert_eq!(scales.output, scale(1 << 30, 4 - 20));
        assert!(add(1.0, 1.0, 1e-6, DType::Int8).is_err());
    }

    #[test]
    fn means_divide_the_mantissa_as_an_integer() {
        let mean_of = |count| mean(1.0, 1.0, count, Rounding::Twice);
        assert_eq!(mean_of(4), Ok(scale(1 << 30, -1)));
        assert_eq!(mean_of(9), Ok(scale((8i64 * (1 << 30) / 9) as i32, -2)));
        assert_eq!(mean_of(1), Ok(scale(1 << 30, 1)));
        assert_eq!(mean(1.0, 1.0, 9, Rounding::Once), quantize_multiplier(1.0 / 9.0));
    }

    #[test]
    fn softmax_keeps_five_integer_bits() {
        let of_sixteenth = softmax(1.0, 0.0625).unwrap();
        assert_eq!(of_sixteenth, SoftmaxScale { scale: scale(1 << 30, 23), diff_min: -248 });
        let of_large = softmax(10.0, 100.0).unwrap();
        assert_eq!(of_large, SoftmaxScale { scale: scale(i32::MAX, 30), diff_min: 0 });
        assert!(softmax(1.0, 1e-9).is_err());
    }

    #[test]
    fn sigmoids_keep_four_integer_bits() {
        let of_sixteenth = sigmoid(0.0625).unwrap();
        assert_eq!(of_sixteenth, SigmoidScale { scale: scale(1 << 30, 24), radius: 120 });
        assert_eq!(sigmoid(8.0).unwrap().radius, 0);
    }

    #[test]
    fn a_negative_slope_has_a_negative_multiplier() {
        let scales = leaky_relu(1.0, 1.0, -0.5).unwrap();
        assert_eq!(scales.identity, scale(1 << 30, 1));
        assert_eq!(scales.alpha, scale(-(1 << 30), 0));
    }

    #[test]
    fn activations_narrow_the_types_range() {
        let quantization = Quantization::per_tensor(0.05, -128);
        let range = |activation| activation_range(&activation, &quantization, DType::Int8);
        assert_eq!(range(Activation::NONE), Clamp { min: -128, max: 127 });
        assert_eq!(range(Activation::RELU), Clamp { min: -128, max: 127 });
        assert_eq!(range(Activation::RELU6), Clamp { min: -128, max: -8 });
        let centred = Quantization::per_tensor(0.02, 0);
        let range = activation_range(&Activation::RELU_N1_TO_1, &centred, DType::Int8);
        assert_eq!(range, Clamp { min: -50, max: 50 });
    }
}
