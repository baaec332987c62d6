//! Functions of one real: what [`Op::Unary`](super::Op::Unary) applies to each element.

use serde::{Deserialize, Serialize};

/// A function of one real. On int8 it is a table of 256 entries, so that any of them costs the device
/// the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum UnaryFunction {
    /// `|x|`.
    Abs,
    /// `-x`.
    Neg,
    /// `exp(x)`.
    Exp,
    /// The natural logarithm, of `x > 0`.
    Log,
    /// `sqrt(x)`, of `x >= 0`.
    Sqrt,
    /// `1 / sqrt(x)`, of `x > 0`.
    Rsqrt,
    /// `1 / x`, of `x != 0`.
    Reciprocal,
    /// `x < 0 ? alpha * (exp(x) - 1) : x`.
    Elu {
        /// Minus the limit below.
        alpha: f32,
    },
    /// `gamma * (x < 0 ? alpha * (exp(x) - 1) : x)`.
    Selu {
        /// Minus the limit below, before the factor.
        alpha: f32,
        /// The factor.
        gamma: f32,
    },
    /// `max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)`.
    Celu {
        /// Minus the limit below; above 0.
        alpha: f32,
    },
    /// `clamp(alpha * x + beta, 0, 1)`.
    HardSigmoid {
        /// Slope.
        alpha: f32,
        /// Value at 0.
        beta: f32,
    },
    /// `x * clamp(x + 3, 0, 6) / 6`.
    HardSwish,
    /// `x / 2 * (1 + erf(x / sqrt(2)))`.
    Gelu,
    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.
    GeluTanh,
    /// `x / (1 + exp(-x))`; Swish.
    Silu,
    /// `x * tanh(log(1 + exp(x)))`.
    Mish,
    /// `log(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// The error function.
    Erf,
    /// Of an angle in radians.
    Sin,
    /// Of an angle in radians.
    Cos,
    /// The greatest integer that is not above `x`.
    Floor,
    /// The least integer that is not below `x`.
    Ceil,
    /// The nearest integer; of two, the even one.
    Round,
    /// -1, 0 or 1.
    Sign,
    /// `x^exponent`, of `x >= 0` unless the exponent is an integer, and of `x != 0` where it is negative.
    Power {
        /// The exponent.
        exponent: f32,
    },
    /// `x > alpha ? x : 0`.
    ThresholdedRelu {
        /// The threshold.
        alpha: f32,
    },
}

impl UnaryFunction {
    /// The function's name, for reports and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Abs => "Abs",
            Self::Neg => "Neg",
            Self::Exp => "Exp",
            Self::Log => "Log",
            Self::Sqrt => "Sqrt",
            Self::Rsqrt => "Rsqrt",
            Self::Reciprocal => "Reciprocal",
            Self::Elu { .. } => "Elu",
            Self::Selu { .. } => "Selu",
            Self::Celu { .. } => "Celu",
            Self::HardSigmoid { .. } => "HardSigmoid",
            Self::HardSwish => "HardSwish",
            Self::Gelu => "Gelu",
            Self::GeluTanh => "GeluTanh",
            Self::Silu => "Silu",
            Self::Mish => "Mish",
            Self::Softplus => "Softplus",
            Self::Softsign => "Softsign",
            Self::Erf => "Erf",
            Self::Sin => "Sin",
            Self::Cos => "Cos",
            Self::Floor => "Floor",
            Self::Ceil => "Ceil",
            Self::Round => "Round",
            Self::Sign => "Sign",
            Self::Power { .. } => "Power",
            Self::ThresholdedRelu { .. } => "ThresholdedRelu",
        }
    }

    /// The function's value in float32. Outside of the domain it is NaN or an infinity.
    ///
    /// Transcendental functions are computed in double by `libm` and rounded once, but for Elu, which
    /// TensorFlow Lite computes in float32 throughout.
    pub fn apply(self, x: f32) -> f32 {
        let in_double = |function: fn(f64) -> f64| function(f64::from(x)) as f32;
        match self {
            Self::Abs => x.abs(),
            Self::Neg => -x,
            Self::Exp => in_double(libm::exp),
            Self::Log => in_double(libm::log),
            Self::Sqrt => in_double(libm::sqrt),
            Self::Rsqrt => in_double(|x| 1.0 / libm::sqrt(x)),
            Self::Reciprocal => 1.0 / x,
            Self::Elu { alpha } => elu(x, alpha),
            Self::Selu { alpha, gamma } => gamma * elu(x, alpha),
            Self::Celu { alpha } => {
                if x < 0.0 {
                    let alpha = f64::from(alpha);
                    (alpha * libm::expm1(f64::from(x) / alpha)) as f32
                } else {
                    x
                }
            }
            Self::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Self::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Self::Gelu => in_double(|x| 0.5 * x * (1.0 + libm::erf(x * core::f64::consts::FRAC_1_SQRT_2))),
            Self::GeluTanh => in_double(|x| {
                let slope = core::f64::consts::FRAC_2_SQRT_PI * core::f64::consts::FRAC_1_SQRT_2;
                0.5 * x * (1.0 + libm::tanh(slope * (x + 0.044715 * x * x * x)))
            }),
            Self::Silu => in_double(|x| x / (1.0 + libm::exp(-x))),
            Self::Mish => in_double(|x| x * libm::tanh(softplus(x))),
            Self::Softplus => in_double(softplus),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Erf => in_double(libm::erf),
            Self::Sin => in_double(libm::sin),
            Self::Cos => in_double(libm::cos),
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Round => x.round_ties_even(),
            Self::Sign => match x {
                x if x > 0.0 => 1.0,
                x if x < 0.0 => -1.0,
                x => x,
            },
            Self::Power { exponent } => libm::pow(f64::from(x), f64::from(exponent)) as f32,
            Self::ThresholdedRelu { alpha } => {
                if x > alpha {
                    x
                } else {
                    0.0
                }
            }
        }
    }

    /// [`apply`](Self::apply) for every real: what lies outside of the domain is taken for its nearest end,
    /// where the value may be infinite.
    pub fn apply_to_any(self, x: f32) -> f32 {
        let starts_at_zero = match self {
            Self::Log | Self::Sqrt | Self::Rsqrt => true,
            Self::Power { exponent } => exponent != exponent.floor(),
            _ => false,
        };
        self.apply(if starts_at_zero && x <= 0.0 { 0.0 } else { x })
    }

    /// Whether the parameters are numbers in their ranges.
    pub fn has_sound_parameters(self) -> bool {
        match self {
            Self::Elu { alpha } | Self::ThresholdedRelu { alpha } => alpha.is_finite(),
            Self::Selu { alpha, gamma } => alpha.is_finite() && gamma.is_finite(),
            Self::Celu { alpha } => alpha.is_finite() && alpha > 0.0,
            Self::HardSigmoid { alpha, beta } => alpha.is_finite() && beta.is_finite(),
            Self::Power { exponent } => exponent.is_finite(),
            _ => true,
        }
    }
}

fn elu(x: f32, alpha: f32) -> f32 {
    if x < 0.0 { alpha * (libm::expf(x) - 1.0) } else { x }
}

/// `log(1 + exp(x))`, without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}
