//! Fully connected layer.

use core::array;
use core::cell::Cell;

use bytemuck::cast_slice_mut;
use edgepkg_format::plan::{ChannelParameters, FullyConnected};

use super::dot::{EMPTY_STEP, Step, dot_products, steps};
use super::gather::widen;
use super::outputs::Outputs;
use crate::reference;
use crate::view::View;

/// Filters that are taken together.
const FILTERS: usize = 4;
/// Outputs whose sums are kept at a time.
const BLOCK: usize = 16 * FILTERS;
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
    match steps(op.input_depth as usize) {
        steps if steps <= FEW_STEPS => multiply::<FEW_STEPS>(op, input, weights, channels, output),
        steps if steps <= MANY_STEPS => multiply::<MANY_STEPS>(op, input, weights, channels, output),
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
        let filters = weights.chunks(BLOCK * depth);
        let parameters = channels.chunks(BLOCK * ChannelParameters::BYTES);
        for ((filters, parameters), outputs) in filters.zip(parameters).zip(outputs.chunks(BLOCK)) {
            let sums = sums(filters, depth, &inputs[..steps(depth)]);
            Outputs::from(op).set(outputs, &sums, parameters);
        }
    }
}

/// The sums of at most [`BLOCK`] filters.
#[inline(always)]
fn sums(filters: &[i8], depth: usize, inputs: &[Step]) -> [i32; BLOCK] {
    let mut sums = [0; BLOCK];
    let (whole, rest) = sums.split_at_mut(filters.len() / depth / FILTERS * FILTERS);
    let mut filters = filters.chunks_exact(depth);
    for sums in whole.chunks_exact_mut(FILTERS) {
        let filters: [&[i8]; FILTERS] = array::from_fn(|_| filters.next().unwrap_or_default());
        sums.copy_from_slice(dot_products(filters, [inputs]).as_flattened());
    }
    for (sum, filter) in rest.iter_mut().zip(filters) {
        [[*sum]] = dot_products([filter], [inputs]);
    }
    sums
}
