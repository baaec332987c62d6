//! Convolution of two windows by 4 output channels at a time.

use core::arch::naked_asm;
use core::cell::Cell;
use core::ptr;

use edgepkg_format::linked::Linked;
use edgepkg_format::plan::{Forms, Image, PackedConv2d, PackedRounding, Window};

use super::rescale::{rescale_lanes_fused, rescale_lanes_twice, rescale_twice};
use super::widen::{Rows, UNIT_BYTES, both_halves, widen_one};
use super::{clamp_in_place, first_byte};
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
    /// The windows side by side, see `widen`, and their end.
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

/// Where a window lies: its batch, and the row and column of its first tap, negative in the padding.
#[derive(Clone, Copy)]
struct Position {
    batch: u32,
    row: i32,
    column: i32,
}

/// The windows of an image, one after the other.
struct Positions<'a> {
    window: &'a Window,
    /// Pixels of the output.
    width: u32,
    height: u32,
    next: Position,
    x: u32,
    y: u32,
}

impl<'a> Positions<'a> {
    #[inline(always)]
    fn new(op: &'a PackedConv2d, Image { width, height, .. }: Image) -> Self {
        let (row, column) = (-(op.window.pad_top as i32), -(op.window.pad_left as i32));
        Self { window: &op.window, width, height, next: Position { batch: 0, row, column }, x: 0, y: 0 }
    }

    /// Pixels from here to the row's end.
    #[inline]
    fn left_in_row(&self) -> u32 {
        self.width - self.x
    }

    /// Moves on by pixels of a row, at most to its end.
    #[inline]
    fn skip(&mut self, pixels: u32) {
        let window = self.window;
        self.x += pixels;
        self.next.column = self.next.column.wrapping_add(window.stride_width.wrapping_mul(pixels) as i32);
        if self.x == self.width {
            self.x = 0;
            self.y += 1;
            self.next.column = -(window.pad_left as i32);
            self.next.row = self.next.row.wrapping_add(window.stride_height as i32);
            if self.y == self.height {
                self.y = 0;
                self.next.row = -(window.pad_top as i32);
                self.next.batch += 1;
            }
        }
    }
}

/// What windows are read from and widened into.
struct Windows<'a> {
    op: &'a PackedConv2d,
    /// Pixels of the input.
    width: u32,
    height: u32,
    input: *const i8,
    input_bytes: usize,
    row_bytes: usize,
    /// The last row and column of a window's first tap inside the image; -1 where there is none.
    last: [i32; 2],
    /// From the first to the last byte that is read for a window.
    reach: usize,
    /// A window's bytes where they are gathered first, before the columns.
    gathered: *mut i8,
    /// Pixels whose windows lie inside the image.
    run: Run,
}

impl<'a> Windows<'a> {
    #[inline(always)]
    fn new(op: &'a PackedConv2d, image: Image, input: View<'_>, scratch: &[Cell<i8>], stream: &[i8]) -> Self {
        let window = &op.window;
        let (row_bytes, pixel_bytes) =
            (image.width as usize * image.channels as usize, image.channels as usize);
        let words = op.row_units() as usize;
        let tap_rows = window.dilation_height as usize * row_bytes;
        let tails = usize::from(op.has_tails());
        let last_row = i64::from(image.height) - i64::from((window.height - 1) * window.dilation_height) - 1;
        let last_column = i64::from(image.width) - i64::from(window.width);
        let last_column = if window.dilation_width == 1 || window.width == 1 { last_column } else { -1 };
        let gathered = scratch.as_ptr().cast::<i8>().cast_mut();
        let columns: *mut u32 = gathered.wrapping_add(4 * op.gathered_words() as usize).cast();
        let units = op.units() as usize;
        let channels = op.output_image.channels as usize;
        let rest = if channels < BLOCK { 0 } else { channels % BLOCK };
        let stream_end = stream.as_ptr_range().end;
        let first_end = stream.as_ptr().wrapping_add(4 * op.block_words() as usize);
        Self {
            op,
            width: image.width,
            height: image.height,
            input: first_byte(input),
            input_bytes: input.len(),
            row_bytes,
            last: [last_row.max(-1) as i32, last_column.max(-1) as i32],
            reach: (window.height as usize - 1).wrapping_mul(tap_rows).wrapping_add(4 * words + tails),
            gathered,
            run: Run {
                output: ptr::null_mut(),
                pixel_bytes: 0,
                window: ptr::null(),
                window_step: window.stride_width as usize * pixel_bytes,
                pairs: 0,
                stream: stream.as_ptr().cast(),
                first_end: if rest == 0 { stream_end } else { first_end }.cast(),
                stream_end: stream_end.cast(),
                step_back: (BLOCK - rest) % BLOCK,
                columns,
                columns_end: columns.wrapping_byte_add(units * UNIT_BYTES),
                entry: units.wrapping_neg() % 8,
                rows: Rows { words, rows: window.height as usize, gap: tap_rows.wrapping_sub(4 * words) },
                tail_step: tails * tap_rows,
            },
        }
    }

    fn pixel_bytes(&self) -> usize {
        self.op.input_image.channels as usize
    }

    /// The first byte of a window, and how many from there on in the image's row reach neither over an edge nor past
    /// the input's end.
    #[inline]
    fn inside(&self, Position { batch, row, column }: Position) -> (*const i8, usize) {
        let [last_row, last_column] = self.last;
        if row < 0 || column < 0 || row > last_row || column > last_column {
            return (self.input, 0);
        }
        let row = batch as usize * self.height as usize + row as usize;
        let start = row * self.row_bytes + column as usize * self.pixel_bytes();
        let Some(room) = (self.input_bytes - start).checked_sub(self.reach) else {
            return (self.input, 0);
        };
        let in_row = (last_column - column) as usize / self.op.window.stride_width as usize;
        (self.input.wrapping_add(start), in_row.min(room / self.run.window_step) + 1)
    }

    /// One window, into its places from `columns` on.
    #[inline(never)]
    fn widen<L: Linked>(&self, position: Position, columns: *mut u32) {
        let (window, count) = self.inside(position);
        if count != 0 {
            self.widen_rows(window, &self.run.rows, self.run.tail_step, columns);
        } else if const { L::FORMS.contain(Forms::EDGES_OF_WORDS) } && self.op.reads_words() {
            self.widen_runs(position, columns);
        } else if const { L::FORMS.contain(Forms::EDGES_OF_BYTES) } {
            self.gather(position);
            let Rows { words, rows, .. } = self.run.rows;
            let step = self.gathered_row_bytes();
            let rows = Rows { words, rows, gap: step - 4 * words };
            self.widen_rows(self.gathered, &rows, step, columns);
        }
    }

    /// A window whose bytes can be read from `window` on.
    fn widen_rows(&self, window: *const i8, rows: &Rows, tail_step: usize, columns: *mut u32) {
        // SAFETY: all bytes of the window can be read, as many units written to the columns.
        unsafe { widen_one(window, columns, rows) };
        if self.run.tail_step != 0 {
            let tail = |row: usize| {
                // SAFETY: as above; the tail is behind its row's words.
                let byte = unsafe { window.add(4 * rows.words + row * tail_step).read() };
                i32::from(byte) as u32
            };
            let unit = columns.wrapping_byte_add(rows.rows * rows.words * UNIT_BYTES);
            // SAFETY: this is the last unit, behind those of the rows.
            unsafe {
                unit.write(tail(0) & 0xffff | tail(2) << 16);
                unit.add(2).write(tail(1));
            }
        }
    }

    /// Bytes from a gathered row to the next.
    fn gathered_row_bytes(&self) -> usize {
        (self.op.row_bytes() as usize).next_multiple_of(4)
    }

    /// A window of pixels that are whole words.
    #[inline(never)]
    fn widen_runs(&self, position: Position, mut columns: *mut u32) {
        self.for_each_run(position, |_, run, pixels| {
            let words = pixels as usize * self.pixel_bytes() / 4;
            match run {
                Some(run) => {
                    let rows = Rows { words, rows: 1, gap: 0 };
                    // SAFETY: the run lies in the input, its units in the columns.
                    unsafe { widen_one(run, columns, &rows) };
                }
                None => self.pad(columns, words),
            }
            columns = columns.wrapping_byte_add(words * UNIT_BYTES);
        });
    }

    /// The input's zero point for `words` words of one window.
    fn pad(&self, columns: *mut u32, words: usize) {
        let value = both_halves(self.op.input_zero_point);
        for word in 0..words {
            let unit = columns.wrapping_byte_add(word * UNIT_BYTES);
            // SAFETY: the columns hold the units of a window, and the words are some of them.
            unsafe {
                unit.write(value);
                unit.add(2).write(value);
            }
        }
    }

    /// A window's bytes, each of its rows from a word on.
    #[inline(never)]
    fn gather(&self, position: Position) {
        let (mut row, mut at) = (0, 0usize);
        self.for_each_run(position, |tap, run, pixels| {
            if tap != row {
                (row, at) = (tap, at.next_multiple_of(4));
            }
            let (bytes, count) = (self.gathered.wrapping_add(at), pixels as usize * self.pixel_bytes());
            // SAFETY: the run lies in the input, the window's row in the gathered bytes.
            unsafe {
                match run {
                    Some(run) => copy(run, bytes, count),
                    None => fill(bytes, self.op.input_zero_point as i8, count),
                }
            }
            at += count;
        });
    }

    /// Calls `visit` with a row of taps, pixels that are neighbours in the image or lie outside of it, and how
    /// many they are.
    #[inline(always)]
    fn for_each_run(&self, position: Position, mut visit: impl FnMut(u32, Option<*const i8>, u32)) {
        let window = &self.op.window;
        let (step, width, extent) = (window.dilation_width as i32, window.width as i32, self.width as i32);
        // Neighbours: those before the image, in it, behind it.
        let before = position.column.min(0).wrapping_neg().min(width);
        let after = (position.column + width - extent).max(0).min(width - before);
        let within = width - before - after;
        let first_row =
            self.input.wrapping_add(position.batch as usize * self.height as usize * self.row_bytes);
        let mut row = position.row;
        for tap in 0..window.height {
            let pixels = first_row.wrapping_add((row as usize).wrapping_mul(self.row_bytes));
            let at = |column: i32| pixels.wrapping_add((column as usize).wrapping_mul(self.pixel_bytes()));
            if row < 0 || row >= self.height as i32 {
                visit(tap, None, window.width);
            } else if step == 1 {
                visit(tap, None, before as u32);
                visit(tap, Some(at(position.column.max(0))), within as u32);
                visit(tap, None, after as u32);
            } else {
                let columns = (0..width).map(|index| position.column + index.wrapping_mul(step));
                columns.for_each(|column| {
                    visit(tap, Some(column).filter(|it| (0..extent).contains(it)).map(at), 1)
                });
            }
            row += window.dilation_height as i32;
        }
    }
}

/// Copies short runs.
///
/// # Safety
///
/// `count` bytes can be read at `from` and written at `to`, and they lie apart.
#[inline]
unsafe fn copy(mut from: *const i8, mut to: *mut i8, mut count: usize) {
    // SAFETY: the caller's; words are read and written at any alignment.
    unsafe {
        while count >= 4 {
            to.cast::<u32>().write_unaligned(from.cast::<u32>().read_unaligned());
            (from, to, count) = (from.add(4), to.add(4), count - 4);
        }
        while count != 0 {
            to.write(from.read());
            (from, to, count) = (from.add(1), to.add(1), count - 1);
        }
    }
}

/// Sets a short run.
///
/// # Safety
///
/// `count` bytes can be written at `to`.
#[inline]
unsafe fn fill(mut to: *mut i8, value: i8, mut count: usize) {
    while count != 0 {
        // SAFETY: the caller's. A volatile write stays one of a byte, for which no function is called.
        unsafe {
            to.write_volatile(value);
            (to, count) = (to.add(1), count - 1);
        }
    }
}
