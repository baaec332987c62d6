//! Nodes become operators: mostly one each.

use super::activation::{add_clamp, add_fusing};
use super::draft::{Draft, Operator, Options, words};
use super::{version, weighted};
use crate::graph::{BinaryFunction, Extreme, Node, Op, UnaryFunction};
use crate::multiplier::{hard_swish, quantize, type_range};
use crate::tflite_schema::Builtin;

/// What TensorFlow Lite broadcasts, transposes, pads and slices has at most so many dimensions.
const MAX_RANK: usize = 5;

/// Adds what computes `node`.
///
/// # Errors
///
/// What the format cannot express, as the end of a sentence that begins with the node.
pub(super) fn add(draft: &mut Draft<'_>, node: &Node) -> Result<(), &'static str> {
    let graph = draft.graph;
    let [x, y] = [node.inputs[0], node.output()].map(|id| graph.tensor(id));
    match &node.op {
        Op::Conv2d(conv) => return weighted::add_conv_2d(draft, node, conv),
        Op::DepthwiseConv2d(conv) => return weighted::add_depthwise_conv_2d(draft, node, conv),
        Op::FullyConnected { activation } => return weighted::add_fully_connected(draft, node, activation),
        Op::AveragePool2d(pool) => return weighted::add_average_pool_2d(draft, node, pool),
        Op::MaxPool2d(pool) => return weighted::add_max_pool_2d(draft, node, pool),
        Op::Add { activation } => {
            check_broadcast(draft, node)?;
            let operator = plain(draft, node, Builtin::Add);
            add_fusing(draft, node, Operator { options: Options::Add, ..operator }, activation);
        }
        Op::Mul { activation } => {
            check_broadcast(draft, node)?;
            let b = graph.tensor(node.inputs[1]);
            let mut operator = plain(draft, node, Builtin::Mul);
            if x.quantization.scale() * b.quantization.scale() / y.quantization.scale() >= 1.0 {
                operator.version = version::MUL_SCALING_UP;
            }
            add_fusing(draft, node, Operator { options: Options::Mul, ..operator }, activation);
        }
        Op::Mean { axes } => {
            let axes = draft.indices(node, "axes", &[axes.len()], &words(axes));
            let options = Options::Reducer { keeps_dimensions: x.shape.len() == y.shape.len() };
            push(draft, node, Builtin::Mean, &[axes], options);
        }
        Op::Softmax { beta } => push(draft, node, Builtin::Softmax, &[], Options::Softmax { beta: *beta }),
        Op::Logistic => push(draft, node, Builtin::Logistic, &[], Options::None),
        Op::Tanh => push(draft, node, Builtin::Tanh, &[], Options::None),
        Op::Relu => push(draft, node, Builtin::Relu, &[], Options::None),
        Op::Relu6 => push(draft, node, Builtin::Relu6, &[], Options::None),
        Op::LeakyRelu { alpha } => {
            push(draft, node, Builtin::LeakyRelu, &[], Options::LeakyRelu { alpha: *alpha });
        }
        Op::Clamp(activation) => {
            let (mut input, output) = (draft.tensor(node.inputs[0]), draft.tensor(node.output()));
            if x.quantization != y.quantization {
                let rescaled = draft.like(output, node, "rescaled");
                let version = version::of_quantize(y);
                draft.operators.push(Operator::new(Builtin::Quantize, version, vec![input], rescaled));
                input = rescaled;
            }
            add_clamp(draft, node, activation, input, output);
        }
        Op::Unary(UnaryFunction::Elu { alpha: 1.0 }) => push(draft, node, Builtin::Elu, &[], Options::None),
        Op::Unary(UnaryFunction::HardSwish) => {
            let scales = hard_swish(x.quantization.scale(), y.quantization.scale());
            scales.map_err(|_| "has scales that TensorFlow Lite refuses")?;
            push(draft, node, Builtin::HardSwish, &[], Options::None);
        }
        Op::Unary(_) => return Err("is a function that TensorFlow Lite Micro does not compute in int8"),
        Op::Pad { before, after, value } => {
            check_rank(x.shape.len())?;
            let pairs: Vec<usize> = before.iter().zip(after).flat_map(|(&a, &b)| [a, b]).collect();
            let paddings = draft.indices(node, "paddings", &[before.len(), 2], &words(&pairs));
            let range = type_range(y.dtype);
            let raw = quantize(*value, &y.quantization).clamp(range.min, range.max);
            if raw == y.quantization.zero_point() {
                push(draft, node, Builtin::Pad, &[paddings], Options::None);
            } else {
                let value = draft.scalar(node, "value", raw as i8);
                push(draft, node, Builtin::PadV2, &[paddings, value], Options::None);
            }
        }
        Op::Concat { axis } => {
            let operator = plain(draft, node, Builtin::Concatenation);
            draft.operators.push(Operator { options: Options::Concatenation { axis: *axis }, ..operator });
        }
        Op::Reshape => {
            let (input, output) = (draft.tensor(node.inputs[0]), draft.tensor(node.output()));
            weighted::add_reshape(draft, node, input, output);
        }
        Op::Transpose { perm } => {
            check_rank(perm.len())?;
            let perm = draft.indices(node, "perm", &[perm.len()], &words(perm));
            push(draft, node, Builtin::Transpose, &[perm], Options::None);
        }
        Op::Slice { begin } => {
            check_rank(begin.len())?;
            let begin = draft.indices(node, "begin", &[begin.len()], &words(begin));
            let size = draft.indices(node, "size", &[y.shape.len()], &words(&y.shape));
            push(draft, node, Builtin::Slice, &[begin, size], Options::None);
        }
        Op::Take { axis, indices } => {
            let indices = draft.indices(node, "indices", &[indices.len()], &words(indices));
            push(
                draft,
                node,
                Builtin::Gather,
                &[indices],
                Options::Gather { axis: *axis, batch_dimensions: 0 },
            );
        }
        Op::Gather { axis, batch_dimensions } => {
            let mut operator = plain(draft, node, Builtin::Gather);
            if *batch_dimensions > 0 {
                operator.version = version::GATHER_IN_BATCHES;
            }
            let options = Options::Gather { axis: *axis, batch_dimensions: *batch_dimensions };
            draft.operators.push(Operator { options, ..operator });
        }
        Op::Binary { function, activation } => {
            check_broadcast(draft, node)?;
            let (builtin, options) = match function {
                BinaryFunction::Subtract => (Builtin::Sub, Options::Sub),
                BinaryFunction::SquaredDifference => (Builtin::SquaredDifference, Options::SquaredDifference),
                BinaryFunction::Maximum => (Builtin::Maximum, Options::MaximumMinimum),
                BinaryFunction::Minimum => (Builtin::Minimum, Options::MaximumMinimum),
                BinaryFunction::ParametricRelu => (Builtin::PRelu, Options::None),
            };
            let operator = Operator { options, ..plain(draft, node, builtin) };
            match function {
                BinaryFunction::Subtract => add_fusing(draft, node, operator, activation),
                _ if activation.is_none() => draft.operators.push(operator),
                _ => return Err("has a range fused into it, which TensorFlow Lite cannot express"),
            }
        }
        Op::Compare { .. } | Op::Select => return Err("works with truths, which are not written"),
        Op::Sum { axes } => {
            let axes = draft.indices(node, "axes", &[axes.len()], &words(axes));
            let options = Options::Reducer { keeps_dimensions: x.shape.len() == y.shape.len() };
            push(draft, node, Builtin::Sum, &[axes], options);
        }
        Op::LogSoftmax => push(draft, node, Builtin::LogSoftmax, &[], Options::LogSoftmax),
        Op::ResizeBilinear(sampling) => {
            let size = draft.indices(node, "size", &[2], &words(&y.shape[1..3]));
            push(draft, node, Builtin::ResizeBilinear, &[size], Options::ResizeBilinear(*sampling));
        }
        Op::TransposeConv2d(conv) => return weighted::add_transpose_conv(draft, node, conv),
        Op::BatchMatMul { a, b } => {
            check_broadcast(draft, node)?;
            let operator = plain(draft, node, Builtin::BatchMatMul);
            draft.operators.push(Operator { options: Options::BatchMatMul([*a, *b]), ..operator });
        }
        Op::CumulativeSum { axis, direction, running } => {
            let axis = draft.indices(node, "axis", &[], &words(&[*axis]));
            push(draft, node, Builtin::CumSum, &[axis], Options::CumulativeSum(*direction, *running));
        }
        Op::ArgExtreme { axis, extreme } => {
            if x.shape.len() == y.shape.len() {
                return Err("keeps its dimension, which TensorFlow Lite cannot express");
            }
            let (builtin, options) = match extreme {
                Extreme::Greatest => (Builtin::ArgMax, Options::ArgMax),
                Extreme::Least => (Builtin::ArgMin, Options::ArgMin),
                Extreme::LastGreatest | Extreme::LastLeast => {
                    return Err("takes the last of equal elements, which TensorFlow Lite cannot express");
                }
            };
            let axis = draft.indices(node, "axis", &[], &words(&[*axis]));
            push(draft, node, builtin, &[axis], options);
        }
        Op::Div { .. } => return Err("divides, which is not written"),
        Op::Recurrent(_) => return Err("is a recurrent layer, which is not written"),
        Op::TopIndices { .. } => return Err("orders elements, which is not written"),
        Op::NonMaxSuppression(_) => return Err("chooses boxes, which is not written"),
        Op::Stateful(_) => return Err("keeps something between runs, which is not written"),
        Op::Requantize => {
            let operator = plain(draft, node, Builtin::Quantize);
            draft.operators.push(Operator { version: version::of_quantize(y), ..operator });
        }
    }
    Ok(())
}

/// `builtin` on the node's inputs.
fn plain(draft: &mut Draft<'_>, node: &Node, builtin: Builtin) -> Operator {
    let version = version::of(builtin, draft.graph.tensor(node.inputs[0]));
    let inputs = draft.tensors_of(&node.inputs);
    Operator::new(builtin, version, inputs, draft.tensor(node.output()))
}

/// Adds `builtin` on the node's inputs and then `more`, tensors of the file.
fn push(draft: &mut Draft<'_>, node: &Node, builtin: Builtin, more: &[i32], options: Options) {
    let mut operator = plain(draft, node, builtin);
    operator.inputs.extend_from_slice(more);
    draft.operators.push(Operator { options, ..operator });
}

fn check_rank(rank: usize) -> Result<(), &'static str> {
    match rank {
        0 => Err("has no dimension, which TensorFlow Lite cannot express"),
        1..=MAX_RANK => Ok(()),
        _ => Err("has more than 5 dimensions, which TensorFlow Lite does not compute"),
    }
}

fn check_broadcast(draft: &Draft<'_>, node: &Node) -> Result<(), &'static str> {
    let [a, b] = [0, 1].map(|index| &draft.graph.tensor(node.inputs[index]).shape);
    if a == b || a.len().max(b.len()) <= MAX_RANK {
        Ok(())
    } else {
        Err("broadcasts more than 5 dimensions, which TensorFlow Lite does not compute")
    }
}
