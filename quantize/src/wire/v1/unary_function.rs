//! Functions of one real of version 1, in the order of their codes. Frozen; new ones are appended.

use serde::{Deserialize, Serialize};

use crate::graph;

/// What is applied to each element: `graph::UnaryFunction`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "variants and fields are those of `graph::UnaryFunction`")]
pub enum UnaryFunction {
    Abs,
    Neg,
    Exp,
    Log,
    Sqrt,
    Rsqrt,
    Reciprocal,
    Elu { alpha: f32 },
    Selu { alpha: f32, gamma: f32 },
    Celu { alpha: f32 },
    HardSigmoid { alpha: f32, beta: f32 },
    HardSwish,
    Gelu,
    GeluTanh,
    Silu,
    Mish,
    Softplus,
    Softsign,
    Erf,
    Sin,
    Cos,
    Floor,
    Ceil,
    Round,
    Sign,
    Power { exponent: f32 },
    ThresholdedRelu { alpha: f32 },
}

impl UnaryFunction {
    pub(super) fn from_graph(function: graph::UnaryFunction) -> Self {
        use graph::UnaryFunction as From;
        match function {
            From::Abs => Self::Abs,
            From::Neg => Self::Neg,
            From::Exp => Self::Exp,
            From::Log => Self::Log,
            From::Sqrt => Self::Sqrt,
            From::Rsqrt => Self::Rsqrt,
            From::Reciprocal => Self::Reciprocal,
            From::Elu { alpha } => Self::Elu { alpha },
            From::Selu { alpha, gamma } => Self::Selu { alpha, gamma },
            From::Celu { alpha } => Self::Celu { alpha },
            From::HardSigmoid { alpha, beta } => Self::HardSigmoid { alpha, beta },
            From::HardSwish => Self::HardSwish,
            From::Gelu => Self::Gelu,
            From::GeluTanh => Self::GeluTanh,
            From::Silu => Self::Silu,
            From::Mish => Self::Mish,
            From::Softplus => Self::Softplus,
            From::Softsign => Self::Softsign,
            From::Erf => Self::Erf,
            From::Sin => Self::Sin,
            From::Cos => Self::Cos,
            From::Floor => Self::Floor,
            From::Ceil => Self::Ceil,
            From::Round => Self::Round,
            From::Sign => Self::Sign,
            From::Power { exponent } => Self::Power { exponent },
            From::ThresholdedRelu { alpha } => Self::ThresholdedRelu { alpha },
        }
    }

    pub(super) fn into_graph(self) -> graph::UnaryFunction {
        use graph::UnaryFunction as Into;
        match self {
            Self::Abs => Into::Abs,
            Self::Neg => Into::Neg,
            Self::Exp => Into::Exp,
            Self::Log => Into::Log,
            Self::Sqrt => Into::Sqrt,
            Self::Rsqrt => Into::Rsqrt,
            Self::Reciprocal => Into::Reciprocal,
            Self::Elu { alpha } => Into::Elu { alpha },
            Self::Selu { alpha, gamma } => Into::Selu { alpha, gamma },
            Self::Celu { alpha } => Into::Celu { alpha },
            Self::HardSigmoid { alpha, beta } => Into::HardSigmoid { alpha, beta },
            Self::HardSwish => Into::HardSwish,
            Self::Gelu => Into::Gelu,
            Self::GeluTanh => Into::GeluTanh,
            Self::Silu => Into::Silu,
            Self::Mish => Into::Mish,
            Self::Softplus => Into::Softplus,
            Self::Softsign => Into::Softsign,
            Self::Erf => Into::Erf,
            Self::Sin => Into::Sin,
            Self::Cos => Into::Cos,
            Self::Floor => Into::Floor,
            Self::Ceil => Into::Ceil,
            Self::Round => Into::Round,
            Self::Sign => Into::Sign,
            Self::Power { exponent } => Into::Power { exponent },
            Self::ThresholdedRelu { alpha } => Into::ThresholdedRelu { alpha },
        }
    }
}
