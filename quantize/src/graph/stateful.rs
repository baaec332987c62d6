//! Operators that keep something from run to run.

use serde::{Deserialize, Serialize};

use super::TensorId;

/// What a node does with *variables*: constants whose data are the values that they have before the first run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stateful {
    /// `[variable]`: its value now.
    ReadVariable,
    /// `[x, variable]`: `x`, which the variable has from now on.
    AssignVariable,
    /// `[x: [batches, inputs], feature weights: [filters, inputs], time weights: [filters, memory], bias: [units],
    /// state: variable of batches * filters * memory elements]`; filters are `units * rank`.
    Svdf {
        /// Filters of a unit.
        rank: usize,
    },
    /// `[x, weights of the input: [units, inputs] for each gate, weights of the hidden state: [units, units] for each
    /// gate, bias: [units] for each gate, hidden state: variable, cells: variable]`, both `[batches, units]`. Gates
    /// are input, forget, cell, output.
    Lstm {
        /// Whether `x` is `[batches, steps, inputs]` or `[steps, batches, inputs]`.
        order: SequenceOrder,
        /// Cells stay within this distance from 0; 0 is any.
        cell_clip: f32,
    },
}

/// Which rows of sequences are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SequenceOrder {
    /// Those of a sequence.
    BatchMajor,
    /// Those of a time.
    TimeMajor,
}

/// Gates of a long short-term memory.
pub const LSTM_GATES: usize = 4;

impl Stateful {
    /// The variables among `inputs` that it changes.
    pub(super) fn variables<'a>(&self, inputs: &'a [TensorId]) -> &'a [TensorId] {
        match self {
            Stateful::ReadVariable => &[],
            Stateful::AssignVariable => &inputs[1..],
            Stateful::Svdf { .. } => &inputs[4..],
            Stateful::Lstm { .. } => &inputs[1 + 3 * LSTM_GATES..],
        }
    }

    /// The operator's name in TensorFlow Lite's words, for reports and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Stateful::ReadVariable => "ReadVariable",
            Stateful::AssignVariable => "AssignVariable",
            Stateful::Svdf { .. } => "SVDF",
            Stateful::Lstm { .. } => "UnidirectionalSequenceLSTM",
        }
    }
}
