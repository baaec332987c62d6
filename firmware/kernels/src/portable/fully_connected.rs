//! Fully connected layer.

use core::cell::Cell;

use bytemuck::cast_slice_mut;
use edgepkg_format::plan::{ChannelParameters, FullyConnected};

use super::dot::{EMPTY_STEP, dot_products, steps};
use super::gather::widen;
use crate::fixed_point::requantize;
use crate::reference;
use crate::view::View;

/// Filters that are taken together.
const FILTERS: usize = 4;
/// Steps of inputs for which there is room: of most models' rows, and of the longest ones.
const FEW_STEPS: usize = 64;
const MANY_STEPS: usize = 2048;

/// As [`reference::fully_connected::fully_connected_i8`].
pub fn fully_connected_i8(
    op: &FullyConnected,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    let is_apart = !input.shares_bytes_with(output);
    match steps(op.input_depth as usize) {
        ..=FEW_STEPS if is_apart => multiply::<FEW_STEPS>(op, input, weights, channels, output),
        ..=MANY_STEPS if is_apart => multiply::<MANY_STEPS>(op, input, weights, channels, output),
        _ => reference::fully_connected::fully_connected_i8(op, input, weights, channels, output),
    }
}

#[inline(never)]
fn multiply<const STEPS: usize>(
    op: &FullyConnected,
    input: View<'_>,
    weights: &[i8],
    channels: &[u8],
    output: &[Cell<i8>],
) {
    let depth = op.input_depth as usize;
    let mut inputs = [EMPTY_STEP; STEPS];
    for (row, outputs) in output.chunks_exact(op.output_depth as usize).enumerate() {
        widen(input.run(row * depth, depth), cast_slice_mut(&mut inputs));
        let inputs = &inputs[..steps(depth)];
        let filters = weights.chunks(FILTERS * depth);
        let parameters = channels.chunks(FILTERS * ChannelParameters::BYTES);
        for ((filters, parameters), outputs) in filters.zip(parameters).zip(outputs.chunks(FILTERS)) {
            let mut sums = [0; FILTERS];
            if filters.len() == FILTERS * depth {
                let filters = core::array::from_fn(|index| &filters[index * depth..][..depth]);
                sums = dot_products::<FILTERS, 1>(filters, [inputs]).map(|[sum]| sum);
            } else {
                for (filter, sum) in filters.chunks_exact(depth).zip(&mut sums) {
                    [[*sum]] = dot_products([filter], [inputs]);
                }
            }
            for ((sum, parameters), output) in
                sums.iter().zip(ChannelParameters::table(parameters)).zip(outputs)
            {
                let sum = sum.wrapping_add(parameters.bias);
                let value = requantize(sum, parameters.scale, op.rounding, op.output_zero_point, op.clamp);
                output.set(value as i8);
            }
        }
    }
}
