//! Functions of single elements: one operator, or a few where opset 13 has no word for the function.

use super::draft::Draft;
use super::operator::layout_of_inputs;
use super::proto::Attribute::Float;
use crate::graph::{Node, UnaryFunction};

/// Adds what computes `function`.
///
/// # Errors
///
/// What the format cannot express, as the end of a sentence that begins with the node.
pub(super) fn add(draft: &mut Draft<'_>, node: &Node, function: UnaryFunction) -> Result<(), &'static str> {
    let layout = layout_of_inputs(draft, node);
    let x = draft.dequantized(node.inputs[0], layout);
    let mut made = Chain { draft, node };
    let result = made.function(function, &x)?;
    let quantization = &draft.graph.tensor(node.output()).quantization;
    draft.quantize(&result, (node.output(), layout), quantization);
    Ok(())
}

struct Chain<'d, 'g> {
    draft: &'d mut Draft<'g>,
    node: &'d Node,
}

impl Chain<'_, '_> {
    fn function(&mut self, function: UnaryFunction, x: &str) -> Result<String, &'static str> {
        Ok(match function {
            UnaryFunction::Abs
            | UnaryFunction::Neg
            | UnaryFunction::Exp
            | UnaryFunction::Reciprocal
            | UnaryFunction::Softplus
            | UnaryFunction::Softsign
            | UnaryFunction::Erf
            | UnaryFunction::Sin
            | UnaryFunction::Cos
            | UnaryFunction::Floor
            | UnaryFunction::Ceil
            | UnaryFunction::Round
            | UnaryFunction::Sign => self.node(function.name(), &[x]),
            UnaryFunction::Log | UnaryFunction::Sqrt => {
                let x = self.node("Relu", &[x]);
                self.node(function.name(), &[&x])
            }
            UnaryFunction::Rsqrt => {
                let root = self.function(UnaryFunction::Sqrt, x)?;
                self.node("Reciprocal", &[&root])
            }
            UnaryFunction::Elu { alpha } => self.with("Elu", x, &[("alpha", alpha)]),
            UnaryFunction::Selu { alpha, gamma } => {
                self.with("Selu", x, &[("alpha", alpha), ("gamma", gamma)])
            }
            UnaryFunction::Celu { alpha } => self.with("Celu", x, &[("alpha", alpha)]),
            UnaryFunction::HardSigmoid { alpha, beta } => {
                self.with("HardSigmoid", x, &[("alpha", alpha), ("beta", beta)])
            }
            UnaryFunction::ThresholdedRelu { alpha } => self.with("ThresholdedRelu", x, &[("alpha", alpha)]),
            UnaryFunction::HardSwish => {
                let gate = self.with("HardSigmoid", x, &[("alpha", 1.0 / 6.0), ("beta", 0.5)]);
                self.node("Mul", &[x, &gate])
            }
            UnaryFunction::Silu => {
                let gate = self.node("Sigmoid", &[x]);
                self.node("Mul", &[x, &gate])
            }
            UnaryFunction::Mish => {
                let softplus = self.node("Softplus", &[x]);
                let gate = self.node("Tanh", &[&softplus]);
                self.node("Mul", &[x, &gate])
            }
            UnaryFunction::Gelu => {
                let scaled = self.scaled(x, std::f32::consts::FRAC_1_SQRT_2);
                let erf = self.node("Erf", &[&scaled]);
                let product = self.node("Mul", &[x, &erf]);
                let sum = self.node("Add", &[x, &product]);
                self.scaled(&sum, 0.5)
            }
            UnaryFunction::Power { exponent } => {
                let is_integer = exponent.fract() == 0.0;
                let base = if is_integer { x.to_owned() } else { self.node("Relu", &[x]) };
                let exponent = self.draft.float(&self.node.name, "_exponent", exponent);
                self.node("Pow", &[&base, &exponent])
            }
            UnaryFunction::GeluTanh => return Err("is a function that opset 13 has no operator for"),
        })
    }

    fn node(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.draft.node(self.node, operator, inputs, &[])
    }

    fn with(&mut self, operator: &str, x: &str, attributes: &[(&'static str, f32)]) -> String {
        let attributes: Vec<_> = attributes.iter().map(|&(name, value)| (name, Float(value))).collect();
        self.draft.node(self.node, operator, &[x], &attributes)
    }

    fn scaled(&mut self, x: &str, factor: f32) -> String {
        let factor = self.draft.float(&self.node.name, "_factor", factor);
        self.node("Mul", &[x, &factor])
    }
}
