//! The graph with some channels only.

use std::sync::Arc;

use super::{Channels, Kind};
use crate::graph::{Node, Quantization, QuantizedGraph, QuantizedTensor, TensorId};

/// `graph` with only the channels that are `live`: for each tensor as many as [`Channels`] counts.
pub(super) fn with_channels(graph: &QuantizedGraph, live: &[Vec<bool>]) -> QuantizedGraph {
    let channels = Channels::of(graph);
    let mut smaller = graph.clone();
    for (index, node) in graph.nodes.iter().enumerate() {
        let (x, y) = (&live[node.inputs[0].0], &live[node.output().0]);
        let kept = match channels.kind(graph, node) {
            Kind::Mixing => Some(vec![(y, 0), (x, graph.tensor(node.inputs[1]).shape.len() - 1)]),
            Kind::Depthwise { .. } => Some(vec![(y, 3)]),
            _ => None,
        };
        if let Some(kept) = kept {
            smaller.nodes[index].inputs = weighted_inputs(&mut smaller, node, &kept, y);
        }
    }
    for node in &graph.nodes {
        shrink(&mut smaller, node.output(), &live[node.output().0]);
    }
    smaller
}

/// The inputs of a layer whose weights keep some indices of some dimensions.
fn weighted_inputs(
    graph: &mut QuantizedGraph,
    node: &Node,
    kept: &[(&Vec<bool>, usize)],
    outputs: &[bool],
) -> Vec<TensorId> {
    let mut weights = graph.tensor(node.inputs[1]).clone();
    for &(live, axis) in kept {
        weights = take(&weights, axis, live);
    }
    let weights = graph.add_tensor(weights);
    let bias = node.inputs.get(2).map(|&bias| {
        let bias = take(graph.tensor(bias), 0, outputs);
        graph.add_tensor(bias)
    });
    [node.inputs[0], weights].into_iter().chain(bias).collect()
}

/// A constant with the indices of `axis` that are live; index `i` belongs to `live[i % live.len()]`.
fn take(tensor: &QuantizedTensor, axis: usize, live: &[bool]) -> QuantizedTensor {
    let is_live = |index: usize| live[index % live.len()];
    let extent = tensor.shape[axis];
    let data = tensor.data.as_deref().expect("weights and biases are constant");
    let inner = data.len() / tensor.shape[..=axis].iter().product::<usize>();
    let blocks = data.chunks_exact(inner).enumerate();
    let data: Vec<u8> =
        blocks.filter(|(at, _)| is_live(at % extent)).flat_map(|(_, block)| block).copied().collect();
    let mut shape = tensor.shape.clone();
    shape[axis] = (0..extent).filter(|&index| is_live(index)).count();
    let Quantization { scales, zero_points, axis: scaled } = &tensor.quantization;
    let quantization = if scales.len() > 1 && *scaled == axis {
        let of = |index: &usize| is_live(*index);
        Quantization {
            scales: (0..extent).filter(of).map(|index| scales[index]).collect(),
            zero_points: (0..extent).filter(of).map(|index| zero_points[index]).collect(),
            axis,
        }
    } else {
        tensor.quantization.clone()
    };
    QuantizedTensor { shape, quantization, data: Some(Arc::from(data)), ..tensor.clone() }
}

/// Gives an activation the extent of its live channels.
fn shrink(graph: &mut QuantizedGraph, id: TensorId, live: &[bool]) {
    if let Some(extent) = graph.tensors[id.0].shape.last_mut() {
        *extent = *extent / live.len() * live.iter().filter(|&&live| live).count();
    }
}
