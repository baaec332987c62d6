//! When two graphs are the same although a file lay between them.

use std::collections::HashMap;

use edgepkg_format::DType;
use edgepkg_quantize::graph::{Graph, Node, Op, Quantization, QuantizedGraph, QuantizedTensor, TensorId};

/// The graph as a TensorFlow Lite file can keep it: tensors in the order in which they are first named, those
/// that nobody names left out, and every node called after what it writes: a model's output by the
/// output's name, all others by the node's; a convolution without a bias has one of zeros.
pub fn as_kept_by_tflite(graph: &QuantizedGraph) -> QuantizedGraph {
    let mut kept = Graph {
        name: graph.name.clone(),
        tensors: Vec::new(),
        nodes: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        rounding: graph.rounding,
    };
    let mut ids = HashMap::new();
    kept.inputs = keep(graph, &graph.inputs, &mut kept, &mut ids);
    for node in &graph.nodes {
        let mut inputs = keep(graph, &node.inputs, &mut kept, &mut ids);
        if matches!(node.op, Op::Conv2d(_) | Op::DepthwiseConv2d(_)) && inputs.len() == 2 {
            inputs.push(kept.add_tensor(zero_bias(graph, node)));
        }
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

fn zero_bias(graph: &QuantizedGraph, node: &Node) -> QuantizedTensor {
    let [x, weights] = [0, 1].map(|index| &graph.tensor(node.inputs[index]).quantization);
    let outputs = graph.tensor(node.output()).shape[3];
    let dtype = match graph.tensor(node.inputs[0]).dtype {
        DType::Int16 => DType::Int64,
        _ => DType::Int32,
    };
    let scales = weights.scales.iter().map(|scale| x.scale() * scale).collect();
    QuantizedTensor {
        name: format!("{}/bias", node.name),
        shape: vec![outputs],
        dtype,
        quantization: Quantization::per_channel(scales, 0),
        data: Some(vec![0; dtype.bytes(outputs as u32).unwrap_or_default() as usize].into()),
    }
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
