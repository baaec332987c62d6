//! Convolution, grouped and dilated.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, Conv2d};

use super::dot::{dot, padding};
use super::window::{Patch, for_each_patch};
use crate::fixed_point::requantize;
use crate::view::{Bytes, View};

/// `input`: `op.input_image`; `weights`: `[output channel][row][column][input channel of the group]`;
/// `channels`: a table of [`ChannelParameters`]; `output`: `op.output_image`.
///
/// Taps outside of the image count as the input's zero point, which the bias has folded in.
#[inline(never)]
pub fn conv2d_i8(op: &Conv2d, input: View<'_>, weights: &[i8], channels: &[u8], output: &[Cell<i8>]) {
    match input {
        View::Arena(input) => convolve(op, input, weights, channels, output),
        View::Const(input) => convolve(op, input, weights, channels, output),
    }
}

#[inline(always)]
fn convolve(op: &Conv2d, input: impl Bytes, weights: &[i8], channels: &[u8], output: &[Cell<i8>]) {
    let group_inputs = op.input_image.channels / op.groups;
    let group_outputs = op.output_image.channels / op.groups;
    let row_weights = (op.window.width * group_inputs) as usize;
    let filter_weights = op.window.height as usize * row_weights;
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        let filters = weights.chunks_exact(filter_weights);
        let mut first_input = 0;
        let mut group_rest = group_outputs;
        for ((filter, parameters), output) in filters.zip(ChannelParameters::table(channels)).zip(pixel) {
            let rows = filter.chunks_exact(row_weights);
            let mut sum = parameters.bias;
            for (row, weights) in (0..).zip(rows) {
                sum = sum.wrapping_add(match patch.rows.at(row) {
                    None => padding(op.input_zero_point, weights),
                    Some(y) => filter_row(op, patch, y, input, first_input, group_inputs as usize, weights),
                });
            }
            let value = requantize(sum, parameters.scale, op.output_zero_point, op.clamp);
            output.set(value as i8);
            group_rest -= 1;
            if group_rest == 0 {
                group_rest = group_outputs;
                first_input += group_inputs as usize;
            }
        }
    });
}

/// What row `y` of the image and a row of the filter add. `first_input` and `inputs` are the group's
/// channels.
#[inline(always)]
fn filter_row(
    op: &Conv2d,
    patch: &Patch<'_>,
    y: u32,
    input: impl Bytes,
    first_input: usize,
    inputs: usize,
    weights: &[i8],
) -> i32 {
    let columns = &patch.columns;
    let (rest, right) = weights.split_at(columns.end as usize * inputs);
    let (left, inside) = rest.split_at(columns.start as usize * inputs);
    let zero_point = op.input_zero_point;
    let sum = padding(zero_point, left).wrapping_add(padding(zero_point, right));
    if inside.is_empty() {
        return sum;
    }
    let pixel = op.input_image.channels as usize;
    let start = patch.index(y, columns.position) + first_input;
    if columns.dilation == 1 && pixel == inputs {
        return dot(sum, input.run(start, inside.len()), inside);
    }
    let step = columns.dilation as usize * pixel;
    inside
        .chunks_exact(inputs)
        .enumerate()
        .fold(sum, |sum, (tap, weights)| dot(sum, input.run(start + tap * step, inputs), weights))
}
