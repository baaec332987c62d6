//! Reshapes move towards the outputs, and merge where they meet.

use super::editor::Editor;
use crate::graph::{Node, Op, TensorId};

/// The input of the reshape that writes `id`.
pub(super) fn reshape_before(editor: &Editor, id: TensorId) -> Option<TensorId> {
    let node = editor.node(editor.producer(id)?);
    matches!(node.op, Op::Reshape).then_some(node.inputs[0])
}

/// A reshape of a reshape is one.
pub(super) fn merge(editor: &mut Editor, index: usize) -> bool {
    let mut node = editor.node(index).clone();
    let Op::Reshape = node.op else { return false };
    let Some(x) = reshape_before(editor, node.inputs[0]) else { return false };
    node.inputs = vec![x];
    editor.replace(index, [node]);
    true
}

/// For a reshape that only inserts and removes dimensions of 1: for each dimension of `to`, the dimension
/// of `from` that it is; `None` for the 1s.
fn moved_ones(from: &[usize], to: &[usize]) -> Option<Vec<Option<usize>>> {
    let mut sources = (0..from.len()).filter(|&axis| from[axis] != 1);
    let moved = to
        .iter()
        .map(|&extent| match extent {
            1 => Some(None),
            _ => sources.next().filter(|&axis| from[axis] == extent).map(Some),
        })
        .collect::<Option<Vec<_>>>()?;
    sources.next().is_none().then_some(moved)
}

/// A transpose behind a reshape that only inserts and removes 1s goes before it.
pub(super) fn below_transpose(editor: &mut Editor, index: usize) -> bool {
    let node = editor.node(index).clone();
    let Op::Transpose { perm } = &node.op else { return false };
    let Some(x) = reshape_before(editor, node.inputs[0]) else { return false };
    let from = editor.shape(x).to_vec();
    let Some(moved) = moved_ones(&from, editor.shape(node.inputs[0])) else { return false };
    let mut order = perm.iter().filter_map(|&axis| moved[axis]);
    let perm: Vec<usize> = (0..from.len())
        .map(|axis| if from[axis] == 1 { Some(axis) } else { order.next() })
        .collect::<Option<_>>()
        .expect("every dimension other than 1 is permuted");
    let shape = perm.iter().map(|&axis| from[axis]).collect();
    let transposed = editor.tensor_like(node.output(), shape);
    let reshape =
        Node { name: node.name.clone(), op: Op::Reshape, inputs: vec![transposed], outputs: node.outputs };
    let transpose =
        Node { name: node.name, op: Op::Transpose { perm }, inputs: vec![x], outputs: vec![transposed] };
    editor.replace(index, [transpose, reshape]);
    true
}

/// Moves the reshape before an operator behind it.
pub(super) fn below_operator(editor: &mut Editor, index: usize) -> bool {
    let Some((op, inputs, shape)) = on_unreshaped(editor, index) else { return false };
    let node = editor.node(index).clone();
    let inputs = inputs
        .into_iter()
        .map(|input| match input {
            Input::Tensor(id) => id,
            Input::Constant { like, shape } => {
                let data = editor.data(like).expect("it is constant").to_vec();
                editor.constant_like(like, shape, data)
            }
        })
        .collect();
    let result = editor.tensor_like(node.output(), shape);
    let operator = Node { name: node.name.clone(), op, inputs, outputs: vec![result] };
    let reshape = Node { name: node.name, op: Op::Reshape, inputs: vec![result], outputs: node.outputs };
    editor.replace(index, [operator, reshape]);
    true
}

/// An input of an operator that has moved before a reshape.
enum Input {
    Tensor(TensorId),
    /// The constant `like` in another shape.
    Constant {
        like: TensorId,
        shape: Vec<usize>,
    },
}

/// The operator at `index` on what stands before its input's reshape, with its inputs and the shape of its
/// output; `None` when it depends on the shape.
fn on_unreshaped(editor: &Editor, index: usize) -> Option<(Op, Vec<Input>, Vec<usize>)> {
    let node = editor.node(index);
    let (reshaped, x) = node.inputs.iter().find_map(|&id| Some((id, reshape_before(editor, id)?)))?;
    let (from, to) = (editor.shape(x), editor.shape(reshaped));
    let output = editor.output_shape(index);
    let single = || vec![Input::Tensor(x)];
    match &node.op {
        Op::Logistic
        | Op::Tanh
        | Op::Relu
        | Op::Relu6
        | Op::Clamp(_)
        | Op::LeakyRelu { .. }
        | Op::Unary(_)
        | Op::Requantize => Some((node.op.clone(), single(), from.to_vec())),
        Op::Add { .. } | Op::Mul { .. } | Op::Binary { .. } | Op::Compare { .. } | Op::Select
            if output == to =>
        {
            let inputs = node.inputs.iter().map(|&id| unreshaped_operand(editor, index, id, (x, reshaped)));
            Some((node.op.clone(), inputs.collect::<Option<_>>()?, from.to_vec()))
        }
        Op::Pad { before, after, value } => {
            let moved = moved_ones(from, to)?;
            let (before, after) = (place(&moved, before, from.len())?, place(&moved, after, from.len())?);
            let grown = from.iter().zip(&before).zip(&after).map(|((extent, b), a)| extent + b + a);
            let shape = grown.collect();
            Some((Op::Pad { before, after, value: *value }, single(), shape))
        }
        Op::Slice { begin } => {
            let moved = moved_ones(from, to)?;
            let begin = place(&moved, begin, from.len())?;
            let mut shape = from.to_vec();
            for (axis, source) in moved.iter().enumerate() {
                source.iter().for_each(|&source| shape[source] = output[axis]);
            }
            Some((Op::Slice { begin }, single(), shape))
        }
        Op::Take { axis, indices } => {
            let axis = moved_ones(from, to)?[*axis]?;
            let mut shape = from.to_vec();
            shape[axis] = indices.len();
            Some((Op::Take { axis, indices: indices.clone() }, single(), shape))
        }
        Op::Mean { axes } | Op::Sum { axes } => {
            let moved = moved_ones(from, to)?;
            let mut axes: Vec<usize> = axes.iter().filter_map(|&axis| moved[axis]).collect();
            axes.sort_unstable();
            let mut shape = from.to_vec();
            axes.iter().for_each(|&axis| shape[axis] = 1);
            let op = if axes.is_empty() { Op::Reshape } else { node.op.with_axes(axes) };
            Some((op, single(), shape))
        }
        Op::Concat { axis } => {
            let moved = moved_ones(from, to)?;
            let source = moved[*axis]?;
            let mut joined = from.to_vec();
            joined[source] = output[*axis];
            let mut inputs = Vec::new();
            for &id in &node.inputs {
                let x = reshape_before(editor, id)?;
                let same_rank = editor.shape(x).len() == from.len();
                if !same_rank || moved_ones(editor.shape(x), editor.shape(id))? != moved {
                    return None;
                }
                inputs.push(Input::Tensor(x));
            }
            Some((Op::Concat { axis: source }, inputs, joined))
        }
        _ => None,
    }
}

/// `values` of the reshaped dimensions at the dimensions before the reshape; `None` when a 1 has a value.
fn place(moved: &[Option<usize>], values: &[usize], rank: usize) -> Option<Vec<usize>> {
    let mut placed = vec![0; rank];
    for (&source, &value) in moved.iter().zip(values) {
        match source {
            Some(axis) => placed[axis] = value,
            None if value == 0 => {}
            None => return None,
        }
    }
    Some(placed)
}

/// An operand of an element-wise operator whose other operand is `x` `reshaped`.
fn unreshaped_operand(
    editor: &Editor,
    index: usize,
    id: TensorId,
    (x, reshaped): (TensorId, TensorId),
) -> Option<Input> {
    let (from, to, shape) = (editor.shape(x), editor.shape(reshaped), editor.shape(id));
    if editor.data(id).is_none() {
        if let Some(x) = reshape_before(editor, id).filter(|&x| editor.shape(x) == from && shape == to) {
            return Some(Input::Tensor(x));
        }
        // The reshape goes for good: were it still there, the operator could move back before it.
        if shape != to || editor.private_producer(reshaped).is_none() {
            return None;
        }
        return editor.find(index, &Op::Reshape, id, from).map(Input::Tensor);
    }
    let constant = |shape: Vec<usize>| Some(Input::Constant { like: id, shape });
    if shape.iter().all(|&extent| extent == 1) {
        return constant(vec![1]);
    }
    if shape == to {
        return constant(from.to_vec());
    }
    let moved = moved_ones(from, to)?;
    let missing = to.len().checked_sub(shape.len())?;
    let mut unreshaped = vec![1; from.len()];
    for (axis, &extent) in shape.iter().enumerate() {
        match moved[missing + axis] {
            Some(source) => unreshaped[source] = extent,
            None if extent == 1 => {}
            None => return None,
        }
    }
    constant(unreshaped)
}
