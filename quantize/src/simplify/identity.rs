//! Operators that change nothing, or repeat another.

use super::editor::Editor;
use crate::graph::{Activation, Op, Pool};

/// Removes an operator whose output is its input.
pub(super) fn remove(editor: &mut Editor, index: usize) -> bool {
    let node = editor.node(index);
    let x = node.inputs[0];
    let same_shape = |id| editor.shape(id) == editor.output_shape(index);
    let constant = |id, value: f32| editor.data(id).is_some_and(|data| data.iter().all(|&x| x == value));
    let (same, kept) = match &node.op {
        Op::Reshape => (true, x),
        Op::Transpose { perm } => (perm.is_sorted(), x),
        Op::Pad { .. } | Op::Slice { .. } => (true, x),
        Op::Take { indices, .. } => (indices.iter().enumerate().all(|(at, &index)| at == index), x),
        Op::Concat { .. } => (node.inputs.len() == 1, x),
        Op::Clamp(range) => (range.is_none(), x),
        Op::LeakyRelu { alpha } => (*alpha == 1.0, x),
        Op::Mean { axes } | Op::Sum { axes } => (axes.iter().all(|&axis| editor.shape(x)[axis] == 1), x),
        Op::AveragePool2d(pool) | Op::MaxPool2d(pool) => (takes_each(pool), x),
        Op::Add { activation } if activation.is_none() => match node.inputs[..] {
            [x, y] if constant(y, 0.0) => (true, x),
            [x, y] => (constant(x, 0.0), y),
            _ => (false, x),
        },
        Op::Mul { activation } if activation.is_none() => match node.inputs[..] {
            [x, y] if constant(y, 1.0) => (true, x),
            [x, y] => (constant(x, 1.0), y),
            _ => (false, x),
        },
        _ => (false, x),
    };
    same && same_shape(kept) && editor.remove_as_equal(index, kept)
}

fn takes_each(pool: &Pool) -> bool {
    pool.window == [1, 1] && pool.stride == [1, 1] && pool.activation == Activation::NONE
}

/// Removes a transpose or reshape that an earlier node does already.
pub(super) fn share(editor: &mut Editor, index: usize) -> bool {
    let node = editor.node(index);
    if !matches!(node.op, Op::Transpose { .. } | Op::Reshape) || editor.is_output(node.output()) {
        return false;
    }
    let earlier = editor.find(index, &node.op, node.inputs[0], editor.output_shape(index));
    earlier.is_some_and(|earlier| editor.remove_as_equal(index, earlier))
}
