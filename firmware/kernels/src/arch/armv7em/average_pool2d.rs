//! Average pooling, 4 channels at a time.

use core::arch::naked_asm;
use core::cell::Cell;

use edgepkg_format::plan::AveragePool2d;

use super::first_byte;
use crate::reference::pool2d::mean;
use crate::reference::window::for_each_patch;
use crate::view::View;

const GROUP: usize = 4;
/// Pixels whose values are summed in 16 bits.
const MOST_PIXELS: u32 = 256;

/// Adds to 4 sums the 4 bytes at each of `count` pixels, `step` bytes apart.
///
/// # Safety
///
/// `count` is 1 to [`MOST_PIXELS`]. 4 bytes can be read at each pixel, at any alignment.
#[unsafe(naked)]
unsafe extern "C" fn add_pixels(pixels: *const i8, step: usize, count: u32, sums: &mut [i32; GROUP]) {
    naked_asm!(
        with_dsp!(),
        "push {{r4, r5, r6, lr}}",
        "mov r4, #0",
        "mov r5, #0",
        "1:",
        "ldr r6, [r0]",
        "add r0, r1",
        "sxtab16 r4, r4, r6",
        "sxtab16 r5, r5, r6, ror #8",
        "subs r2, #1",
        "bne 1b",
        "ldm r3, {{r0, r1, r2, r6}}",
        "sxtah r0, r0, r4",
        "sxtah r1, r1, r5",
        "sxtah r2, r2, r4, ror #16",
        "sxtah r6, r6, r5, ror #16",
        "stm r3, {{r0, r1, r2, r6}}",
        "pop {{r4, r5, r6, pc}}",
    )
}

/// `input`: `op.input_image`; `output`: `op.output_image`.
#[inline(never)]
pub fn average_pool2d_i8(op: &AveragePool2d, input: View<'_>, output: &[Cell<i8>]) {
    let channels = op.input_image.channels as usize;
    let bytes = first_byte(input);
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        let count = patch.pixels();
        let mut start = 0;
        while start < channels {
            let mut sums = [0; GROUP];
            // The last group holds channels of the one before where there are fewer than 4 left.
            start = start.min(channels.saturating_sub(GROUP));
            patch.for_each_run(|index, step, mut pixels| {
                let mut at = index + start;
                if channels < GROUP {
                    for _ in 0..pixels {
                        let pixel = input.run(at, channels);
                        pixel.for_each_with(&mut sums, |x, sum: &mut i32| {
                            *sum = sum.wrapping_add(i32::from(x))
                        });
                        at += step;
                    }
                    return;
                }
                while pixels != 0 {
                    let taken = pixels.min(MOST_PIXELS);
                    // SAFETY: the pixels lie in the input, each with 4 channels from there on.
                    unsafe { add_pixels(bytes.wrapping_add(at), step, taken, &mut sums) };
                    at += taken as usize * step;
                    pixels -= taken;
                }
            });
            for (output, sum) in pixel[start..].iter().zip(sums) {
                output.set(mean(op, sum, count));
            }
            start += GROUP;
        }
    });
}
