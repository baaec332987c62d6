//! Unary int8 functions: tables of 256 bytes, filled by the functions' own arithmetic.

use bytemuck::cast_slice;
use edgepkg_format::DType;
use edgepkg_format::plan::{Clamp, Lookup, Requantize};
use edgepkg_kernels::reference::unary::{HardSwish, LeakyRelu, Logistic, Rescale, Tanh};

use super::function_table::tabulate;
use super::{Lowering, NodeResult, word};
use crate::graph::{Activation, Node, Tensor, UnaryFunction};
use crate::multiplier::{self, activation_range, type_range};

impl Lowering<'_> {
    pub(super) fn logistic(&mut self, node: &Node) -> NodeResult {
        let x = &self.unary(node).0.quantization;
        let sigmoid = multiplier::sigmoid(x.scale())?;
        let function =
            Logistic { input_zero_point: x.zero_point(), scale: sigmoid.scale, input_radius: sigmoid.radius };
        self.lookup(node, &function.table())
    }

    pub(super) fn tanh(&mut self, node: &Node) -> NodeResult {
        let x = &self.unary(node).0.quantization;
        let sigmoid = multiplier::sigmoid(x.scale())?;
        let function =
            Tanh { input_zero_point: x.zero_point(), scale: sigmoid.scale, input_radius: sigmoid.radius };
        self.lookup(node, &function.table())
    }

    pub(super) fn relu(&mut self, node: &Node) -> NodeResult {
        let (x, y) = self.unary(node);
        let function = Rescale {
            input_zero_point: x.quantization.zero_point(),
            scale: multiplier::relu(x.quantization.scale(), y.quantization.scale())?,
            output_zero_point: y.quantization.zero_point(),
            clamp: Clamp { min: y.quantization.zero_point(), ..type_range(y.dtype) },
        };
        self.lookup(node, &function.table())
    }

    /// The references clamp raw values and take the output's scale to be the input's.
    pub(super) fn relu6(&mut self, node: &Node) -> NodeResult {
        let (x, _) = self.unary(node);
        let function = Rescale {
            input_zero_point: x.quantization.zero_point(),
            scale: multiplier::quantize_multiplier(1.0)?,
            output_zero_point: x.quantization.zero_point(),
            clamp: activation_range(&Activation::RELU6, &x.quantization, x.dtype),
        };
        self.lookup(node, &function.table())
    }

    pub(super) fn clamp(&mut self, node: &Node, activation: &Activation) -> NodeResult {
        let (x, y) = self.unary(node);
        let function = Rescale {
            input_zero_point: x.quantization.zero_point(),
            scale: multiplier::requantize(x.quantization.scale(), y.quantization.scale())?,
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(activation, &y.quantization, y.dtype),
        };
        self.lookup(node, &function.table())
    }

    pub(super) fn leaky_relu(&mut self, node: &Node, alpha: f32) -> NodeResult {
        let (x, y) = self.unary(node);
        let scales = multiplier::leaky_relu(x.quantization.scale(), y.quantization.scale(), alpha)?;
        let function = LeakyRelu {
            input_zero_point: x.quantization.zero_point(),
            identity: scales.identity,
            alpha: scales.alpha,
            output_zero_point: y.quantization.zero_point(),
        };
        self.lookup(node, &function.table())
    }

    /// By the function's table; HardSwish as the references compute it, where its scales allow that.
    pub(super) fn function(&mut self, node: &Node, function: UnaryFunction) -> NodeResult {
        let (x, y) = self.unary(node);
        let (x, y) = (&x.quantization, &y.quantization);
        let scales = multiplier::hard_swish(x.scale(), y.scale());
        if let (UnaryFunction::HardSwish, Ok(scales)) = (function, scales) {
            let function = HardSwish {
                input_zero_point: x.zero_point(),
                output: scales.output,
                gate: scales.gate,
                output_zero_point: y.zero_point(),
            };
            return self.lookup(node, &function.table());
        }
        self.in_floats(node, |x| function.apply_to_any(x))
    }

    /// By a table of what `function` makes of every input.
    pub(super) fn in_floats(&mut self, node: &Node, function: impl Fn(f32) -> f32) -> NodeResult {
        let (x, y) = self.unary(node);
        self.lookup(node, &tabulate(function, &x.quantization, &y.quantization, self.graph.rounding))
    }

    pub(super) fn requantize(&mut self, node: &Node) -> NodeResult {
        let (x, y) = self.unary(node);
        if x.dtype == DType::Int8 && y.dtype == DType::Int8 {
            return self.clamp(node, &Activation::NONE);
        }
        let record = Requantize {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            length: word(x.len()),
            input_zero_point: x.quantization.zero_point(),
            scale: multiplier::requantize(x.quantization.scale(), y.quantization.scale())?,
            output_zero_point: y.quantization.zero_point(),
            rounding: self.graph.rounding,
        };
        self.push(record);
        Ok(())
    }

    fn lookup(&mut self, node: &Node, table: &[i8; 256]) -> NodeResult {
        let record = Lookup {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            table: self.constant(cast_slice(table), DType::Int8)?,
            length: word(self.tensor(node.output()).len()),
        };
        self.push(record);
        Ok(())
    }
}
