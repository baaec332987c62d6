//! When two graphs are the same although a file lay between them.

use std::collections::HashMap;

use edgepkg_quantize::graph::{Graph, Node, QuantizedGraph, TensorId};

/// The graph as a TensorFlow Lite file can keep it: tensors in the order in which they are first named, those
/// that nobody names left out, and every node called after what it writes: a model's output by the
/// output's name, all others by the node's.
pub fn as_kept_by_tflite(graph: &QuantizedGraph) -> QuantizedGraph {
    let mut kept = Graph {
        name: graph.name.clone(),
        tensors: Vec::new(),
        nodes: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
    };
    let mut ids = HashMap::new();
    kept.inputs = keep(graph, &graph.inputs, &mut kept, &mut ids);
    for node in &graph.nodes {
        let inputs = keep(graph, &node.inputs, &mut kept, &mut ids);
        let outputs = keep(graph, &node.outputs, &mut kept, &mut ids);
        let written = &mut kept.tensors[outputs[0].0];
        if !graph.is_output(node.output()) {
            written.name = node.name.clone();
        }
        let name = written.name.clone();
        kept.nodes.push(Node { name, op: node.op.clone(), inputs, outputs });
    }
    kept.outputs = keep(graph, &graph.outputs, &mut kept, &mut ids);
    kept
}

fn keep(
    graph: &QuantizedGraph,
    from: &[TensorId],
    kept: &mut QuantizedGraph,
    ids: &mut HashMap<TensorId, TensorId>,
) -> Vec<TensorId> {
    from.iter()
        .map(|&id| *ids.entry(id).or_insert_with(|| kept.add_tensor(graph.tensor(id).clone())))
        .collect()
}
