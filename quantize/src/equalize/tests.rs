//! Equalized graphs compute the same, in channels of like ranges.

use std::sync::Arc;

use super::equalize;
use super::groups::groups;
use crate::calibrate::Range;
use crate::graph::{Activation, Conv, FloatGraph, FloatTensor, Node, Op, Padding, Pool, Tensor, TensorId};
use crate::interpret::Interpreter;
use crate::samples::{Array, Samples};

/// Enough for channels to be believed.
const SAMPLES: usize = 400;

/// A graph whose weights are noise, the output channels of very different sizes.
struct Builder {
    graph: FloatGraph,
    state: u32,
}

impl Builder {
    fn new(shape: &[usize]) -> (Self, TensorId) {
        let input = FloatTensor { name: "x".into(), shape: shape.to_vec(), data: None };
        let graph = FloatGraph {
            name: String::new(),
            tensors: vec![input],
            nodes: Vec::new(),
            inputs: vec![TensorId(0)],
            outputs: Vec::new(),
            rounding: (),
        };
        (Self { graph, state: 1 }, TensorId(0))
    }

    fn noise(&mut self) -> f32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.state >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn constant(&mut self, shape: &[usize], channel: impl Fn(usize) -> usize) -> TensorId {
        let len = shape.iter().product();
        let data: Arc<[f32]> =
            (0..len).map(|index| self.noise() * libm::powf(0.5, (channel(index) % 5) as f32)).collect();
        self.graph.add_tensor(FloatTensor {
            name: "constant".into(),
            shape: shape.to_vec(),
            data: Some(data),
        })
    }

    fn node(&mut self, op: Op, inputs: &[TensorId], shape: &[usize]) -> TensorId {
        let output =
            self.graph.add_tensor(FloatTensor { name: op.name().into(), shape: shape.to_vec(), data: None });
        let name = op.name().into();
        self.graph.nodes.push(Node { name, op, inputs: inputs.to_vec(), outputs: vec![output] });
        output
    }

    fn conv(&mut self, x: TensorId, channels: usize, activation: Activation) -> TensorId {
        let shape = self.graph.tensor(x).shape.clone();
        let inner = 9 * shape[3];
        let weights = self.constant(&[channels, 3, 3, shape[3]], |index| index / inner);
        let bias = self.constant(&[channels], |index| index);
        self.node(Op::Conv2d(conv(activation)), &[x, weights, bias], &[1, shape[1], shape[2], channels])
    }

    fn depthwise(&mut self, x: TensorId, multiplier: usize) -> TensorId {
        let mut shape = self.graph.tensor(x).shape.clone();
        shape[3] *= multiplier;
        let channels = shape[3];
        let weights = self.constant(&[1, 3, 3, channels], |index| index % channels);
        let op = Op::DepthwiseConv2d(conv(Activation::RELU));
        self.node(op, &[x, weights], &shape)
    }

    fn dense(&mut self, x: TensorId, outputs: usize) -> TensorId {
        let inputs = self.graph.tensor(x).len();
        let weights = self.constant(&[outputs, inputs], |index| index / inputs);
        self.node(Op::FullyConnected { activation: Activation::NONE }, &[x, weights], &[1, outputs])
    }

    fn samples(&mut self, outputs: &[TensorId]) -> Samples {
        self.graph.outputs = outputs.to_vec();
        let shape = [&[SAMPLES], &self.graph.tensors[0].shape[..]].concat();
        let elements = (0..shape.iter().product()).map(|_| self.noise()).collect();
        Samples::new(&self.graph, vec![Array { shape, elements }]).unwrap()
    }
}

fn conv(activation: Activation) -> Conv {
    let padding = Padding { top: 1, left: 1, bottom: 1, right: 1 };
    Conv { stride: [1, 1], dilation: [1, 1], padding, activation }
}

/// Asserts that both graphs compute the same, up to rounding.
fn assert_same(a: &FloatGraph, b: &FloatGraph, samples: &Samples) {
    for inputs in samples.iter() {
        let a = Interpreter::new(a).run(&inputs, |_, _| {});
        let b = Interpreter::new(b).run(&inputs, |_, _| {});
        for (a, b) in a.iter().zip(&b) {
            let range = Range::of(a).unwrap();
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() <= 1e-5 * (range.max - range.min), "{a} is not {b}");
            }
        }
    }
}

/// The greatest magnitude of the channels of `id` over the least.
fn disparity(graph: &FloatGraph, id: TensorId, samples: &Samples) -> f32 {
    let channels = *graph.tensor(id).shape.last().unwrap();
    let mut greatest = vec![0.0_f32; channels];
    for inputs in samples.iter() {
        Interpreter::new(graph).run(&inputs, |seen, values| {
            if seen == id {
                for (index, value) in values.iter().enumerate() {
                    greatest[index % channels] = greatest[index % channels].max(value.abs());
                }
            }
        });
    }
    let range = Range::of(&greatest).unwrap();
    range.max / range.min
}

#[test]
fn chains_with_pools_and_reshapes_compute_the_same() {
    let (mut builder, x) = Builder::new(&[1, 4, 4, 3]);
    let first = builder.conv(x, 10, Activation::RELU);
    let second = builder.depthwise(first, 2);
    let pool =
        Pool { window: [2, 2], stride: [2, 2], padding: Padding::default(), activation: Activation::NONE };
    let pooled = builder.node(Op::MaxPool2d(pool), &[second], &[1, 2, 2, 20]);
    let flat = builder.node(Op::Reshape, &[pooled], &[1, 80]);
    let hidden = builder.dense(flat, 6);
    let leaky = builder.node(Op::LeakyRelu { alpha: 0.1 }, &[hidden], &[1, 6]);
    let output = builder.dense(leaky, 3);
    let samples = builder.samples(&[output]);
    let equalized = equalize(builder.graph.clone(), &samples, |_, _| {});
    assert_same(&builder.graph, &equalized, &samples);
    let before = disparity(&builder.graph, first, &samples);
    let after = disparity(&equalized, first, &samples);
    assert!(before > 10.0 && after < 3.0, "from {before} to {after}");
}

#[test]
fn sums_tie_the_channels_of_what_they_add() {
    let (mut builder, x) = Builder::new(&[1, 4, 4, 3]);
    let first = builder.conv(x, 10, Activation::NONE);
    let second = builder.conv(first, 10, Activation::NONE);
    let sum = builder.node(Op::Add { activation: Activation::RELU }, &[first, second], &[1, 4, 4, 10]);
    let mean = builder.node(Op::Mean { axes: vec![1, 2] }, &[sum], &[1, 10]);
    let output = builder.dense(mean, 3);
    let samples = builder.samples(&[output]);
    let found = groups(&builder.graph);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].activations, [first, second, sum, mean]);
    assert_eq!((&found[0].producers[..], &found[0].consumers[..]), (&[0, 1][..], &[1, 4][..]));
    let equalized = equalize(builder.graph.clone(), &samples, |_, _| {});
    assert_same(&builder.graph, &equalized, &samples);
    assert!(disparity(&equalized, sum, &samples) < disparity(&builder.graph, sum, &samples) / 3.0);
}

#[test]
fn upper_bounds_hold_on_the_samples() {
    let (mut builder, x) = Builder::new(&[1, 4, 4, 3]);
    let first = builder.conv(x, 10, Activation { min: Some(0.0), max: Some(0.75) });
    let second = builder.depthwise(first, 1);
    let output = builder.dense(second, 3);
    let samples = builder.samples(&[output]);
    let equalized = equalize(builder.graph.clone(), &samples, |_, _| {});
    assert_same(&builder.graph, &equalized, &samples);
    assert!(disparity(&equalized, first, &samples) < 3.0);
}

#[test]
fn what_leaves_the_model_or_meets_others_stays() {
    let (mut builder, x) = Builder::new(&[1, 4, 4, 3]);
    let shown = builder.conv(x, 4, Activation::RELU);
    let squashed = builder.conv(shown, 4, Activation::NONE);
    let tanh = builder.node(Op::Tanh, &[squashed], &[1, 4, 4, 4]);
    let with_input = builder.conv(tanh, 3, Activation::NONE);
    let sum = builder.node(Op::Add { activation: Activation::NONE }, &[with_input, x], &[1, 4, 4, 3]);
    let output = builder.dense(sum, 3);
    let samples = builder.samples(&[output, shown]);
    assert_eq!(groups(&builder.graph), []);
    assert_eq!(equalize(builder.graph.clone(), &samples, |_, _| {}), builder.graph);
}

#[test]
fn few_samples_are_not_believed() {
    let (mut builder, x) = Builder::new(&[1, 4, 4, 3]);
    let first = builder.conv(x, 10, Activation::RELU);
    let output = builder.dense(first, 3);
    let samples = builder.samples(&[output]);
    let elements = samples.input(0)[..4 * 48].to_vec();
    let few = Samples::new(&builder.graph, vec![Array { shape: vec![4, 4, 4, 3], elements }]).unwrap();
    let equalized = equalize(builder.graph.clone(), &few, |_, _| {});
    let weights = |graph: &FloatGraph| graph.tensor(graph.nodes[0].inputs[1]).data.clone();
    assert_eq!(weights(&equalized), weights(&builder.graph));
}
