//! Convolution: a few pixels' inputs are brought together, and every filter is taken to them.

use core::cell::Cell;

use bytemuck::{cast, cast_slice_mut};
use edgepkg_format::plan::{ChannelParameters, Conv2d};

use super::dot::{EMPTY_STEP, Step, dot_products, steps};
use super::gather::widen_patch;
use super::outputs::Outputs;
use crate::reference;
use crate::reference::window::for_each_patch;
use crate::view::View;

/// Pixels that are computed together.
const PIXELS: usize = 4;
/// Filters that are taken together.
const FILTERS: usize = 2;
/// Steps of inputs for which there is room: of most models' filters, and of the longest ones.
const FEW_STEPS: usize = 48;
const MANY_STEPS: usize = 512;

/// As [`reference::conv2d::conv2d_i8`].
pub fn conv2d_i8(op: &Conv2d, input: View<'_>, weights: &[i8], channels: &[u8], output: &[Cell<i8>]) {
    let [height, width] = [op.window.height, op.window.width].map(|taps| taps as usize);
    let filter = height * width * op.input_image.channels as usize;
    match i8::try_from(op.input_zero_point) {
        Ok(zero_point) if op.groups == 1 && steps(filter) <= FEW_STEPS => {
            convolve::<FEW_STEPS>(op, zero_point.into(), filter, input, weights, channels, output);
        }
        Ok(zero_point) if op.groups == 1 && steps(filter) <= MANY_STEPS => {
            convolve::<MANY_STEPS>(op, zero_point.into(), filter, input, weights, channels, output);
        }
        _ => reference::conv2d::conv2d_i8(op, input, weights, channels, output),
    }
}

/// The pixels that are computed together.
struct Block<'a, const STEPS: usize> {
    inputs: [[Step; STEPS]; PIXELS],
    outputs: [&'a [Cell<i8>]; PIXELS],
    count: usize,
}

#[inline(never)]
fn convolve<const STEPS: usize>(
    op: &Conv2d,
    zero_point: i16,
    filter: usize,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    let mut block = Block { inputs: [[EMPTY_STEP; STEPS]; PIXELS], outputs: [&[]; PIXELS], count: 0 };
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        let target = &mut cast_slice_mut(&mut block.inputs[block.count])[..filter];
        widen_patch(&op.input_image, &op.window, zero_point, patch, input, target);
        block.outputs[block.count] = pixel;
        block.count += 1;
        if block.count == PIXELS {
            block.compute(op, filter, weights, channels);
            block.count = 0;
        }
    });
    block.compute(op, filter, weights, channels);
}

impl<const STEPS: usize> Block<'_, STEPS> {
    /// Computes the pixels that there are.
    #[inline(always)]
    fn compute(&self, op: &Conv2d, filter: usize, weights: &[i8], channels: &[u8]) {
        let outputs = &self.outputs[..self.count];
        if outputs.is_empty() {
            return;
        }
        let inputs = self.inputs.each_ref().map(|inputs| &inputs[..steps(filter)]);
        let values = Outputs::from(op);
        let mut parameters = ChannelParameters::table(channels);
        for (block, filters) in weights.chunks(FILTERS * filter).enumerate() {
            let (first, second) = filters.split_at(filter);
            let second = if second.is_empty() { first } else { second };
            let mut sums = dot_products([first, second], inputs);
            let count = filters.len() / filter;
            for (sums, parameters) in sums[..count].iter_mut().zip(&mut parameters) {
                for sum in sums {
                    *sum = values.scaled(sum.wrapping_add(parameters.bias), parameters.scale);
                }
            }
            let values = values.clamped(cast(sums));
            for (channel, values) in values.chunks_exact(PIXELS).take(count).enumerate() {
                for (output, &value) in outputs.iter().zip(values) {
                    output[FILTERS * block + channel].set(value);
                }
            }
        }
    }
}
