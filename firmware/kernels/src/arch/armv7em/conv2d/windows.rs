//! The windows of a convolution: where they lie, and their values side by side.

use core::cell::Cell;
use core::ptr;

use edgepkg_format::linked::Linked;
use edgepkg_format::plan::{Forms, Image, PackedConv2d, Window};

use super::super::first_byte;
use super::super::widen::{Rows, UNIT_BYTES, both_halves, widen_one};
use super::{BLOCK, Run};
use crate::view::View;

/// Where a window lies: its batch, and the row and column of its first tap, negative in the padding.
#[derive(Clone, Copy)]
pub(super) struct Position {
    batch: u32,
    row: i32,
    column: i32,
}

/// The windows of an image, one after the other.
pub(super) struct Positions<'a> {
    window: &'a Window,
    /// Pixels of the output.
    width: u32,
    height: u32,
    /// Of the next pixel.
    pub(super) next: Position,
    x: u32,
    y: u32,
}

impl<'a> Positions<'a> {
    #[inline(always)]
    pub(super) fn new(op: &'a PackedConv2d, Image { width, height, .. }: Image) -> Self {
        let (row, column) = (-(op.window.pad_top as i32), -(op.window.pad_left as i32));
        Self { window: &op.window, width, height, next: Position { batch: 0, row, column }, x: 0, y: 0 }
    }

    /// Pixels from here to the row's end.
    #[inline]
    pub(super) fn left_in_row(&self) -> u32 {
        self.width - self.x
    }

    /// Moves on by pixels of a row, at most to its end.
    #[inline]
    pub(super) fn skip(&mut self, pixels: u32) {
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
pub(super) struct Windows<'a> {
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
    pub(super) run: Run,
}

impl<'a> Windows<'a> {
    #[inline(always)]
    pub(super) fn new(
        op: &'a PackedConv2d,
        image: Image,
        input: View<'_>,
        scratch: &[Cell<i8>],
        stream: &[i8],
    ) -> Self {
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
    pub(super) fn inside(&self, Position { batch, row, column }: Position) -> (*const i8, usize) {
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
    pub(super) fn widen<L: Linked>(&self, position: Position, columns: *mut u32) {
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
