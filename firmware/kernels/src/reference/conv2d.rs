//! Convolution, grouped and dilated.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, Conv2d};

use super::sums::{add_dot_product, sum_of};
use super::window::{Patch, for_each_patch};
use crate::fixed_point::requantize;
use crate::view::View;

/// `input`: `op.input_image`; `weights`: `[output channel][row][column][input channel of the group]`;
/// `channels`: a table of [`ChannelParameters`]; `output`: `op.output_image`.
///
/// Taps outside of the image count as the input's zero point, which the bias has folded in.
#[inline(never)]
pub fn conv2d_i8(op: &Conv2d, input: View<'_>, weights: &[i8], channels: &[u8], output: &[Cell<i8>]) {
    let shape = FilterShape::new(op);
    let group_outputs = op.output_image.channels / op.groups;
    for_each_patch(&op.input_image, &op.output_image, &op.window, output, |patch, pixel| {
        let runs = Runs::new(op, &shape, patch);
        let mut first_input = 0;
        let mut rest_of_group = group_outputs;
        let filters = weights.chunks_exact(shape.filter);
        for ((filter, parameters), output) in filters.zip(ChannelParameters::table(channels)).zip(pixel) {
            let mut sum = runs.add_to(parameters.bias, input, first_input, filter);
            if patch.is_clipped(&op.window) {
                let outside = weights_outside(patch, &shape, filter);
                sum = sum.wrapping_add(op.input_zero_point.wrapping_mul(outside));
            }
            output.set(requantize(sum, parameters.scale, op.rounding, op.output_zero_point, op.clamp) as i8);
            rest_of_group -= 1;
            if rest_of_group == 0 {
                rest_of_group = group_outputs;
                first_input += shape.inputs;
            }
        }
    });
}

/// Weights of a filter.
struct FilterShape {
    /// A tap's: the input channels of a group.
    inputs: usize,
    /// A row's.
    row: usize,
    /// All.
    filter: usize,
}

impl FilterShape {
    fn new(op: &Conv2d) -> Self {
        let inputs = (op.input_image.channels / op.groups) as usize;
        let row = op.window.width as usize * inputs;
        Self { inputs, row, filter: op.window.height as usize * row }
    }
}

/// The runs of neighbouring inputs under the window at one position, in the input's first group, and
/// of the weights that they meet: as many in each row of the window.
struct Runs {
    rows: u32,
    runs_in_row: u32,
    length: usize,
    input: Steps,
    weight: Steps,
}

/// Where the first run starts, and how far it is from one to the next. A step that leaves the image is
/// never taken and may wrap.
struct Steps {
    start: usize,
    row: usize,
    run: usize,
}

impl Runs {
    fn new(op: &Conv2d, shape: &FilterShape, patch: &Patch<'_>) -> Self {
        let (rows, columns) = (&patch.rows, &patch.columns);
        let pixel = op.input_image.channels as usize;
        let are_neighbours = columns.dilation == 1 && op.groups == 1;
        let (runs_in_row, length) = if are_neighbours {
            (1, columns.count() as usize * shape.inputs)
        } else {
            (columns.count(), shape.inputs)
        };
        Self {
            rows: if columns.count() == 0 { 0 } else { rows.count() },
            runs_in_row,
            length,
            input: Steps {
                start: patch.index(rows.position, columns.position),
                row: (rows.dilation as usize).wrapping_mul(op.input_image.width as usize * pixel),
                run: (columns.dilation as usize).wrapping_mul(pixel),
            },
            weight: Steps {
                start: rows.start as usize * shape.row + columns.start as usize * shape.inputs,
                row: shape.row,
                run: shape.inputs,
            },
        }
    }

    /// `sum` plus the products of inputs and weights. `first_input` is the group's first channel.
    #[inline(always)]
    fn add_to(&self, mut sum: i32, input: View<'_>, first_input: usize, filter: &[i8]) -> i32 {
        let (mut row_inputs, mut row_weights) = (self.input.start + first_input, self.weight.start);
        for _ in 0..self.rows {
            let (mut inputs, mut weights) = (row_inputs, row_weights);
            for _ in 0..self.runs_in_row {
                let run = input.run(inputs, self.length);
                sum = add_dot_product(sum, run, &filter[weights..][..self.length]);
                inputs = inputs.wrapping_add(self.input.run);
                weights = weights.wrapping_add(self.weight.run);
            }
            row_inputs = row_inputs.wrapping_add(self.input.row);
            row_weights = row_weights.wrapping_add(self.weight.row);
        }
        sum
    }
}

/// The sum of a filter's weights on taps outside of the image.
#[inline(never)]
fn weights_outside(patch: &Patch<'_>, shape: &FilterShape, filter: &[i8]) -> i32 {
    let inside = patch.columns.start as usize * shape.inputs..patch.columns.end as usize * shape.inputs;
    let mut sum = 0i32;
    for (row, weights) in (0..).zip(filter.chunks_exact(shape.row)) {
        sum = sum.wrapping_add(match patch.rows.at(row) {
            None => sum_of(weights),
            Some(_) => sum_of(&weights[..inside.start]).wrapping_add(sum_of(&weights[inside.end..])),
        });
    }
    sum
}
