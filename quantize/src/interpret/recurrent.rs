//! Recurrent layers.

use super::logistic;
use crate::graph::{Direction, Recurrent, RecurrentCell, SequenceOrder, Shown};

/// The operands of a layer that it only reads.
pub(super) struct Layer<'a> {
    pub op: Recurrent,
    /// Sequences, steps, inputs.
    pub extents: [usize; 3],
    pub x: &'a [f32],
    pub input_weights: &'a [f32],
    pub hidden_weights: &'a [f32],
    pub input_bias: &'a [f32],
    pub hidden_bias: &'a [f32],
}

/// What a layer goes from step to step with.
pub(super) struct State {
    /// `[batches, units]`.
    pub hidden: Vec<f32>,
    /// Likewise, or empty.
    pub cells: Vec<f32>,
}

/// Every hidden state and every cell that a run came by, the first ones too.
#[derive(Default)]
pub(super) struct Trace {
    pub hidden: Vec<f32>,
    pub cells: Vec<f32>,
}

impl Layer<'_> {
    /// Computes all steps and moves `state` on.
    pub fn run(&self, state: &mut State, output: &mut [f32]) -> Trace {
        let [batches, steps, inputs] = self.extents;
        let units = state.hidden.len() / batches;
        let mut trace = Trace { hidden: state.hidden.clone(), cells: state.cells.clone() };
        for batch in 0..batches {
            let own = batch * units..(batch + 1) * units;
            for step in 0..steps {
                let time = match self.op.direction {
                    Direction::Forward => step,
                    Direction::Backward => steps - 1 - step,
                };
                let row = match self.op.order {
                    SequenceOrder::BatchMajor => batch * steps + time,
                    SequenceOrder::TimeMajor => time * batches + batch,
                };
                let x = &self.x[row * inputs..][..inputs];
                let cells = state.cells.get_mut(own.clone()).unwrap_or_default();
                let next = self.step(x, &state.hidden[own.clone()], cells);
                trace.hidden.extend_from_slice(&next);
                trace.cells.extend_from_slice(cells);
                if self.op.shown == Shown::EveryStep {
                    output[row * units..][..units].copy_from_slice(&next);
                }
                state.hidden[own.clone()].copy_from_slice(&next);
            }
        }
        match self.op.shown {
            Shown::EveryStep => {}
            Shown::LastStep => output.copy_from_slice(&state.hidden),
            Shown::LastCells => output.copy_from_slice(&state.cells),
        }
        trace
    }

    /// The next hidden state of a sequence; its cells move on.
    fn step(&self, x: &[f32], hidden: &[f32], cells: &mut [f32]) -> Vec<f32> {
        let units = hidden.len();
        let of_input = |gate: usize| products(self.input_weights, self.input_bias, gate, units, x);
        let of_hidden = |gate: usize, hidden: &[f32]| {
            products(self.hidden_weights, self.hidden_bias, gate, units, hidden)
        };
        let sum = |gate: usize| each_with(&of_input(gate), &of_hidden(gate, hidden), |a, b| a + b);
        let each = |values: Vec<f32>, function: fn(f32) -> f32| values.into_iter().map(function).collect();
        match self.op.cell {
            RecurrentCell::Lstm => {
                let [input, forget, added, shown] = [0, 1, 2, 3].map(sum);
                let mut next = Vec::with_capacity(units);
                for (unit, cell) in cells.iter_mut().enumerate() {
                    let kept = logistic(forget[unit]) * *cell;
                    *cell = kept + logistic(input[unit]) * libm::tanhf(added[unit]);
                    next.push(logistic(shown[unit]) * libm::tanhf(*cell));
                }
                next
            }
            RecurrentCell::GruResetAfter | RecurrentCell::GruResetBefore => {
                let update: Vec<f32> = each(sum(0), logistic);
                let reset: Vec<f32> = each(sum(1), logistic);
                let of_hidden = if self.op.cell == RecurrentCell::GruResetBefore {
                    of_hidden(2, &each_with(&reset, hidden, |a, b| a * b))
                } else {
                    each_with(&reset, &of_hidden(2, hidden), |a, b| a * b)
                };
                let candidate = each(each_with(&of_input(2), &of_hidden, |a, b| a + b), libm::tanhf);
                let added = each_with(&update, &candidate, |update, candidate| (1.0 - update) * candidate);
                let kept = each_with(&update, hidden, |a, b| a * b);
                each_with(&added, &kept, |a, b| a + b)
            }
            RecurrentCell::Tanh => each(sum(0), libm::tanhf),
            RecurrentCell::Relu => each(sum(0), |x| if x < 0.0 { 0.0 } else { x }),
        }
    }
}

/// What each unit's weights of `gate` make of `values`, and its bias.
fn products(weights: &[f32], bias: &[f32], gate: usize, units: usize, values: &[f32]) -> Vec<f32> {
    let rows = weights[gate * units * values.len()..].chunks_exact(values.len());
    let product = |(row, bias): (&[f32], &f32)| {
        row.iter().zip(values).fold(*bias, |sum, (weight, value)| sum + weight * value)
    };
    rows.zip(&bias[gate * units..][..units]).map(product).collect()
}

fn each_with(a: &[f32], b: &[f32], function: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    a.iter().zip(b).map(|(&a, &b)| function(a, b)).collect()
}
