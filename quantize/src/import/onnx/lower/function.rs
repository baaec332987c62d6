//! Functions of single elements.

use super::super::site::{Refusal, Site, unsupported};
use super::Lowering;
use crate::graph::{Activation, BinaryFunction, Op, TensorId, UnaryFunction};

/// The function that an operator of ONNX is; `None` when it is no function of one element.
fn function(site: &Site<'_>) -> Option<UnaryFunction> {
    let float = |name: &str, default: f32| site.float(name).unwrap_or(default);
    Some(match &*site.node.op_type {
        "Abs" => UnaryFunction::Abs,
        "Ceil" => UnaryFunction::Ceil,
        "Celu" => UnaryFunction::Celu { alpha: float("alpha", 1.0) },
        "Cos" => UnaryFunction::Cos,
        "Elu" => UnaryFunction::Elu { alpha: float("alpha", 1.0) },
        "Erf" => UnaryFunction::Erf,
        "Exp" => UnaryFunction::Exp,
        "Floor" => UnaryFunction::Floor,
        "Gelu" if site.word("approximate").is_some_and(|word| word == "tanh") => UnaryFunction::GeluTanh,
        "Gelu" => UnaryFunction::Gelu,
        "HardSigmoid" => UnaryFunction::HardSigmoid { alpha: float("alpha", 0.2), beta: float("beta", 0.5) },
        "HardSwish" => UnaryFunction::HardSwish,
        "Log" => UnaryFunction::Log,
        "Mish" => UnaryFunction::Mish,
        "Neg" => UnaryFunction::Neg,
        "Reciprocal" => UnaryFunction::Reciprocal,
        "Round" => UnaryFunction::Round,
        "Selu" => {
            UnaryFunction::Selu { alpha: float("alpha", 1.673_263_2), gamma: float("gamma", 1.050_701) }
        }
        "Sign" => UnaryFunction::Sign,
        "Sin" => UnaryFunction::Sin,
        "Softplus" => UnaryFunction::Softplus,
        "Softsign" => UnaryFunction::Softsign,
        "Sqrt" => UnaryFunction::Sqrt,
        "ThresholdedRelu" => UnaryFunction::ThresholdedRelu { alpha: float("alpha", 1.0) },
        _ => return None,
    })
}

impl Lowering {
    /// An operator that is a function of one element; `None` when it is another.
    pub(super) fn function(&mut self, site: &Site<'_>, shape: &[usize]) -> Option<Result<TensorId, Refusal>> {
        let function = function(site)?;
        if !function.has_sound_parameters() {
            return Some(Err(site.invalid("has a parameter outside of its range")));
        }
        Some(self.unary(site, Op::Unary(function), shape))
    }

    /// `function` of `x`.
    pub(super) fn applied(&mut self, site: &Site<'_>, function: UnaryFunction, x: TensorId) -> TensorId {
        let shape = self.shape(x).to_vec();
        self.emit(site, Op::Unary(function), vec![x], shape)
    }

    /// `x` to a constant power, the same for all elements.
    pub(super) fn power(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let Some((_, exponents)) = self.constant_operand(site, 1) else {
            return unsupported("an exponent that is not constant");
        };
        let exponent = exponents[0];
        if exponents.iter().any(|&other| other != exponent) {
            return unsupported("exponents that differ");
        }
        if *shape != *site.x().shape {
            return unsupported("an exponent of more dimensions than its base");
        }
        let function = if exponent == 0.5 {
            UnaryFunction::Sqrt
        } else if exponent == -0.5 {
            UnaryFunction::Rsqrt
        } else if exponent == -1.0 {
            UnaryFunction::Reciprocal
        } else {
            UnaryFunction::Power { exponent }
        };
        site.ensure(function.has_sound_parameters(), format!("has an exponent of {exponent}"))?;
        self.unary(site, Op::Unary(function), shape)
    }

    /// A slope for each element below 0, or one for all.
    pub(super) fn parametric_relu(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        if let Some((_, slopes)) = self.constant_operand(site, 1)
            && slopes.iter().all(|&slope| slope == slopes[0] && slope.is_finite())
        {
            return self.unary(site, Op::LeakyRelu { alpha: slopes[0] }, shape);
        }
        let function = BinaryFunction::ParametricRelu;
        self.binary(site, Op::Binary { function, activation: Activation::NONE }, shape)
    }
}
