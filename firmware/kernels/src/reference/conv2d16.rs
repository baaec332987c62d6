//! Convolution of int16 activations: depthwise, transposed and fully connected layers too.

use core::cell::Cell;

use edgepkg_format::plan::{Conv2d16, WideChannelParameters};

use super::sums::{scale_sum, wide_dot_product};
use crate::element::Element;
use crate::view::View;

/// `input`: `op.input_image`; `weights`: `[output channel][row][column][input channel of the group]`;
/// `channels`: a table of [`WideChannelParameters`]; `output`: `op.output_image`.
///
/// Taps outside of the image, and between its pixels where they are spread, count for nothing.
#[inline(never)]
pub fn conv2d_i16(
    op: &Conv2d16,
    input: View<'_, i16>,
    weights: &[i8],
    channels: &[u8],
    output: &[[Cell<i8>; 2]],
) {
    let (from, to) = (&op.input_image, &op.output_image);
    let mut pixels = output.chunks_exact(to.channels as usize);
    for batch in 0..to.batches {
        for y in 0..to.height {
            for x in 0..to.width {
                let Some(pixel) = pixels.next() else { return };
                let window = Placed { op, first_row: batch * from.height, y, x };
                window.compute(input, weights, channels, pixel);
            }
        }
    }
}

/// The window at one position.
struct Placed<'a> {
    op: &'a Conv2d16,
    /// Rows of the images before this one.
    first_row: u32,
    y: u32,
    x: u32,
}

impl Placed<'_> {
    /// Computes a pixel of the output.
    fn compute(&self, input: View<'_, i16>, weights: &[i8], channels: &[u8], pixel: &[[Cell<i8>; 2]]) {
        let op = self.op;
        let depth = (op.input_image.channels / op.groups) as usize;
        let group_outputs = op.output_image.channels / op.groups;
        let filter_length = op.window.height as usize * op.window.width as usize * depth;
        let (mut first_input, mut rest_of_group) = (0, group_outputs);
        let filters = weights.chunks_exact(filter_length);
        for ((filter, parameters), output) in filters.zip(WideChannelParameters::table(channels)).zip(pixel) {
            let mut sum = parameters.bias;
            self.for_each_tap(depth, |start, tap| {
                let products =
                    wide_dot_product(input.run(start + first_input, depth), &filter[tap..][..depth]);
                sum = sum.wrapping_add(products);
            });
            let value = scale_sum(sum, parameters.scale, op.accumulation);
            let value = value.wrapping_add(op.output_zero_point).max(op.clamp.min).min(op.clamp.max);
            i16::set(output, value as i16);
            rest_of_group -= 1;
            if rest_of_group == 0 {
                rest_of_group = group_outputs;
                first_input += depth;
            }
        }
    }

    /// Calls `visit` with the first channel of each pixel under the window and the tap's first weight in a
    /// filter of `depth` weights a tap.
    #[inline(always)]
    fn for_each_tap(&self, depth: usize, mut visit: impl FnMut(usize, usize)) {
        let Conv2d16 { window, input_image: image, spread, .. } = self.op;
        let rows = Axis {
            origin: self.y * window.stride_height,
            padding: window.pad_top,
            spread: spread[0],
            extent: image.height,
        };
        let columns = Axis {
            origin: self.x * window.stride_width,
            padding: window.pad_left,
            spread: spread[1],
            extent: image.width,
        };
        for i in 0..window.height {
            let Some(row) = rows.at(i * window.dilation_height) else { continue };
            for j in 0..window.width {
                let Some(column) = columns.at(j * window.dilation_width) else { continue };
                let pixel = (self.first_row + row) * image.width + column;
                visit((pixel * image.channels) as usize, (i * window.width + j) as usize * depth);
            }
        }
    }
}

/// One axis of a window at one position.
struct Axis {
    origin: u32,
    padding: u32,
    spread: u32,
    extent: u32,
}

impl Axis {
    /// Where the tap so far from the window's origin meets a pixel of the image; `None` where there is none.
    #[inline(always)]
    fn at(&self, offset: u32) -> Option<u32> {
        let position = (self.origin + offset).checked_sub(self.padding)?;
        let index = position / self.spread;
        (index * self.spread == position && index < self.extent).then_some(index)
    }
}
