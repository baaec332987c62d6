//! Average and max pooling.

use core::cell::Cell;

use edgepkg_format::plan::{AveragePool2d, Clamp, MaxPool2d};

use super::sums::add_inputs;
use super::window::for_each_patch;
use crate::view::View;

/// Channels whose sums are kept at a time.
const BLOCK: usize = 32;

/// Mean of the values under the window, rounded half away from zero. `input`: `op.input_image`;
/// `output`: `op.output_image`. A window that lies outside of the image gives 0, clamped.
#[inline(never)]
pub fn average_pool2d_i8(op: &AveragePool2d, input: View<'_>, output: &[Cell<i8>]) {
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        let count = patch.rows.count().wrapping_mul(patch.columns.count()).max(1) as i32;
        for (block, outputs) in pixel.chunks(BLOCK).enumerate() {
            let mut sums = [0i32; BLOCK];
            let sums = &mut sums[..outputs.len()];
            patch.for_each_pixel(|index| {
                add_inputs(sums, input.run(index + block * BLOCK, sums.len()));
            });
            for (&sum, output) in sums.iter().zip(outputs) {
                let half = if sum > 0 { count / 2 } else { -(count / 2) };
                output.set(clamped(sum.wrapping_add(half) / count, op.clamp));
            }
        }
    });
}

/// Greatest of the values under the window. `input`: `op.input_image`; `output`: `op.output_image`. A
/// window that lies outside of the image gives -128, clamped.
#[inline(never)]
pub fn max_pool2d_i8(op: &MaxPool2d, input: View<'_>, output: &[Cell<i8>]) {
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        for output in pixel {
            output.set(i8::MIN);
        }
        patch.for_each_pixel(|index| {
            let inputs = input.run(index, pixel.len());
            inputs.for_each_with(pixel, |x, output| output.set(output.get().max(x)));
        });
        for output in pixel {
            output.set(clamped(i32::from(output.get()), op.clamp));
        }
    });
}

fn clamped(value: i32, clamp: Clamp) -> i8 {
    value.max(clamp.min).min(clamp.max) as i8
}
