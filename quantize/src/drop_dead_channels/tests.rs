//! Graphs with weights of 0: the same bytes come out, from fewer multiplications.

use std::sync::Arc;

use bytemuck::{cast_slice, cast_slice_mut};
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{DType, Isa};
use edgepkg_runtime::Model;
use proptest::prelude::*;
use proptest::test_runner::TestRng;

use super::DeadChannels;
use crate::emit::{Emitted, Options, emit};
use crate::graph::{
    Activation, Conv, Graph, Node, Op, Padding, Pool, Quantization, QuantizedGraph, QuantizedTensor,
    Rounding, Tensor, TensorId,
};
use crate::optimize::Optimize;

struct Builder {
    graph: QuantizedGraph,
    rng: TestRng,
    /// Of 8 filters, and of 8 input channels of all filters, so many are 0.
    zero_of_eight: u32,
}

impl Builder {
    fn below(&mut self, limit: u32) -> u32 {
        self.rng.next_u32() % limit
    }

    fn activation(&mut self, shape: &[usize]) -> TensorId {
        let quantization = Quantization::per_tensor(0.05, -128 + self.below(3) as i32 * 40);
        let name = format!("t{}", self.graph.tensors.len());
        self.graph.add_tensor(QuantizedTensor {
            name,
            shape: shape.to_vec(),
            dtype: DType::Int8,
            quantization,
            data: None,
        })
    }

    fn node(&mut self, op: Op, inputs: &[TensorId], shape: &[usize]) -> TensorId {
        let output = self.activation(shape);
        if matches!(op, Op::AveragePool2d(_) | Op::MaxPool2d(_) | Op::Concat { .. } | Op::Reshape) {
            self.graph.tensors[output.0].quantization = self.graph.tensor(inputs[0]).quantization.clone();
        }
        let name = format!("n{}", self.graph.nodes.len());
        self.graph.nodes.push(Node { name, op, inputs: inputs.to_vec(), outputs: vec![output] });
        output
    }

    /// Weights with `outputs` along `axis`, and `inputs` input channels innermost, unless they are outputs.
    fn weighted(&mut self, op: Op, x: TensorId, weights: &[usize], axis: usize, shape: &[usize]) -> TensorId {
        let (outputs, inputs) = (weights[axis], self.graph.tensor(x).shape.last().copied().unwrap());
        let zero = |builder: &mut Self, count: usize| -> Vec<bool> {
            (0..count).map(|_| builder.below(8) < builder.zero_of_eight).collect()
        };
        let (zero_outputs, zero_inputs) = (zero(self, outputs), zero(self, inputs));
        let inner: usize = weights[axis + 1..].iter().product();
        let values: Vec<u8> = (0..weights.iter().product::<usize>())
            .map(|at| {
                let value = self.below(255) as u8;
                let input_is_zero = axis == 0 && zero_inputs[at % inputs];
                if zero_outputs[at / inner % outputs] || input_is_zero { 0 } else { value }
            })
            .collect();
        let scales = (0..outputs).map(|_| 0.001 + self.below(100) as f32 * 0.0001).collect();
        let biases: Vec<u8> =
            (0..outputs).flat_map(|_| (self.below(4000) as i32 - 2000).to_le_bytes()).collect();
        let constant = |shape: &[usize], dtype, quantization, data: Vec<u8>| QuantizedTensor {
            name: String::new(),
            shape: shape.to_vec(),
            dtype,
            quantization,
            data: Some(Arc::from(data)),
        };
        let weights = constant(weights, DType::Int8, Quantization::per_channel(scales, axis), values);
        let bias = constant(&[outputs], DType::Int32, Quantization::per_tensor(1.0, 0), biases);
        let mut operands = vec![x, self.graph.add_tensor(weights)];
        if self.below(4) > 0 {
            operands.push(self.graph.add_tensor(bias));
        }
        self.node(op, &operands, shape)
    }

    fn conv(&mut self, x: TensorId, outputs: usize, kernel: usize) -> TensorId {
        let [_, rows, columns, inputs] = self.graph.tensor(x).shape[..].try_into().unwrap();
        let op = Op::Conv2d(same(kernel));
        self.weighted(op, x, &[outputs, kernel, kernel, inputs], 0, &[1, rows, columns, outputs])
    }

    fn depthwise(&mut self, x: TensorId, multiplier: usize) -> TensorId {
        let [_, rows, columns, inputs] = self.graph.tensor(x).shape[..].try_into().unwrap();
        let outputs = inputs * multiplier;
        self.weighted(Op::DepthwiseConv2d(same(3)), x, &[1, 3, 3, outputs], 3, &[1, rows, columns, outputs])
    }

    fn dense(&mut self, x: TensorId, outputs: usize) -> TensorId {
        let depth = self.graph.tensor(x).len();
        let op = Op::FullyConnected { activation: Activation::NONE };
        self.weighted(op, x, &[outputs, depth], 0, &[1, outputs])
    }
}

fn same(kernel: usize) -> Conv {
    let pad = kernel / 2;
    let padding = Padding { top: pad, left: pad, bottom: pad, right: pad };
    Conv { stride: [1, 1], dilation: [1, 1], padding, activation: Activation::RELU }
}

/// A residual network with depthwise layers, two branches and a dense head.
fn network(seed: u64, zero_of_eight: u32) -> QuantizedGraph {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(prop::test_runner::RngAlgorithm::ChaCha, &bytes);
    let graph = Graph {
        name: String::new(),
        tensors: Vec::new(),
        nodes: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        rounding: Rounding::Twice,
    };
    let mut net = Builder { graph, rng, zero_of_eight };
    let x = net.activation(&[1, 5, 4, 3]);
    net.graph.inputs = vec![x];
    let first = net.conv(x, 8, 3);
    let spread = net.depthwise(first, 2);
    let narrow = net.conv(spread, 8, 1);
    let branch = net.conv(first, 6, 1);
    let sum = net.node(Op::Add { activation: Activation::RELU }, &[first, narrow], &[1, 5, 4, 8]);
    let joined = {
        let branch = net.node(Op::Requantize, &[branch], &[1, 5, 4, 6]);
        net.graph.tensors[branch.0].quantization = net.graph.tensor(sum).quantization.clone();
        net.node(Op::Concat { axis: 3 }, &[sum, branch], &[1, 5, 4, 14])
    };
    let mixed = net.conv(joined, 12, 1);
    let kept = net.depthwise(mixed, 1);
    let pool =
        Pool { window: [2, 2], stride: [2, 2], padding: Padding::default(), activation: Activation::NONE };
    let op = if seed.is_multiple_of(2) { Op::MaxPool2d(pool) } else { Op::AveragePool2d(pool) };
    let pooled = net.node(op, &[kept], &[1, 2, 2, 12]);
    let flat = net.node(Op::Reshape, &[pooled], &[1, 48]);
    let hidden = net.dense(flat, 9);
    let scores = net.dense(hidden, 4);
    net.graph.outputs = vec![scores];
    net.graph
}

fn emitted(graph: &QuantizedGraph, dead_channels: DeadChannels) -> Emitted {
    let options = Options {
        isa: Isa::Portable,
        name: "",
        version: "",
        labels: &[],
        graph_digest: [0; 32],
        dead_channels,
        optimize: Optimize::Speed,
    };
    emit(graph, &options).unwrap()
}

fn run(emitted: &Emitted, input: &[i8]) -> Vec<i8> {
    let artifact = AlignedBytes::from(&emitted.artifact[..]);
    let mut arena = AlignedBytes::from(&vec![0; emitted.memory.arena_bytes as usize][..]);
    let model = Model::parse(&artifact).unwrap();
    let mut session = model.session(cast_slice_mut(&mut arena)).unwrap();
    session.input(0).unwrap().copy_from_i8(input).unwrap();
    session.run().unwrap();
    session.output(0).unwrap().values_i8().collect()
}

proptest! {
    #[test]
    fn outputs_stay_in_every_byte(seed: u64, zero_of_eight in 0..8u32, input: [u8; 60]) {
        let graph = network(seed, zero_of_eight);
        let (given, smaller) = (emitted(&graph, DeadChannels::Keep), emitted(&graph, DeadChannels::Drop));
        prop_assert_eq!(run(&given, cast_slice(&input)), run(&smaller, cast_slice(&input)));
        prop_assert!(smaller.macs.executed <= smaller.macs.given);
        prop_assert!(smaller.memory.arena_bytes <= given.memory.arena_bytes);
    }
}

#[test]
fn zeros_save_multiplications() {
    let graph = network(1, 4);
    let smaller = emitted(&graph, DeadChannels::Drop);
    assert!(smaller.macs.executed * 2 < smaller.macs.given, "{:?}", smaller.macs);
    let dense = network(1, 0);
    let same = emitted(&dense, DeadChannels::Drop);
    assert_eq!(same.macs.executed, same.macs.given);
}
