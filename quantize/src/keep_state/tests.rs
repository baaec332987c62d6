use super::{KeepStateError, StatePair, keep_state};
use crate::graph::{
    Activation, Direction, FloatGraph, FloatTensor, Node, Op, Recurrent, RecurrentCell, SequenceOrder, Shown,
    Start, Stateful, TensorId,
};
use crate::interpret::Interpreter;

/// Units of every layer, which are inputs too.
const UNITS: usize = 2;

struct Builder(FloatGraph);

impl Builder {
    fn new() -> Self {
        Self(FloatGraph {
            name: String::new(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding: (),
        })
    }

    fn tensor(&mut self, name: &str, shape: &[usize], data: Option<Vec<f32>>) -> TensorId {
        let data = data.map(Into::into);
        self.0.add_tensor(FloatTensor { name: name.into(), shape: shape.to_vec(), data })
    }

    fn input(&mut self, name: &str, shape: &[usize]) -> TensorId {
        let id = self.tensor(name, shape, None);
        self.0.inputs.push(id);
        id
    }

    fn node(&mut self, name: &str, op: Op, inputs: &[TensorId], shape: &[usize]) -> TensorId {
        let output = self.tensor(name, shape, None);
        self.0.nodes.push(Node { name: name.into(), op, inputs: inputs.to_vec(), outputs: vec![output] });
        output
    }

    /// A layer's operands but its state.
    fn weights(&mut self, x: TensorId, cell: RecurrentCell) -> Vec<TensorId> {
        let rows = UNITS * cell.gates() as usize;
        let values = |count: usize| (0..count).map(|i| (i * 7 % 11) as f32 / 11.0 - 0.45).collect();
        let mut operands = vec![x];
        for shape in [&[rows, UNITS][..], &[rows, UNITS], &[rows], &[rows]] {
            operands.push(self.tensor("constant", shape, Some(values(shape.iter().product()))));
        }
        operands
    }

    fn layer(
        &mut self,
        name: &str,
        (cell, shown): (RecurrentCell, Shown),
        operands: &[TensorId],
    ) -> TensorId {
        let order = SequenceOrder::TimeMajor;
        let op = Recurrent { cell, order, direction: Direction::Forward, shown, start: Start::Anew };
        let shape: &[usize] = if shown == Shown::EveryStep { &[1, 1, UNITS] } else { &[1, UNITS] };
        self.node(name, Op::Recurrent(op), operands, shape)
    }
}

fn pair(input: &str, output: &str) -> StatePair {
    StatePair { input: input.into(), output: output.into(), initial: None }
}

/// What each run answers first to `rows`, when `feed` inputs are fed with the outputs of the run before.
fn answers(graph: &FloatGraph, rows: &[[f32; UNITS]], feed: usize) -> Vec<Vec<f32>> {
    let interpreter = Interpreter::new(graph);
    let mut kept = interpreter.initial();
    let mut fed: Vec<Vec<f32>> = graph.inputs[1..][..feed]
        .iter()
        .map(|&id| vec![0.0; graph.tensor(id).shape.iter().product()])
        .collect();
    let mut answers = Vec::new();
    for row in rows {
        let inputs: Vec<&[f32]> = [&row[..]].into_iter().chain(fed.iter().map(Vec::as_slice)).collect();
        let mut outputs = interpreter.run_after(&mut kept, &inputs, |_, _| {}, |_, _| {});
        answers.push(outputs.remove(0));
        fed = outputs;
    }
    answers
}

/// Keeps `pairs` and compares with feeding; the graph that keeps them.
fn check(graph: FloatGraph, pairs: &[StatePair]) -> FloatGraph {
    let rows = [[0.5, -1.0], [1.5, 0.25], [-0.75, 1.0], [0.0, 2.0]];
    let expected = answers(&graph, &rows, pairs.len());
    let kept = keep_state(graph, pairs).unwrap();
    assert_eq!(answers(&kept, &rows, 0), expected);
    kept
}

fn starts(graph: &FloatGraph) -> Vec<Start> {
    let start = |node: &Node| match node.op {
        Op::Recurrent(op) => Some(op.start),
        _ => None,
    };
    graph.nodes.iter().filter_map(start).collect()
}

fn variables(graph: &FloatGraph) -> usize {
    graph.nodes.iter().filter(|node| node.op == Op::Stateful(Stateful::AssignVariable)).count()
}

/// A gated unit over one step, whose state goes in and out in another shape.
fn gated_unit() -> FloatGraph {
    let mut b = Builder::new();
    let x = b.input("x", &[1, 1, UNITS]);
    let h = b.input("h", &[1, 1, UNITS]);
    let mut operands = b.weights(x, RecurrentCell::GruResetAfter);
    operands.push(b.node("flat", Op::Reshape, &[h], &[1, UNITS]));
    let y = b.layer("gru", (RecurrentCell::GruResetAfter, Shown::EveryStep), &operands);
    let next = b.node("next", Op::Slice { begin: vec![0; 3] }, &[y], &[1, 1, UNITS]);
    let z = b.node("z", Op::Relu, &[y], &[1, 1, UNITS]);
    b.0.outputs = vec![z, next];
    b.0
}

#[test]
fn a_layer_keeps_its_state() {
    let kept = check(gated_unit(), &[pair("h", "next")]);
    assert_eq!((starts(&kept), variables(&kept)), (vec![Start::Kept], 0));
    assert_eq!(kept.nodes.len(), 2);
}

#[test]
fn long_short_term_memory_keeps_its_cells_too() {
    let mut b = Builder::new();
    let x = b.input("x", &[1, 1, UNITS]);
    let states = ["h", "c"].map(|name| b.input(name, &[1, UNITS]));
    let mut operands = b.weights(x, RecurrentCell::Lstm);
    operands.extend(states);
    let y = b.layer("y", (RecurrentCell::Lstm, Shown::LastStep), &operands);
    let cells = b.layer("cells", (RecurrentCell::Lstm, Shown::LastCells), &operands);
    let z = b.node("z", Op::Relu, &[y], &[1, UNITS]);
    b.0.outputs = vec![z, y, cells];
    let kept = check(b.0.clone(), &[pair("h", "y"), pair("c", "cells")]);
    assert_eq!((starts(&kept), variables(&kept)), (vec![Start::Kept], 0));

    // Where the cells are seen, too, layers cannot keep them.
    let seen = b.node("seen", Op::Relu, &[cells], &[1, UNITS]);
    b.0.outputs = vec![z, y, cells, seen];
    let kept = keep_state(b.0, &[pair("h", "y"), pair("c", "cells")]).unwrap();
    assert_eq!((starts(&kept), variables(&kept)), (vec![Start::Anew; 2], 2));
}

#[test]
fn layers_whose_states_are_joined_keep_their_parts() {
    let mut b = Builder::new();
    let x = b.input("x", &[1, 1, UNITS]);
    let h = b.input("h", &[2, 1, UNITS]);
    let (mut below, mut states) = (x, Vec::new());
    for index in 0..2 {
        let own = b.node("own", Op::Slice { begin: vec![index, 0, 0] }, &[h], &[1, 1, UNITS]);
        let mut operands = b.weights(below, RecurrentCell::Tanh);
        operands.push(b.node("flat", Op::Reshape, &[own], &[1, UNITS]));
        below = b.layer("rnn", (RecurrentCell::Tanh, Shown::EveryStep), &operands);
        states.push(b.node("last", Op::Slice { begin: vec![0; 3] }, &[below], &[1, 1, UNITS]));
    }
    let joined = b.node("joined", Op::Concat { axis: 0 }, &states, &[2, 1, UNITS]);
    let z = b.node("z", Op::Relu, &[below], &[1, 1, UNITS]);
    b.0.outputs = vec![z, joined];
    let kept = check(b.0, &[pair("h", "joined")]);
    assert_eq!((starts(&kept), variables(&kept)), (vec![Start::Kept; 2], 0));
}

#[test]
fn what_is_no_layers_state_becomes_a_variable() {
    let mut b = Builder::new();
    let x = b.input("x", &[1, UNITS]);
    let before = b.input("before", &[UNITS]);
    let sum = b.node("sum", Op::Add { activation: Activation::NONE }, &[x, before], &[1, UNITS]);
    let z = b.node("z", Op::Relu, &[sum], &[1, UNITS]);
    b.0.outputs = vec![z, sum];
    let kept = check(b.0, &[pair("before", "sum")]);
    assert_eq!(variables(&kept), 1);
}

#[test]
fn states_begin_with_what_is_given() {
    let initial = vec![0.5, -0.25];
    let rows = [[0.5, -1.0], [1.5, 0.25]];
    let kept = keep_state(gated_unit(), &[StatePair { initial: Some(initial.clone()), ..pair("h", "next") }])
        .unwrap();
    let graph = gated_unit();
    let first = Interpreter::new(&graph).run(&[&rows[0], &initial], |_, _| {});
    assert_eq!(answers(&kept, &rows, 0)[0], first[0]);
}

#[test]
fn pairs_that_are_none_are_named() {
    let message = |pairs: &[StatePair]| keep_state(gated_unit(), pairs).unwrap_err().to_string();
    assert_eq!(message(&[pair("H", "next")]), "the model has no input `H` to be kept; it has `x`, `h`");
    assert_eq!(
        message(&[pair("h", "next"), pair("h", "z")]),
        "the model has no input `h` to be kept; it has `x`"
    );
    let short = StatePair { initial: Some(vec![0.0]), ..pair("h", "next") };
    assert_eq!(message(&[short]), "the first value of `h` has 1 elements, where 2 are needed");
    let both = [pair("h", "next"), pair("x", "z")];
    let error = keep_state(gated_unit(), &both).unwrap_err();
    assert_eq!(error, KeepStateError::NothingLeft { direction: "input" });
}
