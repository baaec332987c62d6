//! Functions and comparisons of two reals.

use serde::{Deserialize, Serialize};

/// What [`Op::Binary`](super::Op::Binary) makes of two elements, `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryFunction {
    /// `a - b`.
    Subtract,
    /// `(a - b)^2`.
    SquaredDifference,
    /// The greater one.
    Maximum,
    /// The lesser one.
    Minimum,
    /// `a`, times `b` where `a` is less than 0.
    ParametricRelu,
}

impl BinaryFunction {
    /// The function's name in TensorFlow Lite's words, for reports and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subtract => "Sub",
            Self::SquaredDifference => "SquaredDifference",
            Self::Maximum => "Maximum",
            Self::Minimum => "Minimum",
            Self::ParametricRelu => "PRelu",
        }
    }
}

/// What [`Op::Compare`](super::Op::Compare) says of two elements, `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// They are the same.
    Equal,
    /// They are not.
    NotEqual,
    /// `a` is above `b`.
    Greater,
    /// `a` is not below `b`.
    GreaterOrEqual,
}

impl Comparison {
    /// Whether `a` and `b` compare so.
    pub fn holds(self, a: f32, b: f32) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
        }
    }

    /// The comparison's name in TensorFlow Lite's words, for reports and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::NotEqual => "NotEqual",
            Self::Greater => "Greater",
            Self::GreaterOrEqual => "GreaterEqual",
        }
    }
}

/// How finely quantized elements are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// As they are: both inputs have one scale and zero point.
    Exact,
    /// As reals in steps of 1/256, as TensorFlow Lite does.
    In256ths,
}
