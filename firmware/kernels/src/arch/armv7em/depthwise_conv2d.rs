//! Depthwise convolution: 4 channels of the padded input are widened into planes, so that neighbours in a row are
//! multiplied in pairs.

use core::arch::naked_asm;
use core::cell::Cell;

use edgepkg_format::linked::Linked;
use edgepkg_format::plan::{Axis, Forms, PackedDepthwiseConv2d, PackedRounding, Traversal};

use super::widen::{both_halves, fill_pairs, widen_pairs};
use super::{clamp_in_place, first_byte};
use crate::view::View;

const GROUP: usize = PackedDepthwiseConv2d::GROUP_CHANNELS as usize;
/// A word for each channel of a group.
const PAIR_BYTES: usize = GROUP * 4;

/// Channels of a strip of the output, from their planes.
#[repr(C)]
struct Strip {
    /// The first channel's word of the first pair.
    plane: *const u32,
    /// The first channel of the first output.
    output: *mut i8,
    /// Bytes of a plane's row that whole pairs of outputs move over.
    pairs_bytes: usize,
    /// 1 where a row has an odd number of outputs.
    is_odd: usize,
    /// Rows of outputs; not 0.
    rows: usize,
    /// Bytes from an output to its neighbour in the row; not 0.
    step: usize,
    /// Bytes from what the last output of a row is computed from to the next row.
    plane_gap: usize,
    /// Bytes from the end of a row's whole pairs of outputs to the next row.
    output_gap: usize,
    /// Channels; not 0.
    channels: usize,
    /// The first channel's.
    stream: *const u32,
    /// Rows of taps; not 0.
    tap_rows: usize,
    /// Bytes from the first pair of pixels under two outputs to that of the next two.
    advance: usize,
    /// How many of the most pairs of taps in a row are not there.
    missing_pairs: usize,
    /// Bytes of a channel's weights.
    weight_bytes: usize,
    /// Bytes of a plane's row.
    plane_row_bytes: usize,
}

/// A loop over channels, in it one over a strip's rows, in it one over pairs of outputs: `$taps` says how a pair is
/// computed. r9 and r10 hold the sums, r11 points into the plane, r12 holds its row's bytes. The last output of an
/// odd number is computed as a pair, whose second one is stored first and then overwritten: its step is 0.
macro_rules! compute_strip {
    ($name:ident, $parameters:ident, $rescale:ident, $taps:ident) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(strip: *const Strip) {
            naked_asm!(
                with_dsp!(),
                "push {{r4-r11, lr}}",
                "sub sp, #92",
                // sp: 0 multiplier, 4 output, 8 step or 0, 12 row bytes, 16 end, 20 addend, 24 shift, 28 first sum,
                // 32 rows left, 36 plane, 40 output of the channel, 44 bytes of pairs, 48 is odd, 52 rows, 56 step,
                // 60 gap of planes, 64 gap of outputs, 68 channels left, 72 stream, 76 rows of taps, 80 advance,
                // 84 missing pairs, 88 bytes of weights.
                "ldm r0!, {{r1-r8}}",
                "add r9, sp, #36",
                "stm r9!, {{r1-r8}}",
                "ldm r0, {{r1-r7}}",
                "stm r9, {{r1-r6}}",
                "str r7, [sp, #12]",
                "5:",
                "ldr lr, [sp, #72]",
                $taps!(weights),
                $parameters!(),
                "str lr, [sp, #72]",
                "ldr r11, [sp, #36]",
                "ldr r6, [sp, #40]",
                "ldr r7, [sp, #52]",
                "ldr r8, [sp, #56]",
                "ldr r12, [sp, #12]",
                "str r6, [sp, #4]",
                "str r7, [sp, #32]",
                "str r8, [sp, #8]",
                "add r6, #1",
                "add r7, r11, #4",
                "str r6, [sp, #40]",
                "str r7, [sp, #36]",
                "1:",
                "ldr lr, [sp, #44]",
                $taps!(row),
                "cmp lr, #0",
                "beq 4f",
                "add lr, r11",
                "str lr, [sp, #16]",
                "2:",
                $taps!(pair),
                $rescale!("r9", "r10"),
                "ldrd lr, r12, [sp, #4]",
                "strb r10, [lr, r12]",
                "strb r9, [lr]",
                "add lr, lr, r12, lsl #1",
                "str lr, [sp, #4]",
                "ldrd r12, lr, [sp, #12]",
                "cmp r11, lr",
                "bne.w 2b",
                "4:",
                "ldr lr, [sp, #48]",
                "cmp lr, #0",
                "beq 3f",
                "ldr lr, [sp, #8]",
                "cmp lr, #0",
                "ittt ne",
                "movne lr, #0",
                "strne lr, [sp, #8]",
                "ldrne lr, [sp, #80]",
                "ittt ne",
                "addne lr, r11",
                "strne lr, [sp, #16]",
                "bne.w 2b",
                "ldr lr, [sp, #56]",
                "str lr, [sp, #8]",
                "3:",
                "ldr r6, [sp, #60]",
                "ldr r7, [sp, #64]",
                "ldr r8, [sp, #4]",
                "ldr r9, [sp, #32]",
                "add r11, r6",
                "add r8, r7",
                "subs r9, #1",
                "str r8, [sp, #4]",
                "str r9, [sp, #32]",
                "bne 1b",
                "ldr r6, [sp, #68]",
                "subs r6, #1",
                "str r6, [sp, #68]",
                "bne.w 5b",
                "add sp, #92",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

/// Weights of 3 by 3 in r0 to r5: of each row of the window the pairs (0, 1) and (1, 2). r6 to r8 hold a pair of
/// pixels of each row.
macro_rules! taps_3_by_3 {
    (weights) => {
        "ldm lr!, {{r0-r5}}"
    };
    (row) => {
        "ldr r6, [r11]\nldr r7, [r11, r12]\nldr r8, [r11, r12, lsl #1]"
    };
    (next) => {
        "ldr r6, [r11, #16]!\nldr r7, [r11, r12]\nldr r8, [r11, r12, lsl #1]\n"
    };
}

/// The window moves by 1: the second output begins with the first pair's second pixel.
macro_rules! taps_3_by_3_by_1 {
    (pair) => {
        concat!(
            "ldr lr, [sp, #28]\n",
            "smlad r9, r6, r0, lr\n",
            "smlatb r10, r6, r0, lr\n",
            "smlad r9, r7, r2, r9\n",
            "smlatb r10, r7, r2, r10\n",
            "smlad r9, r8, r4, r9\n",
            "smlatb r10, r8, r4, r10\n",
            taps_3_by_3!(next),
            "smlabt r9, r6, r1, r9\n",
            "smlad r10, r6, r1, r10\n",
            "smlabt r9, r7, r3, r9\n",
            "smlad r10, r7, r3, r10\n",
            "smlabt r9, r8, r5, r9\n",
            "smlad r10, r8, r5, r10\n",
        )
    };
    ($other:ident) => {
        taps_3_by_3!($other)
    };
}

/// The window moves by 2: the second output begins with the second pair.
macro_rules! taps_3_by_3_by_2 {
    (pair) => {
        concat!(
            "ldr lr, [sp, #28]\n",
            "smlad r9, r6, r0, lr\n",
            "smlad r9, r7, r2, r9\n",
            "smlad r9, r8, r4, r9\n",
            taps_3_by_3!(next),
            "smlabt r9, r6, r1, r9\n",
            "smlad r10, r6, r0, lr\n",
            "smlabt r9, r7, r3, r9\n",
            "smlad r10, r7, r2, r10\n",
            "smlabt r9, r8, r5, r9\n",
            "smlad r10, r8, r4, r10\n",
            taps_3_by_3!(next),
            "smlabt r10, r6, r1, r10\n",
            "smlabt r10, r7, r3, r10\n",
            "smlabt r10, r8, r5, r10\n",
        )
    };
    ($other:ident) => {
        taps_3_by_3!($other)
    };
}

/// Any window: weights from r4 on, of each pair of pixels a word for the first output and one for the second. r5
/// holds how many pairs of a row are missing.
macro_rules! taps_of_any_window {
    (weights) => {
        "mov r4, lr\nldr r5, [sp, #88]\nadd lr, r5\nldr r5, [sp, #84]"
    };
    (row) => {
        ""
    };
    (pair) => {
        concat!(
            "ldr r9, [sp, #28]\n",
            "ldr r8, [sp, #76]\n",
            "mov r10, r9\n",
            "mov r3, r4\n",
            "mov r7, r11\n",
            "6:\n",
            "mov lr, r7\n",
            "tbb [pc, r5]\n",
            ".byte 4, 14, 24, 34, 44, 54, 64, 74\n",
            ".rept 8\n",
            "ldr r0, [lr], #16\n",
            "ldr r1, [r3], #4\n",
            "ldr r2, [r3], #4\n",
            "smlad r9, r0, r1, r9\n",
            "smlad r10, r0, r2, r10\n",
            ".endr\n",
            "add r7, r12\n",
            "subs r8, #1\n",
            "bne 6b\n",
            "ldr r8, [sp, #80]\n",
            "add r11, r8\n",
        )
    };
}

/// First sum, multiplier, addend and shift at lr into their places.
macro_rules! parameters_twice {
    () => {
        concat!(
            "ldm lr!, {{r6, r7, r8, r9}}\n",
            "str r6, [sp, #28]\n",
            "str r7, [sp]\n",
            "strd r8, r9, [sp, #20]\n",
        )
    };
}

macro_rules! rescale_twice {
    ($($sum:literal),*) => {
        concat!(
            "ldr r12, [sp]\n",
            "ldr lr, [sp, #20]\n",
            $("smmulr ", $sum, ", ", $sum, ", r12\n",)*
            $("add ", $sum, ", ", $sum, ", ", $sum, ", asr #31\n",)*
            $("add ", $sum, ", ", $sum, ", lr\n",)*
            "ldr lr, [sp, #24]\n",
            $("asr ", $sum, ", ", $sum, ", lr\n",)*
            $("ssat ", $sum, ", #8, ", $sum, "\n",)*
        )
    };
}

/// First sum and multiplier at lr into their places.
macro_rules! parameters_fused {
    () => {
        concat!("ldm lr!, {{r6, r7}}\n", "str r6, [sp, #28]\n", "str r7, [sp]\n")
    };
}

const _: () = assert!(PackedRounding::DEPTHWISE_SHIFT == 8);

macro_rules! rescale_fused {
    ($($sum:literal),*) => {
        concat!(
            "ldr lr, [sp]\n",
            $("smmul ", $sum, ", ", $sum, ", lr\n",)*
            $("ssat ", $sum, ", #8, ", $sum, ", asr #8\n",)*
        )
    };
}

compute_strip!(compute_by_1_twice, parameters_twice, rescale_twice, taps_3_by_3_by_1);
compute_strip!(compute_by_1_fused, parameters_fused, rescale_fused, taps_3_by_3_by_1);
compute_strip!(compute_by_2_twice, parameters_twice, rescale_twice, taps_3_by_3_by_2);
compute_strip!(compute_by_2_fused, parameters_fused, rescale_fused, taps_3_by_3_by_2);
compute_strip!(compute_any_twice, parameters_twice, rescale_twice, taps_of_any_window);
compute_strip!(compute_any_fused, parameters_fused, rescale_fused, taps_of_any_window);

/// # Safety
///
/// What `strip` points at is as long as it says, and made for `op`'s window.
unsafe fn compute_strip<L: Linked>(op: &PackedDepthwiseConv2d, strip: &Strip) {
    use PackedRounding::{Fused, Twice};
    const fn is_linked<L: Linked>(extent: u32, stride: u32, rounding: PackedRounding) -> bool {
        L::FORMS.contain(Forms::of_depthwise_conv2d([extent; 2], [stride; 2], rounding))
    }
    // SAFETY: the caller's.
    unsafe {
        match (op.is_3_by_3(), op.window.stride_width, op.rounding) {
            (true, 1, Twice) if const { is_linked::<L>(3, 1, Twice) } => compute_by_1_twice(strip),
            (true, 1, Fused) if const { is_linked::<L>(3, 1, Fused) } => compute_by_1_fused(strip),
            (true, 2, Twice) if const { is_linked::<L>(3, 2, Twice) } => compute_by_2_twice(strip),
            (true, 2, Fused) if const { is_linked::<L>(3, 2, Fused) } => compute_by_2_fused(strip),
            (false, _, Twice) if const { is_linked::<L>(0, 0, Twice) } => compute_any_twice(strip),
            (false, _, Fused) if const { is_linked::<L>(0, 0, Fused) } => compute_any_fused(strip),
            _ => panic!("the form is not linked"),
        }
    }
}

/// `input`: `op.input_image`; `stream`: `op.stream_words()` words; `scratch`: `op.scratch_words()` words;
/// `output`: `op.output_image`.
#[inline(never)]
pub fn packed_depthwise_conv2d_i8<L: Linked>(
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
    let channel_bytes = op.channel_words() as usize * 4;
    let (pairs, is_odd) = (inner.output as usize / 2, inner.output as usize % 2);
    let advance = inner.stride as usize * PAIR_BYTES;
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
                let count = (channels - channel).min(GROUP);
                let strip = Strip {
                    plane: plane.scratch.wrapping_add(channel - group),
                    output: first_output[channel..].as_ptr().cast::<i8>().cast_mut(),
                    pairs_bytes: pairs * advance,
                    is_odd,
                    rows: rows as usize,
                    step: to.inner,
                    plane_gap: (outer.stride as usize * plane_row_bytes)
                        .wrapping_sub((pairs + is_odd) * advance),
                    output_gap: to.outer.wrapping_sub(pairs * 2 * to.inner),
                    channels: count,
                    stream: stream[channel * channel_bytes..].as_ptr().cast(),
                    tap_rows: outer.taps as usize,
                    advance,
                    missing_pairs: (PackedDepthwiseConv2d::MOST_TAP_PAIRS - op.tap_pairs()) as usize,
                    weight_bytes: op.weight_words() as usize * 4,
                    plane_row_bytes,
                };
                // SAFETY: the scratch holds the rows under the strip, each with the pairs that its
                // outputs read; every output of the strip lies in `pixels`.
                unsafe { compute_strip::<L>(op, &strip) };
                channel += count;
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
        let Axis { stride, taps, .. } = self.outer;
        let first = i64::from(start * stride) - i64::from(self.outer.padding);
        let pairs = self.op.row_pairs() as usize;
        let mut at = self.scratch;
        for row in 0..(rows - 1) * stride + taps {
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
        if pairs != 0 {
            // SAFETY: the pairs lie in the scratch.
            unsafe { fill_pairs(both_halves(self.op.input_zero_point), at, pairs) };
        }
    }

    /// A pair of which one may be padding.
    fn put(&self, at: *mut u32, first: Option<*const i8>, second: Option<*const i8>) {
        let channels = |pixel: Option<*const i8>| match pixel {
            // SAFETY: the pixel has 4 channels from there on.
            Some(pixel) => unsafe { pixel.cast::<[i8; GROUP]>().read() },
            None => [self.op.input_zero_point as i8; GROUP],
        };
        let pair = [channels(first), channels(second)];
        // SAFETY: the pair lies in the scratch, and its pixels in the array.
        unsafe { widen_pairs(pair.as_ptr().cast(), GROUP, at, 1) };
    }
}
