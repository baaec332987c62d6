//! Layers whose channels can only be rescaled together.

use crate::graph::{Activation, FloatGraph, Node, Op, Tensor, TensorId};

/// Activations that have their channels in common: the layers that write them, the operators between that
/// keep channels apart (pools, sums, reshapes), and the layers whose weights read them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// How many channels. Element `i` of every activation is in channel `i % channels`.
    pub(super) channels: usize,
    /// The activations.
    pub(super) activations: Vec<TensorId>,
    /// Indices of the nodes that write activations with weights.
    pub(super) producers: Vec<usize>,
    /// Indices of the nodes that read activations with weights.
    pub(super) consumers: Vec<usize>,
}

/// All groups of `graph` that may be rescaled, in the order of their first producers.
pub(super) fn groups(graph: &FloatGraph) -> Vec<Group> {
    let mut taken = vec![false; graph.tensors.len()];
    let mut groups = Vec::new();
    for node in &graph.nodes {
        if node.op.is_weighted() && !taken[node.output().0] {
            let group = grow(graph, node.output(), &mut taken);
            groups.extend(group.filter(|group| !group.consumers.is_empty()));
        }
    }
    groups
}

/// The group of `seed`; `None` when something in it cannot be rescaled. Marks what it has looked at.
fn grow(graph: &FloatGraph, seed: TensorId, taken: &mut [bool]) -> Option<Group> {
    let channels = *graph.tensor(seed).shape().last()?;
    let mut group = Group { channels, activations: Vec::new(), producers: Vec::new(), consumers: Vec::new() };
    let mut sound = true;
    let mut open = vec![seed];
    taken[seed.0] = true;
    while let Some(id) = open.pop() {
        group.activations.push(id);
        sound &= !graph.is_output(id) && !graph.tensor(id).is_constant();
        let mut meet = |other: TensorId| {
            if !std::mem::replace(&mut taken[other.0], true) {
                open.push(other);
            }
        };
        match graph.producer(id) {
            Some(index) if graph.nodes[index].op.is_weighted() => {
                let node = &graph.nodes[index];
                sound &= has_constant_weights(graph, node)
                    && may_be_scaled(&fused(&node.op))
                    && graph.tensor(id).shape().last() == Some(&channels);
                group.producers.push(index);
            }
            Some(index) => {
                sound &= keeps_channels(graph, &graph.nodes[index], channels);
                graph.nodes[index].inputs.iter().for_each(|&input| meet(input));
            }
            None => sound = false,
        }
        for index in graph.consumers(id) {
            let node = &graph.nodes[index];
            if node.op.is_weighted() {
                sound &= has_constant_weights(graph, node) && reads_whole_channels(graph, node, channels);
                group.consumers.push(index);
            } else {
                sound &= keeps_channels(graph, node, channels);
                meet(node.output());
            }
        }
    }
    group.activations.sort();
    group.producers.sort_unstable();
    group.consumers.sort_unstable();
    sound.then_some(group)
}

/// What is fused into an operator.
pub(super) fn fused(op: &Op) -> Activation {
    match op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d(conv) | Op::TransposeConv2d(conv) => conv.activation,
        Op::AveragePool2d(pool) | Op::MaxPool2d(pool) => pool.activation,
        Op::FullyConnected { activation } | Op::Add { activation } | Op::Mul { activation } => *activation,
        _ => Activation::NONE,
    }
}

/// Whether a layer with this activation fused may have its channels divided. An upper bound then clamps a
/// channel that is divided by its share of the bound where its own range ends: where int8 would saturate.
fn may_be_scaled(activation: &Activation) -> bool {
    matches!(activation.min, None | Some(0.0)) && activation.max.is_none_or(|max| max > 0.0)
}

fn has_constant_weights(graph: &FloatGraph, node: &Node) -> bool {
    node.inputs[1..].iter().all(|&id| graph.tensor(id).is_constant())
}

/// Whether `node` computes each channel from the same channel, in proportion, and leaves element `i` of its
/// output in channel `i % channels`.
fn keeps_channels(graph: &FloatGraph, node: &Node, channels: usize) -> bool {
    let shape = graph.tensor(node.inputs[0]).shape();
    let innermost = shape.len().wrapping_sub(1);
    let in_channels = shape.last() == Some(&channels);
    let homogeneous = matches!(fused(&node.op), Activation::NONE | Activation::RELU);
    let kind = match &node.op {
        Op::AveragePool2d(_) | Op::MaxPool2d(_) => in_channels,
        Op::Add { .. } => node.inputs.iter().all(|&id| graph.tensor(id).shape() == shape),
        Op::Mean { axes } => in_channels && !axes.contains(&innermost),
        Op::Pad { before, after, value } => {
            in_channels && *value == 0.0 && before[innermost] == 0 && after[innermost] == 0
        }
        Op::Relu | Op::LeakyRelu { .. } | Op::Reshape => true,
        _ => false,
    };
    kind && homogeneous
}

/// Whether the weights of `node` that read element `i` are those at `i % channels`.
fn reads_whole_channels(graph: &FloatGraph, node: &Node, channels: usize) -> bool {
    let weights = graph.tensor(node.inputs[1]).shape();
    let in_channels = graph.tensor(node.inputs[0]).shape().last() == Some(&channels);
    match node.op {
        Op::DepthwiseConv2d(_) => in_channels && weights[3].is_multiple_of(channels),
        // Groups read different channels with weights of the same index.
        Op::Conv2d(_) | Op::TransposeConv2d(_) => in_channels && weights[3] == channels,
        _ => weights[1].is_multiple_of(channels),
    }
}
