//! Recurrent layers in int8 and int16 against the float ones, with random shapes and weights.

use std::sync::Arc;

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::graph::{
    Direction, FloatGraph, FloatTensor, Node, Op, Recurrent, RecurrentCell, SequenceOrder, Shown, Start,
    TensorId,
};
use edgepkg_quantize::pipeline::{self, Options};
use edgepkg_quantize::samples::{Array, Samples};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, greatest: usize) -> usize {
        1 + self.bits() as usize % greatest
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.bits() as usize % values.len()]
    }

    /// Values within `reach` from 0.
    fn floats(&mut self, count: usize, reach: f32) -> Vec<f32> {
        (0..count).map(|_| reach * ((self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0)).collect()
    }
}

const CELLS: [RecurrentCell; 5] = [
    RecurrentCell::Lstm,
    RecurrentCell::GruResetAfter,
    RecurrentCell::GruResetBefore,
    RecurrentCell::Tanh,
    RecurrentCell::Relu,
];

/// A layer of any shape, whose state starts with constants or with inputs of the model.
fn any_layer(random: &mut Random, cell: RecurrentCell) -> FloatGraph {
    let order = random.one_of(&[SequenceOrder::BatchMajor, SequenceOrder::TimeMajor]);
    let direction = random.one_of(&[Direction::Forward, Direction::Backward]);
    let shown = match cell {
        RecurrentCell::Lstm => random.one_of(&[Shown::EveryStep, Shown::LastStep, Shown::LastCells]),
        _ => random.one_of(&[Shown::EveryStep, Shown::LastStep]),
    };
    let op = Recurrent { cell, order, direction, shown, start: Start::Anew };
    let [first, second] = [3, 4].map(|greatest| random.up_to(greatest));
    let (inputs, units) = (4 + random.up_to(12), 4 + random.up_to(12));
    let [batches, _, _] = op.extents([first, second, inputs]);
    let rows = op.gates() * units;
    let mut graph = FloatGraph {
        name: String::new(),
        tensors: Vec::new(),
        nodes: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        rounding: (),
    };
    let mut add = |name: &str, shape: &[usize], data: Option<Vec<f32>>| {
        let data = data.map(Arc::from);
        graph.add_tensor(FloatTensor { name: name.into(), shape: shape.to_vec(), data })
    };
    let x = add("x", &[first, second, inputs], None);
    // Sums that are the same whatever the shape, and do not grow from step to step.
    let reach = |depth: usize| 1.5 / (depth as f32).sqrt();
    let mut operands = vec![
        x,
        add("w", &[rows, inputs], Some(random.floats(rows * inputs, reach(inputs)))),
        add("r", &[rows, units], Some(random.floats(rows * units, 0.8 * reach(units)))),
        add("wb", &[rows], Some(random.floats(rows, 0.5))),
        add("rb", &[rows], Some(random.floats(rows, 0.5))),
    ];
    let is_given = random.one_of(&[true, false]);
    let mut inputs = vec![x];
    for name in ["hidden", "cells"].into_iter().take(op.arity() - Recurrent::HIDDEN) {
        let reach = random.one_of(&[0.0, 0.9]);
        let data = (!is_given).then(|| random.floats(batches * units, reach));
        let state = add(name, &[batches, units], data);
        inputs.extend(is_given.then_some(state));
        operands.push(state);
    }
    let y = match shown {
        Shown::EveryStep => add("y", &[first, second, units], None),
        Shown::LastStep | Shown::LastCells => add("y", &[batches, units], None),
    };
    graph.nodes =
        vec![Node { name: "layer".into(), op: Op::Recurrent(op), inputs: operands, outputs: vec![y] }];
    graph.inputs = inputs;
    graph.outputs = vec![y];
    graph
}

fn samples(random: &mut Random, graph: &FloatGraph, count: usize) -> Samples {
    let array = |id: &TensorId| {
        let shape = [&[count], &graph.tensor(*id).shape[..]].concat();
        let elements = random.floats(shape.iter().product(), 1.0);
        Array { shape, elements }
    };
    let arrays = graph.inputs.iter().map(array).collect();
    Samples::new(graph, arrays).expect("they fit")
}

fn decibels(graph: &FloatGraph, samples: &Samples, int16_layers: Int16Layers) -> f64 {
    let options = Options { int16_layers, ..Options::default() };
    let quantized = pipeline::quantize(graph.clone(), samples, None, &options, &mut |_| {});
    quantized.expect("it can be quantized").report.sqnr_db.expect("there is an output")
}

#[test]
fn layers_of_any_shape_are_near_the_float_ones() {
    for (index, cell) in CELLS.into_iter().enumerate() {
        let mut random = Random(index as u64);
        let (mut least_int8, mut least_int16) = (f64::INFINITY, f64::INFINITY);
        for case in 0..40 {
            let graph = any_layer(&mut random, cell);
            let samples = samples(&mut random, &graph, 20);
            let int8 = decibels(&graph, &samples, Int16Layers::None);
            let int16 = decibels(&graph, &samples, Int16Layers::All);
            assert!(int8 >= 38.0, "{cell:?} {case}: int8 {int8:.1} dB of {:?}", graph.nodes[0].op);
            assert!(int16 >= 45.0, "{cell:?} {case}: int16 {int16:.1} dB of {:?}", graph.nodes[0].op);
            (least_int8, least_int16) = (least_int8.min(int8), least_int16.min(int16));
        }
        eprintln!("{cell:?}: int8 {least_int8:.1} dB, int16 {least_int16:.1} dB at least");
    }
}
