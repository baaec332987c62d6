//! Layers with weights and int16 activations: one record for all of them.

use edgepkg_format::plan::{Accumulation, Conv2d16, Image, WideChannelParameters, Window};
use edgepkg_format::{DType, TensorRef};

use super::weighted::{image, window};
use super::{Lowering, NodeError, NodeResult, word};
use crate::graph::{Activation, Conv, Node, Padding, QuantizedTensor, Tensor};
use crate::multiplier::{FactorOutOfRange, activation_range, weighted_factor};

/// What a layer is as a convolution.
struct Layer<'a> {
    /// `[output channel][row][column][input channel of the group]`.
    weights: Vec<i8>,
    outputs: usize,
    input_image: Image,
    output_image: Image,
    window: Window,
    spread: [u32; 2],
    groups: u32,
    accumulation: Accumulation,
    activation: &'a Activation,
}

impl Lowering<'_> {
    pub(super) fn conv2d16(&mut self, node: &Node, conv: &Conv) -> NodeResult {
        let (x, y) = self.unary(node);
        let weights = self.tensor(node.inputs[1]);
        let [outputs, height, width, depth] = [0, 1, 2, 3].map(|axis| weights.shape[axis]);
        self.push_layer(
            node,
            Layer {
                weights: weights.int8().to_vec(),
                outputs,
                input_image: image(x),
                output_image: image(y),
                window: window([height, width], conv.stride, conv.dilation, conv.padding),
                spread: [1, 1],
                groups: word(x.shape[3] / depth),
                accumulation: self.accumulation(node),
                activation: &conv.activation,
            },
        )
    }

    /// The references always sum depthwise convolutions up in 64 bits.
    pub(super) fn depthwise_conv2d16(&mut self, node: &Node, conv: &Conv) -> NodeResult {
        let (x, y) = self.unary(node);
        let weights = self.tensor(node.inputs[1]);
        let [height, width, outputs] = [1, 2, 3].map(|axis| weights.shape[axis]);
        self.push_layer(
            node,
            Layer {
                weights: channels_first(weights.int8(), outputs),
                outputs,
                input_image: image(x),
                output_image: image(y),
                window: window([height, width], conv.stride, conv.dilation, conv.padding),
                spread: [1, 1],
                groups: word(x.shape[3]),
                accumulation: Accumulation::Wide,
                activation: &conv.activation,
            },
        )
    }

    /// A convolution with the window turned around, of the input with its pixels spread.
    pub(super) fn transpose_conv2d16(&mut self, node: &Node, conv: &Conv) -> NodeResult {
        let (x, y) = self.unary(node);
        let weights = self.tensor(node.inputs[1]);
        let [outputs, height, width, depth] = [0, 1, 2, 3].map(|axis| weights.shape[axis]);
        let around = |extent: usize, dilation: usize, cut: usize| {
            let reach = (extent - 1) * dilation;
            reach.checked_sub(cut).ok_or(NodeError::Quantization("cuts more than its window off"))
        };
        let padding = Padding {
            top: around(height, conv.dilation[0], conv.padding.top)?,
            left: around(width, conv.dilation[1], conv.padding.left)?,
            ..Padding::default()
        };
        let filters = weights.int8().chunks_exact(height * width * depth);
        let turned = filters.flat_map(|filter| filter.chunks_exact(depth).rev()).flatten().copied();
        self.push_layer(
            node,
            Layer {
                weights: turned.collect(),
                outputs,
                input_image: image(x),
                output_image: image(y),
                window: window([height, width], [1, 1], conv.dilation, padding),
                spread: conv.stride.map(word),
                groups: 1,
                accumulation: Accumulation::Wide,
                activation: &conv.activation,
            },
        )
    }

    /// Rows are images of one pixel.
    pub(super) fn fully_connected16(&mut self, node: &Node, activation: &Activation) -> NodeResult {
        let x = self.tensor(node.inputs[0]);
        let weights = self.tensor(node.inputs[1]);
        let [outputs, depth] = [weights.shape[0], weights.shape[1]];
        let row = |channels| Image { batches: word(x.len() / depth), height: 1, width: 1, channels };
        self.push_layer(
            node,
            Layer {
                weights: weights.int8().to_vec(),
                outputs,
                input_image: row(word(depth)),
                output_image: row(word(outputs)),
                window: window([1, 1], [1, 1], [1, 1], Default::default()),
                spread: [1, 1],
                groups: 1,
                accumulation: self.accumulation(node),
                activation,
            },
        )
    }

    /// An int32 bias is summed up in 32 bits, as the references do.
    fn accumulation(&self, node: &Node) -> Accumulation {
        match node.inputs.get(2).map(|&bias| self.tensor(bias).dtype) {
            Some(DType::Int32) => Accumulation::Narrow,
            _ => Accumulation::Wide,
        }
    }

    fn push_layer(&mut self, node: &Node, layer: Layer<'_>) -> NodeResult {
        let y = self.tensor(node.output());
        let channels = self.wide_channel_table(node, &layer)?;
        let record = Conv2d16 {
            input: self.place(node.inputs[0])?,
            weights: self.constant(bytemuck::cast_slice(&layer.weights), DType::Int8)?,
            channels,
            output: self.allocate(node.output())?,
            input_image: layer.input_image,
            output_image: layer.output_image,
            window: layer.window,
            spread: layer.spread,
            groups: layer.groups,
            accumulation: layer.accumulation,
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(layer.activation, &y.quantization, y.dtype),
        };
        self.push(record);
        Ok(())
    }

    /// Bias and factor of each output channel, the input's zero point folded in.
    fn wide_channel_table(&mut self, node: &Node, layer: &Layer<'_>) -> Result<TensorRef, NodeError> {
        let (x, y) = self.unary(node);
        let weight_scales = &self.tensor(node.inputs[1]).quantization.scales;
        let factor = weighted_factor(&node.op, weight_scales.len(), self.graph.rounding);
        let biases = node.inputs.get(2).map(|&bias| self.tensor(bias)).map(QuantizedTensor::int64);
        let filters = layer.weights.chunks_exact(layer.weights.len() / layer.outputs);
        let mut table = Vec::with_capacity(layer.outputs * WideChannelParameters::BYTES);
        for (channel, filter) in filters.enumerate() {
            let weight_scale = weight_scales[channel.min(weight_scales.len() - 1)];
            let scale = factor(x.quantization.scale(), weight_scale, y.quantization.scale())?;
            if layer.accumulation == Accumulation::Wide && scale.shift > GREATEST_WIDE_SHIFT {
                let factor = f64::from(scale.multiplier) * libm::exp2(f64::from(scale.shift - 31));
                return Err(FactorOutOfRange { factor, must_be: "less than 2^7" }.into());
            }
            let weight_sum: i64 = filter.iter().map(|&weight| i64::from(weight)).sum();
            let offset = i64::from(x.quantization.zero_point()).wrapping_mul(weight_sum);
            let bias = biases.as_ref().map_or(0, |biases| biases[channel]).wrapping_sub(offset);
            table.extend_from_slice(&WideChannelParameters { bias, scale }.to_bytes());
        }
        self.constant(&table, DType::Int64)
    }
}

/// The greatest shift to the left of a 64-bit sum's scale that the references take.
const GREATEST_WIDE_SHIFT: i32 = 7;

/// `[tap][channel]` as `[channel][tap]`.
fn channels_first(weights: &[i8], channels: usize) -> Vec<i8> {
    (0..channels).flat_map(|channel| weights.iter().skip(channel).step_by(channels)).copied().collect()
}
