//! Images of another size.

use core::cell::Cell;

use edgepkg_format::plan::ResizeBilinear;

use crate::view::View;

/// Steps from a pixel to the next.
const STEPS: i32 = 1 << 10;

/// Where a position of the output lies between two of the input.
struct Between {
    low: usize,
    high: usize,
    /// Steps from `low`, of [`STEPS`]; before the first pixel less than 0, where both are that one.
    weight: i32,
}

impl Between {
    fn new(position: i32, extent: u32) -> Self {
        let last = extent.wrapping_sub(1) as i32;
        let low = (position / STEPS).min(last).max(0);
        let high = (position.wrapping_add(STEPS - 1) / STEPS).min(last).max(0);
        let weight = position.wrapping_sub(low.wrapping_mul(STEPS));
        Self { low: low as usize, high: high as usize, weight }
    }
}

/// Each pixel of `output`, `op.output_image`, weighted between four of `input`, `op.input_image`.
#[inline(never)]
pub fn resize_bilinear_i8(op: &ResizeBilinear, input: View<'_>, output: &[Cell<i8>]) {
    let (from, to) = (&op.input_image, &op.output_image);
    let channels = to.channels as usize;
    let mut pixels = output.chunks_exact(channels);
    for batch in 0..to.batches as usize {
        for row in 0..to.height as i32 {
            let row = Between::new(row.wrapping_mul(op.row_step).wrapping_add(op.row_offset), from.height);
            let [above, below] = [row.low, row.high].map(|row| batch * from.height as usize + row);
            for column in 0..to.width as i32 {
                let position = column.wrapping_mul(op.column_step).wrapping_add(op.column_offset);
                let column = Between::new(position, from.width);
                let pixel = |row: usize, column: usize| (row * from.width as usize + column) * channels;
                let corners = [
                    (
                        pixel(above, column.low),
                        (STEPS.wrapping_sub(row.weight)),
                        STEPS.wrapping_sub(column.weight),
                    ),
                    (pixel(above, column.high), STEPS.wrapping_sub(row.weight), column.weight),
                    (pixel(below, column.low), row.weight, STEPS.wrapping_sub(column.weight)),
                    (pixel(below, column.high), row.weight, column.weight),
                ]
                .map(|(index, of_row, of_column)| (index, of_row.wrapping_mul(of_column)));
                let Some(pixel) = pixels.next() else { return };
                for (channel, output) in pixel.iter().enumerate() {
                    let sum = corners.iter().fold(0i32, |sum, &(index, weight)| {
                        sum.wrapping_add(i32::from(input.get(index + channel)).wrapping_mul(weight))
                    });
                    output.set(rounded(sum) as i8);
                }
            }
        }
    }
}

/// `sum / 2^20`, halves away from 0.
fn rounded(sum: i32) -> i32 {
    let half = STEPS * STEPS / 2;
    sum.wrapping_add(if sum > 0 { half } else { -half }) / (STEPS * STEPS)
}
