//! Depthwise convolution: sums of neighbouring channels stay in registers for all taps.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, DepthwiseConv2d};

use super::outputs::Outputs;
use crate::reference;
use crate::reference::window::{Patch, for_each_patch};
use crate::view::View;

/// Channels that are computed together.
const BLOCK: usize = 16;

/// As [`reference::depthwise_conv2d::depthwise_conv2d_i8`].
pub fn depthwise_conv2d_i8(
    op: &DepthwiseConv2d,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    let has_blocks = op.input_image.channels == op.output_image.channels
        && op.output_image.channels.is_multiple_of(BLOCK as u32)
        && i8::try_from(op.input_zero_point).is_ok();
    match input {
        View::Arena(cells) if has_blocks => convolve(op, cells, weights, channels, output),
        _ => reference::depthwise_conv2d::depthwise_conv2d_i8(op, input, weights, channels, output),
    }
}

#[inline(never)]
fn convolve(op: &DepthwiseConv2d, input: &[Cell<i8>], weights: &[i8], channels: &[u8], output: &[Cell<i8>]) {
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        let parameters = channels.chunks_exact(BLOCK * ChannelParameters::BYTES);
        for (block, (outputs, parameters)) in pixel.chunks_exact(BLOCK).zip(parameters).enumerate() {
            let sums = sums(op, patch, input, weights, block * BLOCK);
            Outputs::from(op).set(outputs, &sums, parameters);
        }
    });
}

/// The sums of the channels from `first` on, without biases.
#[inline(always)]
fn sums(
    op: &DepthwiseConv2d,
    patch: &Patch<'_>,
    input: &[Cell<i8>],
    weights: &[i8],
    first: usize,
) -> [i32; BLOCK] {
    let outside = [op.input_zero_point as i16; BLOCK];
    let mut sums = [0i32; BLOCK];
    let mut taps = weights.chunks_exact(op.output_image.channels as usize);
    for row in 0..op.window.height {
        let y = patch.rows.at(row);
        for (column, weights) in (0..op.window.width).zip(&mut taps) {
            let weights: &[i8; BLOCK] = weights[first..].first_chunk().expect("blocks are whole");
            let inputs = match y.zip(patch.columns.at(column)) {
                None => outside,
                Some((y, x)) => {
                    let pixel = &input[patch.index(y, x) + first..];
                    let pixel: &[Cell<i8>; BLOCK] = pixel.first_chunk().expect("blocks are whole");
                    core::array::from_fn(|channel| i16::from(pixel[channel].get()))
                }
            };
            for ((sum, input), &weight) in sums.iter_mut().zip(inputs).zip(weights) {
                *sum = sum.wrapping_add(i32::from(input) * i32::from(weight));
            }
        }
    }
    sums
}
