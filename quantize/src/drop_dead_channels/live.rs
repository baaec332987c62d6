//! Which channels change an output.

use super::{Channels, Kind};
use crate::graph::{Node, Op, QuantizedGraph, Tensor, TensorId};

/// For each tensor, its channels that must be computed. Tensors that no node reads or writes have none.
pub(super) fn channels(graph: &QuantizedGraph) -> Vec<Vec<bool>> {
    let channels = Channels::of(graph);
    let live = graph.tensors.iter().enumerate();
    let live = live.map(|(index, _)| vec![false; channels.count(TensorId(index))]).collect();
    let mut liveness = Liveness { live, changed: false };
    for &id in graph.inputs.iter().chain(&graph.outputs) {
        liveness.mark_all(id);
    }
    let kinds: Vec<Kind> = graph.nodes.iter().map(|node| channels.kind(graph, node)).collect();
    loop {
        liveness.changed = false;
        for (node, kind) in graph.nodes.iter().zip(&kinds).rev() {
            liveness.visit(graph, node, *kind);
        }
        if !liveness.changed {
            liveness.keep_some(graph);
        }
        if !liveness.changed {
            return liveness.live;
        }
    }
}

struct Liveness {
    live: Vec<Vec<bool>>,
    changed: bool,
}

impl Liveness {
    fn mark(&mut self, id: TensorId, channel: usize) {
        let live = &mut self.live[id.0][channel];
        self.changed |= !*live;
        *live = true;
    }

    fn mark_all(&mut self, id: TensorId) {
        for channel in 0..self.live[id.0].len() {
            self.mark(id, channel);
        }
    }

    fn is_live(&self, id: TensorId, channel: usize) -> bool {
        self.live[id.0][channel]
    }

    /// Marks a channel where the other one is live.
    fn tie(&mut self, (a, of_a): (TensorId, usize), (b, of_b): (TensorId, usize)) {
        if self.is_live(a, of_a) {
            self.mark(b, of_b);
        }
        if self.is_live(b, of_b) {
            self.mark(a, of_a);
        }
    }

    fn visit(&mut self, graph: &QuantizedGraph, node: &Node, kind: Kind) {
        let (x, y) = (node.inputs[0], node.output());
        match kind {
            Kind::Mixing => {
                let weights = graph.tensor(node.inputs[1]);
                let row = weights.len() / weights.shape[0];
                let inputs = self.live[x.0].len();
                for (output, filter) in weights.int8().chunks_exact(row).enumerate() {
                    if !self.is_live(y, output) {
                        continue;
                    }
                    for (at, _) in filter.iter().enumerate().filter(|&(_, &weight)| weight != 0) {
                        self.mark(x, at % inputs);
                    }
                }
            }
            Kind::Depthwise { multiplier } => {
                for output in 0..self.live[y.0].len() {
                    self.tie((x, output / multiplier), (y, output));
                }
            }
            Kind::Channelwise => {
                for &input in &node.inputs {
                    for channel in 0..self.live[y.0].len() {
                        self.tie((input, channel), (y, channel));
                    }
                }
            }
            Kind::Joining => {
                let mut first = 0;
                for &input in &node.inputs {
                    for channel in 0..self.live[input.0].len() {
                        self.tie((input, channel), (y, first + channel));
                    }
                    first += self.live[input.0].len();
                }
            }
            Kind::Opaque => {
                let activations = if node.op.is_weighted() { &node.inputs[..1] } else { &node.inputs[..] };
                activations.iter().for_each(|&id| self.mark_all(id));
                self.mark_all(y);
            }
        }
    }

    /// Leaves no activation without channels; and a fully connected layer with a scale for each output at
    /// least two, as those with one scale are rounded in another way.
    fn keep_some(&mut self, graph: &QuantizedGraph) {
        for node in &graph.nodes {
            let scales = |id: &TensorId| graph.tensor(*id).quantization.scales.len();
            let per_channel = matches!(node.op, Op::FullyConnected { .. }) && scales(&node.inputs[1]) > 1;
            let least = if per_channel { 2 } else { 1 };
            let y = node.output();
            let count = self.live[y.0].len();
            let missing =
                least.min(count).saturating_sub(self.live[y.0].iter().filter(|&&live| live).count());
            let dead: Vec<usize> =
                (0..count).filter(|&channel| !self.is_live(y, channel)).take(missing).collect();
            dead.into_iter().for_each(|channel| self.mark(y, channel));
        }
    }
}
