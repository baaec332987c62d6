//! Transposed convolution.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, TransposeConv2d};

use super::sums::add_centred_products;
use crate::fixed_point::requantize;
use crate::view::View;

/// `input`: `op.input_image`; `weights`: `[output channel][row][column][input channel]`; `channels`: a table
/// of [`ChannelParameters`]; `output`: `op.output_image`.
///
/// The window lies on the output, at a stride's distance for each pixel of the input: a pixel of the output
/// sums those whose window holds it.
#[inline(never)]
pub fn transpose_conv2d_i8(
    op: &TransposeConv2d,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    let (from, to, window) = (&op.input_image, &op.output_image, &op.window);
    let depth = from.channels as usize;
    let filter_length = (window.height * window.width) as usize * depth;
    let mut pixels = output.chunks_exact(to.channels as usize);
    for batch in 0..to.batches {
        for y in 0..to.height {
            for x in 0..to.width {
                let Some(pixel) = pixels.next() else { return };
                let filters = weights.chunks_exact(filter_length).zip(ChannelParameters::table(channels));
                for ((filter, parameters), output) in filters.zip(pixel) {
                    let mut sum = parameters.bias;
                    for (tap, weights) in (0..).zip(filter.chunks_exact(depth)) {
                        let (row, column) = (tap / window.width, tap % window.width);
                        let row =
                            source(y + window.pad_top, row * window.dilation_height, window.stride_height);
                        let column =
                            source(x + window.pad_left, column * window.dilation_width, window.stride_width);
                        let (Some(row), Some(column)) = (row, column) else { continue };
                        if row < from.height && column < from.width {
                            let pixel = ((batch * from.height + row) * from.width + column) as usize;
                            let inputs = input.run(pixel * depth, depth);
                            sum = add_centred_products(sum, inputs, op.input_zero_point, weights);
                        }
                    }
                    let value =
                        requantize(sum, parameters.scale, op.rounding, op.output_zero_point, op.clamp);
                    output.set(value as i8);
                }
            }
        }
    }
}

/// The index in the input whose window's tap, so far from its start, lies at `place`; `None` where there is none.
fn source(place: u32, tap: u32, stride: u32) -> Option<u32> {
    let start = place.checked_sub(tap)?;
    start.is_multiple_of(stride).then(|| start / stride)
}
