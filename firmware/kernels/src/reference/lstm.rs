//! Long short-term memory.

use core::cell::Cell;

use edgepkg_format::plan::{Accumulation, Lstm, Rounding, Scale, SequenceOrder, Sigmoid};

use super::sigmoid16::{in_steps, sigmoid};
use super::sums::{scale_sum, wide_dot_product};
use crate::element::Element;
use crate::fixed_point::{multiply_by_scale, requantize};
use crate::view::View;

/// Gates of a unit: input, forget, cell, output.
const GATES: usize = 4;

/// `2^-15`: a gate's step.
const GATE_STEP: Scale = Scale { multiplier: 1 << 30, shift: -14 };

/// The constants of a layer.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// `[units][gate][inputs, then units]`.
    pub weights: &'a [i8],
    /// int64, `[units][gate][of the input's sum, of the hidden state's]`.
    pub biases: &'a [u8],
    /// The logistic function, 256 values of 16 bits, unsigned.
    pub table: View<'a, i16>,
}

/// `input`: `[batches, steps, inputs]`, `output`: `[batches, steps, units]`, both in `op.order`; `hidden` and
/// `cells`: `[batches, units]`, which are read and written.
#[inline(never)]
pub fn lstm<E: Element>(
    op: &Lstm,
    input: View<'_, E>,
    weights: Weights<'_>,
    hidden: &[E::Cells],
    cells: &[[Cell<i8>; 2]],
    output: &[E::Cells],
) {
    let (inputs, units) = (op.inputs as usize, op.units as usize);
    let states = hidden.chunks_exact(units).zip(cells.chunks_exact(units));
    for (batch, (hidden, cells)) in (0..op.batches).zip(states) {
        for step in 0..op.steps {
            let row = match op.order {
                SequenceOrder::BatchMajor => batch * op.steps + step,
                SequenceOrder::TimeMajor => step * op.batches + batch,
            };
            let row = row as usize;
            let outputs = &output[row * units..][..units];
            let step =
                Step { op, weights, input: input.run(row * inputs, inputs), hidden: View::Arena(hidden) };
            for (unit, (cell, output)) in cells.iter().zip(outputs).enumerate() {
                E::set(output, step.compute(unit, cell));
            }
            for (hidden, output) in hidden.iter().zip(outputs) {
                E::set(hidden, E::get(output));
            }
        }
    }
}

/// A step of a sequence.
struct Step<'a, E: Element> {
    op: &'a Lstm,
    weights: Weights<'a>,
    input: View<'a, E>,
    hidden: View<'a, E>,
}

impl<E: Element> Step<'_, E> {
    /// Moves a unit's cell on, and gives what it puts out.
    #[inline(never)]
    fn compute(&self, unit: usize, cell: &[Cell<i8>; 2]) -> E {
        let op = self.op;
        let scaled = |product: i32, scale| saturate(multiply_by_scale(product, scale, Rounding::Twice));
        let forget = self.gate(unit, 1, Sigmoid::Logistic);
        let input = self.gate(unit, 0, Sigmoid::Logistic);
        let added = self.gate(unit, 2, Sigmoid::Tanh);
        let kept = scaled(forget * i32::from(i16::get(cell)), GATE_STEP);
        let moved = saturate(kept + scaled(input * added, op.cell_scale));
        let moved = moved.max(op.cell_clamp.min).min(op.cell_clamp.max) as i16;
        i16::set(cell, moved);

        let shown = self.gate(unit, 3, Sigmoid::Logistic);
        let steps = in_steps(moved.into(), op.tanh_multiplier, op.tanh_shift);
        let tangent = i32::from(sigmoid(Sigmoid::Tanh, self.weights.table, steps));
        let product = tangent * shown;
        let value = requantize(product, op.output_scale, Rounding::Twice, op.output_zero_point, E::RANGE);
        E::wrapping_from(value)
    }

    /// What a gate of a unit lets through, in steps of `2^-15`.
    #[inline(never)]
    fn gate(&self, unit: usize, gate: usize, function: Sigmoid) -> i32 {
        let scales = self.op.gates[gate];
        let (inputs, units) = (self.input.len(), self.hidden.len());
        let index = unit * GATES + gate;
        let (of_input, of_hidden) =
            self.weights.weights[index * (inputs + units)..][..inputs + units].split_at(inputs);
        let (biases, _) = self.weights.biases.as_chunks();
        let bias = |which: usize| i64::from_le_bytes(biases[2 * index + which]);
        let accumulation = self.op.accumulation;
        let from_input = part(self.input, of_input, bias(0), scales.input, accumulation);
        let from_hidden = part(self.hidden, of_hidden, bias(1), scales.hidden, accumulation);
        i32::from(sigmoid(function, self.weights.table, 3 * saturate(from_input + from_hidden)))
    }
}

/// One of a gate's two sums, in steps of `2^-12`.
fn part<E: Element>(
    values: View<'_, E>,
    weights: &[i8],
    bias: i64,
    scale: Scale,
    accumulation: Accumulation,
) -> i32 {
    saturate(scale_sum(bias.wrapping_add(wide_dot_product(values, weights)), scale, accumulation))
}

/// The int16 that is nearest.
fn saturate(value: i32) -> i32 {
    value.clamp(i16::RANGE.min, i16::RANGE.max)
}
