//! Random networks give the same outputs in the arena that is planned for them, where buffers share
//! bytes and outputs lie over inputs, as in one where every buffer has a place of its own.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{cast_slice, cast_slice_mut};
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{DType, Isa};
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit::{Emitted, Options, emit};
use edgepkg_quantize::graph::{
    Activation, Conv, Graph, Node, Op, Padding, Pool, Quantization, QuantizedGraph, QuantizedTensor,
    Rounding, TensorId,
};
use edgepkg_quantize::optimize::Optimize;
use edgepkg_quantize::simulate::Simulator;
use edgepkg_runtime::Model;
use proptest::prelude::*;

const OPTIONS: Options<'_> = Options {
    isa: Isa::Portable,
    name: "network",
    version: "0.0.0",
    labels: &[],
    graph_digest: [0; 32],
    dead_channels: DeadChannels::Keep,
    optimize: Optimize::Speed,
};

/// Bytes around the arena, which a run leaves alone.
const GUARD: Range<usize> = 0..64;
const GUARD_BYTE: u8 = 0xa5;

/// What a layer does to the image before it.
#[derive(Clone, Copy, Debug)]
enum Layer {
    Conv {
        channels: usize,
        kernel: usize,
        stride: usize,
    },
    Depthwise {
        kernel: usize,
        stride: usize,
        multiplier: usize,
    },
    MaxPool {
        window: usize,
        stride: usize,
    },
    AveragePool {
        window: usize,
        stride: usize,
    },
    FullyConnected {
        channels: usize,
    },
    Relu,
    /// The last earlier tensor of the same shape and this one.
    Residual {
        product: Product,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    Sum,
    Product,
}

fn layers() -> impl Strategy<Value = Vec<Layer>> {
    let layer = prop_oneof![
        (1..12usize, 1..4usize, 1..3usize).prop_map(|(channels, kernel, stride)| Layer::Conv {
            channels,
            kernel,
            stride
        }),
        (1..4usize, 1..3usize, 1..3usize).prop_map(|(kernel, stride, multiplier)| Layer::Depthwise {
            kernel,
            stride,
            multiplier
        }),
        (1..4usize, 1..3usize).prop_map(|(window, stride)| Layer::MaxPool { window, stride }),
        (1..4usize, 1..3usize).prop_map(|(window, stride)| Layer::AveragePool { window, stride }),
        (1..12usize).prop_map(|channels| Layer::FullyConnected { channels }),
        Just(Layer::Relu),
        Just(Layer::Residual { product: Product::Sum }),
        Just(Layer::Residual { product: Product::Product }),
    ];
    prop::collection::vec(layer, 1..10)
}

/// A graph that grows layer by layer.
struct Network {
    graph: QuantizedGraph,
    seed: u64,
}

impl Network {
    fn new([height, width, channels]: [usize; 3], seed: u64) -> Self {
        let graph = Graph {
            name: "network".to_owned(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding: Rounding::Twice,
        };
        let mut network = Self { graph, seed };
        let input = network.tensor(&[1, height, width, channels], None);
        network.graph.inputs.push(input);
        network
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut byte = || {
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.seed >> 56) as u8
        };
        (0..count).map(|_| byte()).collect()
    }

    fn tensor(&mut self, shape: &[usize], data: Option<Vec<u8>>) -> TensorId {
        let quantization = match data {
            Some(_) => Quantization::per_tensor(0.02, 0),
            None => Quantization::per_tensor(0.05, -3),
        };
        self.graph.add_tensor(QuantizedTensor {
            name: format!("t{}", self.graph.tensors.len()),
            shape: shape.to_vec(),
            dtype: DType::Int8,
            quantization,
            data: data.map(Arc::from),
        })
    }

    fn weights(&mut self, shape: &[usize]) -> TensorId {
        let data = self.bytes(shape.iter().product());
        self.tensor(shape, Some(data))
    }

    fn node(&mut self, op: Op, inputs: Vec<TensorId>, shape: &[usize]) -> TensorId {
        let output = self.tensor(shape, None);
        let name = format!("n{}", self.graph.nodes.len());
        self.graph.nodes.push(Node { name, op, inputs, outputs: vec![output] });
        output
    }

    /// Adds `layer` after `x`.
    fn add(&mut self, x: TensorId, layer: Layer) -> TensorId {
        let shape = self.graph.tensor(x).shape.clone();
        let [height, width, channels] = [shape[1], shape[2], shape[3]];
        let image = |window: usize, stride: usize, channels: usize| {
            let [(top, rows), (left, columns)] = [height, width].map(|extent| same(extent, window, stride));
            let padding = |before: usize, extent: usize, positions: usize| {
                ((positions - 1) * stride + window).saturating_sub(extent + before)
            };
            let (bottom, right) = (padding(top, height, rows), padding(left, width, columns));
            (Padding { top, left, bottom, right }, [1, rows, columns, channels])
        };
        let activation = Activation::NONE;
        match layer {
            Layer::Conv { channels: outputs, kernel, stride } => {
                let (padding, shape) = image(kernel, stride, outputs);
                let conv = Conv { stride: [stride; 2], dilation: [1, 1], padding, activation };
                let weights = self.weights(&[outputs, kernel, kernel, channels]);
                self.node(Op::Conv2d(conv), vec![x, weights], &shape)
            }
            Layer::Depthwise { kernel, stride, multiplier } => {
                let (padding, shape) = image(kernel, stride, channels * multiplier);
                let conv = Conv { stride: [stride; 2], dilation: [1, 1], padding, activation };
                let weights = self.weights(&[1, kernel, kernel, channels * multiplier]);
                self.node(Op::DepthwiseConv2d(conv), vec![x, weights], &shape)
            }
            Layer::MaxPool { window, stride } => {
                let (padding, shape) = image(window, stride, channels);
                let pool = Pool { window: [window; 2], stride: [stride; 2], padding, activation };
                self.node(Op::MaxPool2d(pool), vec![x], &shape)
            }
            Layer::AveragePool { window, stride } => {
                let (padding, shape) = image(window, stride, channels);
                let pool = Pool { window: [window; 2], stride: [stride; 2], padding, activation };
                self.node(Op::AveragePool2d(pool), vec![x], &shape)
            }
            Layer::FullyConnected { channels: outputs } => {
                let weights = self.weights(&[outputs, channels]);
                let shape = [1, height, width, outputs];
                self.node(Op::FullyConnected { activation }, vec![x, weights], &shape)
            }
            Layer::Relu => self.node(Op::Relu, vec![x], &shape),
            Layer::Residual { product } => {
                let tensors = self.graph.tensors.iter().enumerate();
                let alike = |&(index, tensor): &(usize, &QuantizedTensor)| {
                    tensor.shape == shape && tensor.data.is_none() && index != x.0
                };
                let other = tensors.clone().rfind(alike).map_or(x, |(index, _)| TensorId(index));
                let op = match product {
                    Product::Sum => Op::Add { activation },
                    Product::Product => Op::Mul { activation },
                };
                self.node(op, vec![other, x], &shape)
            }
        }
    }
}

/// The padding before, and the positions, of a window in `SAME` padding.
fn same(extent: usize, window: usize, stride: usize) -> (usize, usize) {
    let positions = extent.div_ceil(stride);
    (((positions - 1) * stride + window).saturating_sub(extent) / 2, positions)
}

/// Runs in an arena of exactly the bytes it states.
fn run_shared(emitted: &Emitted, input: &[u8], output_bytes: usize) -> Vec<u8> {
    let artifact = AlignedBytes::from(&emitted.artifact[..]);
    let model = Model::parse(&artifact).expect("an emitted artifact is a model");
    let arena_bytes = model.arena_bytes();
    let mut memory = AlignedBytes::from(&vec![GUARD_BYTE; arena_bytes + 2 * GUARD.len()][..]);
    let arena = &mut memory[GUARD.len()..][..arena_bytes];
    let mut session = model.session(cast_slice_mut(arena)).expect("the arena is as large as stated");
    session.input(0).expect("one input").copy_from_i8(cast_slice(input)).expect("its shape");
    session.run().expect("the input is set");
    let mut output = vec![0; output_bytes];
    session.output(0).expect("one output").copy_to_i8(0, cast_slice_mut(&mut output)).expect("its shape");
    assert!(memory[GUARD].iter().chain(&memory[GUARD.len() + arena_bytes..]).all(|&byte| byte == GUARD_BYTE));
    output
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn outputs_are_those_of_an_arena_without_sharing(
        image in [1..9usize, 1..9usize, 1..9usize],
        layers in layers(),
        seed in any::<u64>(),
    ) {
        let mut network = Network::new(image, seed);
        let mut x = network.graph.inputs[0];
        for layer in layers {
            x = network.add(x, layer);
        }
        network.graph.outputs.push(x);
        let input = network.bytes(image.iter().product());

        let mut simulator = Simulator::new(&network.graph).expect("it can be lowered");
        simulator.run(&[cast_slice(&input).to_vec()]);
        let expected = simulator.outputs().remove(0);
        let emitted = emit(&network.graph, &OPTIONS).expect("it can be lowered");
        let output = run_shared(&emitted, &input, expected.len());
        prop_assert_eq!(cast_slice::<u8, i8>(&output), &expected[..]);
    }
}
