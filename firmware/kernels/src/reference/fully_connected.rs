//! Fully connected layer.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, FullyConnected};

use super::sums::add_dot_product;
use crate::fixed_point::requantize;
use crate::view::View;

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
    let depth = op.input_depth as usize;
    let rows = output.chunks_exact(op.output_depth as usize);
    for (row, outputs) in rows.enumerate() {
        let inputs = input.run(row * depth, depth);
        let filters = weights.chunks_exact(depth);
        for ((filter, parameters), output) in filters.zip(ChannelParameters::table(channels)).zip(outputs) {
            let sum = add_dot_product(parameters.bias, inputs, filter);
            let value = requantize(sum, parameters.scale, op.rounding, op.output_zero_point, op.clamp);
            output.set(value as i8);
        }
    }
}
