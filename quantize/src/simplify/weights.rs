//! Weights rearranged for what stands before them.

use super::editor::Editor;
use super::reshape::reshape_before;
use super::transpose::transpose_before;
use crate::graph::{Node, Op};

/// A fully connected layer behind a transpose takes the columns of its weights in another order instead.
pub(super) fn without_transpose(editor: &mut Editor, index: usize) -> bool {
    let mut node = editor.node(index).clone();
    let Op::FullyConnected { .. } = node.op else { return false };
    let x = node.inputs[0];
    let transposed = reshape_before(editor, x).unwrap_or(x);
    let Some((perm, source)) = transpose_before(editor, transposed) else { return false };
    let weights = node.inputs[1];
    let Some(data) = editor.data(weights) else { return false };
    let depth = editor.shape(weights)[1];
    let from = editor.shape(source);
    let len: usize = from.iter().product();
    // The dimensions that make a row, and only they, are permuted.
    let rows_stay = |split: &usize| perm[..*split].iter().copied().eq(0..*split);
    let makes_row = |split: &usize| from[*split..].iter().product::<usize>() == depth;
    let split = (0..=from.len()).filter(rows_stay).find(makes_row);
    let Some(split) = split.or((len == depth).then_some(0)) else { return false };
    let order = positions(&from[split..], &perm[split..], split);
    let mut permuted = vec![0.0; data.len()];
    for (row, new_row) in data.chunks_exact(depth).zip(permuted.chunks_exact_mut(depth)) {
        row.iter().zip(&order).for_each(|(&weight, &position)| new_row[position] = weight);
    }
    let shape = editor.shape(x).to_vec();
    let flat = editor.tensor_like(x, shape);
    let reshape =
        Node { name: node.name.clone(), op: Op::Reshape, inputs: vec![source], outputs: vec![flat] };
    node.inputs[0] = flat;
    node.inputs[1] = editor.constant_like(weights, editor.shape(weights).to_vec(), permuted);
    editor.replace(index, [reshape, node]);
    true
}

/// For each element of a transposed tensor, in order, its position before the transpose. `shape` is that
/// before the transpose, `perm` counts dimensions from `first`.
fn positions(shape: &[usize], perm: &[usize], first: usize) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    perm.iter().fold(vec![0], |positions, &axis| {
        let (extent, stride) = (shape[axis - first], strides[axis - first]);
        positions.iter().flat_map(|position| (0..extent).map(move |step| position + step * stride)).collect()
    })
}

/// A grouped convolution with one input channel a group is a depthwise one.
pub(super) fn depthwise(editor: &mut Editor, index: usize) -> bool {
    let mut node = editor.node(index).clone();
    let Op::Conv2d(conv) = &node.op else { return false };
    let weights = node.inputs[1];
    let &[out, height, width, depth] = editor.shape(weights) else { return false };
    let channels = editor.shape(node.inputs[0])[3];
    let Some(data) = editor.data(weights).filter(|_| depth == 1 && channels > 1) else { return false };
    let taps = height * width;
    let rearranged =
        (0..taps).flat_map(|tap| (0..out).map(move |channel| data[channel * taps + tap])).collect();
    node.op = Op::DepthwiseConv2d(conv.clone());
    node.inputs[1] = editor.constant_like(weights, vec![1, height, width, out], rearranged);
    editor.replace(index, [node]);
    true
}
