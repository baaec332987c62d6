//! Operators on constants are computed now.

use super::editor::Editor;
use crate::graph::{FloatGraph, FloatTensor, Node, Op, TensorId};
use crate::interpret::Interpreter;

/// What `op` makes of constants.
pub(super) fn evaluate(op: &Op, inputs: Vec<FloatTensor>, shape: &[usize]) -> Vec<f32> {
    let output = TensorId(inputs.len());
    let node = Node {
        name: String::new(),
        op: op.clone(),
        inputs: (0..inputs.len()).map(TensorId).collect(),
        outputs: vec![output],
    };
    let result = FloatTensor { name: String::new(), shape: shape.to_vec(), data: None };
    let graph = FloatGraph {
        name: String::new(),
        tensors: inputs.into_iter().chain([result]).collect(),
        nodes: vec![node],
        inputs: Vec::new(),
        outputs: vec![output],
        rounding: (),
    };
    Interpreter::new(&graph).run(&[], |_, _| ()).remove(0)
}

/// Computes an operator whose inputs are all constant.
pub(super) fn constants(editor: &mut Editor, index: usize) -> bool {
    let node = editor.node(index);
    let constant = node.inputs.iter().all(|&id| editor.data(id).is_some());
    let is_fixed =
        !matches!(node.op, Op::Requantize | Op::Stateful(_)) && node.op.variables(&node.inputs).is_empty();
    if !constant || !is_fixed || editor.is_output(node.output()) {
        return false;
    }
    let inputs = node.inputs.iter().map(|&id| editor.tensor(id).clone()).collect();
    let data = evaluate(&node.op, inputs, editor.output_shape(index));
    editor.set_constant(index, data);
    true
}
