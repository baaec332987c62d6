//! Recurrent layers over sequences.

pub use edgepkg_format::plan::{RecurrentCell, Shown};
use serde::{Deserialize, Serialize};

use super::{Direction, SequenceOrder};

/// `[x, weights of the input: [gates * units, inputs], weights of the hidden state: [gates * units, units], bias of the
/// input: [gates * units], bias of the hidden state: likewise, hidden state: [batches, units], cells: likewise]`. Cells
/// are there with long short-term memory alone. Rows of weights and biases are those of the first gate, in the order
/// that [`RecurrentCell`] gives, then of the second and so on. The hidden state and the cells are int16 in int graphs, with a
/// power of two for a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrent {
    /// What a unit computes.
    pub cell: RecurrentCell,
    /// Whether `x` is `[batches, steps, inputs]` or `[steps, batches, inputs]`.
    pub order: SequenceOrder,
    /// Which way along the steps.
    pub direction: Direction,
    /// What is put out: rows for each step in the order of `x`, or `[batches, units]`.
    pub shown: Shown,
    /// What the hidden state and the cells are operands of.
    pub start: Start,
}

/// Where a sequence starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// At the hidden state and the cells given.
    Anew,
    /// Where the last run ended: the hidden state and the cells are variables.
    Kept,
}

impl Recurrent {
    /// Where the weights of the input stand among the inputs.
    pub const INPUT_WEIGHTS: usize = 1;
    /// Where the weights of the hidden state stand.
    pub const HIDDEN_WEIGHTS: usize = 2;
    /// Where the bias of the input stands.
    pub const INPUT_BIAS: usize = 3;
    /// Where the bias of the hidden state stands.
    pub const HIDDEN_BIAS: usize = 4;
    /// Where the hidden state stands; the cells stand behind it.
    pub const HIDDEN: usize = 5;

    /// How many inputs it has.
    pub fn arity(&self) -> usize {
        Self::HIDDEN + 1 + usize::from(self.cell.has_cells())
    }

    /// How many rows of weights a unit has.
    pub fn gates(&self) -> usize {
        self.cell.gates() as usize
    }

    /// Sequences, steps and inputs of an `x` of this shape.
    pub fn extents(&self, shape: [usize; 3]) -> [usize; 3] {
        let [first, second, inputs] = shape;
        match self.order {
            SequenceOrder::BatchMajor => [first, second, inputs],
            SequenceOrder::TimeMajor => [second, first, inputs],
        }
    }

    /// The operator's name in ONNX's words, for reports and messages.
    pub fn name(&self) -> &'static str {
        match self.cell {
            RecurrentCell::Lstm => "LSTM",
            RecurrentCell::GruResetAfter | RecurrentCell::GruResetBefore => "GRU",
            RecurrentCell::Tanh | RecurrentCell::Relu => "RNN",
        }
    }
}
