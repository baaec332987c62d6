//! A graph under rewriting, with who writes and who reads each tensor at hand.

use std::sync::Arc;

use crate::graph::{FloatGraph, FloatTensor, Node, Op, TensorId};

/// The graph and its index.
pub(super) struct Editor {
    graph: FloatGraph,
    /// For each tensor, the node that writes it.
    producers: Vec<Option<usize>>,
    /// For each tensor, how often nodes read it.
    reads: Vec<usize>,
}

impl Editor {
    pub fn new(graph: FloatGraph) -> Self {
        let mut editor = Self { graph, producers: Vec::new(), reads: Vec::new() };
        editor.index();
        editor
    }

    fn index(&mut self) {
        self.producers = vec![None; self.graph.tensors.len()];
        self.reads = vec![0; self.graph.tensors.len()];
        for (index, node) in self.graph.nodes.iter().enumerate() {
            for id in &node.inputs {
                self.reads[id.0] += 1;
            }
            self.producers[node.output().0] = Some(index);
        }
    }

    pub fn nodes(&self) -> &[Node] {
        &self.graph.nodes
    }

    pub fn node(&self, index: usize) -> &Node {
        &self.graph.nodes[index]
    }

    pub fn tensor(&self, id: TensorId) -> &FloatTensor {
        &self.graph.tensors[id.0]
    }

    pub fn shape(&self, id: TensorId) -> &[usize] {
        &self.tensor(id).shape
    }

    pub fn data(&self, id: TensorId) -> Option<&[f32]> {
        self.tensor(id).data.as_deref()
    }

    pub fn output_shape(&self, index: usize) -> &[usize] {
        self.shape(self.node(index).output())
    }

    /// The node that writes `id`.
    pub fn producer(&self, id: TensorId) -> Option<usize> {
        self.producers[id.0]
    }

    pub fn is_output(&self, id: TensorId) -> bool {
        self.graph.outputs.contains(&id)
    }

    /// The node that writes `id`, when a single node reads it and nothing else needs it.
    pub fn private_producer(&self, id: TensorId) -> Option<usize> {
        if self.reads[id.0] == 1 && !self.is_output(id) { self.producer(id) } else { None }
    }

    /// What a node with this operator on this input has written before `index`, for something that reads it.
    pub fn find(&self, index: usize, op: &Op, input: TensorId, shape: &[usize]) -> Option<TensorId> {
        self.graph.nodes[..index]
            .iter()
            .find(|node| node.op == *op && node.inputs == [input] && self.shape(node.output()) == shape)
            .map(Node::output)
            .filter(|&id| self.reads[id.0] > 0 || self.is_output(id))
    }

    /// A new tensor of `shape` named as `like`.
    pub fn tensor_like(&mut self, like: TensorId, shape: Vec<usize>) -> TensorId {
        let name = self.tensor(like).name.clone();
        self.graph.add_tensor(FloatTensor { name, shape, data: None })
    }

    /// A new constant named as `like`.
    pub fn constant_like(&mut self, like: TensorId, shape: Vec<usize>, data: Vec<f32>) -> TensorId {
        let name = self.tensor(like).name.clone();
        self.graph.add_tensor(FloatTensor { name, shape, data: Some(Arc::from(data)) })
    }

    /// Makes what `index` writes a constant, and removes it.
    pub fn set_constant(&mut self, index: usize, data: Vec<f32>) {
        let output = self.node(index).output();
        self.graph.tensors[output.0].data = Some(Arc::from(data));
        self.replace(index, []);
    }

    /// Puts `nodes` in the place of one.
    pub fn replace(&mut self, index: usize, nodes: impl IntoIterator<Item = Node>) {
        self.graph.nodes.splice(index..=index, nodes);
        self.index();
    }

    /// Removes the node at `index`, whose work the node at `producer` now does too: that one becomes
    /// `merged` and writes what the removed one wrote.
    pub fn merge_into_producer(&mut self, index: usize, producer: usize, mut merged: Node) {
        merged.outputs = vec![self.node(index).output()];
        self.graph.nodes[producer] = merged;
        self.replace(index, []);
    }

    /// Removes the node at `index`, whose output equals `same`; `false` when an output of the model keeps
    /// it from that.
    pub fn remove_as_equal(&mut self, index: usize, same: TensorId) -> bool {
        let output = self.node(index).output();
        let (from, to) = if !self.is_output(output) {
            (output, same)
        } else {
            let Some(producer) = self.producer(same).filter(|_| !self.is_output(same)) else { return false };
            self.graph.nodes[producer].outputs = vec![output];
            (same, output)
        };
        for input in self.graph.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
            if *input == from {
                *input = to;
            }
        }
        self.replace(index, []);
        true
    }

    /// Removes nodes that no output and no later run depends on; whether there were any.
    pub fn remove_dead_nodes(&mut self) -> bool {
        let mut needed = vec![false; self.graph.tensors.len()];
        for id in &self.graph.outputs {
            needed[id.0] = true;
        }
        for node in self.graph.nodes.iter().filter(|node| !node.op.variables(&node.inputs).is_empty()) {
            needed[node.output().0] = true;
        }
        for node in self.graph.nodes.iter().rev() {
            if needed[node.output().0] {
                node.inputs.iter().for_each(|id| needed[id.0] = true);
            }
        }
        let before = self.graph.nodes.len();
        self.graph.nodes.retain(|node| needed[node.output().0]);
        self.index();
        self.graph.nodes.len() != before
    }

    /// The graph, without the tensors that nothing refers to.
    pub fn finish(self) -> FloatGraph {
        let mut graph = self.graph;
        let mut used = vec![false; graph.tensors.len()];
        let nodes = graph.nodes.iter().flat_map(|node| node.inputs.iter().chain(&node.outputs));
        for id in nodes.chain(&graph.inputs).chain(&graph.outputs) {
            used[id.0] = true;
        }
        let mut next = 0;
        let renumbered: Vec<TensorId> = used
            .iter()
            .map(|&used| {
                let id = TensorId(next);
                next += usize::from(used);
                id
            })
            .collect();
        let mut used = used.iter();
        graph.tensors.retain(|_| *used.next().expect("one for each tensor"));
        let nodes = graph.nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().chain(&mut node.outputs));
        for id in nodes.chain(&mut graph.inputs).chain(&mut graph.outputs) {
            *id = renumbered[id.0];
        }
        graph
    }
}
