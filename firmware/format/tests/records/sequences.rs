//! Kinds that go over a sequence.

use edgepkg_format::plan::{
    Accumulation, Direction, GateScales, Lstm, Recurrent, RecurrentCell, SequenceOrder, Shown, Svdf,
};

use crate::numbered::{Choice, check, check_with_choices, clamp, scale, tensor};

#[test]
fn svdf() {
    let record = Svdf {
        input: tensor(0),
        output: tensor(2),
        feature_weights: tensor(4),
        time_weights: tensor(6),
        bias: tensor(8),
        state: tensor(10),
        batches: 12,
        inputs: 13,
        units: 14,
        rank: 15,
        memory: 16,
        input_zero_point: 17,
        feature_scale: scale(18),
        state_zero_point: 20,
        output_scale: scale(21),
        output_zero_point: 23,
    };
    check(record, 52, 24, &[0, 2, 4, 6, 8, 10]);
}

#[test]
fn lstm() {
    let gate = |at| GateScales { input: scale(at), hidden: scale(at + 2) };
    let record = Lstm {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        biases: tensor(6),
        table: tensor(8),
        state: tensor(10),
        batches: 12,
        steps: 13,
        inputs: 14,
        units: 15,
        order: SequenceOrder::TimeMajor,
        accumulation: Accumulation::Wide,
        gates: [18, 22, 26, 30].map(gate),
        cell_scale: scale(34),
        cell_clamp: clamp(36),
        tanh_multiplier: 38,
        tanh_shift: 39,
        output_scale: scale(40),
        output_zero_point: 42,
    };
    let choices = [Choice { at: 16, value: 1, count: 2 }, Choice { at: 17, value: 1, count: 2 }];
    check_with_choices(record, 53, 43, &[0, 2, 4, 6, 8, 10], &choices);
}

#[test]
fn recurrent() {
    let record = Recurrent {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        table: tensor(8),
        state: tensor(10),
        batches: 12,
        steps: 13,
        inputs: 14,
        units: 15,
        order: SequenceOrder::TimeMajor,
        direction: Direction::Backward,
        cell: RecurrentCell::GruResetBefore,
        shown: Shown::LastStep,
        hidden_exponent: 20,
        cell_exponent: 21,
        output_scale: scale(22),
        output_zero_point: 24,
    };
    let choice = |at, value, count| Choice { at, value, count };
    let choices = [choice(16, 1, 2), choice(17, 1, 2), choice(18, 2, 5), choice(19, 1, 3)];
    check_with_choices(record, 60, 25, &[0, 2, 4, 6, 8, 10], &choices);
}
