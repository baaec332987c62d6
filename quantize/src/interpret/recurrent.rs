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

/// What a run of a recurrent layer came by.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Every hidden state, the first ones too: `[.., units]`.
    pub hidden: Vec<f32>,
    /// Every cell, the first ones too: `[.., units]`, or empty.
    pub cells: Vec<f32>,
    /// Each step of each sequence, in the order in which they ran.
    pub steps: Vec<Step>,
}

/// A step of a sequence: what goes into the sums of gates, and what these do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// What goes in: `[inputs]`.
    pub x: Vec<f32>,
    /// The hidden state before: `[units]`.
    pub hidden: Vec<f32>,
    /// By how much the unit's state, or with long short-term memory its cell, moves with a gate's sum: `[gates, units]`.
    pub slopes: Vec<f32>,
    /// The reset gates of a gated recurrent unit: `[units]`; empty elsewhere.
    pub reset: Vec<f32>,
}

impl Layer<'_> {
    /// Computes all steps and moves `state` on.
    pub fn run(&self, state: &mut State, output: &mut [f32]) -> Trace {
        let [batches, steps, inputs] = self.extents;
        let units = state.hidden.len() / batches;
        let mut trace = Trace { hidden: state.hidden.clone(), cells: state.cells.clone(), steps: Vec::new() };
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
                let hidden = &state.hidden[own.clone()];
                let mut step = Step { x: x.to_vec(), hidden: hidden.to_vec(), ..Step::default() };
                let next = self.step(x, hidden, cells, &mut step);
                trace.steps.push(step);
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

    /// The next hidden state of a sequence; its cells move on. `seen` is told what the gates do.
    fn step(&self, x: &[f32], hidden: &[f32], cells: &mut [f32], seen: &mut Step) -> Vec<f32> {
        let units = hidden.len();
        let of_input = |gate: usize| products(self.input_weights, self.input_bias, gate, units, x);
        let of_hidden = |gate: usize, hidden: &[f32]| {
            products(self.hidden_weights, self.hidden_bias, gate, units, hidden)
        };
        let sum = |gate: usize| each_with(&of_input(gate), &of_hidden(gate, hidden), |a, b| a + b);
        let each = |values: Vec<f32>, function: fn(f32) -> f32| values.into_iter().map(function).collect();
        match self.op.cell {
            RecurrentCell::Lstm => {
                let [input, forget, shown] = [0, 1, 3].map(|gate| -> Vec<f32> { each(sum(gate), logistic) });
                let added: Vec<f32> = each(sum(2), libm::tanhf);
                let slope = |gate: f32| gate * (1.0 - gate);
                seen.slopes.extend(each_with(&input, &added, |input, added| slope(input) * added));
                seen.slopes.extend(each_with(&forget, cells, |forget, cell| slope(forget) * cell));
                seen.slopes.extend(each_with(&input, &added, |input, added| input * (1.0 - added * added)));
                let mut next = Vec::with_capacity(units);
                for (unit, cell) in cells.iter_mut().enumerate() {
                    let kept = forget[unit] * *cell;
                    *cell = kept + input[unit] * added[unit];
                    let tangent = libm::tanhf(*cell);
                    seen.slopes.push(slope(shown[unit]) * tangent);
                    next.push(shown[unit] * tangent);
                }
                next
            }
            RecurrentCell::GruResetAfter | RecurrentCell::GruResetBefore => {
                let update: Vec<f32> = each(sum(0), logistic);
                let reset: Vec<f32> = each(sum(1), logistic);
                let is_reset_before = self.op.cell == RecurrentCell::GruResetBefore;
                let of_state = if is_reset_before {
                    of_hidden(2, &each_with(&reset, hidden, |a, b| a * b))
                } else {
                    of_hidden(2, hidden)
                };
                let of_hidden = if is_reset_before {
                    of_state.clone()
                } else {
                    each_with(&reset, &of_state, |a, b| a * b)
                };
                let candidate = each(each_with(&of_input(2), &of_hidden, |a, b| a + b), libm::tanhf);
                let added = each_with(&update, &candidate, |update, candidate| (1.0 - update) * candidate);
                let kept = each_with(&update, hidden, |a, b| a * b);
                let moves = each_with(&update, &candidate, |update, candidate| {
                    (1.0 - update) * (1.0 - candidate * candidate)
                });
                let apart = each_with(hidden, &candidate, |a, b| a - b);
                seen.slopes.extend(each_with(&update, &apart, |gate, apart| gate * (1.0 - gate) * apart));
                let let_through = if is_reset_before {
                    each_with(&self.reach(units, &moves), hidden, |a, b| a * b)
                } else {
                    each_with(&moves, &of_state, |a, b| a * b)
                };
                seen.slopes
                    .extend(each_with(&reset, &let_through, |gate, moved| gate * (1.0 - gate) * moved));
                seen.slopes.extend(moves);
                seen.reset = reset;
                each_with(&added, &kept, |a, b| a + b)
            }
            RecurrentCell::Tanh => {
                let next: Vec<f32> = each(sum(0), libm::tanhf);
                seen.slopes.extend(next.iter().map(|value| 1.0 - value * value));
                next
            }
            RecurrentCell::Relu => {
                let next: Vec<f32> = each(sum(0), |x| if x < 0.0 { 0.0 } else { x });
                seen.slopes.extend(next.iter().map(|&value| if value > 0.0 { 1.0 } else { 0.0 }));
                next
            }
        }
    }

    /// How far all candidates move, which do so by `moves` with their own sums, with each unit's part of the hidden state.
    fn reach(&self, units: usize, moves: &[f32]) -> Vec<f32> {
        let mut squares = vec![0.0; units];
        let rows = self.hidden_weights[2 * units * units..].chunks_exact(units);
        for (row, moved) in rows.zip(moves) {
            for (square, weight) in squares.iter_mut().zip(row) {
                *square += (weight * moved) * (weight * moved);
            }
        }
        squares.into_iter().map(libm::sqrtf).collect()
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
