//! Cross-layer equalization: gives the channels of an activation like ranges, so that one scale suits all.
//!
//! Dividing an output channel of one layer by a factor, and multiplying the weights of the next that read it,
//! changes nothing in a float model as long as what is between them is positively homogeneous (ReLU, pools,
//! reshapes). In int8 the small channels gain the resolution that they lack when the largest sets the scale.
//! After Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, with
//! the factors taken from activations, since weights have a scale for each output channel.

mod factors;
mod groups;

use std::sync::Arc;

use factors::{ChannelStatistics, factors};
use groups::{Group, groups};

use crate::graph::{FloatGraph, FloatTensor, Op, Tensor, TensorId};
use crate::interpret::Interpreter;
use crate::samples::Samples;

/// Rescales the channels between layers of `graph`, by the ranges that `samples` show. The result computes
/// the same, up to the rounding of float32.
///
/// `progress` is called after every inference with those done and those to do.
pub fn equalize(
    mut graph: FloatGraph,
    samples: &Samples,
    mut progress: impl FnMut(usize, usize),
) -> FloatGraph {
    let groups = groups(&graph);
    if groups.is_empty() {
        return graph;
    }
    let statistics = observe(&graph, &groups, samples, &mut progress);
    for (group, statistics) in groups.iter().zip(&statistics) {
        let factors = factors(&graph, group, statistics);
        for &node in &group.producers {
            scale_outputs(&mut graph, node, &factors);
        }
        for &node in &group.consumers {
            scale_inputs(&mut graph, node, &factors);
        }
    }
    graph
}

/// For each group, the statistics of each of its activations.
fn observe(
    graph: &FloatGraph,
    groups: &[Group],
    samples: &Samples,
    progress: &mut impl FnMut(usize, usize),
) -> Vec<Vec<ChannelStatistics>> {
    let interpreter = Interpreter::new(graph);
    let mut statistics: Vec<Vec<ChannelStatistics>> = groups
        .iter()
        .map(|group| group.activations.iter().map(|&id| ChannelStatistics::new(id, group.channels)).collect())
        .collect();
    let mut kept = interpreter.initial();
    for (index, inputs) in samples.iter().enumerate() {
        if samples.starts_anew(index) {
            kept = interpreter.initial();
        }
        let observer = |id: TensorId, values: &[f32]| {
            if let Some(statistics) = statistics.iter_mut().flatten().find(|statistics| statistics.id == id) {
                statistics.add(values);
            }
        };
        interpreter.run_after(&mut kept, &inputs, observer, |_, _| {});
        progress(index + 1, samples.count());
    }
    statistics
}

/// Divides the output channels of a layer.
fn scale_outputs(graph: &mut FloatGraph, node: usize, factors: &[f32]) {
    let (weights, axis) = weights(graph, node);
    let inner: usize = graph.tensor(weights).shape()[axis + 1..].iter().product();
    replace(graph, node, 1, |index, value| value / factors[index / inner % factors.len()]);
    if graph.nodes[node].inputs.len() > 2 {
        replace(graph, node, 2, |index, value| value / factors[index]);
    }
}

/// Multiplies the weights of a layer by the factors of the channels that they read.
fn scale_inputs(graph: &mut FloatGraph, node: usize, factors: &[f32]) {
    match graph.nodes[node].op {
        Op::DepthwiseConv2d(_) => {
            let outputs = *graph.tensor(graph.nodes[node].inputs[1]).shape().last().expect("of rank 4");
            let multiplier = outputs / factors.len();
            replace(graph, node, 1, |index, value| value * factors[index % outputs / multiplier]);
        }
        // Input channels are innermost; a flattened image repeats them.
        _ => replace(graph, node, 1, |index, value| value * factors[index % factors.len()]),
    }
}

/// The weights of a layer and the dimension of their output channels.
fn weights(graph: &FloatGraph, node: usize) -> (TensorId, usize) {
    let axis = match graph.nodes[node].op {
        Op::DepthwiseConv2d(_) => 3,
        _ => 0,
    };
    (graph.nodes[node].inputs[1], axis)
}

/// Gives a node a constant of its own, with values mapped by index.
fn replace(graph: &mut FloatGraph, node: usize, input: usize, map: impl Fn(usize, f32) -> f32) {
    let old = graph.tensor(graph.nodes[node].inputs[input]).clone();
    let values = old.data.as_deref().expect("groups have constant weights");
    let data: Arc<[f32]> = values.iter().enumerate().map(|(index, &value)| map(index, value)).collect();
    let new = graph.add_tensor(FloatTensor { data: Some(data), ..old });
    graph.nodes[node].inputs[input] = new;
}

#[cfg(test)]
mod tests;
