//! Channels that have one value whatever the input is, taken into the biases of the layers that read them.

use std::sync::Arc;

use edgepkg_format::DType;
use edgepkg_format::plan::Clamp;
use edgepkg_kernels::fixed_point;

use super::{Channels, Kind};
use crate::graph::{Activation, Node, Op, Padding, Quantization, QuantizedGraph, QuantizedTensor, Tensor};
use crate::multiplier::{activation_range, weighted_factor};

/// Folds constant channels into the layers that read them, whose weights for them become 0.
pub(super) fn fold(graph: &mut QuantizedGraph) {
    let channels = Channels::of(graph);
    // For each tensor, the value of each of its channels that are constant.
    let mut known: Vec<Vec<Option<i8>>> = vec![Vec::new(); graph.tensors.len()];
    for index in 0..graph.nodes.len() {
        let node = graph.nodes[index].clone();
        let kind = channels.kind(graph, &node);
        if matches!(kind, Kind::Mixing | Kind::Depthwise { .. }) {
            fold_inputs(graph, index, kind, &known[node.inputs[0].0]);
        }
        known[node.output().0] = match (kind, &node.op) {
            (Kind::Mixing | Kind::Depthwise { .. }, _) => constant_outputs(graph, &graph.nodes[index]),
            (Kind::Channelwise, Op::Reshape) => known[node.inputs[0].0].clone(),
            (Kind::Channelwise, Op::AveragePool2d(pool) | Op::MaxPool2d(pool)) => {
                let y = graph.tensor(node.output());
                let clamp = activation_range(&pool.activation, &y.quantization, y.dtype);
                let clamped = |value: i8| i32::from(value).max(clamp.min).min(clamp.max) as i8;
                known[node.inputs[0].0].iter().map(|value| value.map(clamped)).collect()
            }
            _ => Vec::new(),
        };
    }
}

/// Takes what the constant channels of a layer's input contribute into its bias.
fn fold_inputs(graph: &mut QuantizedGraph, index: usize, kind: Kind, known: &[Option<i8>]) {
    let node = graph.nodes[index].clone();
    let (x, weights) = (graph.tensor(node.inputs[0]), graph.tensor(node.inputs[1]));
    let zero_point = x.quantization.zero_point();
    // Outside of an image every channel is at its zero point.
    let padded = padding(&node.op) != Padding::default();
    let distance = |value: i8| i32::from(value).wrapping_sub(zero_point);
    let foldable: Vec<Option<i32>> =
        known.iter().map(|value| value.map(distance).filter(|&distance| distance == 0 || !padded)).collect();
    let mut values = weights.int8().to_vec();
    let outputs = outputs(weights, &node.op);
    let mut biases = match node.inputs.get(2) {
        Some(&bias) => graph.tensor(bias).int32(),
        None => vec![0; outputs],
    };
    let mut changed = false;
    for (at, weight) in values.iter_mut().enumerate() {
        let (input, output) = match kind {
            Kind::Depthwise { multiplier } => (at % outputs / multiplier, at % outputs),
            _ => (at % known.len().max(1), at / (weights.len() / outputs)),
        };
        if let Some(&Some(distance)) = foldable.get(input)
            && *weight != 0
        {
            biases[output] = biases[output].wrapping_add(distance.wrapping_mul(i32::from(*weight)));
            *weight = 0;
            changed = true;
        }
    }
    if !changed {
        return;
    }
    let weights = QuantizedTensor { data: Some(bytes_of(&values)), ..weights.clone() };
    let bias = QuantizedTensor {
        name: format!("{}/bias", node.name),
        shape: vec![outputs],
        dtype: DType::Int32,
        quantization: Quantization::per_tensor(1.0, 0),
        data: None,
    };
    let bias = node.inputs.get(2).map_or(bias, |&id| graph.tensor(id).clone());
    let data: Vec<u8> = biases.iter().flat_map(|bias| bias.to_le_bytes()).collect();
    let bias = QuantizedTensor { data: Some(Arc::from(data)), ..bias };
    let (weights, bias) = (graph.add_tensor(weights), graph.add_tensor(bias));
    graph.nodes[index].inputs = vec![node.inputs[0], weights, bias];
}

/// The value of each output channel whose weights are all 0.
fn constant_outputs(graph: &QuantizedGraph, node: &Node) -> Vec<Option<i8>> {
    let (x, y) = (graph.tensor(node.inputs[0]), graph.tensor(node.output()));
    let weights = graph.tensor(node.inputs[1]);
    let outputs = outputs(weights, &node.op);
    let row = weights.len() / outputs;
    let values = weights.int8();
    let weighs_nothing = |output: usize| match node.op {
        Op::DepthwiseConv2d(_) => values.iter().skip(output).step_by(outputs).all(|&weight| weight == 0),
        _ => values[output * row..][..row].iter().all(|&weight| weight == 0),
    };
    let biases = node.inputs.get(2).map(|&bias| graph.tensor(bias).int32());
    let clamp: Clamp = activation_range(&fused(&node.op), &y.quantization, y.dtype);
    let scales = &weights.quantization.scales;
    let factor = weighted_factor(&node.op, scales.len(), graph.rounding);
    let value = |output: usize| {
        let weight_scale = scales[output.min(scales.len() - 1)];
        let scale = factor(x.quantization.scale(), weight_scale, y.quantization.scale()).ok()?;
        let bias = biases.as_ref().map_or(0, |biases| biases[output]);
        Some(fixed_point::requantize(bias, scale, graph.rounding, y.quantization.zero_point(), clamp) as i8)
    };
    (0..outputs).map(|output| if weighs_nothing(output) { value(output) } else { None }).collect()
}

/// Output channels of a layer with these weights.
fn outputs(weights: &QuantizedTensor, op: &Op) -> usize {
    match op {
        Op::DepthwiseConv2d(_) => weights.shape[3],
        _ => weights.shape[0],
    }
}

fn padding(op: &Op) -> Padding {
    match op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d(conv) => conv.padding,
        _ => Padding::default(),
    }
}

fn fused(op: &Op) -> Activation {
    match op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d(conv) => conv.activation,
        Op::FullyConnected { activation } => *activation,
        _ => Activation::NONE,
    }
}

fn bytes_of(values: &[i8]) -> Arc<[u8]> {
    Arc::from(bytemuck::cast_slice::<i8, u8>(values))
}
