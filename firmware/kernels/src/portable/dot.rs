//! Sums of products of int16 and int8, in vectors.

use bytemuck::cast;
use wide::{i8x16, i16x8, i16x16, i32x4};

/// Weights that are taken at a time.
const STEP: usize = 16;

/// Inputs of a step.
pub(super) type Step = [i16x8; STEP / 8];

/// No inputs.
pub(super) const EMPTY_STEP: Step = [i16x8::ZERO; STEP / 8];

/// The steps that `length` inputs take.
pub(super) const fn steps(length: usize) -> usize {
    length.div_ceil(STEP)
}

/// For each of `filters`, which have one length, and each of `inputs`, the sum of products. Inputs past a
/// filter's end, up to a whole step, count for nothing.
#[inline(always)]
pub(super) fn dot_products<const F: usize, const I: usize>(
    filters: [&[i8]; F],
    inputs: [&[Step]; I],
) -> [[i32; I]; F] {
    let mut sums = [[i32x4::ZERO; I]; F];
    let parts = filters.map(<[i8]>::as_chunks::<STEP>);
    let count = parts[0].0.len();
    let whole = parts.map(|(whole, _)| &whole[..count]);
    let whole_inputs = inputs.map(|inputs| &inputs[..count]);
    for step in 0..count {
        add_step(&mut sums, whole.map(|weights| &weights[step]), whole_inputs.map(|inputs| &inputs[step]));
    }
    if !parts[0].1.is_empty() {
        let padded = parts.map(|(_, rest)| {
            let mut weights = [0; STEP];
            weights[..rest.len()].copy_from_slice(rest);
            weights
        });
        add_step(&mut sums, padded.each_ref(), inputs.map(|inputs| &inputs[count]));
    }
    sums.map(|sums| sums.map(|sum| sum.to_array().into_iter().fold(0, i32::wrapping_add)))
}

#[inline(always)]
fn add_step<const F: usize, const I: usize>(
    sums: &mut [[i32x4; I]; F],
    weights: [&[i8; STEP]; F],
    inputs: [&Step; I],
) {
    for (sums, weights) in sums.iter_mut().zip(weights) {
        let weights: Step = cast(i16x16::from_i8x16(i8x16::new(*weights)));
        for (sum, inputs) in sums.iter_mut().zip(inputs) {
            for (weights, input) in weights.iter().zip(inputs) {
                *sum += input.dot(*weights);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::cast_slice_mut;

    use super::*;

    #[test]
    fn sums_are_those_of_single_products() {
        for length in 1..70 {
            let weights: [std::vec::Vec<i8>; 2] =
                [5, 11].map(|factor| (0..length).map(|index: usize| (index * factor * 37) as i8).collect());
            let mut inputs = [[[i16x8::splat(99); STEP / 8]; 5]; 2];
            for (inputs, factor) in inputs.iter_mut().zip([7, 13]) {
                for (index, input) in cast_slice_mut(&mut inputs[..]).iter_mut().take(length).enumerate() {
                    *input = i16::from((index * factor * 41) as i8);
                }
            }
            let sums = dot_products([&weights[0], &weights[1]], [&inputs[0][..], &inputs[1][..]]);
            for (weights, sums) in weights.iter().zip(sums) {
                for (inputs, sum) in inputs.iter().zip(sums) {
                    let inputs: &[i16] = bytemuck::cast_slice(inputs);
                    let products = weights.iter().zip(inputs).map(|(&w, &x)| i32::from(w) * i32::from(x));
                    assert_eq!(sum, products.sum::<i32>(), "{length}");
                }
            }
        }
    }
}
