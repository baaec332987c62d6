//! Unary int8 functions as tables: what a `Lookup` record holds.
//!
//! Each function is a struct of parameters; its [`table`](Rescale::table) has the output for input `q`
//! at index `q + 128`. Parameters are derived from scales where floats are at hand.

use edgepkg_format::plan::{Clamp, Rounding, Scale};

use crate::fixed_point::{
    logistic, multiply_by_scale, multiply_by_signed_scale, requantize, rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_multiply_i16, tanh,
};

/// The same reals with another scale and zero point, clamped: Requantize, Relu, and any other clamp.
///
/// `y = clamp(multiply(q - input_zero_point, scale) + output_zero_point)`.
///
/// Relu clamps to `[output_zero_point, 127]`. A scale of 1 (`multiplier: 1 << 30, shift: 1`) changes
/// nothing, so that with equal zero points this is a clamp alone: Relu6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescale {
    /// Zero point of the input.
    pub input_zero_point: i32,
    /// Input scale in the output's.
    pub scale: Scale,
    /// Zero point of the output.
    pub output_zero_point: i32,
    /// Range of the output, within -128 to 127.
    pub clamp: Clamp,
}

/// `x < 0 ? alpha * x : x`.
///
/// `y = clamp(multiply(q - input_zero_point, q < input_zero_point ? alpha : identity) +
/// output_zero_point)`, clamped to -128 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakyRelu {
    /// Zero point of the input.
    pub input_zero_point: i32,
    /// Input scale in the output's.
    pub identity: Scale,
    /// `input scale * alpha` in the output's; a negative alpha has a negative multiplier.
    pub alpha: Scale,
    /// Zero point of the output.
    pub output_zero_point: i32,
}

/// `1 / (1 + exp(-x))`. The output's scale is 1/256, its zero point -128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logistic {
    /// Zero point of the input.
    pub input_zero_point: i32,
    /// `input scale * 2^27`: takes `q - input_zero_point` to 4 integer bits.
    pub scale: Scale,
    /// `floor(15 * 2^27 / 2^scale.shift)`: from this distance to the zero point on, the output is at
    /// its end.
    pub input_radius: i32,
}

/// The hyperbolic tangent. The output's scale is 1/128, its zero point 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tanh {
    /// Zero point of the input.
    pub input_zero_point: i32,
    /// `input scale * 2^27`: takes `q - input_zero_point` to 4 integer bits.
    pub scale: Scale,
    /// `floor(15 * 2^27 / 2^scale.shift)`: from this distance to the zero point on, the output is at
    /// its end.
    pub input_radius: i32,
}

/// `x * clamp(x + 3, 0, 6) / 6`, in 16 bits: both factors are the input with 7 more bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HardSwish {
    /// Zero point of the input.
    pub input_zero_point: i32,
    /// `input scale / 128` in the output's; a multiplier of 16 bits, and a shift to the right.
    pub output: Scale,
    /// `input scale / 128` in steps of `3 / 2^15`; a multiplier of 16 bits.
    pub gate: Scale,
    /// Zero point of the output.
    pub output_zero_point: i32,
}

/// The functions are the references'.
const TWICE: Rounding = Rounding::Twice;
const INT8: Clamp = Clamp { min: i8::MIN as i32, max: i8::MAX as i32 };

fn table(function: impl Fn(i32) -> i32) -> [i8; 256] {
    let mut table = [0; 256];
    for (q, entry) in (i8::MIN..=i8::MAX).zip(&mut table) {
        *entry = function(i32::from(q)) as i8;
    }
    table
}

impl Rescale {
    /// The output for inputs -128 to 127.
    pub fn table(&self) -> [i8; 256] {
        table(|q| {
            let x = q.wrapping_sub(self.input_zero_point);
            requantize(x, self.scale, TWICE, self.output_zero_point, self.clamp)
        })
    }
}

impl LeakyRelu {
    /// The output for inputs -128 to 127.
    pub fn table(&self) -> [i8; 256] {
        table(|q| {
            let x = q.wrapping_sub(self.input_zero_point);
            let slope = if x >= 0 { self.identity } else { self.alpha };
            let y = multiply_by_signed_scale(x, slope);
            y.wrapping_add(self.output_zero_point).clamp(INT8.min, INT8.max)
        })
    }
}

impl Logistic {
    /// The output for inputs -128 to 127.
    pub fn table(&self) -> [i8; 256] {
        saturating_table(self.input_zero_point, self.input_radius, |x| {
            rounding_divide_by_power_of_two(logistic(multiply_by_scale(x, self.scale, TWICE)), 23) - 128
        })
    }
}

impl Tanh {
    /// The output for inputs -128 to 127.
    pub fn table(&self) -> [i8; 256] {
        saturating_table(self.input_zero_point, self.input_radius, |x| {
            rounding_divide_by_power_of_two(tanh(multiply_by_scale(x, self.scale, TWICE)), 24)
        })
    }
}

/// `function` of the distance to the zero point, clamped; at its ends from the distance `radius` on.
fn saturating_table(zero_point: i32, radius: i32, function: impl Fn(i32) -> i32) -> [i8; 256] {
    table(|q| match q.wrapping_sub(zero_point) {
        x if x <= radius.wrapping_neg() => INT8.min,
        x if x >= radius => INT8.max,
        x => function(x).clamp(INT8.min, INT8.max),
    })
}

impl HardSwish {
    /// The output for inputs -128 to 127.
    pub fn table(&self) -> [i8; 256] {
        table(|q| {
            let x = saturate_i16(q.wrapping_sub(self.input_zero_point).wrapping_mul(128));
            let product = saturating_rounding_doubling_high_multiply_i16(x, self.output.multiplier as i16);
            let y = i32::from(self.gate(x)) * i32::from(product) / (1 << 15);
            let y = rounding_divide_by_power_of_two(y, self.output.shift.wrapping_neg() as u32);
            y.wrapping_add(self.output_zero_point).clamp(INT8.min, INT8.max)
        })
    }

    /// `clamp(x / 3, -1, 1) / 2 + 1 / 2`, 1 being 2^15.
    fn gate(&self, x: i16) -> i16 {
        let shift = self.gate.shift;
        let left =
            |x: i16, bits: i32| saturate_i16(i32::from(x).saturating_mul(1i32.wrapping_shl(bits as u32)));
        let shifted = if shift > 0 { left(x, shift - 1) } else { x };
        let scaled = saturating_rounding_doubling_high_multiply_i16(shifted, self.gate.multiplier as i16);
        let scaled = match shift {
            1.. => i32::from(left(scaled, 1)),
            0 => i32::from(scaled),
            _ => rounding_divide_by_power_of_two(scaled.into(), shift.wrapping_neg() as u32),
        };
        ((scaled + (1 << 15)) >> 1) as i16
    }
}

fn saturate_i16(x: i32) -> i16 {
    x.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Scale = Scale { multiplier: 1 << 30, shift: 1 };
    const HALF: Scale = Scale { multiplier: 1 << 30, shift: 0 };

    /// Checks pairs of input and output.
    fn check(table: [i8; 256], expected: &[(i8, i8)]) {
        for &(q, y) in expected {
            assert_eq!(table[usize::from(q as u8 ^ 0x80)], y, "of {q}");
        }
    }

    #[test]
    fn rescaling_moves_zero_points_and_clamps() {
        let identity = Rescale { input_zero_point: -7, scale: ONE, output_zero_point: -7, clamp: INT8 };
        check(identity.table(), &[(-128, -128), (-7, -7), (127, 127)]);

        let clamp = Clamp { min: 10, max: INT8.max };
        let relu = Rescale { input_zero_point: -4, scale: HALF, output_zero_point: 10, clamp };
        check(relu.table(), &[(-128, 10), (-4, 10), (-3, 11), (-2, 11), (0, 12), (127, 76)]);
    }

    #[test]
    fn leaky_relus_take_slopes_of_either_sign() {
        let relu = LeakyRelu { input_zero_point: 2, identity: ONE, alpha: HALF, output_zero_point: -1 };
        check(relu.table(), &[(2, -1), (5, 2), (0, -2), (-2, -3), (127, 124), (-128, -66)]);

        let alpha = Scale { multiplier: -1 << 30, shift: 0 };
        let negative = LeakyRelu { alpha, ..relu };
        check(negative.table(), &[(2, -1), (5, 2), (0, 0), (-2, 1), (127, 124), (-128, 64)]);
    }

    /// A scale of 1/16 and its radius.
    const SIXTEENTH: (Scale, i32) = (Scale { multiplier: 1 << 30, shift: 24 }, (15 << 27) >> 24);

    #[test]
    fn logistic_is_close_to_its_real_value() {
        let (scale, input_radius) = SIXTEENTH;
        let table = Logistic { input_zero_point: -28, scale, input_radius }.table();
        check(table, &[(-28, 0), (-28 + 120, 127), (127, 127), (-128, -128)]);
        for (q, y) in (-128i32..).zip(table) {
            let expected = (256.0 / (1.0 + (f64::from(-28 - q) / 16.0).exp())).min(255.0);
            assert!((f64::from(y) + 128.0 - expected).abs() < 0.51, "logistic of {q}: {y}");
        }
    }

    #[test]
    fn tanh_is_close_to_its_real_value() {
        let (scale, input_radius) = SIXTEENTH;
        let table = Tanh { input_zero_point: 28, scale, input_radius }.table();
        check(table, &[(28, 0), (127, 127), (-128, -128), (28 - 120, -128)]);
        for (q, y) in (-128i32..).zip(table) {
            let expected = (128.0 * (f64::from(q - 28) / 16.0).tanh()).clamp(-128.0, 127.0);
            assert!((f64::from(y) - expected).abs() < 0.51, "tanh of {q}: {y}");
        }
    }

    #[test]
    fn hard_swish_is_close_to_its_real_value() {
        // Steps of 1/16 in and out: 1 / 128, and 2^15 / (3 * 128 * 16) = 5.33 steps of the gate.
        let output = Scale { multiplier: 1 << 14, shift: -6 };
        let gate = Scale { multiplier: 21_845, shift: 3 };
        let table = HardSwish { input_zero_point: 3, output, gate, output_zero_point: -100 }.table();
        for (q, y) in (-128i32..).zip(table) {
            let x = f64::from(q - 3) / 16.0;
            let expected = (16.0 * x * (x + 3.0).clamp(0.0, 6.0) / 6.0 - 100.0).clamp(-128.0, 127.0);
            assert!((f64::from(y) - expected).abs() < 0.6, "hard swish of {q}: {y}");
        }
    }

    #[test]
    fn no_radius_saturates_everywhere() {
        let (scale, input_zero_point) = (SIXTEENTH.0, 3);
        let logistic = Logistic { input_zero_point, scale, input_radius: 0 };
        check(logistic.table(), &[(2, -128), (3, -128), (4, 127)]);
        let tanh = Tanh { input_zero_point, scale, input_radius: 0 };
        check(tanh.table(), &[(2, -128), (3, -128), (4, 127)]);
    }
}
