//! Operators with weights: convolutions and fully connected layers.

use edgepkg_format::plan::{
    ChannelParameters, Conv2d, DepthwiseConv2d, FullyConnected, Image, TransposeConv2d, Window,
};
use edgepkg_format::{DType, TensorRef};

use super::{Lowering, NodeError, NodeResult, word};
use crate::graph::{Activation, Conv, Node, Padding, QuantizedTensor, Tensor};
use crate::multiplier::{activation_range, weighted_factor};

impl Lowering<'_> {
    pub(super) fn conv2d(&mut self, node: &Node, conv: &Conv) -> NodeResult {
        let (x, y) = self.unary(node);
        let weights = self.tensor(node.inputs[1]);
        let sums = sums_by_row(weights);
        let record = Conv2d {
            input: self.place(node.inputs[0])?,
            weights: self.place(node.inputs[1])?,
            channels: self.channel_table(node, &sums)?,
            output: self.allocate(node.output())?,
            input_image: image(x),
            output_image: image(y),
            window: window([weights.shape[1], weights.shape[2]], conv.stride, conv.dilation, conv.padding),
            groups: word(x.shape[3] / weights.shape[3]),
            input_zero_point: x.quantization.zero_point(),
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(&conv.activation, &y.quantization, y.dtype),
            rounding: self.graph.rounding,
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn depthwise_conv2d(&mut self, node: &Node, conv: &Conv) -> NodeResult {
        let (x, y) = self.unary(node);
        let weights = self.tensor(node.inputs[1]);
        let sums = sums_by_column(weights);
        let record = DepthwiseConv2d {
            input: self.place(node.inputs[0])?,
            weights: self.place(node.inputs[1])?,
            channels: self.channel_table(node, &sums)?,
            output: self.allocate(node.output())?,
            input_image: image(x),
            output_image: image(y),
            window: window([weights.shape[1], weights.shape[2]], conv.stride, conv.dilation, conv.padding),
            input_zero_point: x.quantization.zero_point(),
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(&conv.activation, &y.quantization, y.dtype),
            rounding: self.graph.rounding,
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn fully_connected(&mut self, node: &Node, activation: &Activation) -> NodeResult {
        let (x, y) = self.unary(node);
        let weights = self.tensor(node.inputs[1]);
        let [output_depth, input_depth] = [weights.shape[0], weights.shape[1]];
        let sums = sums_by_row(weights);
        let record = FullyConnected {
            input: self.place(node.inputs[0])?,
            weights: self.place(node.inputs[1])?,
            channels: self.channel_table(node, &sums)?,
            output: self.allocate(node.output())?,
            rows: word(x.len() / input_depth),
            input_depth: word(input_depth),
            output_depth: word(output_depth),
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(activation, &y.quantization, y.dtype),
            rounding: self.graph.rounding,
        };
        self.push(record);
        Ok(())
    }

    /// How many taps a pixel has differs from pixel to pixel, so the bias stays as it is.
    pub(super) fn transpose_conv2d(&mut self, node: &Node, conv: &Conv) -> NodeResult {
        let (x, y) = self.unary(node);
        let weights = self.tensor(node.inputs[1]);
        let record = TransposeConv2d {
            input: self.place(node.inputs[0])?,
            weights: self.place(node.inputs[1])?,
            channels: self.channel_table(node, &vec![0; weights.shape[0]])?,
            output: self.allocate(node.output())?,
            input_image: image(x),
            output_image: image(y),
            window: window([weights.shape[1], weights.shape[2]], conv.stride, conv.dilation, conv.padding),
            input_zero_point: x.quantization.zero_point(),
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(&conv.activation, &y.quantization, y.dtype),
            rounding: self.graph.rounding,
        };
        self.push(record);
        Ok(())
    }

    /// Bias and factor of each output channel: `-input_zero_point * weight_sum` is folded into the
    /// bias, wrapping, so that the kernel multiplies raw values.
    fn channel_table(&mut self, node: &Node, weight_sums: &[i32]) -> Result<TensorRef, NodeError> {
        let (x, y) = self.unary(node);
        let weight_scales = &self.tensor(node.inputs[1]).quantization.scales;
        let factor = weighted_factor(&node.op, weight_scales.len(), self.graph.rounding);
        let biases = node.inputs.get(2).map(|&bias| self.tensor(bias).int32());
        let mut table = Vec::with_capacity(weight_sums.len() * ChannelParameters::BYTES);
        for (channel, &weight_sum) in weight_sums.iter().enumerate() {
            let weight_scale = weight_scales[channel.min(weight_scales.len() - 1)];
            let offset = x.quantization.zero_point().wrapping_mul(weight_sum);
            let parameters = ChannelParameters {
                bias: biases.as_ref().map_or(0, |biases| biases[channel]).wrapping_sub(offset),
                scale: factor(x.quantization.scale(), weight_scale, y.quantization.scale())?,
            };
            table.extend_from_slice(&parameters.to_bytes());
        }
        self.constant(&table, DType::Int32)
    }
}

/// Sums of the weights of each index of the first dimension.
fn sums_by_row(weights: &QuantizedTensor) -> Vec<i32> {
    let row = weights.len() / weights.shape[0];
    let sum = |row: &[i8]| row.iter().fold(0i32, |sum, &weight| sum.wrapping_add(i32::from(weight)));
    weights.int8().chunks_exact(row).map(sum).collect()
}

/// Sums of the weights of each index of the last dimension.
fn sums_by_column(weights: &QuantizedTensor) -> Vec<i32> {
    let columns = weights.shape[weights.shape.len() - 1];
    let mut sums = vec![0i32; columns];
    for row in weights.int8().chunks_exact(columns) {
        for (sum, &weight) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(i32::from(weight));
        }
    }
    sums
}

/// A tensor of 4 dimensions, NHWC.
pub(super) fn image(tensor: &QuantizedTensor) -> Image {
    let [batches, height, width, channels] = [0, 1, 2, 3].map(|axis| word(tensor.shape[axis]));
    Image { batches, height, width, channels }
}

/// `[rows, columns]` of each, as the record holds them.
pub(super) fn window(
    extents: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
) -> Window {
    Window {
        height: word(extents[0]),
        width: word(extents[1]),
        stride_height: word(stride[0]),
        stride_width: word(stride[1]),
        dilation_height: word(dilation[0]),
        dilation_width: word(dilation[1]),
        pad_top: word(padding.top),
        pad_left: word(padding.left),
    }
}
