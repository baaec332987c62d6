//! Layers with singular value decomposition filters.

use core::cell::Cell;

use edgepkg_format::plan::{Rounding, Svdf};

use super::sums::{add_dot_product, sum_of};
use crate::element::Element;
use crate::fixed_point::{multiply_by_scale, requantize};
use crate::view::View;

/// `input`: `[batches, inputs]`; `feature_weights`: `[filters, inputs]`; `time_weights`: `[filters, memory]`;
/// `bias`: int32, `[units]`; `state`: `[batches, filters, memory]`; `output`: `[batches, units]`.
#[inline(never)]
pub fn svdf<E: Element>(
    op: &Svdf,
    input: View<'_>,
    feature_weights: &[i8],
    time_weights: View<'_, E>,
    bias: &[u8],
    state: &[E::Cells],
    output: &[Cell<i8>],
) {
    let (inputs, memory, rank) = (op.inputs as usize, op.memory as usize, op.rank as usize);
    let units = op.units as usize;
    let memories = state.chunks_exact(units * rank * memory);
    for ((batch, outputs), memories) in output.chunks_exact(units).enumerate().zip(memories) {
        let row = input.run(batch * inputs, inputs);
        let (biases, _) = bias.as_chunks();
        let memories = memories.chunks_exact(rank * memory);
        for (unit, ((output, bias), memories)) in outputs.iter().zip(biases).zip(memories).enumerate() {
            let mut sum = i32::from_le_bytes(*bias);
            for (index, features) in memories.chunks_exact(memory).enumerate() {
                let filter = unit * rank + index;
                forget_oldest::<E>(features);
                let weights = &feature_weights[filter * inputs..][..inputs];
                let feature = feature(op, row, weights).max(E::RANGE.min).min(E::RANGE.max);
                let feature = E::wrapping_from(feature.wrapping_add(op.state_zero_point));
                E::set(&features[memory - 1], feature);
                time_weights.run(filter * memory, memory).for_each_with(features, |weight, feature| {
                    let distance = E::get(feature).into().wrapping_sub(op.state_zero_point);
                    sum = sum.wrapping_add(distance.wrapping_mul(weight.into()));
                });
            }
            let value = requantize(sum, op.output_scale, Rounding::Twice, op.output_zero_point, i8::RANGE);
            output.set(value as i8);
        }
    }
}

/// A filter's sum over an input row, in the state's scale.
#[inline(never)]
fn feature(op: &Svdf, row: View<'_>, weights: &[i8]) -> i32 {
    let offset = op.input_zero_point.wrapping_mul(sum_of(weights));
    let sum = add_dot_product(offset.wrapping_neg(), row, weights);
    multiply_by_scale(sum, op.feature_scale, Rounding::Twice)
}

/// Moves each feature to the place of the one before it.
fn forget_oldest<E: Element>(features: &[E::Cells]) {
    for pair in features.windows(2) {
        E::set(&pair[0], E::get(&pair[1]));
    }
}
