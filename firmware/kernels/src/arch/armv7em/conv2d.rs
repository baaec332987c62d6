//! Convolution of two windows by 4 output channels at a time.

mod windows;

use core::arch::naked_asm;
use core::cell::Cell;

use edgepkg_format::linked::Linked;
use edgepkg_format::plan::{Forms, Image, PackedConv2d, PackedRounding};

use self::windows::{Positions, Windows};
use super::clamp_in_place;
use super::rescale::{rescale_lanes_fused, rescale_lanes_twice, rescale_twice};
use super::widen::Rows;
use crate::view::View;

const BLOCK: usize = PackedConv2d::BLOCK_CHANNELS as usize;

/// Pixels of the output, two at a time.
#[derive(Clone, Copy)]
#[repr(C)]
struct Run {
    /// Where the first pixel's channels go.
    output: *mut i8,
    /// Bytes from there to the next pixel's.
    pixel_bytes: usize,
    /// The window of the first pixel.
    window: *const i8,
    /// Bytes from there to the next pixel's.
    window_step: usize,
    /// Pairs of pixels; not 0.
    pairs: usize,
    /// The first block of the stream.
    stream: *const u32,
    /// The end of the first block where the second one begins `step_back` channels before its end, of the
    /// stream otherwise.
    first_end: *const u32,
    stream_end: *const u32,
    step_back: usize,
    /// The windows side by side, see [`Windows::widen`], and their end.
    columns: *mut u32,
    columns_end: *mut u32,
    /// Which of 8 entries the loop over halves of units has: the number of units modulo 8, negated.
    entry: usize,
    /// The windows' rows: none where the columns have been filled.
    rows: Rows,
    /// Bytes from a row's last byte to the next one's where the 3 last bytes make a unit; otherwise 0.
    tail_step: usize,
}

/// A loop over pairs of pixels: widens their windows, then computes block after block. Sums: r4 and r5 of channels 0
/// and 1 in lanes, r6 and r7 of channel 0, r8 and r9 of channels 2 and 3 in lanes, r10 and r11 of
/// channel 2, of the first and the second pixel. Behind the first half of a unit comes a loop over halves, 16 a turn,
/// that is entered where its last turn ends with the last one. 4 LDR in a row take a cycle less than LDRD and LDM, in two instructions
/// more.
macro_rules! compute_run {
    ($name:ident, $rescale:ident) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(run: *const Run) {
            naked_asm!(
                with_dsp!(),
                "push {{r4-r11, lr}}",
                "sub sp, #76",
                // sp: 0 first output, 4 bytes of a pixel, 8 window, 12 step of windows, 16 pairs left, 20 stream,
                // 24 first end, 28 stream's end, 32 step back, 36 columns, 40 their end, 44 entry, 48 words of a
                // row, 52 rows, 56 gap, 60 step of tails, 64 end of the blocks, 68 and 72 outputs.
                "ldm r0!, {{r1-r8}}",
                "stm sp, {{r1-r8}}",
                "add r9, sp, #32",
                "ldm r0, {{r1-r8}}",
                "stm r9, {{r1-r8}}",
                "5:",
                // The windows.
                "ldrd r0, r1, [sp, #8]",
                "ldr r2, [sp, #36]",
                "add r1, r0",
                "ldr r3, [sp, #12]",
                "ldr r10, [sp, #52]",
                "ldr r11, [sp, #56]",
                "add r3, r1",
                "str r3, [sp, #8]",
                "ldr r3, [sp, #48]",
                "cmp r3, #0",
                "beq.w 9f",
                "6:",
                "lsrs r12, r3, #1",
                "bcc 7f",
                widen_unit!(),
                "beq 8f",
                "7:",
                widen_unit!(),
                widen_unit!(),
                "subs r12, #1",
                "bne 7b",
                "8:",
                "add r0, r11",
                "add r1, r11",
                "subs r10, #1",
                "bne 6b",
                "ldr r3, [sp, #60]",
                "cbz r3, 9f",
                // The next row's last byte would be a step on.
                "sub r0, r11",
                "sub r1, r11",
                "ldrsb r6, [r0]",
                "ldrsb r7, [r1]",
                "sub r0, r3",
                "sub r1, r3",
                "ldrsb r8, [r0]",
                "ldrsb r9, [r1]",
                "sub r0, r3",
                "sub r1, r3",
                "ldrsb r4, [r0]",
                "ldrsb r5, [r1]",
                "pkhbt r6, r4, r6, lsl #16",
                "pkhbt r7, r5, r7, lsl #16",
                "stm r2!, {{r6-r9}}",
                "9:",
                // The blocks.
                "ldrd r12, r1, [sp]",
                "ldrd r3, r0, [sp, #20]",
                "add lr, r12, r1",
                "str r0, [sp, #64]",
                "1:",
                "ldr r2, [sp, #36]",
                "ldm r3!, {{r4, r6, r8, r10}}",
                "str r12, [sp, #68]",
                "str lr, [sp, #72]",
                "ldrd r12, lr, [r3], #8",
                "ldm r2!, {{r0, r1}}",
                "smlad r5, r12, r1, r4",
                "smlad r4, r12, r0, r4",
                "smlad r9, lr, r1, r8",
                "smlad r8, lr, r0, r8",
                "sxtb16 r12, r12",
                "sxtb16 lr, lr",
                "smlad r7, r12, r1, r6",
                "smlad r6, r12, r0, r6",
                "smlad r11, lr, r1, r10",
                "smlad r10, lr, r0, r10",
                "ldr r0, [sp, #44]",
                "tbh [pc, r0, lsl #1]",
                ".short 36, 92, 148, 204, 260, 316, 372, 428",
                "2:",
                ".rept 16",
                "ldr r12, [r3], #4",
                "ldr lr, [r3], #4",
                "ldr r0, [r2], #4",
                "ldr r1, [r2], #4",
                multiply_lanes!(),
                ".endr",
                "ldr r0, [sp, #40]",
                "cmp r2, r0",
                "bne.w 2b",
                $rescale!(("r4", "r6"), ("r5", "r7")),
                $rescale!(("r8", "r10"), ("r9", "r11")),
                "ldr r12, [sp, #68]",
                "ldr lr, [sp, #72]",
                "ldr r0, [sp, #64]",
                "strb r6, [r12], #1",
                "strb r4, [r12], #1",
                "strb r10, [r12], #1",
                "strb r8, [r12], #1",
                "strb r7, [lr], #1",
                "strb r5, [lr], #1",
                "strb r11, [lr], #1",
                "strb r9, [lr], #1",
                "cmp r3, r0",
                "bne.w 1b",
                "ldrd r1, r2, [sp, #28]",
                "cmp r3, r1",
                "beq.w 3f",
                "sub r12, r2",
                "sub lr, r2",
                "str r1, [sp, #64]",
                "b.w 1b",
                "3:",
                "ldr r0, [sp, #16]",
                "str lr, [sp]",
                "subs r0, #1",
                "str r0, [sp, #16]",
                "bne.w 5b",
                "add sp, #76",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

/// A pair of inputs of two windows, in r0 and r1, times the weights of 4 channels in r12 and lr.
macro_rules! multiply_lanes {
    () => {
        concat!(
            "smlad r4, r12, r0, r4\n",
            "smlad r5, r12, r1, r5\n",
            "smlad r8, lr, r0, r8\n",
            "smlad r9, lr, r1, r9\n",
            "sxtb16 r12, r12\n",
            "sxtb16 lr, lr\n",
            "smlad r6, r12, r0, r6\n",
            "smlad r7, r12, r1, r7\n",
            "smlad r10, lr, r0, r10\n",
            "smlad r11, lr, r1, r11\n",
        )
    };
}

/// 4 inputs of two windows.
macro_rules! widen_unit {
    () => {
        concat!(
            "ldr r4, [r0], #4\n",
            "ldr r5, [r1], #4\n",
            "sxtb16 r6, r4\n",
            "sxtb16 r7, r5\n",
            "sxtb16 r8, r4, ror #8\n",
            "sxtb16 r9, r5, ror #8\n",
            "stm r2!, {{r6-r9}}\n",
        )
    };
}

compute_run!(compute_run_twice, rescale_lanes_twice);
compute_run!(compute_run_fused, rescale_lanes_fused);

/// # Safety
///
/// What `run` points at is as long as it says.
unsafe fn compute_run<L: Linked>(rounding: PackedRounding, run: &Run) {
    use PackedRounding::{Fused, Twice};
    // SAFETY: the caller's.
    unsafe {
        match rounding {
            Twice if const { L::FORMS.contain(Forms::of_conv2d(Twice)) } => compute_run_twice(run),
            Fused if const { L::FORMS.contain(Forms::of_conv2d(Fused)) } => compute_run_fused(run),
            _ => panic!("the form is not linked"),
        }
    }
}

/// `input`: `op.input_image`; `stream`: `op.stream_words()` words; `scratch`: `op.scratch_words()` words;
/// `output`: `op.output_image`.
#[inline(never)]
pub fn packed_conv2d_i8<L: Linked>(
    op: &PackedConv2d,
    input: View<'_>,
    stream: &[i8],
    scratch: &[Cell<i8>],
    output: &[Cell<i8>],
) {
    let by_pixel = op.is_by_pixel();
    let mut windows = Windows::new(op, in_rows(&op.input_image, by_pixel), input, scratch, stream);
    let channels = op.output_image.channels as usize;
    let is_narrow = channels < BLOCK;
    let mut positions = Positions::new(op, in_rows(&op.output_image, by_pixel));
    let mut rest = output;
    while !rest.is_empty() {
        let first = positions.next;
        let (window, inside) = windows.inside(first);
        let most_pairs = if is_narrow { 1 } else { positions.left_in_row() as usize / 2 };
        let row_words = windows.run.rows.words;
        windows.run.pairs = most_pairs.min(inside / 2);
        windows.run.window = window;
        windows.run.output = rest.as_ptr().cast::<i8>().cast_mut();
        windows.run.pixel_bytes = channels;
        if windows.run.pairs != 0 {
            positions.skip(2 * windows.run.pairs as u32);
        } else {
            // A pair over an edge, or the last pixel of an odd number, which is computed twice.
            let is_last = rest.len() == channels;
            positions.skip(1);
            let second = if is_last { first } else { positions.next };
            windows.widen::<L>(first, windows.run.columns);
            windows.widen::<L>(second, windows.run.columns.wrapping_add(1));
            windows.run.pairs = 1;
            windows.run.rows.words = 0;
            if is_last {
                windows.run.pixel_bytes = 0;
            } else {
                positions.skip(1);
            }
        }
        let pixels = (2 * windows.run.pairs).min(rest.len() / channels);
        let computed;
        (computed, rest) = rest.split_at(pixels * channels);
        if is_narrow {
            // A block's 4 channels pass the pixel's end.
            let mut outputs = [[0i8; BLOCK]; 2];
            windows.run.output = outputs.as_mut_ptr().cast();
            windows.run.pixel_bytes = BLOCK;
            // SAFETY: as below; the arrays have 4 bytes for each pixel.
            unsafe { compute_run::<L>(op.rounding, &windows.run) };
            for (pixel, outputs) in computed.chunks_exact(channels).zip(outputs) {
                pixel.iter().zip(outputs).for_each(|(cell, value)| cell.set(value));
            }
        } else {
            // SAFETY: the stream holds its blocks and the columns their units; all windows of the pairs lie in the
            // input, or have been widened; the output has its channels for each pixel.
            unsafe { compute_run::<L>(op.rounding, &windows.run) };
        }
        windows.run.rows.words = row_words;
    }
    clamp_in_place(output, op.clamp);
}

/// `image`, or, `by_pixel`, all of it as a row.
#[inline(always)]
fn in_rows(image: &Image, by_pixel: bool) -> Image {
    let Image { batches, height, width, channels } = *image;
    if by_pixel { Image { batches: 1, height: 1, width: batches * height * width, channels } } else { *image }
}
