//! Layers whose results depend on what came before.

use super::field::{Field, WordReader, WordWriter};
use super::{Accumulation, Clamp, Direction, GateScales, Record, RecurrentCell, Scale, SequenceOrder, Shown};
use crate::tensor::TensorRef;

structure! {
    /// Singular value decomposition filters, `units * rank`: features of the last runs, weighed by time.
    Svdf {
        /// int8, `[batches, inputs]`.
        input: TensorRef,
        /// int8, `[batches, units]`.
        output: TensorRef,
        /// int8, constant, `[filters, inputs]`.
        feature_weights: TensorRef,
        /// int8 or int16, constant, `[filters, memory]`.
        time_weights: TensorRef,
        /// int32, constant, `[units]`.
        bias: TensorRef,
        /// State of the time weights' type, `[batches, filters, memory]`, the newest feature last.
        state: TensorRef,
        /// Rows of the input.
        batches: u32,
        /// Elements of an input row.
        inputs: u32,
        /// Elements of an output row.
        units: u32,
        /// Filters of a unit.
        rank: u32,
        /// Features that are kept of a filter.
        memory: u32,
        /// Zero point of the input.
        input_zero_point: i32,
        /// Scale of the feature weights' sums in the state's.
        feature_scale: Scale,
        /// Zero point of the state.
        state_zero_point: i32,
        /// Scale of the time weights' sums in the output's.
        output_scale: Scale,
        /// Added after requantization.
        output_zero_point: i32,
    }
}

structure! {
    /// Long short-term memory over a sequence.
    Lstm {
        /// int8 or int16, `[batches, steps, inputs]` in `order`.
        input: TensorRef,
        /// As the input, `[batches, steps, units]` in `order`.
        output: TensorRef,
        /// int8, constant, `[units][gate][inputs, then units]`; gates: input, forget, cell, output.
        weights: TensorRef,
        /// int64, constant, `[units][gate][of the input's sum, of the hidden state's]`.
        biases: TensorRef,
        /// As a [`Sigmoid16`](super::Sigmoid16)'s.
        table: TensorRef,
        /// State, int16: the hidden state `[batches, units]` of the input's type, then the cells of int16.
        state: TensorRef,
        /// Sequences.
        batches: u32,
        /// Steps of a sequence.
        steps: u32,
        /// Elements of an input row.
        inputs: u32,
        /// Elements of an output row.
        units: u32,
        /// Which rows follow each other.
        order: SequenceOrder,
        /// What gates are summed up in.
        accumulation: Accumulation,
        /// Of the gates: input, forget, cell, output.
        gates: [GateScales; 4],
        /// Of the product of two gates in the cell's scale.
        cell_scale: Scale,
        /// Range of the cell.
        cell_clamp: Clamp,
        /// Cells are multiplied by it before their tangent is taken,
        tanh_multiplier: i32,
        /// then divided by 2 to this power.
        tanh_shift: u32,
        /// Of the product of the output gate and the cell's tangent in the output's scale.
        output_scale: Scale,
        /// Zero point of the output.
        output_zero_point: i32,
    }
}

structure! {
    /// A recurrent layer over a sequence. Gates are summed up in steps of `1 / (3 * 2^12)`, the state is int16.
    Recurrent {
        /// int8 or int16, `[batches, steps, inputs]` in `order`.
        input: TensorRef,
        /// As the input: `[batches, steps, units]` in `order`, or `[batches, units]`, as `shown` says.
        output: TensorRef,
        /// int8, constant, `[units][gate][inputs, then units]`; gates as [`RecurrentCell`] has them.
        weights: TensorRef,
        /// [`ChannelParameters`](super::ChannelParameters), constant, 4-aligned, `[units][gate][of the input's sum, of the
        /// hidden state's]`.
        channels: TensorRef,
        /// As a [`Sigmoid16`](super::Sigmoid16)(super::Sigmoid16)'s.
        table: TensorRef,
        /// int16, state or arena: the hidden state `[batches, units]`, the cells likewise where there are some, then
        /// `[units]` or, where the reset gate comes first, `[2, units]`, which mean nothing between records.
        state: TensorRef,
        /// Sequences.
        batches: u32,
        /// Steps of a sequence.
        steps: u32,
        /// Elements of an input row.
        inputs: u32,
        /// Elements of an output row.
        units: u32,
        /// Which rows follow each other.
        order: SequenceOrder,
        /// Which way along the steps.
        direction: Direction,
        /// What a unit computes.
        cell: RecurrentCell,
        /// What of it is put out.
        shown: Shown,
        /// The hidden state is in steps of 2 to this power, times `2^-15`.
        hidden_exponent: u32,
        /// The cells likewise.
        cell_exponent: u32,
        /// Of what is shown in the output's scale.
        output_scale: Scale,
        /// Zero point of the output.
        output_zero_point: i32,
    }
}

impl From<Svdf> for Record {
    fn from(fields: Svdf) -> Self {
        Record::Svdf(fields)
    }
}

impl From<Lstm> for Record {
    fn from(fields: Lstm) -> Self {
        Record::Lstm(fields)
    }
}

impl From<Recurrent> for Record {
    fn from(fields: Recurrent) -> Self {
        Record::Recurrent(fields)
    }
}
