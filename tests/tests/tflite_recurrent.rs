//! Recurrent layers of float TensorFlow Lite files, against their definitions. They go on where the last run ended.

use edgepkg_quantize::graph::FloatGraph;
use edgepkg_quantize::import::tflite;
use edgepkg_quantize::interpret::Interpreter;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::tflite_file::{FileGraph, FileOperator, FileTensor, code, file, kind};

const STEPS: usize = 3;
const INPUTS: usize = 2;
const UNITS: usize = 2;
const TANH: i8 = 4;
const ABSENT: i32 = -1;

/// Numbers without a pattern between -1 and 1.
fn noise(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Tensors of a file in the making.
struct Draft(Vec<FileTensor>);

impl Draft {
    fn new() -> Self {
        Self(vec![FileTensor::new("x", kind::FLOAT32, &[1, STEPS as i32, INPUTS as i32])])
    }

    fn add(&mut self, tensor: FileTensor) -> i32 {
        self.0.push(tensor);
        self.0.len() as i32 - 1
    }

    /// A constant, and its values.
    fn constant(&mut self, shape: &[usize]) -> (i32, Vec<f32>) {
        let values = noise(self.0.len() as u32, shape.iter().product());
        let shape: Vec<i32> = shape.iter().map(|&extent| extent as i32).collect();
        (self.add(FileTensor::new("constant", kind::FLOAT32, &shape).holding_reals(&values)), values)
    }

    fn state(&mut self) -> i32 {
        self.add(FileTensor::new("state", kind::FLOAT32, &[1, UNITS as i32]).variable())
    }

    fn output(&mut self, width: usize) -> i32 {
        self.add(FileTensor::new("y", kind::FLOAT32, &[1, STEPS as i32, width as i32]))
    }

    fn graph(self, operator: FileOperator, outputs: Vec<i32>) -> FloatGraph {
        let graph =
            FileGraph { name: "layer", tensors: self.0, inputs: vec![0], outputs, operators: vec![operator] };
        tflite::read(&file(&[graph])).expect("a model file").into_float().expect("a float model")
    }
}

/// Weights of a gate or a layer.
struct Weights {
    of_input: Vec<f32>,
    of_hidden: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights {
    fn sum(&self, unit: usize, x: &[f32], hidden: &[f32]) -> f32 {
        let dot = |weights: &[f32], values: &[f32]| -> f32 {
            weights.iter().zip(values).map(|(weight, value)| weight * value).sum()
        };
        dot(&self.of_input[unit * INPUTS..][..INPUTS], x)
            + dot(&self.of_hidden[unit * UNITS..][..UNITS], hidden)
            + self.bias[unit]
    }
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");
    }
}

/// Runs `x` twice, the second time after the first.
fn two_runs(graph: &FloatGraph, x: &[f32]) -> [Vec<Vec<f32>>; 2] {
    let interpreter = Interpreter::new(graph);
    let mut kept = interpreter.initial();
    [(), ()].map(|()| interpreter.run_after(&mut kept, &[x], |_, _| {}, |_, _| {}))
}

#[test]
fn long_short_term_memory() {
    let mut draft = Draft::new();
    let mut part = |shape: &[usize]| (0..4).map(|_| draft.constant(shape)).collect::<Vec<_>>();
    let of_input = part(&[UNITS, INPUTS]);
    let of_hidden = part(&[UNITS, UNITS]);
    let bias = part(&[UNITS]);
    let places = |part: &[(i32, Vec<f32>)]| part.iter().map(|&(place, _)| place).collect::<Vec<i32>>();
    let mut inputs =
        [vec![0], places(&of_input), places(&of_hidden), vec![ABSENT; 3], places(&bias)].concat();
    inputs.extend([ABSENT, ABSENT, draft.state(), draft.state()]);
    let output = draft.output(UNITS);
    let operator = FileOperator::new(code::UNIDIRECTIONAL_SEQUENCE_LSTM, &inputs, output);
    let graph = draft.graph(operator.with_options(71, &[(0, TANH)]), vec![output]);

    let gates: Vec<Weights> = (0..4)
        .map(|gate| Weights {
            of_input: of_input[gate].1.clone(),
            of_hidden: of_hidden[gate].1.clone(),
            bias: bias[gate].1.clone(),
        })
        .collect();
    let x = noise(77, STEPS * INPUTS);
    let (mut hidden, mut cells) = (vec![0.0; UNITS], vec![0.0f32; UNITS]);
    for outputs in two_runs(&graph, &x) {
        let mut expected = Vec::new();
        for x in x.chunks(INPUTS) {
            let logistic = |sum: f32| 1.0 / (1.0 + (-sum).exp());
            let next: Vec<f32> = (0..UNITS)
                .map(|unit| {
                    let [input, forget, added, shown] =
                        [0, 1, 2, 3].map(|gate: usize| gates[gate].sum(unit, x, &hidden));
                    cells[unit] = logistic(forget) * cells[unit] + logistic(input) * added.tanh();
                    logistic(shown) * cells[unit].tanh()
                })
                .collect();
            expected.extend_from_slice(&next);
            hidden = next;
        }
        assert_near(&outputs[0], &expected);
    }
    let samples = Array { shape: vec![50, 1, STEPS, INPUTS], elements: noise(3, 50 * STEPS * INPUTS) };
    let graph = simplify(graph);
    let samples = Samples::new(&graph, vec![samples]).expect("they fit");
    let quantized =
        quantize(graph, &samples, None, &Options::default(), &mut |_| {}).expect("it is quantized");
    let decibels = quantized.report.sqnr_db.expect("the float model answers");
    assert!(decibels > 30.0, "{decibels:.1} dB");
}

#[test]
fn simple_layers_in_both_directions() {
    for merged in [false, true] {
        let mut draft = Draft::new();
        let mut inputs = vec![0];
        let directions: Vec<Weights> = (0..2)
            .map(|_| {
                let [of_input, of_hidden, bias] =
                    [&[UNITS, INPUTS][..], &[UNITS, UNITS], &[UNITS]].map(|shape| {
                        let (place, values) = draft.constant(shape);
                        inputs.push(place);
                        values
                    });
                inputs.push(draft.state());
                Weights { of_input, of_hidden, bias }
            })
            .collect();
        inputs.extend([ABSENT; 3]);
        let first = draft.output(if merged { 2 * UNITS } else { UNITS });
        let mut outputs = vec![first];
        let mut operator = FileOperator::new(code::BIDIRECTIONAL_SEQUENCE_RNN, &inputs, first)
            .with_options(70, &[(1, TANH), (2, i8::from(merged))]);
        if !merged {
            outputs.push(draft.output(UNITS));
            operator = operator.and_output(outputs[1]);
        }
        let graph = draft.graph(operator, outputs);
        let x = noise(78, STEPS * INPUTS);
        let mut hidden = [vec![0.0; UNITS], vec![0.0; UNITS]];
        for outputs in two_runs(&graph, &x) {
            let mut expected = [vec![0.0; STEPS * UNITS], vec![0.0; STEPS * UNITS]];
            for (way, weights) in directions.iter().enumerate() {
                for step in 0..STEPS {
                    let time = if way == 0 { step } else { STEPS - 1 - step };
                    let x = &x[time * INPUTS..][..INPUTS];
                    hidden[way] = (0..UNITS).map(|unit| weights.sum(unit, x, &hidden[way]).tanh()).collect();
                    expected[way][time * UNITS..][..UNITS].copy_from_slice(&hidden[way]);
                }
            }
            if merged {
                let rows = expected[0].chunks(UNITS).zip(expected[1].chunks(UNITS));
                let both: Vec<f32> = rows.flat_map(|(one, other)| [one, other].concat()).collect();
                assert_near(&outputs[0], &both);
            } else {
                assert_near(&outputs[0], &expected[0]);
                assert_near(&outputs[1], &expected[1]);
            }
        }
    }
}
