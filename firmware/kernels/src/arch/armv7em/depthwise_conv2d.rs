//! Depthwise convolution by windows of 3 by 3: 4 channels of the padded input are widened into planes, so
//! that neighbours in a row are multiplied in pairs.

use core::arch::naked_asm;
use core::cell::Cell;

use edgepkg_format::plan::{Axis, PackedDepthwiseConv2d, PackedRounding, Traversal};

use super::widen::{both_halves, widen_pairs};
use super::{clamp_in_place, first_byte};
use crate::view::View;

const GROUP: usize = PackedDepthwiseConv2d::GROUP_CHANNELS as usize;
const CHANNEL_BYTES: usize = PackedDepthwiseConv2d::CHANNEL_WORDS as usize * 4;
/// A word for each channel of a group.
const PAIR_BYTES: usize = GROUP * 4;

/// A channel of a strip of the output, from its plane.
#[repr(C)]
struct Strip {
    /// The channel's.
    stream: *const u32,
    /// The channel's word of the first pair.
    plane: *const u32,
    /// Bytes of a plane's row.
    plane_row_bytes: usize,
    /// The first output.
    output: *mut i8,
    /// Bytes from an output to its neighbour in the row.
    step: usize,
    /// Bytes from a row of outputs to the next.
    row_step: usize,
    /// Bytes of a plane's row that whole pairs of outputs move over.
    pairs_bytes: usize,
    /// 1 where a row has an odd number of outputs.
    is_odd: usize,
    /// Rows of outputs; not 0.
    rows: usize,
    /// Bytes of the plane from a row of outputs to the next.
    plane_step: usize,
}

/// A loop over a strip's rows, in it one over pairs of outputs. r0 to r5 hold the weights, doubled: of each
/// row of the window the pairs (0, 1) and (1, 2). r6 to r8 hold a pair of pixels of each row, r9 and r10
/// the sums, doubled, r11 points into the plane. The last output of an odd number is computed as a
/// pair, whose second one is stored first and then overwritten: its step is 0.
macro_rules! compute_strip {
    ($name:ident, $multiply:literal, $adjust:literal, $stride:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(strip: *const Strip) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "sub sp, #68",
                // sp: 0 output, 4 step, 8 row bytes, 12 end, 16 multiplier, 20 addend, 24 shift, 28 first sum,
                // 32 rows left, 36 row of the plane, 40 row of the output, 44 bytes of pairs, 48 is odd,
                // 52 is one more to come, 56 step, 60 plane step, 64 row step.
                "ldm r0!, {{r1-r7}}",
                "ldm r0, {{r8, r9, r10}}",
                "str r2, [sp, #36]",
                "str r3, [sp, #8]",
                "str r4, [sp, #40]",
                "str r5, [sp, #56]",
                "str r6, [sp, #64]",
                "str r7, [sp, #44]",
                "str r8, [sp, #48]",
                "str r9, [sp, #32]",
                "str r10, [sp, #60]",
                "add r0, r1, #24",
                "ldm r0, {{r6, r7, r8, r9}}",
                "strd r7, r8, [sp, #16]",
                "strd r9, r6, [sp, #24]",
                "ldm r1, {{r0-r5}}",
                "1:",
                "ldr r11, [sp, #36]",
                "ldr r12, [sp, #44]",
                "ldr r9, [sp, #40]",
                "ldr r10, [sp, #56]",
                "ldr lr, [sp, #48]",
                "add r12, r12, r11",
                "str r12, [sp, #12]",
                "strd r9, r10, [sp]",
                "str lr, [sp, #52]",
                "ldr r12, [sp, #8]",
                "ldr r6, [r11]",
                "ldr r7, [r11, r12]",
                "ldr r8, [r11, r12, lsl #1]",
                "ldr lr, [sp, #12]",
                "cmp r11, lr",
                "beq 4f",
                "2:",
                "ldr r9, [sp, #28]",
                "mov r10, r9",
                concat!(".if ", $stride, " == 1"),
                "smlad r9, r6, r0, r9",
                "smlatb r10, r6, r0, r10",
                "smlad r9, r7, r2, r9",
                "smlatb r10, r7, r2, r10",
                "smlad r9, r8, r4, r9",
                "smlatb r10, r8, r4, r10",
                "ldr r6, [r11, #16]!",
                "ldr r7, [r11, r12]",
                "ldr r8, [r11, r12, lsl #1]",
                "smlabt r9, r6, r1, r9",
                "smlad r10, r6, r1, r10",
                "smlabt r9, r7, r3, r9",
                "smlad r10, r7, r3, r10",
                "smlabt r9, r8, r5, r9",
                "smlad r10, r8, r5, r10",
                ".else",
                "smlad r9, r6, r0, r9",
                "smlad r9, r7, r2, r9",
                "smlad r9, r8, r4, r9",
                "ldr r6, [r11, #16]!",
                "ldr r7, [r11, r12]",
                "ldr r8, [r11, r12, lsl #1]",
                "smlabt r9, r6, r1, r9",
                "smlabt r9, r7, r3, r9",
                "smlabt r9, r8, r5, r9",
                "smlad r10, r6, r0, r10",
                "smlad r10, r7, r2, r10",
                "smlad r10, r8, r4, r10",
                "ldr r6, [r11, #16]!",
                "ldr r7, [r11, r12]",
                "ldr r8, [r11, r12, lsl #1]",
                "smlabt r10, r6, r1, r10",
                "smlabt r10, r7, r3, r10",
                "smlabt r10, r8, r5, r10",
                ".endif",
                "ldrd r12, lr, [sp, #16]",
                concat!($multiply, " r9, r9, r12"),
                concat!($multiply, " r10, r10, r12"),
                concat!(".if ", $adjust),
                "add r9, r9, r9, asr #31",
                "add r10, r10, r10, asr #31",
                ".endif",
                "add r9, lr",
                "add r10, lr",
                "ldr lr, [sp, #24]",
                "asr r9, r9, lr",
                "asr r10, r10, lr",
                "ssat r9, #8, r9",
                "ssat r10, #8, r10",
                "ldrd r12, lr, [sp]",
                "strb r10, [r12, lr]",
                "strb r9, [r12]",
                "add r12, r12, lr, lsl #1",
                "str r12, [sp]",
                "ldrd r12, lr, [sp, #8]",
                "cmp r11, lr",
                "bne 2b",
                "4:",
                "ldr lr, [sp, #52]",
                "cmp lr, #0",
                "beq 3f",
                "mov lr, #0",
                "str lr, [sp, #52]",
                "str lr, [sp, #4]",
                concat!("add lr, r11, #(16 * ", $stride, ")"),
                "str lr, [sp, #12]",
                "b 2b",
                "3:",
                "ldr r6, [sp, #32]",
                "ldr r7, [sp, #36]",
                "ldr r8, [sp, #60]",
                "ldr r9, [sp, #40]",
                "ldr r10, [sp, #64]",
                "add r7, r8",
                "add r9, r10",
                "subs r6, #1",
                "str r7, [sp, #36]",
                "str r9, [sp, #40]",
                "str r6, [sp, #32]",
                "bne 1b",
                "add sp, #68",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

compute_strip!(compute_strip_twice, "smmulr", "1", "1");
compute_strip!(compute_strip_twice_above_zero_point, "smmulr", "0", "1");
compute_strip!(compute_strip_once, "smmul", "0", "1");
compute_strip!(compute_strip_by_2_twice, "smmulr", "1", "2");
compute_strip!(compute_strip_by_2_once, "smmul", "0", "2");

/// # Safety
///
/// What `strip` points at is as long as it says, and made for `op`'s stride.
unsafe fn compute_strip(op: &PackedDepthwiseConv2d, strip: &Strip) {
    // SAFETY: the caller's.
    unsafe {
        match (op.stride(), op.rounding) {
            (1, PackedRounding::Twice) => compute_strip_twice(strip),
            (1, PackedRounding::TwiceAboveZeroPoint) => compute_strip_twice_above_zero_point(strip),
            (1, PackedRounding::Once) => compute_strip_once(strip),
            (_, PackedRounding::Twice | PackedRounding::TwiceAboveZeroPoint) => {
                compute_strip_by_2_twice(strip)
            }
            (_, PackedRounding::Once) => compute_strip_by_2_once(strip),
        }
    }
}

/// `input`: `op.input_image`; `stream`: `op.stream_words()` words; `scratch`: `op.scratch_words()` words;
/// `output`: `op.output_image`.
#[inline(never)]
pub fn packed_depthwise_conv2d_i8(
    op: &PackedDepthwiseConv2d,
    input: View<'_>,
    stream: &[i8],
    scratch: &[Cell<i8>],
    output: &[Cell<i8>],
) {
    let channels = op.input_image.channels as usize;
    let (inner, outer) = (op.inner(), op.outer());
    let (from, to) = match op.traversal {
        Traversal::Rows => (Steps::by_rows(op.input_image.width), Steps::by_rows(op.output_image.width)),
        Traversal::Columns => {
            (Steps::by_columns(op.input_image.width), Steps::by_columns(op.output_image.width))
        }
    };
    let plane = Plane {
        op,
        inner,
        outer,
        steps: from.times(channels),
        scratch: scratch.as_ptr().cast::<u32>().cast_mut(),
    };
    let to = to.times(channels);
    let plane_row_bytes = op.row_pairs() as usize * PAIR_BYTES;
    let stride = op.stride() as usize;
    let batch_bytes = op.input_image.height as usize * op.input_image.width as usize * channels;
    let mut image = first_byte(input);
    for pixels in output.chunks_exact(outer.output as usize * inner.output as usize * channels) {
        let mut start = 0;
        while start < outer.output {
            let rows = op.strip.min(outer.output - start);
            let first_output = &pixels[start as usize * to.outer..];
            let mut channel = 0;
            while channel < channels {
                // The last group holds channels of the one before where there are fewer than 4 left.
                let group = channel.min(channels - GROUP);
                plane.fill(image.wrapping_add(group), start, rows);
                let end = (channel + GROUP).min(channels);
                while channel < end {
                    let strip = Strip {
                        stream: stream[channel * CHANNEL_BYTES..].as_ptr().cast(),
                        plane: plane.scratch.wrapping_add(channel - group),
                        plane_row_bytes,
                        output: first_output[channel..].as_ptr().cast::<i8>().cast_mut(),
                        step: to.inner,
                        row_step: to.outer,
                        pairs_bytes: inner.output as usize / 2 * stride * PAIR_BYTES,
                        is_odd: inner.output as usize % 2,
                        rows: rows as usize,
                        plane_step: stride * plane_row_bytes,
                    };
                    // SAFETY: the scratch holds the rows under the strip, each with the pairs that its
                    // outputs read; every output of the strip lies in `pixels`.
                    unsafe { compute_strip(op, &strip) };
                    channel += 1;
                }
            }
            start += rows;
        }
        image = image.wrapping_add(batch_bytes);
    }
    clamp_in_place(output, op.clamp);
}

/// Distances from a pixel to its neighbours along both axes.
#[derive(Clone, Copy)]
struct Steps {
    inner: usize,
    outer: usize,
}

impl Steps {
    /// In pixels, of an image so wide.
    fn by_rows(width: u32) -> Self {
        Self { inner: 1, outer: width as usize }
    }

    fn by_columns(width: u32) -> Self {
        Self { inner: width as usize, outer: 1 }
    }

    /// Pixels of `bytes` bytes.
    fn times(self, bytes: usize) -> Self {
        Self { inner: self.inner * bytes, outer: self.outer * bytes }
    }
}

/// Where 4 channels of the padded input are widened to.
struct Plane<'a> {
    op: &'a PackedDepthwiseConv2d,
    inner: Axis,
    outer: Axis,
    /// Of the input, in bytes.
    steps: Steps,
    scratch: *mut u32,
}

impl Plane<'_> {
    /// Fills the rows under `rows` rows of the output from `start` on, with the 4 channels at `channels` in the
    /// first pixel of an image.
    fn fill(&self, channels: *const i8, start: u32, rows: u32) {
        let stride = self.op.stride();
        let first = i64::from(start * stride) - i64::from(self.outer.padding);
        let pairs = self.op.row_pairs() as usize;
        let mut at = self.scratch;
        for row in 0..(rows - 1) * stride + 3 {
            let row = first + i64::from(row);
            if (0..i64::from(self.outer.input)).contains(&row) {
                self.fill_row(channels.wrapping_add(row as usize * self.steps.outer), at, pairs);
            } else {
                self.pad(at, pairs);
            }
            at = at.wrapping_add(pairs * GROUP);
        }
    }

    /// A row whose first pixel is at `pixel`: padding, the pixels, padding.
    fn fill_row(&self, mut pixel: *const i8, mut at: *mut u32, mut pairs: usize) {
        let step = self.steps.inner;
        let mut left = self.inner.input as usize;
        let padding = self.inner.padding as usize;
        let lead = (padding / 2).min(pairs);
        self.pad(at, lead);
        at = at.wrapping_add(lead * GROUP);
        pairs -= lead;
        if padding % 2 == 1 && pairs != 0 {
            self.put(at, None, Some(pixel));
            pixel = pixel.wrapping_add(step);
            at = at.wrapping_add(GROUP);
            (left, pairs) = (left - 1, pairs - 1);
        }
        let whole = (left / 2).min(pairs);
        if whole != 0 {
            // SAFETY: as many pairs of pixels are left in the input's row, and places in the scratch's.
            unsafe { widen_pairs(pixel, step, at, whole) };
        }
        at = at.wrapping_add(whole * GROUP);
        pairs -= whole;
        if left % 2 == 1 && pairs != 0 {
            self.put(at, Some(pixel.wrapping_add(2 * whole * step)), None);
            at = at.wrapping_add(GROUP);
            pairs -= 1;
        }
        self.pad(at, pairs);
    }

    /// `pairs` pairs of padding.
    fn pad(&self, at: *mut u32, pairs: usize) {
        let value = both_halves(self.op.input_zero_point);
        for word in 0..pairs * GROUP {
            // SAFETY: the pairs lie in the scratch.
            unsafe { at.add(word).write(value) };
        }
    }

    /// A pair of which one may be padding.
    fn put(&self, at: *mut u32, first: Option<*const i8>, second: Option<*const i8>) {
        for channel in 0..GROUP {
            let half = |pixel: Option<*const i8>| match pixel {
                // SAFETY: the pixel has 4 channels from there on.
                Some(pixel) => i32::from(unsafe { pixel.add(channel).read() }) as u32 & 0xffff,
                None => self.op.input_zero_point as u32 & 0xffff,
            };
            // SAFETY: the pair lies in the scratch.
            unsafe { at.add(channel).write(half(first) | half(second) << 16) };
        }
    }
}
