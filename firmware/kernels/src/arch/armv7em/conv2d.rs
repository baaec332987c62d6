//! Convolution of two windows by 4 output channels at a time.

use core::arch::naked_asm;
use core::cell::Cell;

use edgepkg_format::plan::{PackedConv2d, PackedRounding, Window};

use super::rescale::{rescale_and_store, sums_of_lanes};
use super::widen::{Rows, UNIT_BYTES, both_halves, widen_one, widen_two};
use super::{clamp_in_place, first_byte};
use crate::view::View;

const BLOCK: usize = PackedConv2d::BLOCK_CHANNELS as usize;

/// Two pixels of the output, from their widened windows.
#[repr(C)]
struct Tile {
    /// The first block of the stream.
    stream: *const u32,
    /// The windows side by side, see `widen`.
    columns: *const u32,
    /// Inputs of a window, in units of 4; not 0.
    units: usize,
    /// Blocks of channels; not 0.
    blocks: usize,
    /// Where the first pixel's channels go.
    first: *mut i8,
    /// Where the second one's go.
    second: *mut i8,
}

/// A loop over a tile's blocks. Sums: r4 and r5 of channels 0 and 1 in lanes, r6 and r7 of channel 0, r8 and r9
/// of channels 2 and 3 in lanes, r10 and r11 of channel 2, of the first and the second pixel. The inner
/// loop does 4 units a turn and is entered in its middle where the last turn would pass the end.
macro_rules! compute_tile {
    ($name:ident, $multiply:literal, $adjust:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(tile: *const Tile) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "sub sp, #28",
                "ldm r0, {{r3-r8}}",
                // sp: pointers of both pixels, blocks left, columns, their end, entry of the inner loop.
                "strd r7, r8, [sp]",
                "strd r6, r4, [sp, #8]",
                "add r9, r4, r5, lsl #4",
                "rsb r5, r5, #0",
                "and r5, r5, #3",
                "strd r9, r5, [sp, #16]",
                "1:",
                "ldr r2, [sp, #12]",
                "ldr r0, [sp, #20]",
                "ldm r3!, {{r4, r6, r8, r10}}",
                "mov r5, r4",
                "mov r7, r6",
                "mov r9, r8",
                "mov r11, r10",
                "tbb [pc, r0]",
                ".byte 2, 50, 98, 146",
                "2:",
                ".rept 8",
                "ldrd r12, lr, [r3], #8",
                "ldrd r0, r1, [r2], #8",
                "smlad r4, r12, r0, r4",
                "smlad r5, r12, r1, r5",
                "smlad r8, lr, r0, r8",
                "smlad r9, lr, r1, r9",
                "sxtb16 r12, r12",
                "sxtb16 lr, lr",
                "smlad r6, r12, r0, r6",
                "smlad r7, r12, r1, r7",
                "smlad r10, lr, r0, r10",
                "smlad r11, lr, r1, r11",
                ".endr",
                "ldr r0, [sp, #16]",
                "cmp r2, r0",
                "bne 2b",
                "ldrd r12, lr, [sp]",
                sums_of_lanes!("r4", "r6"),
                sums_of_lanes!("r5", "r7"),
                sums_of_lanes!("r8", "r10"),
                sums_of_lanes!("r9", "r11"),
                rescale_and_store!($multiply, $adjust, ("r6", "r12"), ("r7", "lr")),
                rescale_and_store!($multiply, $adjust, ("r4", "r12"), ("r5", "lr")),
                rescale_and_store!($multiply, $adjust, ("r10", "r12"), ("r11", "lr")),
                rescale_and_store!($multiply, $adjust, ("r8", "r12"), ("r9", "lr")),
                "strd r12, lr, [sp]",
                "ldr r0, [sp, #8]",
                "subs r0, #1",
                "str r0, [sp, #8]",
                "bne.w 1b",
                "add sp, #28",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

compute_tile!(compute_tile_twice, "smmulr", "1");
compute_tile!(compute_tile_twice_above_zero_point, "smmulr", "0");
compute_tile!(compute_tile_once, "smmul", "0");

/// # Safety
///
/// What `tile` points at is as long as it says.
unsafe fn compute_tile(rounding: PackedRounding, tile: &Tile) {
    // SAFETY: the caller's.
    unsafe {
        match rounding {
            PackedRounding::Twice => compute_tile_twice(tile),
            PackedRounding::TwiceAboveZeroPoint => compute_tile_twice_above_zero_point(tile),
            PackedRounding::Once => compute_tile_once(tile),
        }
    }
}

/// `input`: `op.input_image`; `stream`: `op.stream_words()` words; `scratch`: `op.scratch_words()` words;
/// `output`: `op.output_image`.
#[inline(never)]
pub fn packed_conv2d_i8(
    op: &PackedConv2d,
    input: View<'_>,
    stream: &[i8],
    scratch: &[Cell<i8>],
    output: &[Cell<i8>],
) {
    let windows = Windows::new(op, input, scratch);
    let channels = op.output_image.channels as usize;
    let (whole_blocks, rest) = (channels / BLOCK, channels % BLOCK);
    let rest_stream = stream.as_ptr().wrapping_add(whole_blocks * op.block_words() as usize * 4);
    let mut positions = Positions::new(op);
    let mut pixel = windows.pixels();
    let mut pixels = output.chunks_exact(channels);
    while let Some(first) = pixels.next() {
        // The last pixel of an odd number is computed twice.
        let (second, count) = pixels.next().map_or((first, 1), |second| (second, 2));
        match &mut pixel {
            Some(pixel) => {
                let after = pixel.wrapping_add((count - 1) * windows.pixel_bytes);
                // SAFETY: both pixels lie in the input, as many units in the columns.
                unsafe { widen_two(*pixel, after, windows.columns, &windows.rows) };
                *pixel = after.wrapping_add(windows.pixel_bytes);
            }
            None => {
                let from = positions.take();
                windows.widen(from, if count == 2 { positions.take() } else { from });
            }
        }
        let mut tile = Tile {
            stream: stream.as_ptr().cast(),
            columns: windows.columns,
            units: windows.units,
            blocks: whole_blocks,
            first: first.as_ptr().cast::<i8>().cast_mut(),
            second: second.as_ptr().cast::<i8>().cast_mut(),
        };
        if whole_blocks != 0 {
            // SAFETY: `stream` holds the blocks, the columns their units, the pixels 4 bytes a block.
            unsafe { compute_tile(op.rounding, &tile) };
        }
        if rest != 0 {
            let mut channels = [[0i8; BLOCK]; 2];
            let [of_first, of_second] = &mut channels;
            tile.stream = rest_stream.cast();
            tile.blocks = 1;
            tile.first = of_first.as_mut_ptr();
            tile.second = of_second.as_mut_ptr();
            // SAFETY: `stream` holds one more block, the columns its units, the arrays 4 bytes each.
            unsafe { compute_tile(op.rounding, &tile) };
            for (pixel, channels) in [(first, channels[0]), (second, channels[1])] {
                for (cell, channel) in pixel[whole_blocks * BLOCK..].iter().zip(channels) {
                    cell.set(channel);
                }
            }
        }
    }
    clamp_in_place(output, op.clamp);
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
    op: &'a PackedConv2d,
    next: Position,
    x: u32,
    y: u32,
}

impl<'a> Positions<'a> {
    fn new(op: &'a PackedConv2d) -> Self {
        let (row, column) = (-(op.window.pad_top as i32), -(op.window.pad_left as i32));
        Self { op, next: Position { batch: 0, row, column }, x: 0, y: 0 }
    }

    /// The next one.
    #[inline]
    fn take(&mut self) -> Position {
        let (window, image) = (&self.op.window, &self.op.output_image);
        let taken = self.next;
        self.x += 1;
        self.next.column = self.next.column.wrapping_add(window.stride_width as i32);
        if self.x == image.width {
            self.x = 0;
            self.y += 1;
            self.next.column = -(window.pad_left as i32);
            self.next.row = self.next.row.wrapping_add(window.stride_height as i32);
            if self.y == image.height {
                self.y = 0;
                self.next.row = -(window.pad_top as i32);
                self.next.batch += 1;
            }
        }
        taken
    }
}

/// What windows are read from and widened into.
struct Windows<'a> {
    op: &'a PackedConv2d,
    input: *const i8,
    input_bytes: usize,
    /// Bytes of a row, of a pixel.
    row_bytes: usize,
    pixel_bytes: usize,
    /// A window inside the image.
    rows: Rows,
    /// The first and the last row and column of a window's first tap inside the image, and from the first to
    /// the last byte that is read for a window.
    last: [i32; 2],
    reach: usize,
    /// A window's bytes where they are gathered first, before the columns.
    gathered: *mut i8,
    columns: *mut u32,
    units: usize,
}

impl<'a> Windows<'a> {
    fn new(op: &'a PackedConv2d, input: View<'_>, scratch: &[Cell<i8>]) -> Self {
        let (window, image, units) = (&op.window, &op.input_image, op.units() as usize);
        let gathered = scratch.as_ptr().cast::<i8>().cast_mut();
        let gathered_bytes = if op.reads_words() { 0 } else { 4 * units };
        let row_bytes = image.width as usize * image.channels as usize;
        let words = op.row_units() as usize;
        let tap_rows = window.dilation_height as usize * row_bytes;
        let last_row = i64::from(image.height) - i64::from((window.height - 1) * window.dilation_height) - 1;
        let last_column = i64::from(image.width) - i64::from(window.width);
        let last_column = if window.dilation_width == 1 || window.width == 1 { last_column } else { -1 };
        Self {
            op,
            input: first_byte(input),
            input_bytes: input.len(),
            row_bytes,
            pixel_bytes: image.channels as usize,
            rows: Rows { words, rows: window.height as usize, gap: tap_rows.wrapping_sub(4 * words) },
            last: [last_row.max(-1) as i32, last_column.max(-1) as i32],
            reach: (window.height as usize - 1).wrapping_mul(tap_rows).wrapping_add(4 * words),
            gathered,
            columns: gathered.wrapping_add(gathered_bytes).cast(),
            units,
        }
    }

    /// The first pixel where windows are pixels, one after the other.
    fn pixels(&self) -> Option<*const i8> {
        let Window { height, width, stride_height, stride_width, pad_top, pad_left, .. } = self.op.window;
        let (from, to) = (&self.op.input_image, &self.op.output_image);
        let is_pixel = (height, width, stride_height, stride_width, pad_top, pad_left) == (1, 1, 1, 1, 0, 0);
        let is_same_size = (from.height, from.width) == (to.height, to.width);
        (is_pixel && is_same_size && self.op.reads_words()).then_some(self.input)
    }

    /// Fills the columns with two windows.
    #[inline]
    fn widen(&self, first: Position, second: Position) {
        match (self.inside(first), self.inside(second)) {
            // SAFETY: all bytes of both windows lie in the input, as many units in the columns.
            (Some(first), Some(second)) => unsafe { widen_two(first, second, self.columns, &self.rows) },
            (at_first, at_second) => {
                self.widen_window(first, at_first, self.columns);
                self.widen_window(second, at_second, self.columns.wrapping_add(1));
            }
        }
    }

    /// The first byte of a window that reaches over no edge of the image, nor past the input's end.
    #[inline]
    fn inside(&self, Position { batch, row, column }: Position) -> Option<*const i8> {
        let [last_row, last_column] = self.last;
        if row < 0 || column < 0 || row > last_row || column > last_column {
            return None;
        }
        let row = batch as usize * self.op.input_image.height as usize + row as usize;
        let start = row * self.row_bytes + column as usize * self.pixel_bytes;
        (self.reach <= self.input_bytes - start).then(|| self.input.wrapping_add(start))
    }

    /// One window, into its places from `columns` on.
    #[inline(never)]
    fn widen_window(&self, position: Position, inside: Option<*const i8>, columns: *mut u32) {
        if let Some(window) = inside {
            // SAFETY: all bytes of the window lie in the input, as many units in the columns.
            unsafe { widen_one(window, columns, &self.rows) };
        } else if self.op.reads_words() {
            self.widen_runs(position, columns);
        } else {
            self.gather(position);
            let rows = Rows { words: self.units, rows: 1, gap: 0 };
            // SAFETY: the gathered bytes are `units` words, and lie before the columns.
            unsafe { widen_one(self.gathered, columns, &rows) };
        }
    }

    /// A window of pixels that are whole words.
    fn widen_runs(&self, position: Position, mut columns: *mut u32) {
        self.for_each_run(position, |_, run, pixels| {
            let words = pixels as usize * self.pixel_bytes / 4;
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
    fn gather(&self, position: Position) {
        let mut row = u32::MAX;
        let mut bytes = self.gathered;
        self.for_each_run(position, |tap, run, pixels| {
            if tap != row {
                row = tap;
                bytes = self.gathered.wrapping_add(tap as usize * 4 * self.rows.words);
            }
            let count = pixels as usize * self.pixel_bytes;
            // SAFETY: the run lies in the input, the window's row in the gathered bytes.
            unsafe {
                match run {
                    Some(run) => copy(run, bytes, count),
                    None => fill(bytes, self.op.input_zero_point as i8, count),
                }
            }
            bytes = bytes.wrapping_add(count);
        });
    }

    /// Calls `visit` with a row of taps, pixels that are neighbours in the image or lie outside of it, and how
    /// many they are.
    #[inline(always)]
    fn for_each_run(&self, position: Position, mut visit: impl FnMut(u32, Option<*const i8>, u32)) {
        let (window, image) = (&self.op.window, &self.op.input_image);
        let batch_row = position.batch as usize * image.height as usize;
        let (extent, width) = (image.width as i32, window.width as i32);
        let before = position.column.min(0).wrapping_neg().min(width);
        let after = (position.column + width - extent).max(0).min(width - before);
        let inside = width - before - after;
        let mut row = position.row;
        for tap in 0..window.height {
            let taken = row;
            row += window.dilation_height as i32;
            if taken < 0 || taken >= image.height as i32 {
                visit(tap, None, window.width);
                continue;
            }
            let pixels = self.input.wrapping_add((batch_row + taken as usize) * self.row_bytes);
            let at = |column: i32| pixels.wrapping_add(column as usize * self.pixel_bytes);
            if window.dilation_width == 1 {
                if before != 0 {
                    visit(tap, None, before as u32);
                }
                if inside != 0 {
                    visit(tap, Some(at(position.column.max(0))), inside as u32);
                }
                if after != 0 {
                    visit(tap, None, after as u32);
                }
                continue;
            }
            let mut column = position.column;
            for _ in 0..window.width {
                let is_inside = 0 <= column && column < extent;
                visit(tap, is_inside.then(|| at(column)), 1);
                column += window.dilation_width as i32;
            }
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
