//! Recurrent layers with a state of int16.

use core::cell::Cell;

use edgepkg_format::plan::{
    ChannelParameters, Direction, Recurrent, RecurrentCell, Rounding, Scale, SequenceOrder, Shown, Sigmoid,
};

use super::sigmoid16::{in_steps, sigmoid};
use super::sums::add_dot_product;
use crate::element::Element;
use crate::fixed_point::{multiply_by_scale, requantize, saturating_shift_left};
use crate::view::View;

/// A part of a gate's sum stays within this distance from 0, far beyond where the functions are flat.
const GREATEST_PART: i32 = 1 << 20;

/// `2^15`: a gate that lets all through.
const ONE: i32 = 1 << 15;

/// Exponents of the state's steps are taken modulo 16.
const EXPONENTS: u32 = 15;

/// The constants of a layer.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// `[units][gate][inputs, then units]`.
    pub weights: &'a [i8],
    /// [`ChannelParameters`], `[units][gate][of the input's sum, of the hidden state's]`.
    pub channels: &'a [u8],
    /// The logistic function, 256 values of 16 bits, unsigned.
    pub table: View<'a, i16>,
}

/// A value of the state.
type StateCell = [Cell<i8>; 2];

/// `input`: `[batches, steps, inputs]` in `op.order`; `state`: the hidden state and the cells, `[batches, units]` each,
/// which are read and written, then units of the step that runs; `output`: what `op.shown` says.
#[inline(never)]
pub fn recurrent<E: Element>(
    op: &Recurrent,
    input: View<'_, E>,
    weights: Weights<'_>,
    state: &[StateCell],
    output: &[E::Cells],
) {
    let (inputs, units) = (op.inputs as usize, op.units as usize);
    let (hidden, rest) = state.split_at(op.batches as usize * units);
    let (cells, within_a_step) = rest.split_at(if op.cell.has_cells() { hidden.len() } else { 0 });
    let (next, reset) = within_a_step.split_at(units);
    for batch in 0..op.batches {
        let start = batch as usize * units;
        let hidden = &hidden[start..][..units];
        let cells = cells.get(start..).unwrap_or_default();
        for step in 0..op.steps {
            let time = match op.direction {
                Direction::Forward => step,
                Direction::Backward => op.steps - 1 - step,
            };
            let row = match op.order {
                SequenceOrder::BatchMajor => batch * op.steps + time,
                SequenceOrder::TimeMajor => time * op.batches + batch,
            };
            let row = row as usize;
            let step =
                Step { op, weights, input: input.run(row * inputs, inputs), hidden: View::Arena(hidden) };
            step.compute(hidden, cells, reset, next);
            for (hidden, next) in hidden.iter().zip(next) {
                i16::set(hidden, i16::get(next));
            }
            if op.shown == Shown::EveryStep {
                show::<E>(op, hidden, &output[row * units..][..units]);
            }
        }
        match op.shown {
            Shown::EveryStep => {}
            Shown::LastStep => show::<E>(op, hidden, &output[start..][..units]),
            Shown::LastCells => show::<E>(op, cells, &output[start..][..units]),
        }
    }
}

/// Puts values of the state out.
#[inline(never)]
fn show<E: Element>(op: &Recurrent, state: &[StateCell], output: &[E::Cells]) {
    for (value, output) in state.iter().zip(output) {
        let value = i16::get(value).into();
        let value = requantize(value, op.output_scale, Rounding::Once, op.output_zero_point, E::RANGE);
        E::set(output, E::wrapping_from(value));
    }
}

/// A step of a sequence.
struct Step<'a, E: Element> {
    op: &'a Recurrent,
    weights: Weights<'a>,
    input: View<'a, E>,
    hidden: View<'a, i16>,
}

impl<E: Element> Step<'_, E> {
    /// The units' next hidden state; their cells move on.
    fn compute(&self, hidden: &[StateCell], cells: &[StateCell], reset: &[StateCell], next: &[StateCell]) {
        if self.op.cell == RecurrentCell::GruResetBefore {
            for (unit, (reset, hidden)) in reset.iter().zip(hidden).enumerate() {
                let gate = self.gate(unit, 1, Sigmoid::Logistic);
                i16::set(reset, in_steps(i16::get(hidden).into(), gate, 15) as i16);
            }
        }
        for (unit, (hidden, next)) in hidden.iter().zip(next).enumerate() {
            let hidden = i16::get(hidden).into();
            let value = match self.op.cell {
                RecurrentCell::Lstm => cells.get(unit).map_or(0, |cell| self.lstm(unit, cell)),
                RecurrentCell::GruResetAfter | RecurrentCell::GruResetBefore => {
                    self.gru(unit, hidden, View::Arena(reset))
                }
                RecurrentCell::Tanh => in_steps(self.gate(unit, 0, Sigmoid::Tanh), 1, self.exponent()),
                RecurrentCell::Relu => self.sum(unit, 0).max(0),
            };
            i16::set(next, saturate(value) as i16);
        }
    }

    /// Moves a unit's cell on, and gives its hidden state.
    #[inline(never)]
    fn lstm(&self, unit: usize, cell: &StateCell) -> i32 {
        let exponent = self.op.cell_exponent & EXPONENTS;
        let forget = self.gate(unit, 1, Sigmoid::Logistic);
        let input = self.gate(unit, 0, Sigmoid::Logistic);
        let added = self.gate(unit, 2, Sigmoid::Tanh);
        let kept = forget * i32::from(i16::get(cell));
        let moved = saturate(in_steps(kept.wrapping_add((input * added) >> exponent), 1, 15));
        i16::set(cell, moved as i16);

        let shown = self.gate(unit, 3, Sigmoid::Logistic);
        // Steps of `1 / (3 * 2^12)`.
        let steps = in_steps(moved, 3 << exponent, 3);
        let tangent = i32::from(sigmoid(Sigmoid::Tanh, self.weights.table, steps));
        in_steps(shown * tangent, 1, 15 + self.exponent())
    }

    /// A unit's next hidden state; `reset` is the hidden state behind the reset gates, where those come first.
    #[inline(never)]
    fn gru(&self, unit: usize, hidden: i32, reset: View<'_, i16>) -> i32 {
        let update = self.gate(unit, 0, Sigmoid::Logistic);
        let of_hidden = if self.op.cell == RecurrentCell::GruResetBefore {
            self.of_hidden(unit, 2, reset)
        } else {
            let gate = self.gate(unit, 1, Sigmoid::Logistic);
            ((i64::from(gate) * i64::from(self.of_hidden(unit, 2, self.hidden)) + (1 << 14)) >> 15) as i32
        };
        let sum = self.of_input(unit, 2) + of_hidden;
        let candidate = i32::from(sigmoid(Sigmoid::Tanh, self.weights.table, sum));
        let added = (ONE - update).wrapping_mul(candidate) >> self.exponent();
        in_steps(added.wrapping_add(update * hidden), 1, 15)
    }

    /// The exponent of the hidden state's steps.
    fn exponent(&self) -> u32 {
        self.op.hidden_exponent & EXPONENTS
    }

    /// What a gate of a unit lets through, in steps of `2^-15`.
    #[inline(never)]
    fn gate(&self, unit: usize, gate: usize, function: Sigmoid) -> i32 {
        sigmoid(function, self.weights.table, self.sum(unit, gate)).into()
    }

    /// A gate's sum, in steps of `1 / (3 * 2^12)`, or of the hidden state where there is no function.
    fn sum(&self, unit: usize, gate: usize) -> i32 {
        self.of_input(unit, gate) + self.of_hidden(unit, gate, self.hidden)
    }

    /// The part of a gate's sum that comes of the input.
    fn of_input(&self, unit: usize, gate: usize) -> i32 {
        let (row, weights) = self.row(unit, gate);
        self.part(2 * row, self.input, &weights[..self.input.len()])
    }

    /// The part of a gate's sum that comes of the hidden state.
    fn of_hidden(&self, unit: usize, gate: usize, hidden: View<'_, i16>) -> i32 {
        let (row, weights) = self.row(unit, gate);
        self.part(2 * row + 1, hidden, &weights[self.input.len()..])
    }

    /// The index and the weights of a gate of a unit.
    fn row(&self, unit: usize, gate: usize) -> (usize, &[i8]) {
        let row = unit * self.op.cell.gates() as usize + gate;
        let length = self.input.len() + self.hidden.len();
        (row, &self.weights.weights[row * length..][..length])
    }

    #[inline(never)]
    fn part<V: Element>(&self, index: usize, values: View<'_, V>, weights: &[i8]) -> i32 {
        let channels = self.weights.channels.get(ChannelParameters::BYTES * index..).unwrap_or_default();
        let Some(channel) = ChannelParameters::table(channels).next() else { return 0 };
        let sum = add_dot_product(channel.bias, values, weights);
        let Scale { multiplier, shift } = channel.scale;
        let sum = saturating_shift_left(sum, shift.max(0) as u32);
        let scale = Scale { multiplier, shift: shift.min(0) };
        multiply_by_scale(sum, scale, Rounding::Once).clamp(-GREATEST_PART, GREATEST_PART)
    }
}

/// The int16 that is nearest.
fn saturate(value: i32) -> i32 {
    value.clamp(i16::RANGE.min, i16::RANGE.max)
}
