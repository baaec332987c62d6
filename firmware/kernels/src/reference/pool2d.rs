//! Average and max pooling.

use core::cell::Cell;

use core::cmp::Ordering;

use edgepkg_format::plan::{AveragePool2d, Clamp, MaxPool2d, Rounding};

use super::sums::add_inputs;
use super::window::for_each_patch;
use crate::element::Element;
use crate::view::View;

/// Channels whose sums are kept at a time.
const BLOCK: usize = 32;

/// Mean of the values under the window, rounded as `op.rounding` says. `input`: `op.input_image`;
/// `output`: `op.output_image`. A window that lies outside of the image gives 0, clamped.
#[inline(never)]
pub fn average_pool2d_i8(op: &AveragePool2d, input: View<'_>, output: &[Cell<i8>]) {
    average_pool2d(op, input, output);
}

/// As [`average_pool2d_i8`], of int16.
#[inline(never)]
pub fn average_pool2d_i16(op: &AveragePool2d, input: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    average_pool2d(op, input, output);
}

#[inline(always)]
fn average_pool2d<E: Element>(op: &AveragePool2d, input: View<'_, E>, output: &[E::Cells]) {
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        let count = patch.pixels();
        for (block, outputs) in pixel.chunks(BLOCK).enumerate() {
            let mut sums = [0i32; BLOCK];
            let sums = &mut sums[..outputs.len()];
            patch.for_each_pixel(|index| {
                add_inputs(sums, input.run(index + block * BLOCK, sums.len()));
            });
            for (&sum, output) in sums.iter().zip(outputs) {
                E::set(output, mean(op, sum, count));
            }
        }
    });
}

/// The mean of `count` values, 1 for none, with this sum.
pub(crate) fn mean<E: Element>(op: &AveragePool2d, sum: i32, count: u32) -> E {
    let count = count.max(1) as i32;
    let mean = match op.rounding {
        Rounding::Twice => mean_away_from_zero(sum, count),
        Rounding::Once => {
            let distances = sum.wrapping_sub(count.wrapping_mul(op.zero_point));
            mean_to_even(distances, count).wrapping_add(op.zero_point)
        }
    };
    clamped(mean, op.clamp)
}

/// `sum / count`, halves away from zero.
fn mean_away_from_zero(sum: i32, count: i32) -> i32 {
    let half = if sum > 0 { count / 2 } else { -(count / 2) };
    sum.wrapping_add(half) / count
}

/// `sum / count`, halves to the even neighbour.
fn mean_to_even(sum: i32, count: i32) -> i32 {
    let (below, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
    let step = match rest.cmp(&(count - rest)) {
        Ordering::Less => 0,
        Ordering::Equal => below & 1,
        Ordering::Greater => 1,
    };
    below.wrapping_add(step)
}

/// Greatest of the values under the window. `input`: `op.input_image`; `output`: `op.output_image`. A
/// window that lies outside of the image gives the type's least value, clamped.
#[inline(never)]
pub fn max_pool2d_i8(op: &MaxPool2d, input: View<'_>, output: &[Cell<i8>]) {
    max_pool2d(op, input, output);
}

/// As [`max_pool2d_i8`], of int16.
#[inline(never)]
pub fn max_pool2d_i16(op: &MaxPool2d, input: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    max_pool2d(op, input, output);
}

#[inline(always)]
fn max_pool2d<E: Element>(op: &MaxPool2d, input: View<'_, E>, output: &[E::Cells]) {
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        for output in pixel {
            E::set(output, E::wrapping_from(E::RANGE.min));
        }
        patch.for_each_pixel(|index| {
            let inputs = input.run(index, pixel.len());
            inputs.for_each_with(pixel, |x, output| E::set(output, E::get(output).max(x)));
        });
        for output in pixel {
            E::set(output, clamped(E::get(output).into(), op.clamp));
        }
    });
}

fn clamped<E: Element>(value: i32, clamp: Clamp) -> E {
    E::wrapping_from(value.max(clamp.min).min(clamp.max))
}
