//! Operators that become part of the one before them, or behind them.

use super::editor::Editor;
use super::transpose::transpose_before;
use crate::graph::{Activation, Node, Op, Padding, TensorId};

/// The clamp inside an operator that can have one.
fn activation_mut(op: &mut Op) -> Option<&mut Activation> {
    match op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d(conv) | Op::TransposeConv2d(conv) => {
            Some(&mut conv.activation)
        }
        Op::AveragePool2d(pool) | Op::MaxPool2d(pool) => Some(&mut pool.activation),
        Op::FullyConnected { activation } | Op::Add { activation } | Op::Mul { activation } => {
            Some(activation)
        }
        _ => None,
    }
}

/// The clamp that an operator is.
fn clamp(op: &Op) -> Option<Activation> {
    match op {
        Op::Relu => Some(Activation::RELU),
        Op::Relu6 => Some(Activation::RELU6),
        Op::Clamp(range) => Some(*range),
        _ => None,
    }
}

/// A clamp goes into the operator before it.
pub(super) fn activation(editor: &mut Editor, index: usize) -> bool {
    let Some(range) = clamp(&editor.node(index).op) else { return false };
    let Some(producer) = editor.private_producer(editor.node(index).inputs[0]) else { return false };
    let mut node = editor.node(producer).clone();
    if let Some(first) = clamp(&node.op) {
        node.op = match first.then(&range) {
            Activation::RELU => Op::Relu,
            Activation::RELU6 => Op::Relu6,
            range => Op::Clamp(range),
        };
    } else if let Some(activation) = activation_mut(&mut node.op) {
        *activation = activation.then(&range);
    } else {
        return false;
    }
    editor.merge_into_producer(index, producer, node);
    true
}

/// An operator with weights and no clamp, followed by an operator with one constant per channel.
struct Channelwise {
    producer: usize,
    /// The operator with weights, with the clamp of the one behind it.
    node: Node,
    /// One for each channel.
    values: Vec<f32>,
    constant: TensorId,
}

impl Channelwise {
    fn find(editor: &Editor, index: usize, activation: Activation) -> Option<Self> {
        let &[a, b] = &editor.node(index).inputs[..] else { return None };
        let (x, constant) = if editor.data(b).is_some() { (a, b) } else { (b, a) };
        let data = editor.data(constant)?;
        let producer = editor.private_producer(x)?;
        let mut node = editor.node(producer).clone();
        if !node.op.is_weighted() {
            return None;
        }
        let fused = activation_mut(&mut node.op).filter(|fused| fused.is_none())?;
        *fused = activation;
        let weights = editor.shape(node.inputs[1]);
        let channels = if let Op::DepthwiseConv2d(_) = node.op { weights[3] } else { weights[0] };
        let last_alone = editor.shape(constant).iter().rev().skip(1).all(|&extent| extent == 1);
        let fits = editor.shape(x) == editor.output_shape(index) && editor.shape(x).last() == Some(&channels);
        let constant_data = editor.data(node.inputs[1]).is_some()
            && node.inputs.get(2).is_none_or(|&bias| editor.data(bias).is_some());
        if !last_alone || !fits || !constant_data || ![1, channels].contains(&data.len()) {
            return None;
        }
        let values = (0..channels).map(|channel| data[if data.len() == 1 { 0 } else { channel }]).collect();
        Some(Self { producer, node, values, constant })
    }
}

/// A factor per channel goes into the weights and the bias before it.
pub(super) fn scale(editor: &mut Editor, index: usize) -> bool {
    let Op::Mul { activation } = editor.node(index).op else { return false };
    let Some(found) = Channelwise::find(editor, index, activation) else { return false };
    let Channelwise { producer, mut node, values, .. } = found;
    let channels = values.len();
    let weights = editor.tensor(node.inputs[1]);
    let shape = weights.shape.clone();
    let data = editor.data(node.inputs[1]).expect("it is constant");
    // The channel is the last dimension of depthwise weights, and the first of all others.
    let run = data.len() / channels;
    let depthwise = matches!(node.op, Op::DepthwiseConv2d(_));
    let channel_of = |position: usize| if depthwise { position % channels } else { position / run };
    let scaled = data.iter().enumerate().map(|(at, weight)| weight * values[channel_of(at)]).collect();
    node.inputs[1] = editor.constant_like(node.inputs[1], shape, scaled);
    if let Some(&bias) = node.inputs.get(2) {
        let scaled = editor.data(bias).expect("it is constant").iter().zip(&values).map(|(a, b)| a * b);
        let scaled = scaled.collect();
        node.inputs[2] = editor.constant_like(bias, vec![channels], scaled);
    }
    editor.merge_into_producer(index, producer, node);
    true
}

/// An addend per channel goes into the bias before it.
pub(super) fn bias(editor: &mut Editor, index: usize) -> bool {
    let Op::Add { activation } = editor.node(index).op else { return false };
    let Some(found) = Channelwise::find(editor, index, activation) else { return false };
    let Channelwise { producer, mut node, mut values, constant } = found;
    if let Some(&bias) = node.inputs.get(2) {
        let before = editor.data(bias).expect("it is constant");
        values.iter_mut().zip(before).for_each(|(value, before)| *value += before);
    }
    node.inputs.truncate(2);
    node.inputs.push(editor.constant_like(constant, vec![values.len()], values));
    editor.merge_into_producer(index, producer, node);
    true
}

/// Elements added around an image, by the pad before it.
pub(super) fn pad(editor: &mut Editor, index: usize) -> bool {
    let mut node = editor.node(index).clone();
    let Some((padding, pads)) = pads_before(editor, &node) else { return false };
    let sum = Padding {
        top: padding.top + pads.around.top,
        left: padding.left + pads.around.left,
        bottom: padding.bottom + pads.around.bottom,
        right: padding.right + pads.around.right,
    };
    match &mut node.op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d(conv) if pads.value == 0.0 => conv.padding = sum,
        Op::MaxPool2d(pool) => {
            // What is added never wins, and every window has something else.
            let least = pads.value <= f32::MIN || (pads.value == 0.0 && is_non_negative(editor, pads.input));
            let [rows, columns] = pool.window;
            let inside = sum.top.max(sum.bottom) < rows && sum.left.max(sum.right) < columns;
            if !least || !inside {
                return false;
            }
            pool.padding = sum;
        }
        _ => return false,
    }
    let mut nodes = Vec::new();
    let mut input = pads.input;
    if let Some(perm) = pads.perm {
        let shape = perm.iter().map(|&axis| editor.shape(input)[axis]).collect();
        let image = editor.tensor_like(input, shape);
        let name = node.name.clone();
        nodes.push(Node { name, op: Op::Transpose { perm }, inputs: vec![input], outputs: vec![image] });
        input = image;
    }
    node.inputs[0] = input;
    nodes.push(node);
    editor.replace(index, nodes);
    true
}

/// A pad before an image operator.
struct Pads {
    /// What is padded.
    input: TensorId,
    around: Padding,
    value: f32,
    /// The transpose between the pad and the operator.
    perm: Option<Vec<usize>>,
}

/// The padding of an image operator, and the pad before it.
fn pads_before(editor: &Editor, node: &Node) -> Option<(Padding, Pads)> {
    let padding = match &node.op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d(conv) => conv.padding,
        Op::MaxPool2d(pool) => pool.padding,
        _ => return None,
    };
    let image = node.inputs[0];
    let (perm, padded) = match transpose_before(editor, image) {
        Some((perm, x)) => (Some(perm.to_vec()), x),
        None => (None, image),
    };
    let pad = editor.node(editor.producer(padded)?);
    let Op::Pad { before, after, value } = &pad.op else { return None };
    let axes = perm.clone().unwrap_or_else(|| (0..before.len()).collect());
    let [batch, rows, columns, channels] = axes[..] else { return None };
    let outside_image = [batch, channels].iter().any(|&axis| before[axis] + after[axis] > 0);
    if outside_image {
        return None;
    }
    let around =
        Padding { top: before[rows], left: before[columns], bottom: after[rows], right: after[columns] };
    Some((padding, Pads { input: pad.inputs[0], around, value: *value, perm }))
}

/// Whether a tensor has no element below 0.
fn is_non_negative(editor: &Editor, id: TensorId) -> bool {
    let Some(producer) = editor.producer(id) else { return false };
    let node = editor.node(producer);
    let range = clamp(&node.op).or_else(|| activation_mut(&mut node.op.clone()).copied());
    matches!(node.op, Op::Logistic) || range.and_then(|range| range.min).is_some_and(|min| min >= 0.0)
}
