//! Transposes move towards the outputs, and cancel where they meet.

use super::editor::Editor;
use super::fold::evaluate;
use crate::graph::{FloatTensor, Node, Op, TensorId};

/// The permutation and input of the transpose that writes `id`.
pub(super) fn transpose_before(editor: &Editor, id: TensorId) -> Option<(&[usize], TensorId)> {
    let node = editor.node(editor.producer(id)?);
    match &node.op {
        Op::Transpose { perm } => Some((perm, node.inputs[0])),
        _ => None,
    }
}

/// The permutation that undoes `perm`.
fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    for (to, &from) in perm.iter().enumerate() {
        inverse[from] = to;
    }
    inverse
}

/// `values` of the transposed dimensions, for the dimensions before the transpose.
fn untransposed<T: Copy>(perm: &[usize], values: &[T]) -> Vec<T> {
    inverse(perm).into_iter().map(|axis| values[axis]).collect()
}

/// Whether a transpose leaves the elements in their order: it only moves dimensions of 1.
fn keeps_order(perm: &[usize], shape: &[usize]) -> bool {
    perm.iter().filter(|&&axis| shape[axis] != 1).is_sorted()
}

/// A transpose of a transpose is one.
pub(super) fn merge(editor: &mut Editor, index: usize) -> bool {
    let mut node = editor.node(index).clone();
    let Op::Transpose { perm } = &mut node.op else { return false };
    let Some((first, x)) = transpose_before(editor, node.inputs[0]) else { return false };
    *perm = perm.iter().map(|&axis| first[axis]).collect();
    node.inputs = vec![x];
    editor.replace(index, [node]);
    true
}

/// A transpose that only moves dimensions of 1 is a reshape.
pub(super) fn into_reshape(editor: &mut Editor, index: usize) -> bool {
    let mut node = editor.node(index).clone();
    let Op::Transpose { perm } = &node.op else { return false };
    if !keeps_order(perm, editor.shape(node.inputs[0])) {
        return false;
    }
    node.op = Op::Reshape;
    editor.replace(index, [node]);
    true
}

/// Moves the transpose before an operator behind it.
pub(super) fn below_operator(editor: &mut Editor, index: usize) -> bool {
    let node = editor.node(index);
    let Some((position, perm)) =
        node.inputs.iter().enumerate().find_map(|(position, &id)| {
            transpose_before(editor, id).map(|(perm, _)| (position, perm.to_vec()))
        })
    else {
        return false;
    };
    let Some((op, perm_after)) = on_untransposed(editor, index, &perm) else { return false };
    let mut nodes = Vec::new();
    let Some(inputs) = untransposed_inputs(editor, index, &perm, &mut nodes) else { return false };
    let node = editor.node(index).clone();
    let transpose = editor.producer(node.inputs[position]).expect("it was found above");
    let transpose_name = editor.node(transpose).name.clone();
    let shape = untransposed(&perm_after, editor.output_shape(index));
    let result = editor.tensor_like(node.output(), shape);
    nodes.push(Node { name: node.name, op, inputs, outputs: vec![result] });
    nodes.push(Node {
        name: transpose_name,
        op: Op::Transpose { perm: perm_after },
        inputs: vec![result],
        outputs: node.outputs,
    });
    editor.replace(index, nodes);
    true
}

/// The operator at `index` as it is on what stands before a transpose by `perm`, and the transpose behind
/// it; `None` when it depends on the layout.
fn on_untransposed(editor: &Editor, index: usize, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
    let node = editor.node(index);
    let output = editor.output_shape(index);
    let mut perm_after = perm.to_vec();
    let op = match &node.op {
        Op::Logistic
        | Op::Tanh
        | Op::Relu
        | Op::Relu6
        | Op::Clamp(_)
        | Op::LeakyRelu { .. }
        | Op::Unary(_)
        | Op::Requantize => node.op.clone(),
        Op::Add { .. } | Op::Mul { .. } | Op::Binary { .. } | Op::Compare { .. } | Op::Select
            if output.len() == perm.len() =>
        {
            node.op.clone()
        }
        Op::Softmax { .. } | Op::LogSoftmax if perm.last() == Some(&(perm.len() - 1)) => node.op.clone(),
        Op::Pad { before, after, value } => {
            Op::Pad { before: untransposed(perm, before), after: untransposed(perm, after), value: *value }
        }
        Op::Slice { begin } => Op::Slice { begin: untransposed(perm, begin) },
        Op::Take { axis, indices } => Op::Take { axis: perm[*axis], indices: indices.clone() },
        Op::Concat { axis } => Op::Concat { axis: perm[*axis] },
        Op::Mean { axes } | Op::Sum { axes } => {
            if output.len() != perm.len() {
                let kept = |axis: &usize| !axes.contains(axis);
                let order: Vec<usize> = (0..perm.len()).filter(kept).map(|axis| perm[axis]).collect();
                let rank_of = |axis: &usize| order.iter().filter(|other| *other < axis).count();
                perm_after = order.iter().map(rank_of).collect();
            }
            let mut axes: Vec<usize> = axes.iter().map(|&axis| perm[axis]).collect();
            axes.sort_unstable();
            node.op.with_axes(axes)
        }
        _ => return None,
    };
    Some((op, perm_after))
}

/// The inputs of the operator at `index` as they are before a transpose by `perm`; `None` when that takes
/// another transpose. Reshapes that it takes go to `nodes`.
fn untransposed_inputs(
    editor: &mut Editor,
    index: usize,
    perm: &[usize],
    nodes: &mut Vec<Node>,
) -> Option<Vec<TensorId>> {
    let node = editor.node(index).clone();
    let undo = inverse(perm);
    // The transpose goes for good: were it still there, the operator could move back before it.
    let all_private = node
        .inputs
        .iter()
        .filter(|&&id| transpose_before(editor, id).is_some_and(|(other, _)| other == perm))
        .all(|&id| editor.private_producer(id).is_some());
    let mut inputs = Vec::new();
    for &id in &node.inputs {
        if let Some((_, x)) = transpose_before(editor, id).filter(|(other, _)| *other == perm) {
            inputs.push(x);
            continue;
        }
        let broadcast = perm.len().checked_sub(editor.shape(id).len())?;
        let from: Vec<usize> = [vec![1; broadcast], editor.shape(id).to_vec()].concat();
        let to: Vec<usize> = undo.iter().map(|&axis| from[axis]).collect();
        let transpose = Op::Transpose { perm: undo.clone() };
        if let Some(data) = editor.data(id) {
            let constant = FloatTensor { name: String::new(), shape: from, data: Some(data.into()) };
            let data = evaluate(&transpose, vec![constant], &to);
            inputs.push(editor.constant_like(id, to, data));
        } else if let Some(found) = editor
            .find(index, &transpose, id, &to)
            .filter(|found| all_private && !node.inputs.contains(found))
        {
            inputs.push(found);
        } else if broadcast == 0 && keeps_order(&undo, &from) {
            let reshaped = editor.tensor_like(id, to);
            let name = node.name.clone();
            nodes.push(Node { name, op: Op::Reshape, inputs: vec![id], outputs: vec![reshaped] });
            inputs.push(reshaped);
        } else {
            return None;
        }
    }
    Some(inputs)
}
