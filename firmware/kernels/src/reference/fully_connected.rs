//! Fully connected layer.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, FullyConnected};

use super::dot::dot;
use crate::fixed_point::requantize;
use crate::view::{Bytes, View};

/// `input`: `[rows, input_depth]`; `weights`: `[output_depth, input_depth]`; `channels`: a table of
/// [`ChannelParameters`]; `output`: `[rows, output_depth]`.
#[inline(never)]
pub fn fully_connected_i8(
    op: &FullyConnected,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    match input {
        View::Arena(input) => multiply(op, input, weights, channels, output),
        View::Const(input) => multiply(op, input, weights, channels, output),
    }
}

#[inline(always)]
fn multiply(op: &FullyConnected, input: impl Bytes, weights: &[i8], channels: &[u8], output: &[Cell<i8>]) {
    let depth = op.input_depth as usize;
    let rows = output.chunks_exact(op.output_depth as usize);
    for (row, outputs) in rows.enumerate() {
        let inputs = input.run(row * depth, depth);
        let filters = weights.chunks_exact(depth);
        for ((filter, parameters), output) in filters.zip(ChannelParameters::table(channels)).zip(outputs) {
            let sum = dot(parameters.bias, inputs, filter);
            let value = requantize(sum, parameters.scale, op.output_zero_point, op.clamp);
            output.set(value as i8);
        }
    }
}
