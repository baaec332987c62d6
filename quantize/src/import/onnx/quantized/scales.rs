//! The scale that the file gives each tensor, which may stand behind operators that only move values.

use super::Quantized;
use crate::graph::{FloatGraph, Op, Quantization};

/// For each tensor of `graph`, what the file rounds it to: at once, or behind operators that keep scales.
pub(super) fn wanted(graph: &FloatGraph, quantized: &Quantized) -> Vec<Option<Quantization>> {
    let mut wanted: Vec<Option<Quantization>> = vec![None; graph.tensors.len()];
    for node in graph.nodes.iter().rev() {
        if node.op == Op::Requantize {
            wanted[node.inputs[0].0] = quantized.marks.get(&node.name).cloned();
        } else if keeps_scale(&node.op) {
            for input in &node.inputs {
                if wanted[input.0].is_none() {
                    wanted[input.0] = wanted[node.output().0].clone();
                }
            }
        }
    }
    wanted
}

/// Whether the scale of an operator's output serves for what it reads too: it moves values, or drops what
/// that scale would not have.
fn keeps_scale(op: &Op) -> bool {
    matches!(
        op,
        Op::AveragePool2d(_)
            | Op::MaxPool2d(_)
            | Op::Relu
            | Op::Relu6
            | Op::Clamp(_)
            | Op::Pad { .. }
            | Op::Concat { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Take { .. }
    )
}
