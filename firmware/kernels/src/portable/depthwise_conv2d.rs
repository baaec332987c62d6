//! Depthwise convolution: a pixel's inputs are brought together, and taps are taken to them two by two.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, DepthwiseConv2d};
use wide::{i16x8, i32x8};

use super::gather::{widen, widen_patch};
use super::outputs::Outputs;
use crate::reference;
use crate::reference::window::for_each_patch;
use crate::view::View;

/// Channels that are computed together.
const BLOCK: usize = 8;
/// Weights for which there is room: those of most models' layers, and of the largest ones.
const FEW_WEIGHTS: usize = 4096;
const MANY_WEIGHTS: usize = 32768;

/// As [`reference::depthwise_conv2d::depthwise_conv2d_i8`].
pub fn depthwise_conv2d_i8(
    op: &DepthwiseConv2d,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    // Two products fit int16 but for those of -128 and -128.
    let is_plain = op.input_image.channels == op.output_image.channels && !weights.contains(&i8::MIN);
    // The last block reaches past the last weight.
    let room = weights.len() + BLOCK;
    match i8::try_from(op.input_zero_point) {
        Ok(zero_point) if is_plain && room <= FEW_WEIGHTS => {
            convolve::<FEW_WEIGHTS>(op, zero_point.into(), input, weights, channels, output);
        }
        Ok(zero_point) if is_plain && room <= MANY_WEIGHTS => {
            convolve::<MANY_WEIGHTS>(op, zero_point.into(), input, weights, channels, output);
        }
        _ => reference::depthwise_conv2d::depthwise_conv2d_i8(op, input, weights, channels, output),
    }
}

#[inline(never)]
fn convolve<const WEIGHTS: usize>(
    op: &DepthwiseConv2d,
    zero_point: i16,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    let (mut filters, mut inputs) = ([0; WEIGHTS], [0; WEIGHTS]);
    widen(View::Const(weights), &mut filters);
    let layer = Layer {
        channels: op.output_image.channels as usize,
        taps: (op.window.height * op.window.width) as usize,
        filters: &filters,
    };
    let outputs = Outputs::from(op);
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        widen_patch(&op.input_image, &op.window, zero_point, patch, input, &mut inputs[..weights.len()]);
        let parameters = channels.chunks(BLOCK * ChannelParameters::BYTES);
        for (block, (pixel, parameters)) in pixel.chunks(BLOCK).zip(parameters).enumerate() {
            outputs.set(pixel, &layer.sums(&inputs, block * BLOCK), parameters);
        }
    });
}

struct Layer<'w> {
    channels: usize,
    taps: usize,
    /// `[tap][channel]`, and more.
    filters: &'w [i16],
}

impl Layer<'_> {
    /// The sums of [`BLOCK`] channels from `first` on; those past the last channel mean nothing. `inputs` are laid
    /// out as the filters are.
    #[inline(always)]
    fn sums(&self, inputs: &[i16], first: usize) -> [i32; BLOCK] {
        let lanes = |values: &[i16], tap: usize| {
            let values = &values[tap * self.channels + first..];
            i16x8::new(*values.first_chunk().expect("there is room past the last weight"))
        };
        let product = |tap| lanes(inputs, tap) * lanes(self.filters, tap);
        let mut sums = i32x8::ZERO;
        for pair in 0..self.taps / 2 {
            sums += i32x8::from_i16x8(product(2 * pair) + product(2 * pair + 1));
        }
        if self.taps % 2 == 1 {
            sums += i32x8::from_i16x8(product(self.taps - 1));
        }
        sums.to_array()
    }
}
