//! Masks that are added to scores before a softmax.

use super::editor::Editor;
use crate::graph::{Node, Op, TensorId};

/// What a mask takes off a score at most: a softmax leaves nothing of that. The least float, which exporters write, would
/// leave nothing of the scores in a scale of both, either.
const DEEPEST: f32 = 1e4;

/// Takes a constant that masks, or that a mask is multiplied by, back to [`DEEPEST`].
pub(super) fn bound(editor: &mut Editor, index: usize) -> bool {
    let node = editor.node(index);
    let masks = match &node.op {
        Op::Add { activation } => activation.is_none() && is_of_scores(editor, node.output()),
        Op::Mul { activation } => activation.is_none() && is_mask(editor, node.output()),
        _ => false,
    };
    if !masks {
        return false;
    }
    let is_deep =
        |&id: &TensorId| editor.data(id).is_some_and(|data| data.iter().any(|value| value.abs() > DEEPEST));
    let Some(position) = node.inputs.iter().position(is_deep) else { return false };
    let mut node = node.clone();
    let deep = node.inputs[position];
    let data = editor.data(deep).unwrap_or_default().iter();
    let data = data.map(|value| value.clamp(-DEEPEST, DEEPEST)).collect();
    node.inputs[position] = editor.constant_like(deep, editor.shape(deep).to_vec(), data);
    editor.replace(index, [node]);
    true
}

fn readers(editor: &Editor, id: TensorId) -> impl Iterator<Item = &Node> {
    editor.nodes().iter().filter(move |node| node.inputs.contains(&id))
}

/// Whether `id` is read, and only by softmax, moved or not.
fn is_of_scores(editor: &Editor, id: TensorId) -> bool {
    let is_read_so = |node: &Node| match &node.op {
        Op::Softmax { .. } | Op::LogSoftmax => true,
        Op::Reshape | Op::Transpose { .. } => is_of_scores(editor, node.output()),
        _ => false,
    };
    !editor.is_output(id) && readers(editor, id).next().is_some() && readers(editor, id).all(is_read_so)
}

/// Whether `id` is read, and only to be added to scores, moved or not.
fn is_mask(editor: &Editor, id: TensorId) -> bool {
    let is_read_so = |node: &Node| match &node.op {
        Op::Add { activation } => activation.is_none() && is_of_scores(editor, node.output()),
        op if op.moves_elements() => is_mask(editor, node.output()),
        _ => false,
    };
    !editor.is_output(id) && readers(editor, id).next().is_some() && readers(editor, id).all(is_read_so)
}
