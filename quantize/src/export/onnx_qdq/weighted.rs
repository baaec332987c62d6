//! Convolutions and fully connected layers.

use super::draft::{Draft, Layout, Weights};
use super::operator::clamped;
use super::proto::{Attribute, ElementType};
use crate::graph::{Activation, Conv, Node, Padding, Tensor as _};

pub(super) fn add_conv_2d(draft: &mut Draft<'_>, node: &Node, conv: &Conv) {
    let [x, weights] = [0, 1].map(|index| draft.graph.tensor(node.inputs[index]));
    let [outputs, rows, columns, channels] = [0, 1, 2, 3].map(|axis| weights.shape[axis]);
    let groups = x.shape[3] / channels;
    let kernel = Kernel { shape: [outputs, channels, rows, columns], order: [0, 3, 1, 2], groups };
    add_conv(draft, node, conv, &kernel);
}

pub(super) fn add_depthwise_conv_2d(draft: &mut Draft<'_>, node: &Node, conv: &Conv) {
    let [x, weights] = [0, 1].map(|index| draft.graph.tensor(node.inputs[index]));
    let [rows, columns, outputs] = [1, 2, 3].map(|axis| weights.shape[axis]);
    let kernel = Kernel { shape: [outputs, 1, rows, columns], order: [3, 0, 1, 2], groups: x.shape[3] };
    add_conv(draft, node, conv, &kernel);
}

/// A kernel as ONNX has it.
struct Kernel {
    /// `[outputs, channels of a group, rows, columns]`.
    shape: [usize; 4],
    /// Which dimension of the graph's weights each is.
    order: [usize; 4],
    groups: usize,
}

fn add_conv(draft: &mut Draft<'_>, node: &Node, conv: &Conv, kernel: &Kernel) {
    let graph = draft.graph;
    let (weights, y) = (graph.tensor(node.inputs[1]), graph.tensor(node.output()));
    let data = transposed(weights.int8(), &weights.shape, kernel.order);
    let weights = Weights {
        shape: &kernel.shape,
        element: ElementType::Int8,
        data: bytemuck::cast_slice(&data),
        scales: &weights.quantization.scales,
    };
    let input = draft.dequantized(node.inputs[0], Layout::ChannelsFirst);
    let inputs = with_weights(draft, node, input, &weights);
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let Padding { top, left, bottom, right } = conv.padding;
    let attributes = [
        ("dilations", ints(&conv.dilation)),
        ("group", Attribute::Int(kernel.groups as i64)),
        ("kernel_shape", ints(&kernel.shape[2..])),
        ("pads", ints(&[top, left, bottom, right])),
        ("strides", ints(&conv.stride)),
    ];
    let result = draft.node(node, "Conv", &inputs, &attributes);
    let result = clamped(draft, node, &conv.activation, result, &y.quantization);
    draft.quantize(&result, (node.output(), Layout::ChannelsFirst), &y.quantization);
}

/// x is taken as rows; where it or the result has another shape, int8 values are reshaped.
pub(super) fn add_fully_connected(draft: &mut Draft<'_>, node: &Node, activation: &Activation) {
    let graph = draft.graph;
    let [x, weights] = [0, 1].map(|index| graph.tensor(node.inputs[index]));
    let y = graph.tensor(node.output());
    let [outputs, depth] = [weights.shape[0], weights.shape[1]];
    let rows = x.len() / depth;
    let input = if x.shape[..] == [rows, depth] {
        draft.dequantized(node.inputs[0], Layout::Given)
    } else {
        let quantized = draft.quantized(node.inputs[0], Layout::Given);
        let shape = draft.indices(node, "_rows", &[rows, depth]);
        let reshaped = draft.node(node, "Reshape", &[&quantized, &shape], &[]);
        draft.dequantize(&reshaped, &x.name, &x.quantization)
    };
    let weights = Weights {
        shape: &weights.shape,
        element: ElementType::Int8,
        data: bytemuck::cast_slice(weights.int8()),
        scales: &weights.quantization.scales,
    };
    let inputs = with_weights(draft, node, input, &weights);
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let result = draft.node(node, "Gemm", &inputs, &[("transB", Attribute::Int(1))]);
    let result = clamped(draft, node, activation, result, &y.quantization);
    let mut quantized = draft.quantize_value(&result, node.output(), &y.quantization);
    if y.shape[..] != [rows, outputs] {
        let shape = draft.indices(node, "_shape", &y.shape);
        quantized = draft.node(node, "Reshape", &[&quantized, &shape], &[]);
    }
    draft.define((node.output(), Layout::Given), quantized);
}

/// `input`, the weights, and the bias where there is one, with the scale of the sums that it is added to.
fn with_weights(draft: &mut Draft<'_>, node: &Node, input: String, weights: &Weights<'_>) -> Vec<String> {
    let graph = draft.graph;
    let mut inputs = vec![input, draft.dequantized_constant(&graph.tensor(node.inputs[1]).name, weights)];
    if let Some(&bias) = node.inputs.get(2) {
        let bias = graph.tensor(bias);
        let input_scale = graph.tensor(node.inputs[0]).quantization.scale();
        let scales: Vec<f32> = weights.scales.iter().map(|scale| input_scale * scale).collect();
        let data: Vec<u8> = bias.int32().into_iter().flat_map(i32::to_le_bytes).collect();
        let bias_weights =
            Weights { shape: &[bias.len()], element: ElementType::Int32, data: &data, scales: &scales };
        inputs.push(draft.dequantized_constant(&bias.name, &bias_weights));
    }
    inputs
}

/// Output dimension `i` is `shape`'s dimension `order[i]`.
fn transposed(data: &[i8], shape: &[usize], order: [usize; 4]) -> Vec<i8> {
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let [a, b, c, d] = order.map(|axis| (shape[axis], stride(axis)));
    let mut out = Vec::with_capacity(data.len());
    for i in 0..a.0 {
        for j in 0..b.0 {
            for k in 0..c.0 {
                let first = i * a.1 + j * b.1 + k * c.1;
                out.extend((0..d.0).map(|l| data[first + l * d.1]));
            }
        }
    }
    out
}

pub(super) fn ints(values: &[usize]) -> Attribute {
    Attribute::Ints(values.iter().map(|&value| value as i64).collect())
}

#[cfg(test)]
mod tests {
    use super::transposed;

    #[test]
    fn kernels_are_transposed() {
        let data: Vec<i8> = (0..12).collect();
        assert_eq!(transposed(&data, &[1, 2, 2, 3], [3, 0, 1, 2]), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
        assert_eq!(transposed(&data, &[2, 2, 1, 3], [0, 3, 1, 2]), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    }
}
