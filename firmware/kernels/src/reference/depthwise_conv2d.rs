//! Depthwise convolution.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, DepthwiseConv2d};

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
            let limit = if multiplier == 1 { pixel.len() } else { (start / multiplier + 1) * multiplier };
            let block = start..limit.min(start + BLOCK);
            let parameters = &channels[block.start * ChannelParameters::BYTES..];
            let mut sums = [0; BLOCK];
            for (sum, parameters) in sums[..block.len()].iter_mut().zip(ChannelParameters::table(parameters))
            {
                *sum = parameters.bias;
            }
            let sums = &mut sums[..block.len()];
            for_each_tap(op, patch, |tap, pixel| {
                let weights = &weights[tap * op.output_image.channels as usize..][block.clone()];
                match pixel {
                    None => add_products(sums, weights, op.input_zero_point),
                    Some(pixel) if multiplier == 1 => {
                        let inputs = input.run(pixel + block.start, block.len());
                        inputs.for_each_with(sums.iter_mut().zip(weights), |x, (sum, &weight)| {
                            *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
                        });
                    }
                    Some(pixel) => {
                        let x = input.get(pixel + block.start / multiplier);
                        add_products(sums, weights, i32::from(x));
                    }
                }
            });
            let outputs = &pixel[block.clone()];
            for ((sum, parameters), output) in
                sums.iter().zip(ChannelParameters::table(parameters)).zip(outputs)
            {
                let value = requantize(*sum, parameters.scale, op.output_zero_point, op.clamp);
                output.set(value as i8);
            }
            start = block.end;
        }
    });
}

/// Calls `visit` with each tap of the kernel and its pixel's index in the image; `None` outside of it.
#[inline(always)]
fn for_each_tap(op: &DepthwiseConv2d, patch: &Patch<'_>, mut visit: impl FnMut(usize, Option<usize>)) {
    let mut tap = 0;
    for row in 0..op.window.height {
        let y = patch.rows.at(row);
        for column in 0..op.window.width {
            visit(tap, y.zip(patch.columns.at(column)).map(|(y, x)| patch.index(y, x)));
            tap += 1;
        }
    }
}

#[inline(always)]
fn add_products(sums: &mut [i32], weights: &[i8], factor: i32) {
    for (sum, &weight) in sums.iter_mut().zip(weights) {
        *sum = sum.wrapping_add(factor.wrapping_mul(i32::from(weight)));
    }
}
