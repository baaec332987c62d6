//! Functions of two elements, with broadcasting.

use edgepkg_format::plan::{self, Add, Binary, Mul, Scale};
use edgepkg_format::{DType, Record, TensorRef};

use super::layout::{Views, broadcast_strides, dense_strides};
use super::{Lowering, NodeError, NodeResult};
use crate::graph::{Activation, BinaryFunction, Comparison, Node, Precision, Quantization};
use crate::multiplier::{self, AddScales, activation_range};

/// The operands of a binary operator and how they are walked through: views of `a`, `b` and the output.
struct Operands {
    a: TensorRef,
    b: TensorRef,
    output: TensorRef,
    views: Views<3>,
}

impl Lowering<'_> {
    pub(super) fn add(&mut self, node: &Node, activation: &Activation) -> NodeResult {
        let [a, b] = [0, 1].map(|index| &self.tensor(node.inputs[index]).quantization);
        let y = self.tensor(node.output());
        let scales = multiplier::add(a.scale(), b.scale(), y.quantization.scale(), y.dtype)?;
        let operands = self.operands(node)?;
        let record = Add {
            a: operands.a,
            b: operands.b,
            output: operands.output,
            dims: operands.views.dims(),
            a_strides: operands.views.strides(0),
            b_strides: operands.views.strides(1),
            a_zero_point: a.zero_point(),
            b_zero_point: b.zero_point(),
            left_shift: scales.left_shift,
            a_scale: scales.a,
            b_scale: scales.b,
            output_scale: scales.output,
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(activation, &y.quantization, y.dtype),
            rounding: self.graph.rounding,
        };
        match y.dtype {
            DType::Int16 => self.push(Record::Add16(record)),
            _ => self.push(record),
        }
        Ok(())
    }

    pub(super) fn mul(&mut self, node: &Node, activation: &Activation) -> NodeResult {
        let [a, b, y] = self.scales(node);
        let record = self.product(node, activation, multiplier::mul(a, b, y)?)?;
        match self.tensor(node.output()).dtype {
            DType::Int16 => self.push(Record::Mul16(record)),
            _ => self.push(record),
        }
        Ok(())
    }

    pub(super) fn div(&mut self, node: &Node, activation: &Activation) -> NodeResult {
        let [a, b, y] = self.scales(node);
        let record = self.product(node, activation, multiplier::div(a, b, y)?)?;
        self.push(Record::Div(record));
        Ok(())
    }

    /// Scales of both inputs and of the output.
    fn scales(&self, node: &Node) -> [f32; 3] {
        [node.inputs[0], node.inputs[1], node.output()].map(|id| self.tensor(id).quantization.scale())
    }

    fn product(
        &mut self,
        node: &Node,
        activation: &Activation,
        output_scale: Scale,
    ) -> Result<Mul, NodeError> {
        let [a, b] = [0, 1].map(|index| &self.tensor(node.inputs[index]).quantization);
        let y = self.tensor(node.output());
        let operands = self.operands(node)?;
        Ok(Mul {
            a: operands.a,
            b: operands.b,
            output: operands.output,
            dims: operands.views.dims(),
            a_strides: operands.views.strides(0),
            b_strides: operands.views.strides(1),
            a_zero_point: a.zero_point(),
            b_zero_point: b.zero_point(),
            output_scale,
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(activation, &y.quantization, y.dtype),
            rounding: self.graph.rounding,
        })
    }

    /// A maximum or minimum compares raw values, as the references do.
    pub(super) fn binary(
        &mut self,
        node: &Node,
        function: BinaryFunction,
        activation: &Activation,
    ) -> NodeResult {
        let [a, b] = [0, 1].map(|index| &self.tensor(node.inputs[index]).quantization);
        let y = self.tensor(node.output());
        let (a_scale, b_scale, y_scale) = (a.scale(), b.scale(), y.quantization.scale());
        let one = multiplier::quantize_multiplier(1.0)?;
        let unshifted = |a, b| AddScales { left_shift: 0, a, b, output: one };
        let scales = match function {
            BinaryFunction::Subtract => multiplier::subtract(a_scale, b_scale, y_scale, y.dtype)?,
            BinaryFunction::SquaredDifference => {
                multiplier::squared_difference(a_scale, b_scale, y_scale, y.dtype)?
            }
            BinaryFunction::Maximum | BinaryFunction::Minimum => unshifted(one, one),
            BinaryFunction::ParametricRelu => unshifted(
                multiplier::requantize(a_scale, y_scale)?,
                multiplier::mul(a_scale, b_scale, y_scale)?,
            ),
        };
        let is_raw = matches!(function, BinaryFunction::Maximum | BinaryFunction::Minimum);
        let zero_point = |quantization: &Quantization| if is_raw { 0 } else { quantization.zero_point() };
        let operands = self.operands(node)?;
        let is_of_sums = matches!(function, BinaryFunction::Subtract | BinaryFunction::SquaredDifference);
        if y.dtype == DType::Int16 && is_of_sums {
            let record = Add {
                a: operands.a,
                b: operands.b,
                output: operands.output,
                dims: operands.views.dims(),
                a_strides: operands.views.strides(0),
                b_strides: operands.views.strides(1),
                a_zero_point: a.zero_point(),
                b_zero_point: b.zero_point(),
                left_shift: scales.left_shift,
                a_scale: scales.a,
                b_scale: scales.b,
                output_scale: scales.output,
                output_zero_point: y.quantization.zero_point(),
                clamp: activation_range(activation, &y.quantization, y.dtype),
                rounding: self.graph.rounding,
            };
            self.push(match function {
                BinaryFunction::Subtract => Record::Sub16(record),
                _ => Record::SquaredDifference16(record),
            });
            return Ok(());
        }
        let record = Binary {
            a: operands.a,
            b: operands.b,
            output: operands.output,
            dims: operands.views.dims(),
            a_strides: operands.views.strides(0),
            b_strides: operands.views.strides(1),
            function: function_of(function),
            a_zero_point: zero_point(a),
            b_zero_point: zero_point(b),
            left_shift: scales.left_shift,
            a_scale: scales.a,
            b_scale: scales.b,
            output_scale: scales.output,
            output_zero_point: zero_point(&y.quantization),
            clamp: activation_range(activation, &y.quantization, y.dtype),
            rounding: self.graph.rounding,
        };
        match y.dtype {
            DType::Int16 => self.push(Record::Binary16(record)),
            _ => self.push(record),
        }
        Ok(())
    }

    /// Whether two elements compare so: 1 or 0.
    pub(super) fn compare(
        &mut self,
        node: &Node,
        comparison: Comparison,
        precision: Precision,
    ) -> NodeResult {
        let [a, b] = [0, 1].map(|index| &self.tensor(node.inputs[index]).quantization);
        let y = self.tensor(node.output());
        let one = multiplier::quantize_multiplier(1.0)?;
        let (left_shift, scales, zero_points) = match precision {
            Precision::Exact => (0, [one; 2], [0; 2]),
            Precision::In256ths => {
                let [a_scale, b_scale] =
                    [a, b].map(|of| multiplier::quantize_multiplier(f64::from(of.scale())));
                (COMPARED_BITS, [a_scale?, b_scale?], [a, b].map(Quantization::zero_point))
            }
        };
        let operands = self.operands(node)?;
        let record = Binary {
            a: operands.a,
            b: operands.b,
            output: operands.output,
            dims: operands.views.dims(),
            a_strides: operands.views.strides(0),
            b_strides: operands.views.strides(1),
            function: match comparison {
                Comparison::Equal => plan::BinaryFunction::Equal,
                Comparison::NotEqual => plan::BinaryFunction::NotEqual,
                Comparison::Greater => plan::BinaryFunction::Greater,
                Comparison::GreaterOrEqual => plan::BinaryFunction::GreaterOrEqual,
            },
            a_zero_point: zero_points[0],
            b_zero_point: zero_points[1],
            left_shift,
            a_scale: scales[0],
            b_scale: scales[1],
            output_scale: one,
            output_zero_point: 0,
            clamp: multiplier::type_range(y.dtype),
            rounding: self.graph.rounding,
        };
        match y.dtype {
            DType::Int16 => self.push(Record::Binary16(record)),
            _ => self.push(record),
        }
        Ok(())
    }

    fn operands(&mut self, node: &Node) -> Result<Operands, NodeError> {
        let shape = &self.tensor(node.output()).shape;
        let [a, b] =
            [0, 1].map(|index| broadcast_strides(&self.tensor(node.inputs[index]).shape, shape.len()));
        Ok(Operands {
            a: self.place(node.inputs[0])?,
            b: self.place(node.inputs[1])?,
            output: self.allocate(node.output())?,
            views: Views::new(shape, [&a, &b, &dense_strides(shape)]),
        })
    }
}

/// Bits behind the point of reals that are compared.
const COMPARED_BITS: u32 = 8;

/// The function as records have it.
fn function_of(function: BinaryFunction) -> plan::BinaryFunction {
    match function {
        BinaryFunction::Subtract => plan::BinaryFunction::Subtract,
        BinaryFunction::SquaredDifference => plan::BinaryFunction::SquaredDifference,
        BinaryFunction::Maximum => plan::BinaryFunction::Maximum,
        BinaryFunction::Minimum => plan::BinaryFunction::Minimum,
        BinaryFunction::ParametricRelu => plan::BinaryFunction::ParametricRelu,
    }
}
