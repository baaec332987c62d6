//! Convolutions and matrix products.
//!
//! Every output is `bias`, then one product after the other in the order rows of the kernel, columns of the
//! kernel, input channels. Only outputs stand side by side in the vector, so its width changes no result.

use super::elementwise::Clamp;
use crate::graph::{Activation, Conv};

/// Output channels that are computed side by side.
const LANES: usize = 16;

/// Weights in blocks of [`LANES`] output channels: `[group][block][kernel row][kernel column][in][lane]`.
pub(super) struct PackedWeights {
    blocks: Vec<[f32; LANES]>,
    kernel: [usize; 2],
    groups: usize,
    /// Of one group.
    in_channels: usize,
    /// Of one group.
    out_channels: usize,
}

impl PackedWeights {
    /// Packs `weights: [out, kh, kw, in / groups]`.
    pub(super) fn new(weights: &[f32], shape: &[usize], groups: usize) -> Self {
        let &[out, kernel_rows, kernel_columns, in_channels] = shape else {
            panic!("weights of a convolution have four dimensions")
        };
        let taps = kernel_rows * kernel_columns * in_channels;
        let out_channels = out / groups;
        let block_count = out_channels.div_ceil(LANES);
        let mut blocks = vec![[0.0; LANES]; groups * block_count * taps];
        for group in 0..groups {
            for channel in 0..out_channels {
                let first = (group * block_count + channel / LANES) * taps;
                let row = &weights[(group * out_channels + channel) * taps..][..taps];
                for (block, &weight) in blocks[first..].iter_mut().zip(row) {
                    block[channel % LANES] = weight;
                }
            }
        }
        Self { blocks, kernel: [kernel_rows, kernel_columns], groups, in_channels, out_channels }
    }
}

/// Adds the products of `inputs` with their blocks to the sums.
#[inline]
fn accumulate(sums: &mut [f32; LANES], inputs: &[f32], blocks: &[[f32; LANES]]) {
    for (&x, block) in inputs.iter().zip(blocks) {
        for (sum, weight) in sums.iter_mut().zip(block) {
            *sum += x * weight;
        }
    }
}

/// The sums that a block of output channels starts with.
fn start(bias: Option<&[f32]>, channel: usize, lanes: usize) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    if let Some(bias) = bias {
        sums[..lanes].copy_from_slice(&bias[channel..channel + lanes]);
    }
    sums
}

/// `output: NHWC` of [`crate::graph::Op::Conv2d`].
pub(super) fn convolve(
    conv: &Conv,
    in_shape: &[usize],
    input: &[f32],
    weights: &PackedWeights,
    bias: Option<&[f32]>,
    out_shape: &[usize],
    output: &mut [f32],
) {
    let channels = weights.in_channels * weights.groups;
    let taps = weights.kernel[0] * weights.kernel[1] * weights.in_channels;
    let clamp = Clamp::new(conv.activation);
    for_each_window(conv, weights.kernel, in_shape, out_shape, |window, to| {
        let mut blocks = weights.blocks.chunks_exact(taps);
        for group in 0..weights.groups {
            for first in (0..weights.out_channels).step_by(LANES) {
                let block = blocks.next().expect("packed for every block");
                let lanes = LANES.min(weights.out_channels - first);
                let channel = group * weights.out_channels + first;
                let mut sums = start(bias, channel, lanes);
                for &(tap, pixel) in window {
                    let inputs =
                        &input[pixel * channels + group * weights.in_channels..][..weights.in_channels];
                    accumulate(&mut sums, inputs, &block[tap * weights.in_channels..]);
                }
                let row = to * weights.out_channels * weights.groups + channel;
                for (y, sum) in output[row..row + lanes].iter_mut().zip(sums) {
                    *y = clamp.apply(sum);
                }
            }
        }
    });
}

/// `output: [rows, out]` of [`crate::graph::Op::FullyConnected`].
pub(super) fn multiply_rows(
    activation: Activation,
    input: &[f32],
    weights: &PackedWeights,
    bias: Option<&[f32]>,
    output: &mut [f32],
) {
    let clamp = Clamp::new(activation);
    let rows = input.chunks_exact(weights.in_channels).zip(output.chunks_exact_mut(weights.out_channels));
    for (inputs, outputs) in rows {
        let blocks = weights.blocks.chunks_exact(weights.in_channels);
        for ((block, outputs), index) in blocks.zip(outputs.chunks_mut(LANES)).zip(0..) {
            let mut sums = start(bias, index * LANES, outputs.len());
            accumulate(&mut sums, inputs, block);
            for (y, sum) in outputs.iter_mut().zip(sums) {
                *y = clamp.apply(sum);
            }
        }
    }
}

/// `output: NHWC` of [`crate::graph::Op::DepthwiseConv2d`]; `weights: [1, kh, kw, out]`.
pub(super) fn convolve_depthwise(
    conv: &Conv,
    (in_shape, input): (&[usize], &[f32]),
    (weights_shape, weights): (&[usize], &[f32]),
    bias: Option<&[f32]>,
    out_shape: &[usize],
    output: &mut [f32],
) {
    let kernel = [weights_shape[1], weights_shape[2]];
    let (channels, out_channels) = (in_shape[3], out_shape[3]);
    let multiplier = out_channels / channels;
    let clamp = Clamp::new(conv.activation);
    for_each_window(conv, kernel, in_shape, out_shape, |window, to| {
        let sums = &mut output[to * out_channels..][..out_channels];
        match bias {
            Some(bias) => sums.copy_from_slice(bias),
            None => sums.fill(0.0),
        }
        for &(tap, pixel) in window {
            let inputs = &input[pixel * channels..][..channels];
            let weights = &weights[tap * out_channels..][..out_channels];
            if multiplier == 1 {
                for ((sum, x), weight) in sums.iter_mut().zip(inputs).zip(weights) {
                    *sum += x * weight;
                }
            } else {
                for (channel, (sum, weight)) in sums.iter_mut().zip(weights).enumerate() {
                    *sum += inputs[channel / multiplier] * weight;
                }
            }
        }
        for y in sums {
            *y = clamp.apply(*y);
        }
    });
}

/// `output: NHWC` of [`crate::graph::Op::TransposeConv2d`]; `weights: [out, kh, kw, in]`.
pub(super) fn convolve_transposed(
    conv: &Conv,
    (in_shape, input): (&[usize], &[f32]),
    (weights_shape, weights): (&[usize], &[f32]),
    bias: Option<&[f32]>,
    out_shape: &[usize],
    output: &mut [f32],
) {
    let &[out_channels, kernel_rows, kernel_columns, channels] = weights_shape else {
        panic!("weights have four dimensions")
    };
    let clamp = Clamp::new(conv.activation);
    let source = |place: usize, tap: usize, stride: usize, extent: usize| {
        let start = place.checked_sub(tap)?;
        (start.is_multiple_of(stride) && start / stride < extent).then(|| start / stride)
    };
    for (pixel, outputs) in output.chunks_exact_mut(out_channels).enumerate() {
        let [x, y] = [pixel % out_shape[2], pixel / out_shape[2] % out_shape[1]];
        let batch = pixel / (out_shape[1] * out_shape[2]);
        for (channel, output) in outputs.iter_mut().enumerate() {
            let mut sum = bias.map_or(0.0, |bias| bias[channel]);
            for tap in 0..kernel_rows * kernel_columns {
                let (row, column) =
                    (tap / kernel_columns * conv.dilation[0], tap % kernel_columns * conv.dilation[1]);
                let row = source(y + conv.padding.top, row, conv.stride[0], in_shape[1]);
                let column = source(x + conv.padding.left, column, conv.stride[1], in_shape[2]);
                let (Some(row), Some(column)) = (row, column) else { continue };
                let from = ((batch * in_shape[1] + row) * in_shape[2] + column) * channels;
                let taps = &weights[(channel * kernel_rows * kernel_columns + tap) * channels..][..channels];
                for (x, weight) in input[from..from + channels].iter().zip(taps) {
                    sum += x * weight;
                }
            }
            *output = clamp.apply(sum);
        }
    }
}

/// Calls `visit` for every output pixel with the taps whose pixel lies in the image, as (tap of the kernel,
/// input pixel), and the output pixel.
fn for_each_window(
    conv: &Conv,
    kernel: [usize; 2],
    in_shape: &[usize],
    out_shape: &[usize],
    mut visit: impl FnMut(&[(usize, usize)], usize),
) {
    let &[batches, rows, columns, _] = in_shape else { panic!("an image has four dimensions") };
    let position = |out: usize, tap: usize, axis: usize, before: usize, extent: usize| {
        (out * conv.stride[axis] + tap * conv.dilation[axis]).checked_sub(before).filter(|&at| at < extent)
    };
    let mut window = Vec::with_capacity(kernel[0] * kernel[1]);
    let mut to = 0;
    for batch in 0..batches {
        for out_y in 0..out_shape[1] {
            for out_x in 0..out_shape[2] {
                window.clear();
                for tap_y in 0..kernel[0] {
                    let Some(y) = position(out_y, tap_y, 0, conv.padding.top, rows) else { continue };
                    for tap_x in 0..kernel[1] {
                        let Some(x) = position(out_x, tap_x, 1, conv.padding.left, columns) else { continue };
                        window.push((tap_y * kernel[1] + tap_x, (batch * rows + y) * columns + x));
                    }
                }
                visit(&window, to);
                to += 1;
            }
        }
    }
}
