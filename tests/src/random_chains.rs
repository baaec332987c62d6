//! Chains of layers with weights, of odd shapes, strides, paddings, scales and ranges: the same every time.

use std::sync::Arc;

use edgepkg_format::DType;
use edgepkg_quantize::graph::{
    Activation, Conv, Graph, Node, Op, Padding, Quantization, QuantizedGraph, QuantizedTensor, Rounding,
    TensorId,
};

use crate::random_graphs::Random;

/// Standard deviation of int8 values that are spread evenly.
const DEVIATION: f32 = 74.0;
/// That of a layer's outputs, about: few of them are saturated.
const OUTPUT_DEVIATION: f32 = 60.0;

/// A graph of `count` chains, each with an input of its own. A chain is some convolutions, depthwise or not, and a
/// fully connected layer. Outputs are what the chains end with, and what some layers before have written.
pub fn chains(seed: u64, count: usize, rounding: Rounding) -> QuantizedGraph {
    let graph = Graph {
        name: format!("chains-{seed}"),
        tensors: Vec::new(),
        nodes: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        rounding,
    };
    let mut maker = Maker { random: Random::new(seed), graph };
    for _ in 0..count {
        maker.chain();
    }
    maker.graph
}

struct Maker {
    random: Random,
    graph: QuantizedGraph,
}

impl Maker {
    fn chain(&mut self) {
        let [height, width] = [(); 2].map(|()| self.random.between(1, 11));
        let batches = self.random.one_of(&[1, 1, 2]);
        let channels = self.channels();
        let quantization = self.quantization(0.05);
        let mut x = self.tensor(&[batches, height, width, channels], quantization);
        self.graph.inputs.push(x);
        for _ in 0..self.random.between(2, 4) {
            x = match self.random.below(7) {
                0..3 => self.depthwise_conv(x),
                3 => self.conv(x, [1, 1]),
                4 => self.conv(x, [3, 3]),
                _ => {
                    let kernel = [(); 2].map(|()| self.random.between(1, 4));
                    self.conv(x, kernel)
                }
            };
        }
        let x = self.fully_connected(x);
        if !self.graph.is_output(x) {
            self.graph.outputs.push(x);
        }
    }

    fn channels(&mut self) -> usize {
        if self.random.is_heads() {
            self.random.one_of(&[1, 2, 3, 3, 5, 6, 7, 7, 9])
        } else {
            4 * self.random.between(1, 5)
        }
    }

    fn quantization(&mut self, scale: f32) -> Quantization {
        Quantization::per_tensor(scale, self.random.between(0, 160) as i32 - 80)
    }

    fn tensor(&mut self, shape: &[usize], quantization: Quantization) -> TensorId {
        self.graph.add_tensor(QuantizedTensor {
            name: format!("t{}", self.graph.tensors.len()),
            shape: shape.to_vec(),
            dtype: DType::Int8,
            quantization,
            data: None,
        })
    }

    fn node(
        &mut self,
        op: Op,
        inputs: Vec<TensorId>,
        shape: &[usize],
        quantization: Quantization,
    ) -> TensorId {
        let output = self.tensor(shape, quantization);
        let name = self.graph.tensor(output).name.clone();
        self.graph.nodes.push(Node { name, op, inputs, outputs: vec![output] });
        output
    }

    fn shape(&self, id: TensorId) -> Vec<usize> {
        self.graph.tensor(id).shape.clone()
    }

    fn depthwise_conv(&mut self, x: TensorId) -> TensorId {
        let channels = self.shape(x)[3];
        let kernel = self.random.one_of(&[[3, 3], [3, 3], [3, 3], [2, 3], [5, 5], [1, 7], [15, 1]]);
        let stride = self.random.one_of(&[[1, 1], [1, 1], [2, 2], [2, 2], [1, 2]]);
        let multiplier = self.random.one_of(&[1, 1, 1, 1, 2]);
        let (conv, [height, width]) = self.windows(x, kernel, stride, [1, 1]);
        let outputs = channels * multiplier;
        let weights = self.weights(&[1, kernel[0], kernel[1], outputs], 3);
        let shape = [self.shape(x)[0], height, width, outputs];
        self.weighted(Op::DepthwiseConv2d(conv), [x, weights], kernel[0] * kernel[1], &shape)
    }

    fn conv(&mut self, x: TensorId, kernel: [usize; 2]) -> TensorId {
        let strides = [[1, 1], [1, 1], [2, 1], [2, 2], [3, 2]];
        let stride = self.random.one_of(&strides);
        let dilation = [(); 2].map(|()| self.random.one_of(&[1, 1, 1, 2, 3]));
        let (conv, [height, width]) = self.windows(x, kernel, stride, dilation);
        let [batches, _, _, channels] = self.shape(x)[..] else { panic!("x is an image") };
        let outputs = self.channels();
        let weights = self.weights(&[outputs, kernel[0], kernel[1], channels], 0);
        let shape = [batches, height, width, outputs];
        self.weighted(Op::Conv2d(conv), [x, weights], kernel[0] * kernel[1] * channels, &shape)
    }

    /// Padding with which a window fits, and how many positions it has.
    fn windows(
        &mut self,
        x: TensorId,
        kernel: [usize; 2],
        stride: [usize; 2],
        dilation: [usize; 2],
    ) -> (Conv, [usize; 2]) {
        let image = self.shape(x);
        let [(top, bottom, rows), (left, right, columns)] = [0, 1].map(|axis| {
            let (extent, reach) = (image[1 + axis], (kernel[axis] - 1) * dilation[axis] + 1);
            let before = self.random.below(reach);
            let after = self.random.below(reach).max(reach.saturating_sub(extent + before));
            (before, after, (extent + before + after - reach) / stride[axis] + 1)
        });
        let activation = Activation::NONE;
        (
            Conv { stride, dilation, padding: Padding { top, left, bottom, right }, activation },
            [rows, columns],
        )
    }

    fn fully_connected(&mut self, x: TensorId) -> TensorId {
        let shape = self.shape(x);
        let (rows, depth) = (shape[0], shape[1..].iter().product::<usize>());
        let quantization = self.graph.tensor(x).quantization.clone();
        let x = self.node(Op::Reshape, vec![x], &[rows, depth], quantization);
        let outputs = self.random.between(1, 19);
        let weights = self.weights(&[outputs, depth], 0);
        let activation = Activation::NONE;
        self.weighted(Op::FullyConnected { activation }, [x, weights], depth, &[rows, outputs])
    }

    /// Mostly without -128, as files have them, and some channels of zeros.
    fn weights(&mut self, shape: &[usize], axis: usize) -> TensorId {
        let count = if self.random.is_heads() { shape[axis] } else { 1 };
        let scales: Vec<f32> = (0..count).map(|_| self.random.real(0.005, 0.02)).collect();
        let axis = if count > 1 { axis } else { 0 };
        let least: i8 = self.random.one_of(&[-128, -127, -127, -127]);
        let bytes = self.random.bytes(shape.iter().product());
        let id = self.tensor(shape, Quantization::per_channel(scales, axis));
        let weights = bytes.into_iter().map(|byte| (byte as i8).max(least) as u8);
        self.graph.tensors[id.0].data = Some(weights.collect());
        id
    }

    /// Adds a layer, with a bias and a range of its own, of as many products an output as `products`.
    fn weighted(
        &mut self,
        mut op: Op,
        [x, weights]: [TensorId; 2],
        products: usize,
        shape: &[usize],
    ) -> TensorId {
        let outputs = shape[shape.len() - 1];
        let scales = self.graph.tensor(weights).quantization.scales.clone();
        let greatest = scales.iter().copied().fold(0.0, f32::max);
        let sum_scale = greatest * self.graph.tensor(x).quantization.scale();
        let step = DEVIATION * DEVIATION * (products as f32).sqrt() * sum_scale / OUTPUT_DEVIATION;
        let step = step * self.random.real(0.7, 3.0);
        let quantization = self.quantization(step);
        let activation = self.activation(step);
        match &mut op {
            Op::Conv2d(conv) | Op::DepthwiseConv2d(conv) => conv.activation = activation,
            Op::FullyConnected { activation: unset } => *unset = activation,
            _ => {}
        }
        let bias = self.tensor(&[outputs], Quantization::per_tensor(1.0, 0));
        let values = (0..outputs).map(|_| self.random.between(0, 40_000) as i32 - 20_000);
        let data: Arc<[u8]> = values.flat_map(i32::to_le_bytes).collect();
        let tensor = &mut self.graph.tensors[bias.0];
        (tensor.dtype, tensor.data) = (DType::Int32, Some(data));
        let output = self.node(op, vec![x, weights, bias], shape, quantization);
        if self.random.is_heads() {
            self.graph.outputs.push(output);
        }
        output
    }

    fn activation(&mut self, step: f32) -> Activation {
        let steps = |min: f32, max: f32| Activation { min: Some(min * step), max: Some(max * step) };
        self.random.one_of(&[
            Activation::NONE,
            Activation::NONE,
            Activation::RELU,
            Activation::RELU,
            steps(0.0, 50.0),
            steps(-40.0, 30.0),
            Activation { min: Some(-20.0 * step), max: None },
            Activation { min: None, max: Some(33.0 * step) },
        ])
    }
}
