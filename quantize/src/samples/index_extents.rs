//! How many elements each value of an input of indices chooses among.

use std::collections::HashSet;

use crate::graph::{FloatGraph, FloatTensor, Graph, MAX_INDEXED_ELEMENTS, Node, Op, Tensor, TensorId};
use crate::interpret::Interpreter;

/// Of an element that is no part of an input.
const NONE: f32 = -1.0;

/// For each input of `graph` that holds indices, for each of its elements how many elements it chooses among: it is at
/// least 0 and less than that, [`usize::MAX`] where it chooses nothing. `None` for other inputs, and for all where they
/// have more than [`MAX_INDEXED_ELEMENTS`] elements together.
pub fn index_extents<T: Tensor>(graph: &Graph<T>) -> Vec<Option<Vec<usize>>> {
    let indices = graph.index_tensors();
    let inputs = || graph.inputs.iter().filter(|id| indices.contains(id));
    let count: usize = inputs().map(|&id| graph.tensor(id).len()).sum();
    if count == 0 || count > MAX_INDEXED_ELEMENTS {
        return vec![None; graph.inputs.len()];
    }
    // The inputs' elements are numbered, and the numbers moved as indices are.
    let is_moved = |node: &&Node| node.op.moves_elements() && indices.contains(&node.output());
    let nodes: Vec<Node> = graph.nodes.iter().filter(is_moved).cloned().collect();
    let written: HashSet<TensorId> = nodes.iter().map(Node::output).collect();
    let mut numbered: Vec<TensorId> = inputs().copied().collect();
    let mut others: Vec<TensorId> =
        indices.iter().copied().filter(|id| !written.contains(id) && !numbered.contains(id)).collect();
    others.sort_unstable();
    let mut next = 0;
    let mut values: Vec<Vec<f32>> = Vec::new();
    for &id in &numbered {
        let len = graph.tensor(id).len();
        values.push((next..next + len).map(|number| number as f32).collect());
        next += len;
    }
    values.extend(others.iter().map(|&id| vec![NONE; graph.tensor(id).len()]));
    numbered.extend(others);
    let choosers: Vec<(TensorId, usize)> =
        graph.nodes.iter().filter_map(|node| chooser(graph, node)).collect();
    let tensor = |tensor: &T| FloatTensor { name: String::new(), shape: tensor.shape().to_vec(), data: None };
    let moving = FloatGraph {
        name: String::new(),
        tensors: graph.tensors.iter().map(tensor).collect(),
        nodes,
        inputs: numbered,
        outputs: choosers.iter().map(|&(indices, _)| indices).collect(),
        rounding: (),
    };
    let values: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
    let lists = Interpreter::new(&moving).run(&values, |_, _| ());
    let mut extents = vec![usize::MAX; count];
    for (list, &(_, extent)) in lists.iter().zip(&choosers) {
        for &number in list.iter().filter(|&&number| number != NONE) {
            let least = &mut extents[number as usize];
            *least = extent.min(*least);
        }
    }
    let mut rest = &extents[..];
    let mut extents_of = |id: &TensorId| {
        let (own, others) = rest.split_at(graph.tensor(*id).len());
        rest = others;
        own.to_vec()
    };
    graph.inputs.iter().map(|id| indices.contains(id).then(|| extents_of(id))).collect()
}

/// The indices that `node` chooses by, and among how many elements.
fn chooser<T: Tensor>(graph: &Graph<T>, node: &Node) -> Option<(TensorId, usize)> {
    match node.op {
        Op::Gather { axis, .. } => Some((node.inputs[1], graph.tensor(node.inputs[0]).shape()[axis])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::index_extents;
    use crate::graph::{FloatGraph, FloatTensor, Node, Op, TensorId};

    /// Two of three columns of `x`, the second in a table of 5 and the first in one of 3 rows; `y` is not of indices.
    fn two_tables() -> FloatGraph {
        let tensor = |name: &str, shape: &[usize]| FloatTensor {
            name: name.into(),
            shape: shape.to_vec(),
            data: None,
        };
        let tensors = vec![
            tensor("x", &[1, 3]),
            tensor("y", &[1, 1]),
            tensor("five", &[5, 4]),
            tensor("three", &[3, 4]),
            tensor("columns", &[3, 1]),
            tensor("second", &[1, 1]),
            tensor("first", &[1, 1]),
            tensor("of five", &[1, 1, 4]),
            tensor("of three", &[1, 1, 4]),
        ];
        let node = |op: Op, inputs: &[usize], output: usize| Node {
            name: String::new(),
            op,
            inputs: inputs.iter().map(|&id| TensorId(id)).collect(),
            outputs: vec![TensorId(output)],
        };
        let gather = Op::Gather { axis: 0, batch_dimensions: 0 };
        let nodes = vec![
            node(Op::Transpose { perm: vec![1, 0] }, &[0], 4),
            node(Op::Slice { begin: vec![1, 0] }, &[4], 5),
            node(Op::Slice { begin: vec![0, 0] }, &[4], 6),
            node(gather.clone(), &[2, 5], 7),
            node(gather, &[3, 6], 8),
        ];
        let inputs = [0, 1, 2, 3].map(TensorId).to_vec();
        let outputs = [7, 8].map(TensorId).to_vec();
        FloatGraph { name: String::new(), tensors, nodes, inputs, outputs, rounding: () }
    }

    #[test]
    fn each_element_has_the_extent_of_what_it_chooses_among() {
        let expected = [Some(vec![3, 5, usize::MAX]), None, None, None];
        assert_eq!(index_extents(&two_tables()), expected);
    }
}
