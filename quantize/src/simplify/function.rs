//! Functions of single elements that exporters write as several operators.

use std::collections::BTreeSet;

use super::editor::Editor;
use crate::graph::{FloatGraph, FloatTensor, Node, Op, TensorId, UnaryFunction};
use crate::interpret::Interpreter;

/// The functions looked for. Each is written with a product as the last operator.
const FUNCTIONS: [UnaryFunction; 6] = [
    UnaryFunction::Silu,
    UnaryFunction::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 },
    UnaryFunction::HardSwish,
    UnaryFunction::Mish,
    UnaryFunction::Gelu,
    UnaryFunction::GeluTanh,
];
/// The most operators one is written as.
const MOST_OPERATORS: usize = 10;
/// How far values may be from a function's: as a share of them, and as a number.
const TOLERANCES: (f32, f32) = (2e-5, 2e-6);

/// Replaces operators on single elements that together give the values of a function by that function: in
/// whatever way it is written, only the values count.
pub(super) fn recognize(editor: &mut Editor, index: usize) -> bool {
    let node = editor.node(index);
    if !matches!(&node.op, Op::Mul { activation } if activation.is_none()) {
        return false;
    }
    let points = points();
    let found = variables(editor, index).into_iter().find_map(|x| {
        let values = values(editor, index, x, &points)?;
        let function = FUNCTIONS.into_iter().find(|function| agrees(*function, &points, &values))?;
        Some((x, function))
    });
    let Some((x, function)) = found else { return false };
    let node = Node { op: Op::Unary(function), inputs: vec![x], ..editor.node(index).clone() };
    editor.replace(index, [node]);
    true
}

/// Reals of either sign, near 0 and far from it, without a pattern.
fn points() -> Vec<f32> {
    let magnitudes = (0..60).map(|step| 0.003 * libm::powf(1.29, step as f32));
    magnitudes.flat_map(|magnitude| [magnitude, -magnitude]).chain([0.0]).collect()
}

fn agrees(function: UnaryFunction, points: &[f32], values: &[f32]) -> bool {
    points.iter().zip(values).all(|(&x, value)| {
        let expected = function.apply(x);
        (value - expected).abs() <= TOLERANCES.0 * expected.abs() + TOLERANCES.1
    })
}

fn is_of_single_elements(op: &Op) -> bool {
    matches!(
        op,
        Op::Add { .. }
            | Op::Mul { .. }
            | Op::Binary { .. }
            | Op::Logistic
            | Op::Tanh
            | Op::Relu
            | Op::Relu6
            | Op::Clamp(_)
            | Op::LeakyRelu { .. }
            | Op::Unary(_)
    )
}

/// The node on single elements that writes `id`.
fn producer(editor: &Editor, id: TensorId) -> Option<usize> {
    editor.producer(id).filter(|&index| is_of_single_elements(&editor.node(index).op))
}

/// What the node at `index` might be a function of: tensors of its shape before it.
fn variables(editor: &Editor, index: usize) -> Vec<TensorId> {
    let mut reached = vec![index];
    let mut variables = Vec::new();
    let mut at = 0;
    while at < reached.len().min(MOST_OPERATORS) {
        for &id in &editor.node(reached[at]).inputs {
            let varies = editor.data(id).is_none() && editor.shape(id) == editor.output_shape(index);
            if varies && !variables.contains(&id) {
                variables.push(id);
                reached.extend(producer(editor, id));
            }
        }
        at += 1;
    }
    variables
}

/// The number that a constant is throughout.
fn number(editor: &Editor, id: TensorId) -> Option<f32> {
    let data = editor.data(id)?;
    let first = *data.first()?;
    data.iter().all(|&value| value == first).then_some(first)
}

/// What the node at `index` makes of `x` being these points; `None` when it depends on more than `x`.
fn values(editor: &Editor, index: usize, x: TensorId, points: &[f32]) -> Option<Vec<f32>> {
    let mut between = BTreeSet::from([index]);
    let mut open = vec![index];
    while let Some(at) = open.pop() {
        for &id in &editor.node(at).inputs {
            if id == x || number(editor, id).is_some() {
                continue;
            }
            let before = producer(editor, id)?;
            if between.insert(before) {
                open.push(before);
            }
        }
        if between.len() > MOST_OPERATORS {
            return None;
        }
    }
    let mut ids = vec![x];
    let mut tensors =
        vec![FloatTensor { name: String::new(), shape: vec![points.len()], data: Some(points.into()) }];
    let mut local = |id: TensorId| {
        TensorId(ids.iter().position(|&known| known == id).unwrap_or_else(|| {
            let number = number(editor, id);
            let shape = vec![if number.is_some() { 1 } else { points.len() }];
            let data = number.map(|number| vec![number].into());
            tensors.push(FloatTensor { name: String::new(), shape, data });
            ids.push(id);
            ids.len() - 1
        }))
    };
    let nodes = between.into_iter().map(|at| {
        let node = editor.node(at);
        Node {
            inputs: node.inputs.iter().map(|&id| local(id)).collect(),
            outputs: vec![local(node.output())],
            ..node.clone()
        }
    });
    let nodes: Vec<Node> = nodes.collect();
    let outputs = vec![nodes.last()?.output()];
    let graph = FloatGraph { name: String::new(), tensors, nodes, inputs: Vec::new(), outputs, rounding: () };
    Some(Interpreter::new(&graph).run(&[], |_, _| ()).remove(0))
}
