//! Leaves out channels whose values nobody asks for. No bit of any output changes.
//!
//! Training with regularisation leaves layers whose weights for a channel are all zero in int8. Such a channel
//! is a constant, which goes into the biases of the layers that read it; and a channel that every reader weighs
//! with zero need not be computed, nor what only it was computed from.

mod constant;
mod live;
mod rebuild;
#[cfg(test)]
mod tests;

use edgepkg_format::DType;

use crate::graph::{Node, Op, QuantizedGraph, Tensor, TensorId};
use crate::report::macs;
use crate::validate::{GraphError, validate};

/// Whether an artifact computes channels that change no output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadChannels {
    /// They are left out.
    #[default]
    Drop,
    /// They are computed, so that every layer has the shape that the model file gives it.
    Keep,
}

/// Multiplications with weights in one inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Macs {
    /// Of the graph as it was given.
    pub given: u64,
    /// Of the graph that is executed.
    pub executed: u64,
}

/// `graph` without the channels that change no output: the same nodes, with fewer channels between them.
///
/// # Errors
///
/// When the graph is not sound.
pub fn drop_dead_channels(graph: &QuantizedGraph) -> Result<QuantizedGraph, GraphError> {
    validate(graph)?;
    let mut graph = graph.clone();
    constant::fold(&mut graph);
    let live = live::channels(&graph);
    Ok(rebuild::with_channels(&graph, &live))
}

/// Multiplications of all nodes.
pub fn total_macs(graph: &QuantizedGraph) -> u64 {
    graph.nodes.iter().map(|node| macs(graph, node)).sum()
}

/// How a node's channels hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Each output channel is a weighted sum of all input channels.
    Mixing,
    /// Output channel `c * multiplier + m` is computed from input channel `c` alone.
    Depthwise { multiplier: usize },
    /// Channels of all operands are the same ones, and each is computed from itself.
    Channelwise,
    /// The inputs' channels follow each other in the output.
    Joining,
    /// Nothing is known.
    Opaque,
}

/// Channels of tensors: element `i` of a tensor belongs to channel `i % channels`.
struct Channels(Vec<usize>);

impl Channels {
    fn of(graph: &QuantizedGraph) -> Self {
        let mut channels = Self(graph.tensors.iter().map(|tensor| extent(tensor.shape())).collect());
        for node in &graph.nodes {
            let (from, to) = (channels.count(node.inputs[0]), node.output());
            let last = extent(graph.tensor(to).shape());
            let kept = match &node.op {
                // A flattened image repeats its channels.
                Op::Reshape => last.is_multiple_of(from),
                op if op.is_weighted() => false,
                Op::Softmax { .. }
                | Op::LogSoftmax
                | Op::CumulativeSum { .. }
                | Op::BatchMatMul { .. }
                | Op::ArgExtreme { .. }
                | Op::Compare { .. }
                | Op::Select
                | Op::Gather { .. }
                | Op::TopIndices { .. }
                | Op::NonMaxSuppression(_) => false,
                _ => graph.tensor(node.inputs[0]).shape() == graph.tensor(to).shape(),
            };
            if kept {
                channels.0[to.0] = from;
            }
        }
        channels
    }

    fn count(&self, id: TensorId) -> usize {
        self.0[id.0]
    }

    /// How `node` treats them.
    fn kind(&self, graph: &QuantizedGraph, node: &Node) -> Kind {
        let shape = |id: TensorId| graph.tensor(id).shape();
        let whole = |id: TensorId| self.count(id) == extent(shape(id));
        let (x, y) = (node.inputs[0], node.output());
        let alike = self.count(x) == self.count(y);
        let innermost = shape(x).len().wrapping_sub(1);
        let when = |condition: bool, kind: Kind| if condition { kind } else { Kind::Opaque };
        let activations = if node.op.is_weighted() { &node.inputs[..1] } else { &node.inputs[..] };
        let is_known =
            |id: TensorId| !graph.tensor(id).is_constant() && graph.tensor(id).dtype == DType::Int8;
        if !activations.iter().chain(&node.outputs).all(|&id| is_known(id)) {
            return Kind::Opaque;
        }
        match &node.op {
            Op::Conv2d(_) => when(whole(x) && shape(node.inputs[1])[3] == shape(x)[3], Kind::Mixing),
            Op::FullyConnected { .. } => {
                let depth = shape(node.inputs[1])[1];
                when(
                    depth.is_multiple_of(self.count(x))
                        && whole(y)
                        && shape(y).last() == Some(&shape(node.inputs[1])[0]),
                    Kind::Mixing,
                )
            }
            Op::DepthwiseConv2d(_) => {
                when(whole(x), Kind::Depthwise { multiplier: self.count(y) / self.count(x) })
            }
            Op::Add { .. } | Op::Mul { .. } | Op::Binary { .. } => {
                let same =
                    node.inputs.iter().all(|&id| shape(id) == shape(y) && self.count(id) == self.count(y));
                when(same, Kind::Channelwise)
            }
            Op::AveragePool2d(_) | Op::MaxPool2d(_) => when(alike && whole(x), Kind::Channelwise),
            Op::Mean { axes } | Op::Sum { axes } => {
                when(alike && whole(x) && !axes.contains(&innermost), Kind::Channelwise)
            }
            Op::Pad { before, after, .. } => {
                let stays = [before, after].iter().all(|pads| pads.last().is_none_or(|&pad| pad == 0));
                when(alike && whole(x) && stays, Kind::Channelwise)
            }
            Op::Concat { axis } => {
                when(*axis == innermost && node.inputs.iter().all(|&id| whole(id)), Kind::Joining)
            }
            Op::Logistic
            | Op::Tanh
            | Op::Relu
            | Op::Relu6
            | Op::Clamp(_)
            | Op::LeakyRelu { .. }
            | Op::Unary(_)
            | Op::Requantize
            | Op::Reshape => when(alike, Kind::Channelwise),
            Op::Take { axis, .. } => when(alike && whole(x) && *axis != innermost, Kind::Channelwise),
            Op::ResizeBilinear(_) => when(alike && whole(x), Kind::Channelwise),
            Op::Softmax { .. }
            | Op::LogSoftmax
            | Op::Div { .. }
            | Op::TransposeConv2d(_)
            | Op::BatchMatMul { .. }
            | Op::Compare { .. }
            | Op::Select
            | Op::CumulativeSum { .. }
            | Op::ArgExtreme { .. }
            | Op::Gather { .. }
            | Op::TopIndices { .. }
            | Op::NonMaxSuppression(_)
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Stateful(_)
            | Op::Recurrent(_) => Kind::Opaque,
        }
    }
}

/// The extent of the innermost dimension; 1 of a scalar.
fn extent(shape: &[usize]) -> usize {
    shape.last().copied().unwrap_or(1)
}
