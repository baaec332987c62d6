//! States that recurrent layers keep.

use super::{Kept, add_variable};
use crate::graph::{
    Direction, FloatGraph, Node, Op, Recurrent, SequenceOrder, Shown, Start, Tensor, TensorId,
};

/// What a pair is of a layer.
struct Match {
    /// The nodes that start with the pair's input: one, or the two that show hidden state and cells.
    readers: Vec<usize>,
    /// Which of their operands it is.
    position: usize,
    /// The part of the pair's elements that is this layer's.
    initial: Vec<f32>,
}

/// Makes recurrent layers keep the pair; `None` where it is not their state.
pub(super) fn keep(graph: &mut FloatGraph, kept: &Kept) -> Option<()> {
    let mut matches = Vec::new();
    find(graph, kept, &mut matches)?;
    for Match { readers, position, initial } in matches {
        let start = graph.nodes[*readers.first()?].inputs[position];
        let (name, shape) = (graph.tensor(start).name.clone(), graph.tensor(start).shape.clone());
        let variable = add_variable(graph, name, shape, &initial);
        for reader in readers {
            graph.nodes[reader].inputs[position] = variable;
            if let Op::Recurrent(op) = &mut graph.nodes[reader].op {
                op.start = Start::Kept;
            }
        }
    }
    Some(())
}

/// Takes out the layers that only show the cells of others, which keep them now. Graphs in which a layer has lost its hidden
/// state alone are not sound, and are not kept so.
pub(super) fn merge_cells(graph: &mut FloatGraph) {
    let keeps = |node: &Node| !node.op.variables(&node.inputs).is_empty();
    let shows_cells =
        |node: &Node| matches!(node.op, Op::Recurrent(Recurrent { shown: Shown::LastCells, .. }));
    let nodes = graph.nodes.clone();
    let is_double = |node: &Node| {
        let same = |other: &Node| !shows_cells(other) && keeps(other) && other.inputs == node.inputs;
        shows_cells(node) && keeps(node) && nodes.iter().any(same)
    };
    graph.nodes.retain(|node| !is_double(node));
}

/// Whether the layers that keep something keep nothing but what was given to them: tensors from `first` on.
pub(super) fn keep_no_more(graph: &FloatGraph, first: usize) -> bool {
    let is_recurrent = |node: &&Node| matches!(node.op, Op::Recurrent(_));
    let mut kept = graph.nodes.iter().filter(is_recurrent).flat_map(|node| node.op.variables(&node.inputs));
    kept.all(|id| id.0 >= first)
}

/// Finds the layers whose state the pair is.
fn find(graph: &FloatGraph, kept: &Kept, matches: &mut Vec<Match>) -> Option<()> {
    let input = last_reshaped(graph, kept.input);
    let output = first_reshaped(graph, kept.output);
    let readers: Vec<usize> = graph.consumers(input).collect();
    let producer = graph.producer(output)?;
    if let Op::Concat { axis } = graph.nodes[producer].op {
        return find_parts(graph, &readers, (producer, axis), kept, matches);
    }
    let layer = state_shown(graph, producer)?;
    let Op::Recurrent(op) = graph.nodes[layer].op else { return None };
    let position = Recurrent::HIDDEN + usize::from(op.shown == Shown::LastCells);
    let is_layer = |&reader: &usize| {
        let node = &graph.nodes[reader];
        let uses = node.inputs.iter().filter(|&&id| id == input).count();
        matches!(node.op, Op::Recurrent(_)) && node.inputs.get(position) == Some(&input) && uses == 1
    };
    let is_its_own = readers.contains(&layer) && readers.iter().all(is_layer) && readers.len() <= 2;
    let is_alone = readers.len() == 1 || op.cell.has_cells();
    let is_inside = !graph.is_output(input) && !graph.inputs.contains(&input);
    (is_its_own && is_alone && is_inside).then_some(())?;
    matches.push(Match { readers, position, initial: kept.initial.clone() });
    Some(())
}

/// Finds the layers whose states are joined: each reads a part of the pair's input, and writes the same part of its output.
fn find_parts(
    graph: &FloatGraph,
    readers: &[usize],
    (concat, axis): (usize, usize),
    kept: &Kept,
    matches: &mut Vec<Match>,
) -> Option<()> {
    let joined = &graph.nodes[concat];
    let shape = graph.tensor(joined.output()).shape();
    // Parts lie one behind the other.
    shape[..axis].iter().all(|&extent| extent == 1).then_some(())?;
    let inner: usize = shape[axis + 1..].iter().product();
    let mut begin = 0;
    for &output in &joined.inputs {
        let taken = graph.tensor(output).shape()[axis];
        let reads = |&&reader: &&usize| {
            let node = &graph.nodes[reader];
            let from = graph.tensor(node.inputs[0]).shape();
            let to = graph.tensor(node.output());
            matches!(&node.op, Op::Slice { begin: first }
                if from == shape && first[axis] == begin && to.len() == taken * inner && to.shape()[axis] == taken)
        };
        let &reader = readers.iter().find(reads)?;
        let initial = kept.initial[begin * inner..][..taken * inner].to_vec();
        find(graph, &Kept { input: graph.nodes[reader].output(), output, initial }, matches)?;
        begin += taken;
    }
    (readers.len() == joined.inputs.len()).then_some(())
}

/// `id`, or what reshapes alone make of it.
fn last_reshaped(graph: &FloatGraph, mut id: TensorId) -> TensorId {
    loop {
        let mut readers = graph.consumers(id);
        match (readers.next(), readers.next()) {
            (Some(reader), None) if moves_nothing(graph, &graph.nodes[reader]) => {
                id = graph.nodes[reader].output();
            }
            _ => return id,
        }
    }
}

/// `id`, or what it is a reshape of.
fn first_reshaped(graph: &FloatGraph, mut id: TensorId) -> TensorId {
    while let Some(node) = graph.producer(id).map(|index| &graph.nodes[index])
        && moves_nothing(graph, node)
    {
        id = node.inputs[0];
    }
    id
}

/// Whether a node's output has the elements of its input, in their order.
fn moves_nothing(graph: &FloatGraph, node: &Node) -> bool {
    let [x, y] = [node.inputs[0], node.output()].map(|id| graph.tensor(id));
    match &node.op {
        Op::Reshape => true,
        Op::Slice { .. } => x.len() == y.len(),
        Op::Transpose { perm } => {
            let moved = perm.iter().filter(|&&axis| x.shape()[axis] != 1);
            moved.is_sorted()
        }
        _ => false,
    }
}

/// The layer whose state after its last step `node` writes, or takes from all its states.
fn state_shown(graph: &FloatGraph, node: usize) -> Option<usize> {
    let layer = match &graph.nodes[node].op {
        Op::Recurrent(_) => node,
        Op::Slice { .. } => graph.producer(first_reshaped(graph, graph.nodes[node].inputs[0]))?,
        _ => return None,
    };
    let Op::Recurrent(op) = graph.nodes[layer].op else { return None };
    let shape = graph.tensor(graph.nodes[layer].inputs[0]).shape();
    let [batches, steps, _] = op.extents([shape[0], shape[1], shape[2]]);
    let is_last = match (op.shown, &graph.nodes[node].op) {
        (Shown::LastStep | Shown::LastCells, _) => layer == node,
        (Shown::EveryStep, Op::Slice { begin }) => {
            let axis = if op.order == SequenceOrder::TimeMajor { 0 } else { 1 };
            let last = if op.direction == Direction::Forward { steps - 1 } else { 0 };
            let units = shape_of_state(graph, layer);
            let whole = graph.tensor(graph.nodes[node].inputs[0]).shape().len() == 3;
            let taken = graph.tensor(graph.nodes[node].output()).len();
            whole && begin[axis] == last && taken == batches * units
        }
        (Shown::EveryStep, _) => steps == 1,
    };
    is_last.then_some(layer)
}

/// Units of a layer.
fn shape_of_state(graph: &FloatGraph, layer: usize) -> usize {
    graph.tensor(graph.nodes[layer].inputs[Recurrent::HIDDEN]).shape()[1]
}
