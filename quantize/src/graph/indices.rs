//! Which tensors hold indices, and of what.

use std::collections::HashSet;

use super::{Graph, Op, Tensor, TensorId};

/// The most elements that indices can choose among: a float graph's indices are float32, exact up to here.
pub const MAX_INDEXED_ELEMENTS: usize = 1 << 24;

impl Op {
    /// Whether it gives what it reads in other places, and so indices where it reads them.
    pub fn moves_elements(&self) -> bool {
        matches!(
            self,
            Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } | Op::Take { .. } | Op::Concat { .. }
        )
    }
}

impl<T: Tensor> Graph<T> {
    /// The tensors that hold indices: those that operators read or write as such, and what moves from and to them.
    pub fn index_tensors(&self) -> HashSet<TensorId> {
        let mut indices = HashSet::new();
        for node in &self.nodes {
            let read =
                node.inputs.iter().enumerate().filter(|&(position, _)| node.op.reads_indices(position));
            indices.extend(read.map(|(_, &id)| id));
            indices.extend(node.op.writes_indices().then(|| node.output()));
        }
        let movers = || self.nodes.iter().filter(|node| node.op.moves_elements());
        let mut known = 0;
        while known != indices.len() {
            known = indices.len();
            for node in movers().rev() {
                if indices.contains(&node.output()) {
                    indices.extend(&node.inputs);
                }
            }
            for node in movers() {
                if node.inputs.iter().any(|id| indices.contains(id)) {
                    indices.insert(node.output());
                }
            }
        }
        indices
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FloatGraph, FloatTensor, Node, Op, TensorId};

    /// Two columns of `x`, one in a table of 5 and one in a table of 3 rows; `kept` is not of indices.
    fn two_tables() -> FloatGraph {
        let tensor = |name: &str, shape: &[usize]| FloatTensor {
            name: name.into(),
            shape: shape.to_vec(),
            data: None,
        };
        let tensors = vec![
            tensor("x", &[1, 2]),
            tensor("five", &[5, 4]),
            tensor("three", &[3, 4]),
            tensor("first", &[1, 1]),
            tensor("second", &[1, 1]),
            tensor("of five", &[1, 1, 4]),
            tensor("of three", &[1, 1, 4]),
            tensor("kept", &[1, 1, 8]),
        ];
        let node = |op: Op, inputs: &[usize], output: usize| Node {
            name: String::new(),
            op,
            inputs: inputs.iter().map(|&id| TensorId(id)).collect(),
            outputs: vec![TensorId(output)],
        };
        let gather = Op::Gather { axis: 0, batch_dimensions: 0 };
        let nodes = vec![
            node(Op::Slice { begin: vec![0, 0] }, &[0], 3),
            node(Op::Slice { begin: vec![0, 1] }, &[0], 4),
            node(gather.clone(), &[1, 3], 5),
            node(gather, &[2, 4], 6),
            node(Op::Concat { axis: 2 }, &[5, 6], 7),
        ];
        let (inputs, outputs) = (vec![TensorId(0), TensorId(1), TensorId(2)], vec![TensorId(7)]);
        FloatGraph { name: String::new(), tensors, nodes, inputs, outputs, rounding: () }
    }

    #[test]
    fn indices_are_followed_to_where_they_come_from() {
        let graph = two_tables();
        let mut found: Vec<usize> = graph.index_tensors().into_iter().map(|id| id.0).collect();
        found.sort_unstable();
        assert_eq!(found, [0, 3, 4]);
    }
}
