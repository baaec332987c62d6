//! Nodes become float operators between QuantizeLinear and DequantizeLinear.

use super::draft::{Draft, Layout};
use super::function;
use super::proto::Attribute;
use super::weighted::{self, ints};
use crate::graph::{
    Activation, BinaryFunction, Direction, MatrixLayout, Node, Op, Padding, Pool, Quantization, Running,
};
use crate::multiplier::{activation_range, quantize, type_range};

/// Adds what computes `node`.
///
/// # Errors
///
/// What the format cannot express, as the end of a sentence that begins with the node.
pub(super) fn add(draft: &mut Draft<'_>, node: &Node) -> Result<(), &'static str> {
    let graph = draft.graph;
    let [x, y] = [node.inputs[0], node.output()].map(|id| graph.tensor(id));
    match &node.op {
        Op::Conv2d(conv) => weighted::add_conv_2d(draft, node, conv),
        Op::DepthwiseConv2d(conv) => weighted::add_depthwise_conv_2d(draft, node, conv),
        Op::FullyConnected { activation } => weighted::add_fully_connected(draft, node, activation),
        Op::AveragePool2d(pool) => add_pool(draft, node, pool, "AveragePool")?,
        Op::MaxPool2d(pool) => add_pool(draft, node, pool, "MaxPool")?,
        Op::Add { activation } => add_elementwise(draft, node, "Add", &[], activation, &y.quantization),
        Op::Mul { activation } => add_elementwise(draft, node, "Mul", &[], activation, &y.quantization),
        Op::Logistic => {
            let range = Quantization::per_tensor(1.0 / 256.0, -128);
            add_elementwise(draft, node, "Sigmoid", &[], &Activation::NONE, &range);
        }
        Op::Tanh => {
            let range = Quantization::per_tensor(1.0 / 128.0, 0);
            add_elementwise(draft, node, "Tanh", &[], &Activation::NONE, &range);
        }
        Op::Relu => add_elementwise(draft, node, "Relu", &[], &Activation::NONE, &y.quantization),
        Op::LeakyRelu { alpha } => {
            let alpha = [("alpha", Attribute::Float(*alpha))];
            add_elementwise(draft, node, "LeakyRelu", &alpha, &Activation::NONE, &y.quantization);
        }
        Op::Unary(function) => function::add(draft, node, *function)?,
        // It clamps raw values.
        Op::Relu6 => add_clamp(draft, node, &Activation::RELU6, &x.quantization),
        Op::Clamp(activation) => add_clamp(draft, node, activation, &y.quantization),
        Op::Div { .. } => return Err("divides by the references' arithmetic, which ONNX cannot express"),
        Op::Recurrent(_) => return Err("is a recurrent layer, which is not written"),
        Op::NonMaxSuppression(_) => return Err("chooses boxes, which is not written"),
        Op::Stateful(_) => return Err("keeps something between runs, which is not written"),
        Op::Requantize => add_clamp(draft, node, &Activation::NONE, &y.quantization),
        Op::Mean { axes } => {
            let keeps = i64::from(x.shape.len() == y.shape.len());
            let attributes = [("axes", ints(axes)), ("keepdims", Attribute::Int(keeps))];
            add_given(draft, node, "ReduceMean", &[], &attributes, &y.quantization);
        }
        Op::Softmax { beta } => add_softmax(draft, node, *beta),
        Op::Pad { before, after, value } => {
            let range = type_range(y.dtype);
            let raw = quantize(*value, &y.quantization).clamp(range.min, range.max);
            let pads = draft.indices(node, "_pads", &[&before[..], after].concat());
            let value = draft.float(&node.name, "_value", real(raw, &x.quantization));
            add_given(draft, node, "Pad", &[pads, value], &[], &x.quantization);
        }
        Op::Concat { axis } => {
            let inputs: Vec<String> =
                node.inputs.iter().map(|&id| draft.dequantized(id, Layout::Given)).collect();
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            let result = draft.node(node, "Concat", &inputs, &[("axis", Attribute::Int(*axis as i64))]);
            draft.quantize(&result, (node.output(), Layout::Given), &x.quantization);
        }
        Op::Reshape => {
            let shape = draft.indices(node, "_shape", &y.shape);
            add_given(draft, node, "Reshape", &[shape], &[], &x.quantization);
        }
        Op::Transpose { perm } => {
            add_given(draft, node, "Transpose", &[], &[("perm", ints(perm))], &x.quantization);
        }
        Op::Slice { begin } => {
            let end: Vec<usize> = begin.iter().zip(&y.shape).map(|(&begin, &taken)| begin + taken).collect();
            let starts = draft.indices(node, "_starts", begin);
            let ends = draft.indices(node, "_ends", &end);
            add_given(draft, node, "Slice", &[starts, ends], &[], &x.quantization);
        }
        Op::Binary { function: BinaryFunction::SquaredDifference, activation } => {
            let layout = layout_of_inputs(draft, node);
            let inputs = [0, 1].map(|index| draft.dequantized(node.inputs[index], layout));
            let difference = draft.node(node, "Sub", &[&inputs[0], &inputs[1]], &[]);
            let square = draft.node(node, "Mul", &[&difference, &difference], &[]);
            let result = clamped(draft, node, activation, square, &y.quantization);
            draft.quantize(&result, (node.output(), layout), &y.quantization);
        }
        Op::Binary { function, activation } => {
            let operator = match function {
                BinaryFunction::Maximum => "Max",
                BinaryFunction::Minimum => "Min",
                BinaryFunction::ParametricRelu => "PRelu",
                BinaryFunction::Subtract | BinaryFunction::SquaredDifference => "Sub",
            };
            add_elementwise(draft, node, operator, &[], activation, &y.quantization);
        }
        Op::Compare { .. } | Op::Select => {
            return Err("works with truths, which are not written");
        }
        Op::Sum { axes } => {
            let keeps = i64::from(x.shape.len() == y.shape.len());
            let axes = draft.indices(node, "_axes", axes);
            let attributes = [("keepdims", Attribute::Int(keeps))];
            add_given(draft, node, "ReduceSum", &[axes], &attributes, &y.quantization);
        }
        Op::LogSoftmax => {
            add_given(draft, node, "LogSoftmax", &[], &[("axis", Attribute::Int(-1))], &y.quantization);
        }
        Op::BatchMatMul { a, b } => {
            let operands = [(0, *a), (1, *b)].map(|(index, layout)| {
                let input = draft.dequantized(node.inputs[index], Layout::Given);
                if layout == MatrixLayout::RowsFirst {
                    return input;
                }
                let rank = draft.graph.tensor(node.inputs[index]).shape.len();
                let mut perm: Vec<usize> = (0..rank).collect();
                perm.swap(rank - 2, rank - 1);
                draft.node(node, "Transpose", &[&input], &[("perm", ints(&perm))])
            });
            let result = draft.node(node, "MatMul", &[&operands[0], &operands[1]], &[]);
            draft.quantize(&result, (node.output(), Layout::Given), &y.quantization);
        }
        Op::CumulativeSum { axis, direction, running } if x.quantization.zero_point() == 0 => {
            let axis = draft.indices(node, "_axis", &[*axis]);
            let attributes = [
                ("exclusive", Attribute::Int(i64::from(*running == Running::Excluding))),
                ("reverse", Attribute::Int(i64::from(*direction == Direction::Backward))),
            ];
            add_given(draft, node, "CumSum", &[axis], &attributes, &y.quantization);
        }
        Op::CumulativeSum { .. } => {
            return Err("begins its sums at what raw 0 stands for, which ONNX cannot express");
        }
        Op::ResizeBilinear(_) | Op::TransposeConv2d(_) => {
            return Err("is not written in the QDQ form of ONNX: export it as tflite");
        }
        Op::ArgExtreme { .. } | Op::TopIndices { .. } | Op::Gather { .. } => {
            return Err("has indices, which are not written in the QDQ form of ONNX: export it as tflite");
        }
        Op::Take { axis, indices } => {
            let indices = draft.indices(node, "_indices", indices);
            let axis = [("axis", Attribute::Int(*axis as i64))];
            add_given(draft, node, "Gather", &[indices], &axis, &x.quantization);
        }
    }
    Ok(())
}

/// Adds an operator on the node's first input in the graph's layout and then on `more`.
fn add_given(
    draft: &mut Draft<'_>,
    node: &Node,
    operator: &str,
    more: &[String],
    attributes: &[(&str, Attribute)],
    quantization: &Quantization,
) {
    let input = draft.dequantized(node.inputs[0], Layout::Given);
    let inputs: Vec<&str> = [&input].into_iter().chain(more).map(String::as_str).collect();
    let result = draft.node(node, operator, &inputs, attributes);
    draft.quantize(&result, (node.output(), Layout::Given), quantization);
}

/// Adds an operator that gives every element what the same elements of its inputs make, in whatever layout
/// they are.
fn add_elementwise(
    draft: &mut Draft<'_>,
    node: &Node,
    operator: &str,
    attributes: &[(&str, Attribute)],
    activation: &Activation,
    quantization: &Quantization,
) {
    let layout = layout_of_inputs(draft, node);
    let inputs: Vec<String> = node.inputs.iter().map(|&id| draft.dequantized(id, layout)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let result = draft.node(node, operator, &inputs, attributes);
    let result = clamped(draft, node, activation, result, quantization);
    draft.quantize(&result, (node.output(), layout), quantization);
}

/// Adds what only clamps, and quantizes with `quantization`.
fn add_clamp(draft: &mut Draft<'_>, node: &Node, activation: &Activation, quantization: &Quantization) {
    let layout = layout_of_inputs(draft, node);
    let input = draft.dequantized(node.inputs[0], layout);
    let result = clamped(draft, node, activation, input, quantization);
    draft.quantize(&result, (node.output(), layout), quantization);
}

/// Channels first where every input is there so, and all have one shape.
pub(super) fn layout_of_inputs(draft: &Draft<'_>, node: &Node) -> Layout {
    let shape = &draft.graph.tensor(node.output()).shape;
    let is_there = node
        .inputs
        .iter()
        .all(|&id| draft.is_there(id, Layout::ChannelsFirst) && draft.graph.tensor(id).shape == *shape);
    if is_there { Layout::ChannelsFirst } else { Layout::Given }
}

fn add_pool(draft: &mut Draft<'_>, node: &Node, pool: &Pool, operator: &str) -> Result<(), &'static str> {
    let Padding { top, left, bottom, right } = pool.padding;
    let [rows, columns] = pool.window;
    if top.max(bottom) >= rows || left.max(right) >= columns {
        return Err("pads by as much as its window, which ONNX forbids");
    }
    let x = &draft.graph.tensor(node.inputs[0]).quantization;
    let input = draft.dequantized(node.inputs[0], Layout::ChannelsFirst);
    let attributes = [
        ("kernel_shape", ints(&pool.window)),
        ("pads", ints(&[top, left, bottom, right])),
        ("strides", ints(&pool.stride)),
    ];
    let result = draft.node(node, operator, &[&input], &attributes);
    let result = clamped(draft, node, &pool.activation, result, x);
    draft.quantize(&result, (node.output(), Layout::ChannelsFirst), x);
    Ok(())
}

fn add_softmax(draft: &mut Draft<'_>, node: &Node, beta: f32) {
    let mut input = draft.dequantized(node.inputs[0], Layout::Given);
    if beta != 1.0 {
        let factor = draft.float(&node.name, "_beta", beta);
        input = draft.node(node, "Mul", &[&input, &factor], &[]);
    }
    let result = draft.node(node, "Softmax", &[&input], &[("axis", Attribute::Int(-1))]);
    let range = Quantization::per_tensor(1.0 / 256.0, -128);
    draft.quantize(&result, (node.output(), Layout::Given), &range);
}

/// `value` clamped as `activation` says, where the range of int8 alone does not clamp it so when it is
/// quantized with `quantization`.
pub(super) fn clamped(
    draft: &mut Draft<'_>,
    node: &Node,
    activation: &Activation,
    value: String,
    quantization: &Quantization,
) -> String {
    let y = draft.graph.tensor(node.output());
    let (range, whole) = (activation_range(activation, quantization, y.dtype), type_range(y.dtype));
    if range == whole {
        return value;
    }
    if (range.min, range.max) == (quantization.zero_point(), whole.max) {
        return draft.node(node, "Relu", &[&value], &[]);
    }
    let mut bound = |suffix, bound: i32, free: i32| match bound == free {
        true => String::new(),
        false => draft.float(&node.name, suffix, real(bound, quantization)),
    };
    let least = bound("_least", range.min, whole.min);
    let greatest = bound("_greatest", range.max, whole.max);
    draft.node(node, "Clip", &[&value, &least, &greatest], &[])
}

/// What `raw` stands for.
fn real(raw: i32, quantization: &Quantization) -> f32 {
    quantization.scale() * (raw - quantization.zero_point()) as f32
}
