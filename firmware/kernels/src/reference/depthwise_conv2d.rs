//! Depthwise convolution.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, DepthwiseConv2d, Rounding};

use super::sums::{add_products, add_scaled};
use super::window::{Patch, for_each_patch};
use crate::fixed_point::requantize;
use crate::view::View;

/// Output channels whose sums are kept at a time.
const BLOCK: usize = 32;

/// `input`: `op.input_image`; `weights`: `[row][column][output channel]`; `channels`: a table of
/// [`ChannelParameters`]; `output`: `op.output_image`.
///
/// Taps outside of the image count as the input's zero point, which the bias has folded in.
#[inline(never)]
pub fn depthwise_conv2d_i8(
    op: &DepthwiseConv2d,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    let multiplier = (op.output_image.channels / op.input_image.channels) as usize;
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        let mut start = 0;
        while start < pixel.len() {
            // A block's outputs read neighbouring inputs, or all of them the same one.
            let first_input = start / multiplier;
            let limit = if multiplier == 1 { pixel.len() } else { (first_input + 1) * multiplier };
            let end = limit.min(start + BLOCK);
            let parameters = &channels[start * ChannelParameters::BYTES..end * ChannelParameters::BYTES];

            let mut sums = [0; BLOCK];
            let sums = &mut sums[..end - start];
            for (sum, parameters) in sums.iter_mut().zip(ChannelParameters::table(parameters)) {
                *sum = parameters.bias;
            }
            let taps = weights.chunks_exact(pixel.len());
            for_each_tap(op, patch, taps, |weights, pixel| {
                let weights = &weights[start..end];
                match pixel {
                    None => add_scaled(sums, op.input_zero_point, weights),
                    Some(pixel) if multiplier == 1 => {
                        add_products(sums, input.run(pixel + first_input, weights.len()), weights);
                    }
                    Some(pixel) => add_scaled(sums, input.get(pixel + first_input).into(), weights),
                }
            });
            match op.rounding {
                Rounding::Twice => finish(op, Rounding::Twice, sums, parameters, &pixel[start..end]),
                Rounding::Once => finish(op, Rounding::Once, sums, parameters, &pixel[start..end]),
            }
            start = end;
        }
    });
}

/// Writes what becomes of `sums`. `parameters`: a table of [`ChannelParameters`]. `rounding` is `op`'s, as a
/// constant: the choice is not made in the loop.
#[inline(always)]
fn finish(op: &DepthwiseConv2d, rounding: Rounding, sums: &[i32], parameters: &[u8], outputs: &[Cell<i8>]) {
    for ((sum, parameters), output) in sums.iter().zip(ChannelParameters::table(parameters)).zip(outputs) {
        let value = requantize(*sum, parameters.scale, rounding, op.output_zero_point, op.clamp);
        output.set(value as i8);
    }
}

/// Calls `visit` with each tap's weights and its pixel's index in the image; `None` outside of it.
#[inline(always)]
fn for_each_tap<'a>(
    op: &DepthwiseConv2d,
    patch: &Patch<'_>,
    mut taps: impl Iterator<Item = &'a [i8]>,
    mut visit: impl FnMut(&[i8], Option<usize>),
) {
    for row in 0..op.window.height {
        let y = patch.rows.at(row);
        for (column, weights) in (0..op.window.width).zip(&mut taps) {
            visit(weights, y.zip(patch.columns.at(column)).map(|(y, x)| patch.index(y, x)));
        }
    }
}
