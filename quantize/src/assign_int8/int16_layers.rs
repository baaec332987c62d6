//! Layers that compute in int16, with requantizes between them and the others.

use std::collections::{HashMap, HashSet};

use super::AssignError;
use crate::calibrate::CalibratedGraph;
use crate::graph::{FloatGraph, FloatTensor, Node, Op, Recurrent, Start, Tensor, TensorId};

/// Which layers have activations of int16. Their weights are int8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Int16Layers {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those with these names, and what only moves their results.
    Named(Vec<String>),
}

/// A graph in which every layer reads and writes activations of one width.
pub(super) struct Widths {
    pub(super) graph: CalibratedGraph,
    /// Of each tensor, whether it is int16. Weights are not.
    pub(super) is_int16: Vec<bool>,
}

/// Puts requantizes between `layers` and the others. The given graph's tensors keep their ids.
pub(super) fn separate(calibrated: &CalibratedGraph, layers: &Int16Layers) -> Result<Widths, AssignError> {
    let chosen = choose(&calibrated.graph, layers)?;
    let mut separation = Separation::new(calibrated, &chosen);
    for (node, &is_int16) in calibrated.graph.nodes.iter().zip(&chosen) {
        separation.node(node.clone(), is_int16);
    }
    Ok(separation.widths)
}

/// For each node, whether it computes in int16.
fn choose(graph: &FloatGraph, layers: &Int16Layers) -> Result<Vec<bool>, AssignError> {
    let names = match layers {
        Int16Layers::None => return Ok(vec![false; graph.nodes.len()]),
        Int16Layers::All => None,
        Int16Layers::Named(names) => Some(names),
    };
    if let Some(missing) =
        names.and_then(|names| names.iter().find(|&name| graph.nodes.iter().all(|node| node.name != *name)))
    {
        return Err(AssignError::NoSuchLayer { name: missing.clone() });
    }
    let mut is_int16 = vec![false; graph.tensors.len()];
    let mut chosen = Vec::new();
    let indices = graph.index_tensors();
    for node in &graph.nodes {
        let moves =
            matches!(node.op, Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } | Op::Take { .. });
        // Who else reads or assigns a variable has its width, so they have one together or none.
        let is_named = match (names, &node.op) {
            // Indices have no width of activations, and tables are weights.
            (None, op) if op.moves_elements() && indices.contains(&node.output()) => false,
            (None, Op::Gather { .. }) if graph.tensor(node.inputs[0]).is_constant() => false,
            (None, _) => true,
            (Some(_), Op::Stateful(_)) => false,
            (Some(names), _) => names.contains(&node.name),
        };
        if is_named && !node.op.has_int16() {
            return Err(AssignError::NotInInt16 { operator: node.op.name(), node: node.name.clone() });
        }
        let is_chosen = is_named || moves && is_int16[node.inputs[0].0];
        is_int16[node.output().0] = is_chosen;
        chosen.push(is_chosen);
    }
    Ok(chosen)
}

struct Separation {
    widths: Widths,
    /// The tensors of the other width that requantizes make, by what they read.
    converted: HashMap<TensorId, TensorId>,
    /// The tensors that hold indices.
    indices: HashSet<TensorId>,
}

impl Separation {
    fn new(calibrated: &CalibratedGraph, chosen: &[bool]) -> Self {
        let graph = &calibrated.graph;
        let mut is_int16 = vec![false; graph.tensors.len()];
        // What no node writes has the width of its readers, if they have one.
        for (index, is_int16) in is_int16.iter_mut().enumerate() {
            let mut readers = graph
                .nodes
                .iter()
                .zip(chosen)
                .filter(|(node, _)| activations(node).iter().any(|&id| id.0 == index));
            *is_int16 = readers.clone().next().is_some() && readers.all(|(_, &chosen)| chosen);
        }
        for (node, &chosen) in graph.nodes.iter().zip(chosen) {
            is_int16[node.output().0] = chosen;
        }
        let nodes = Vec::new();
        let graph = CalibratedGraph { graph: FloatGraph { nodes, ..graph.clone() }, ..calibrated.clone() };
        let indices = calibrated.graph.index_tensors();
        Self { widths: Widths { graph, is_int16 }, converted: HashMap::new(), indices }
    }

    fn node(&mut self, mut node: Node, is_int16: bool) {
        let activations = activations(&node).len();
        for position in 0..activations {
            let input = node.inputs[position];
            if !self.indices.contains(&input) && self.widths.is_int16[input.0] != is_int16 {
                node.inputs[position] = self.convert(input, is_int16);
            }
        }
        if let Op::Recurrent(op) = node.op {
            self.widen_states(&mut node, op);
        }
        self.widths.graph.graph.nodes.push(node);
    }

    /// Makes a recurrent layer start with int16 of its own, whose scale is its own, too.
    fn widen_states(&mut self, node: &mut Node, op: Recurrent) {
        for input in &mut node.inputs[Recurrent::HIDDEN..] {
            if op.start == Start::Anew {
                let name = format!("{}/state", self.widths.graph.graph.tensor(*input).name);
                *input = self.copy(*input, name);
            }
            self.widths.is_int16[input.0] = true;
        }
    }

    /// `input` in the other width.
    fn convert(&mut self, input: TensorId, to_int16: bool) -> TensorId {
        if let Some(&done) = self.converted.get(&input) {
            return done;
        }
        let name = &self.widths.graph.graph.tensor(input).name;
        let output = self.copy(input, format!("{name}/{}", if to_int16 { "int16" } else { "int8" }));
        self.widths.is_int16[output.0] = to_int16;
        self.converted.insert(input, output);
        output
    }

    /// A constant like `input`, or a tensor that a requantize makes of it; of int8, until something else is said.
    fn copy(&mut self, input: TensorId, name: String) -> TensorId {
        let CalibratedGraph { graph, ranges, means, states, moments, .. } = &mut self.widths.graph;
        let FloatTensor { shape, data, .. } = graph.tensor(input).clone();
        let is_constant = data.is_some();
        let output = graph.add_tensor(FloatTensor { name: name.clone(), shape, data });
        ranges.push(ranges[input.0]);
        means.push(means[input.0].clone());
        states.push(states[input.0]);
        moments.push(moments[input.0].clone());
        if !is_constant {
            let (inputs, outputs) = (vec![input], vec![output]);
            graph.nodes.push(Node { name, op: Op::Requantize, inputs, outputs });
        }
        self.widths.is_int16.push(false);
        output
    }
}

/// What a node reads beside weights, biases and what recurrent layers start with.
pub(super) fn activations(node: &Node) -> &[TensorId] {
    let has_weights = node.op.is_weighted() || matches!(node.op, Op::Recurrent(_));
    if has_weights { &node.inputs[..1] } else { &node.inputs }
}
