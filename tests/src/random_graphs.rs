//! Small quantized graphs of every operator, with odd shapes, paddings, scales and activations: the same
//! every time.

use std::sync::Arc;

use edgepkg_format::DType;
use edgepkg_quantize::graph::{
    Activation, Conv, Graph, Node, Op, Padding, Pool, Quantization, QuantizedGraph, QuantizedTensor,
    Rounding, TensorId, UnaryFunction,
};

/// The operators, by the names of [`graph`].
pub const OPERATORS: [&str; 24] = [
    "elu",
    "conv",
    "grouped_conv",
    "depthwise_conv",
    "fully_connected",
    "add",
    "mul",
    "average_pool",
    "max_pool",
    "mean",
    "softmax",
    "logistic",
    "tanh",
    "relu",
    "relu6",
    "clamp",
    "leaky_relu",
    "pad",
    "concat",
    "reshape",
    "transpose",
    "slice",
    "take",
    "requantize",
];

/// Marsaglia's xorshift.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    pub(crate) fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    pub(crate) fn is_heads(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(crate) fn real(&mut self, least: f32, greatest: f32) -> f32 {
        least + (greatest - least) * self.below(1 << 16) as f32 / 65536.0
    }

    pub(crate) fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// Bytes of any value.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}

/// A graph of the operator called `operator`.
///
/// # Panics
///
/// When there is no such operator in [`OPERATORS`].
pub fn graph(operator: &str, seed: u64) -> QuantizedGraph {
    let mut maker = Maker::new(operator, seed);
    let output = maker.operator(operator);
    maker.graph.outputs.push(output);
    maker.graph
}

/// A graph of a function of single elements.
pub fn graph_of_function(function: UnaryFunction, seed: u64) -> QuantizedGraph {
    let mut maker = Maker::new(function.name(), seed);
    let output = maker.unary_of_any_scale(Op::Unary(function));
    maker.graph.outputs.push(output);
    maker.graph
}

struct Maker {
    random: Random,
    graph: QuantizedGraph,
}

impl Maker {
    fn new(name: &str, seed: u64) -> Self {
        let graph = Graph {
            name: name.to_owned(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding: Rounding::Twice,
        };
        Self { random: Random::new(seed), graph }
    }

    fn operator(&mut self, operator: &str) -> TensorId {
        match operator {
            "conv" => self.conv(1),
            "grouped_conv" => self.conv(2),
            "depthwise_conv" => self.depthwise_conv(),
            "fully_connected" => self.fully_connected(),
            "add" => {
                let activation = self.activation();
                self.binary(Op::Add { activation })
            }
            "mul" => {
                let activation = self.activation();
                self.binary(Op::Mul { activation })
            }
            "average_pool" => self.pool(Op::AveragePool2d),
            "max_pool" => self.pool(Op::MaxPool2d),
            "mean" => self.mean(),
            "softmax" => {
                let beta = if self.random.is_heads() { 1.0 } else { 0.5 };
                self.unary(Op::Softmax { beta }, Quantization::per_tensor(1.0 / 256.0, -128))
            }
            "logistic" => self.unary(Op::Logistic, Quantization::per_tensor(1.0 / 256.0, -128)),
            "tanh" => self.unary(Op::Tanh, Quantization::per_tensor(1.0 / 128.0, 0)),
            "relu" => self.unary_of_any_scale(Op::Relu),
            "relu6" => self.moving(Op::Relu6, |shape, _| shape.to_vec()),
            "clamp" => {
                let activation = self.activation();
                self.unary_of_any_scale(Op::Clamp(activation))
            }
            "leaky_relu" => {
                let alpha = self.random.real(0.01, 0.5);
                self.unary_of_any_scale(Op::LeakyRelu { alpha })
            }
            "elu" => self.unary_of_any_scale(Op::Unary(UnaryFunction::Elu { alpha: 1.0 })),
            "pad" => self.pad(),
            "concat" => self.concat(),
            "reshape" => self.moving(Op::Reshape, |shape, _| vec![shape.iter().product()]),
            "transpose" => self.transpose(),
            "slice" => self.slice(),
            "take" => self.take(),
            "requantize" => self.unary_of_any_scale(Op::Requantize),
            _ => panic!("no operator is called {operator}"),
        }
    }

    fn quantization(&mut self) -> Quantization {
        let scale = self.random.real(0.01, 0.1);
        Quantization::per_tensor(scale, self.random.between(0, 200) as i32 - 100)
    }

    fn shape(&mut self) -> Vec<usize> {
        let rank = self.random.between(1, 4);
        (0..rank).map(|_| self.random.between(1, 5)).collect()
    }

    fn activation(&mut self) -> Activation {
        let between = |min, max| Activation { min: Some(min), max: Some(max) };
        [
            Activation::NONE,
            Activation::RELU,
            Activation::RELU6,
            Activation::RELU_N1_TO_1,
            between(0.0, 1.7),
            between(-0.6, 0.9),
            Activation { min: Some(-0.4), max: None },
            Activation { min: None, max: Some(0.8) },
        ][self.random.below(8)]
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

    fn input(&mut self, shape: &[usize]) -> TensorId {
        let quantization = self.quantization();
        let id = self.tensor(shape, quantization);
        self.graph.inputs.push(id);
        id
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

    fn like(&self, id: TensorId) -> Quantization {
        self.graph.tensor(id).quantization.clone()
    }

    fn unary(&mut self, op: Op, quantization: Quantization) -> TensorId {
        let shape = self.shape();
        let x = self.input(&shape);
        self.node(op, vec![x], &shape, quantization)
    }

    fn unary_of_any_scale(&mut self, op: Op) -> TensorId {
        let quantization = self.quantization();
        self.unary(op, quantization)
    }

    /// An operator whose output has the input's scale.
    fn moving(&mut self, op: Op, shape: impl FnOnce(&[usize], &Op) -> Vec<usize>) -> TensorId {
        let from = self.shape();
        self.moving_from(&from, op, shape)
    }

    fn moving_from(
        &mut self,
        from: &[usize],
        op: Op,
        shape: impl FnOnce(&[usize], &Op) -> Vec<usize>,
    ) -> TensorId {
        let x = self.input(from);
        let to = shape(from, &op);
        self.node(op, vec![x], &to, self.like(x))
    }

    /// Padding, and how many positions a window of `reach` then has in `image`.
    fn window(
        &mut self,
        image: [usize; 2],
        reach: [usize; 2],
        stride: [usize; 2],
    ) -> Option<(Padding, [usize; 2])> {
        let is_same = self.random.is_heads();
        let around = [0, 1].map(|axis| {
            if is_same {
                let positions = image[axis].div_ceil(stride[axis]);
                let total = ((positions - 1) * stride[axis] + reach[axis]).saturating_sub(image[axis]);
                (total / 2, total - total / 2)
            } else {
                let most = (reach[axis] - 1).min(2);
                (self.random.between(0, most), self.random.between(0, most))
            }
        });
        let [(top, bottom), (left, right)] = around;
        let positions = [0, 1].map(|axis| {
            let padded = image[axis] + around[axis].0 + around[axis].1;
            padded.checked_sub(reach[axis]).map(|rest| rest / stride[axis] + 1)
        });
        let [Some(rows), Some(columns)] = positions else { return None };
        Some((Padding { top, left, bottom, right }, [rows, columns]))
    }

    fn conv(&mut self, groups: usize) -> TensorId {
        let group_channels = self.random.between(1, 3);
        let outputs = groups * self.random.between(1, 3);
        let (conv, x, kernel, positions) = self.conv_of(groups * group_channels);
        let weights = self.weights(&[outputs, kernel[0], kernel[1], group_channels], 0);
        self.weighted(Op::Conv2d(conv), x, weights, outputs, &[1, positions[0], positions[1], outputs])
    }

    fn depthwise_conv(&mut self) -> TensorId {
        let channels = self.random.between(1, 3);
        let outputs = channels * self.random.between(1, 2);
        let (conv, x, kernel, positions) = self.conv_of(channels);
        let weights = self.weights(&[1, kernel[0], kernel[1], outputs], 3);
        self.weighted(
            Op::DepthwiseConv2d(conv),
            x,
            weights,
            outputs,
            &[1, positions[0], positions[1], outputs],
        )
    }

    fn conv_of(&mut self, channels: usize) -> (Conv, TensorId, [usize; 2], [usize; 2]) {
        loop {
            let mut pair = |last| [self.random.between(1, last), self.random.between(1, last)];
            let (image, kernel, stride) = (pair(9), pair(3), pair(3));
            let dilation = if stride == [1, 1] { pair(2) } else { [1, 1] };
            let reach = [0, 1].map(|axis| (kernel[axis] - 1) * dilation[axis] + 1);
            let Some((padding, positions)) = self.window(image, reach, stride) else { continue };
            let activation = self.activation();
            let x = self.input(&[1, image[0], image[1], channels]);
            return (Conv { stride, dilation, padding, activation }, x, kernel, positions);
        }
    }

    fn weights(&mut self, shape: &[usize], axis: usize) -> TensorId {
        let count = if self.random.is_heads() { shape[axis] } else { 1 };
        let scales: Vec<f32> = (0..count).map(|_| self.random.real(0.005, 0.02)).collect();
        let axis = if count > 1 { axis } else { 0 };
        let id = self.tensor(shape, Quantization::per_channel(scales, axis));
        self.graph.tensors[id.0].data = Some(self.random.bytes(shape.iter().product()).into());
        id
    }

    fn weighted(
        &mut self,
        op: Op,
        x: TensorId,
        weights: TensorId,
        outputs: usize,
        shape: &[usize],
    ) -> TensorId {
        let mut inputs = vec![x, weights];
        if self.random.below(4) > 0 {
            let scales: Vec<f32> =
                self.like(weights).scales.iter().map(|scale| scale * self.like(x).scale()).collect();
            let unset = Quantization::per_tensor(1.0, 0);
            let quantization =
                if self.random.is_heads() { unset } else { Quantization::per_channel(scales, 0) };
            let bias = self.tensor(&[outputs], quantization);
            let values = (0..outputs).map(|_| self.random.between(0, 4000) as i32 - 2000);
            let data: Arc<[u8]> = values.flat_map(i32::to_le_bytes).collect();
            let tensor = &mut self.graph.tensors[bias.0];
            (tensor.dtype, tensor.data) = (DType::Int32, Some(data));
            inputs.push(bias);
        }
        let quantization = self.quantization();
        self.node(op, inputs, shape, quantization)
    }

    fn fully_connected(&mut self) -> TensorId {
        let [outer, rows, depth, outputs] = [(); 4].map(|()| self.random.between(1, 4));
        let activation = self.activation();
        let x = self.input(&[outer, rows, depth]);
        let weights = self.weights(&[outputs, depth], 0);
        let shape = [vec![outer * rows, outputs], vec![outer, rows, outputs], vec![outer, rows, 1, outputs]]
            [self.random.below(3)]
        .clone();
        self.weighted(Op::FullyConnected { activation }, x, weights, outputs, &shape)
    }

    fn binary(&mut self, op: Op) -> TensorId {
        let shape = self.shape();
        let a = self.input(&shape);
        let broadcast: Vec<usize> =
            shape.iter().map(|&extent| if self.random.is_heads() { extent } else { 1 }).collect();
        let dropped = self.random.below(shape.len());
        let other = match self.random.below(3) {
            0 => &shape[..],
            1 => &broadcast[..],
            _ => &shape[dropped..],
        };
        let b = self.input(other);
        let inputs = if self.random.is_heads() { vec![a, b] } else { vec![b, a] };
        let quantization = self.quantization();
        self.node(op, inputs, &shape, quantization)
    }

    fn pool(&mut self, op: fn(Pool) -> Op) -> TensorId {
        loop {
            let mut pair = |last| [self.random.between(1, last), self.random.between(1, last)];
            let (image, window, stride) = (pair(9), pair(3), pair(3));
            let Some((padding, [rows, columns])) = self.window(image, window, stride) else { continue };
            let pool = Pool { window, stride, padding, activation: self.activation() };
            let channels = self.random.between(1, 3);
            return self.moving_from(&[1, image[0], image[1], channels], op(pool), |_, _| {
                vec![1, rows, columns, channels]
            });
        }
    }

    fn mean(&mut self) -> TensorId {
        let shape = self.shape();
        let mut axes: Vec<usize> = (0..shape.len()).filter(|_| self.random.is_heads()).collect();
        if axes.is_empty() {
            axes.push(shape.len() - 1);
        }
        let keeps = self.random.is_heads();
        let reduced = shape.iter().enumerate().filter_map(|(axis, &extent)| match axes.contains(&axis) {
            true => keeps.then_some(1),
            false => Some(extent),
        });
        let reduced: Vec<usize> = reduced.collect();
        let x = self.input(&shape);
        let quantization = self.quantization();
        self.node(Op::Mean { axes }, vec![x], &reduced, quantization)
    }

    fn pad(&mut self) -> TensorId {
        let shape = self.shape();
        let mut counts = || (0..shape.len()).map(|_| self.random.below(3)).collect::<Vec<_>>();
        let (before, after) = (counts(), counts());
        let value = if self.random.is_heads() { 0.0 } else { 0.7 };
        let grown = (0..shape.len()).map(|axis| shape[axis] + before[axis] + after[axis]).collect();
        self.moving_from(&shape, Op::Pad { before, after, value }, |_, _| grown)
    }

    fn concat(&mut self) -> TensorId {
        let mut shape = self.shape();
        let axis = self.random.below(shape.len());
        let first = self.input(&shape);
        let mut inputs = vec![first];
        let mut joined = shape[axis];
        for _ in 0..self.random.between(1, 2) {
            shape[axis] = self.random.between(1, 4);
            joined += shape[axis];
            let next = self.tensor(&shape, self.like(first));
            self.graph.inputs.push(next);
            inputs.push(next);
        }
        shape[axis] = joined;
        self.node(Op::Concat { axis }, inputs, &shape, self.like(first))
    }

    fn transpose(&mut self) -> TensorId {
        let shape = self.shape();
        let mut perm: Vec<usize> = (0..shape.len()).collect();
        for last in (1..perm.len()).rev() {
            let other = self.random.below(last + 1);
            perm.swap(last, other);
        }
        let to = perm.iter().map(|&axis| shape[axis]).collect();
        self.moving_from(&shape, Op::Transpose { perm }, |_, _| to)
    }

    fn take(&mut self) -> TensorId {
        let shape = self.shape();
        let axis = self.random.below(shape.len());
        let count = self.random.between(1, 24);
        let indices: Vec<usize> = (0..count).map(|_| self.random.below(shape[axis])).collect();
        let mut taken = shape.clone();
        taken[axis] = count;
        self.moving_from(&shape, Op::Take { axis, indices }, |_, _| taken)
    }

    fn slice(&mut self) -> TensorId {
        let shape = self.shape();
        let begin: Vec<usize> = shape.iter().map(|&extent| self.random.below(extent)).collect();
        let taken = shape.iter().zip(&begin).map(|(&extent, &begin)| self.random.between(1, extent - begin));
        let taken: Vec<usize> = taken.collect();
        self.moving_from(&shape, Op::Slice { begin }, |_, _| taken)
    }
}
