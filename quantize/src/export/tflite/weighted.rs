//! Operators with weights, and pools: what moves a window, and fully connected layers.

use std::borrow::Cow;

use edgepkg_format::DType;

use super::activation::add_fusing;
use super::draft::{Draft, Operator, Options, Tensor, words};
use super::version;
use super::window::{Scheme, Window};
use crate::graph::{Activation, Conv, Node, Op, Padding, Pool, Quantization, Tensor as _, TensorId};
use crate::multiplier::type_range;
use crate::tflite_schema::{Builtin, padding, tensor_type};

/// By how much, in steps of the output, TensorFlow Lite lets a bias's scale differ from that of the sums.
const BIAS_TOLERANCE: f64 = 0.02;

type Added = Result<(), &'static str>;

pub(super) fn add_conv_2d(draft: &mut Draft<'_>, node: &Node, conv: &Conv) -> Added {
    let [x, weights] = [0, 1].map(|index| draft.graph.tensor(node.inputs[index]));
    let is_grouped = x.shape[3] != weights.shape[3];
    let version = if is_grouped { version::GROUPED_CONV_2D } else { version::of(Builtin::Conv2d, x) };
    let (input, padding) = padded(draft, node, &window_of_conv(draft, node, conv), Beyond::Zero);
    let options = Options::Conv2d { padding, stride: conv.stride, dilation: conv.dilation };
    let inputs = with_weights(draft, node, input);
    let output = draft.tensor(node.output());
    let operator = Operator { options, ..Operator::new(Builtin::Conv2d, version, inputs, output) };
    add_fusing(draft, node, operator, &conv.activation);
    Ok(())
}

pub(super) fn add_depthwise_conv_2d(draft: &mut Draft<'_>, node: &Node, conv: &Conv) -> Added {
    let [x, weights] = [0, 1].map(|index| draft.graph.tensor(node.inputs[index]));
    let version = version::of(Builtin::DepthwiseConv2d, x);
    let (input, padding) = padded(draft, node, &window_of_conv(draft, node, conv), Beyond::Zero);
    let multiplier = weights.shape[3] / x.shape[3];
    let options =
        Options::DepthwiseConv2d { padding, stride: conv.stride, dilation: conv.dilation, multiplier };
    let inputs = with_weights(draft, node, input);
    let output = draft.tensor(node.output());
    let operator = Operator { options, ..Operator::new(Builtin::DepthwiseConv2d, version, inputs, output) };
    add_fusing(draft, node, operator, &conv.activation);
    Ok(())
}

/// The window stands on the output, and the file names the output's shape and the kernel before the image.
pub(super) fn add_transpose_conv(draft: &mut Draft<'_>, node: &Node, conv: &Conv) -> Added {
    let [weights, y] = [node.inputs[1], node.output()].map(|id| draft.graph.tensor(id));
    let Padding { top, left, .. } = conv.padding;
    let same = |axis: usize| {
        let (extent, stride) = (y.shape[axis + 1], conv.stride[axis]);
        let spanned = (extent.div_ceil(stride) - 1) * stride + weights.shape[axis + 1];
        spanned.saturating_sub(extent) / 2
    };
    let padding = match [top, left] {
        cut if cut == [same(0), same(1)] => padding::SAME,
        [0, 0] => padding::VALID,
        _ => {
            return Err("cuts its output neither as SAME nor as VALID, which TensorFlow Lite cannot express");
        }
    };
    if conv.dilation != [1, 1] {
        return Err("is dilated, which TensorFlow Lite cannot express");
    }
    let shape = draft.indices(node, "output_shape", &[4], &words(&y.shape));
    let mut inputs = vec![shape, draft.tensor(node.inputs[1]), draft.tensor(node.inputs[0])];
    if let Some(&id) = node.inputs.get(2) {
        inputs.push(bias(draft, node, id));
    }
    let version = if node.inputs.len() > 2 {
        version::TRANSPOSE_CONV_WITH_BIAS
    } else {
        version::of(Builtin::TransposeConv, weights)
    };
    let options = Options::TransposeConv { padding, stride: conv.stride };
    let output = draft.tensor(node.output());
    let operator = Operator { options, ..Operator::new(Builtin::TransposeConv, version, inputs, output) };
    add_fusing(draft, node, operator, &conv.activation);
    Ok(())
}

pub(super) fn add_max_pool_2d(draft: &mut Draft<'_>, node: &Node, pool: &Pool) -> Added {
    let (input, padding) = padded(draft, node, &window_of_pool(draft, node, pool), Beyond::Least);
    add_pool(draft, node, pool, Builtin::MaxPool2d, input, padding);
    Ok(())
}

/// What lies beyond the image does not count, so that no operator before this one can pad.
pub(super) fn add_average_pool_2d(draft: &mut Draft<'_>, node: &Node, pool: &Pool) -> Added {
    let Scheme::Named(padding) = window_of_pool(draft, node, pool).scheme() else {
        return Err("pads its image neither as SAME nor as VALID, which TensorFlow Lite cannot express");
    };
    let input = draft.tensor(node.inputs[0]);
    add_pool(draft, node, pool, Builtin::AveragePool2d, input, padding);
    Ok(())
}

fn add_pool(draft: &mut Draft<'_>, node: &Node, pool: &Pool, builtin: Builtin, input: i32, padding: i8) {
    let version = version::of(builtin, draft.graph.tensor(node.inputs[0]));
    let options = Options::Pool2d { padding, stride: pool.stride, window: pool.window };
    let output = draft.tensor(node.output());
    let operator = Operator { options, ..Operator::new(builtin, version, vec![input], output) };
    add_fusing(draft, node, operator, &pool.activation);
}

/// The format gives the output two dimensions, or those of the input but the last; any other shape is made
/// by an operator after.
pub(super) fn add_fully_connected(draft: &mut Draft<'_>, node: &Node, activation: &Activation) -> Added {
    let [x, weights] = [0, 1].map(|index| draft.graph.tensor(node.inputs[index]));
    let y = draft.graph.tensor(node.output());
    let [outputs, depth] = [weights.shape[0], weights.shape[1]];
    let rows = [x.len() / depth, outputs];
    let keeps_dimensions = y.shape[..] != rows
        && x.shape
            .split_last()
            .is_some_and(|(&last, outer)| last == depth && y.shape.split_last() == Some((&outputs, outer)));
    let version = match (node.inputs.len(), keeps_dimensions) {
        (2, _) => version::FULLY_CONNECTED_WITHOUT_BIAS,
        (_, true) => version::FULLY_CONNECTED_KEEPING_DIMENSIONS,
        _ => version::of(Builtin::FullyConnected, x),
    };
    let input = draft.tensor(node.inputs[0]);
    let inputs = with_weights(draft, node, input);
    let output = draft.tensor(node.output());
    let is_reshaped = y.shape[..] != rows && !keeps_dimensions;
    let written = if is_reshaped { draft.like_with_shape(output, node, "rows", &rows) } else { output };
    let options = Options::FullyConnected { keeps_dimensions };
    let operator = Operator { options, ..Operator::new(Builtin::FullyConnected, version, inputs, written) };
    add_fusing(draft, node, operator, activation);
    if is_reshaped {
        add_reshape(draft, node, written, output);
    }
    Ok(())
}

/// Adds what gives `input` the shape of `output`.
pub(super) fn add_reshape(draft: &mut Draft<'_>, node: &Node, input: i32, output: i32) {
    let shape = draft.tensors[output as usize].shape.clone();
    let mut inputs = vec![input];
    // An empty constant would count as computed.
    if !shape.is_empty() {
        inputs.push(draft.indices(node, "shape", &[shape.len()], &shape));
    }
    let version = version::of(Builtin::Reshape, draft.graph.tensor(node.output()));
    let options = Options::Reshape { shape };
    draft.operators.push(Operator { options, ..Operator::new(Builtin::Reshape, version, inputs, output) });
}

/// What a window reads beyond its image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Zero,
    /// The least value there is.
    Least,
}

/// The tensor that the window moves over, and its padding's code.
fn padded(draft: &mut Draft<'_>, node: &Node, window: &Window, beyond: Beyond) -> (i32, i8) {
    let x = draft.graph.tensor(node.inputs[0]);
    let input = draft.tensor(node.inputs[0]);
    let Padding { top, left, bottom, right } = match window.scheme() {
        Scheme::Named(code) => return (input, code),
        Scheme::Explicit(padding) => padding,
    };
    let [batches, rows, columns, channels] = [0, 1, 2, 3].map(|axis| x.shape[axis]);
    let shape = [batches, rows + top + bottom, columns + left + right, channels];
    let output = draft.like_with_shape(input, node, "padded", &shape);
    let around = words(&[0, 0, top, bottom, left, right, 0, 0]);
    let around = draft.indices(node, "paddings", &[4, 2], &around);
    let (builtin, inputs) = match beyond {
        Beyond::Zero => (Builtin::Pad, vec![input, around]),
        Beyond::Least => {
            let least = draft.like_with_shape(input, node, "least", &[1]);
            draft.tensors[least as usize].data = Some(vec![type_range(x.dtype).min as u8].into());
            (Builtin::PadV2, vec![input, around, least])
        }
    };
    draft.operators.push(Operator::new(builtin, version::of(builtin, x), inputs, output));
    (output, padding::VALID)
}

fn window_of_conv(draft: &Draft<'_>, node: &Node, conv: &Conv) -> Window {
    let [x, weights, y] =
        [node.inputs[0], node.inputs[1], node.output()].map(|id| &draft.graph.tensor(id).shape);
    Window {
        image: [x[1], x[2]],
        positions: [y[1], y[2]],
        extents: [weights[1], weights[2]],
        stride: conv.stride,
        dilation: conv.dilation,
        padding: conv.padding,
    }
}

fn window_of_pool(draft: &Draft<'_>, node: &Node, pool: &Pool) -> Window {
    let [x, y] = [node.inputs[0], node.output()].map(|id| &draft.graph.tensor(id).shape);
    Window {
        image: [x[1], x[2]],
        positions: [y[1], y[2]],
        extents: pool.window,
        stride: pool.stride,
        dilation: [1, 1],
        padding: pool.padding,
    }
}

/// `input`, the weights, and the bias. Convolutions must have one; fully connected layers need not.
fn with_weights(draft: &mut Draft<'_>, node: &Node, input: i32) -> Vec<i32> {
    let mut inputs = vec![input, draft.tensor(node.inputs[1])];
    match (node.inputs.get(2), &node.op) {
        (Some(&id), _) => inputs.push(bias(draft, node, id)),
        (None, Op::FullyConnected { .. }) => {}
        (None, _) => inputs.push(zero_bias(draft, node)),
    }
    inputs
}

/// The scales of the sums that a bias is added to.
fn scales_of_sums(draft: &Draft<'_>, node: &Node) -> Vec<f32> {
    let [x, weights] = [0, 1].map(|index| &draft.graph.tensor(node.inputs[index]).quantization);
    weights.scales.iter().map(|weight_scale| x.scale() * weight_scale).collect()
}

fn zero_bias(draft: &mut Draft<'_>, node: &Node) -> i32 {
    let outputs = draft.graph.tensor(node.output()).shape[3];
    let zeros = draft.indices(node, "bias", &[outputs], &vec![0; outputs]);
    let quantization = Quantization::per_channel(scales_of_sums(draft, node), 0);
    let is_wide = draft.graph.tensor(node.inputs[0]).dtype == DType::Int16;
    let tensor = &mut draft.tensors[zeros as usize];
    tensor.quantization = Some(Cow::Owned(quantization));
    if is_wide {
        // Layers of int16 sum up in 64 bits without a bias, as with one of so many.
        (tensor.kind, tensor.data) = (tensor_type::INT64, Some(vec![0; 8 * outputs].into()));
    }
    zeros
}

/// The bias, with the scales of the sums that it is added to where its own say something else: ours are not
/// looked at, TensorFlow Lite's are.
fn bias(draft: &mut Draft<'_>, node: &Node, id: TensorId) -> i32 {
    let graph = draft.graph;
    let bias = graph.tensor(id);
    let output_scale = f64::from(graph.tensor(node.output()).quantization.scale());
    let products = scales_of_sums(draft, node);
    let scales = &bias.quantization.scales;
    let agree = scales.len() == products.len()
        && scales.iter().zip(&products).all(|(&scale, &product)| {
            (f64::from(scale) - f64::from(product)).abs() / output_scale <= BIAS_TOLERANCE
        })
        && bias.quantization.zero_points.iter().all(|&zero_point| zero_point == 0);
    if agree {
        return draft.tensor(id);
    }
    let quantization = Cow::Owned(Quantization::per_channel(products, 0));
    draft.add(Tensor { quantization: Some(quantization), ..Tensor::like(bias) })
}
