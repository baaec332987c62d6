//! Images of another size.

use crate::graph::Sampling;

/// The pixels that a row or column of the output lies between, and how far it is from the first.
struct Between {
    low: usize,
    high: usize,
    weight: f32,
}

impl Between {
    fn new(at: usize, from: usize, to: usize, sampling: Sampling) -> Self {
        let ratio = from as f32 / to as f32;
        let place = match sampling {
            Sampling::Edges => at as f32 * ratio,
            Sampling::Corners if to > 1 => at as f32 * ((from - 1) as f32 / (to - 1) as f32),
            Sampling::Corners => at as f32 * ratio,
            Sampling::Centers => ((at as f32 + 0.5) * ratio - 0.5).max(0.0),
        };
        let low = (place as usize).min(from - 1);
        Self { low, high: (low + 1).min(from - 1), weight: place - low as f32 }
    }
}

/// Each pixel of `output` weighted between four of `input`.
pub(super) fn resize(
    sampling: Sampling,
    in_shape: &[usize],
    input: &[f32],
    out_shape: &[usize],
    output: &mut [f32],
) {
    let [from_rows, from_columns, channels] = [in_shape[1], in_shape[2], in_shape[3]];
    let mut pixels = output.chunks_exact_mut(channels);
    for batch in 0..out_shape[0] {
        for row in 0..out_shape[1] {
            let row = Between::new(row, from_rows, out_shape[1], sampling);
            for column in 0..out_shape[2] {
                let column = Between::new(column, from_columns, out_shape[2], sampling);
                let pixel = |row: usize, column: usize| {
                    &input[((batch * from_rows + row) * from_columns + column) * channels..][..channels]
                };
                let (above, below) = (pixel(row.low, column.low), pixel(row.high, column.low));
                let (above_right, below_right) = (pixel(row.low, column.high), pixel(row.high, column.high));
                let outputs = pixels.next().expect("one for each row and column");
                for (channel, y) in outputs.iter_mut().enumerate() {
                    let upper = above[channel] + (above_right[channel] - above[channel]) * column.weight;
                    let lower = below[channel] + (below_right[channel] - below[channel]) * column.weight;
                    *y = upper + (lower - upper) * row.weight;
                }
            }
        }
    }
}
