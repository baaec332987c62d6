//! Whether operands of operators that keep something agree.

use super::operand::Operand;
use super::{Checked, ensure};
use crate::graph::{LSTM_GATES, Recurrent, SequenceOrder, Shown, Start, Stateful};

const ARITY: &str = "has the wrong number of inputs";
const SHAPE: &str = "has operands whose shapes do not agree";

/// Checks one operator. Extents and element counts are within [`super::validate`]'s limits already.
pub(super) fn check<T: Operand>(op: &Stateful, inputs: &[&T], output: &T) -> Checked {
    match op {
        Stateful::ReadVariable => {
            let [variable] = inputs else { return Err(ARITY) };
            variable.check_variable()?;
            ensure(variable.shape() == output.shape() && variable.has_type_of(output), SHAPE)
        }
        Stateful::AssignVariable => {
            let [x, variable] = inputs else { return Err(ARITY) };
            variable.check_variable()?;
            let same = |other: &T| x.shape() == other.shape() && x.has_type_of(other);
            ensure(same(variable) && same(output), SHAPE)
        }
        Stateful::Svdf { rank } => check_svdf(*rank, inputs, output),
        Stateful::Lstm { order, cell_clip } => {
            ensure(cell_clip.is_finite() && *cell_clip >= 0.0, "has a limit of cells that is no number")?;
            check_lstm(*order, inputs, output)
        }
    }
}

fn check_svdf<T: Operand>(rank: usize, inputs: &[&T], output: &T) -> Checked {
    let [x, features, times, bias, state] = inputs else { return Err(ARITY) };
    let (&[batches, depth], &[to_batches, units]) = (x.shape(), output.shape()) else { return Err(SHAPE) };
    let (&[filters, inputs], &[time_filters, memory]) = (features.shape(), times.shape()) else {
        return Err(SHAPE);
    };
    ensure(batches == to_batches && inputs == depth && time_filters == filters, SHAPE)?;
    ensure(units.checked_mul(rank) == Some(filters), "has filters that are no multiple of its units")?;
    features.check_weights(0)?;
    times.check_times(state)?;
    bias.check_bias(x)?;
    ensure(bias.len() == units, SHAPE)?;
    state.check_variable()?;
    ensure(state.len() / batches == filters * memory && state.len().is_multiple_of(batches), SHAPE)
}

fn check_lstm<T: Operand>(order: SequenceOrder, operands: &[&T], output: &T) -> Checked {
    let ([x], rest) = operands.split_at_checked(1).ok_or(ARITY)? else { return Err(ARITY) };
    let (weights, rest) = rest.split_at_checked(2 * LSTM_GATES).ok_or(ARITY)?;
    let (biases, rest) = rest.split_at_checked(LSTM_GATES).ok_or(ARITY)?;
    let [hidden, cells] = rest else { return Err(ARITY) };
    let (&[first, second, inputs], &[to_first, to_second, units]) = (x.shape(), output.shape()) else {
        return Err(SHAPE);
    };
    ensure((first, second) == (to_first, to_second), SHAPE)?;
    let batches = if order == SequenceOrder::BatchMajor { first } else { second };
    let (of_input, of_hidden) = weights.split_at(LSTM_GATES);
    for (weights, depth) in [(of_input, inputs), (of_hidden, units)] {
        for weights in weights {
            weights.check_weights(0)?;
            weights.check_scale()?;
            ensure(weights.shape() == [units, depth], SHAPE)?;
        }
    }
    for bias in biases {
        bias.check_bias(x)?;
        ensure(bias.len() == units, SHAPE)?;
    }
    hidden.check_variable()?;
    cells.check_cells()?;
    ensure(hidden.has_type_of(output), "has a hidden state of another type than its output")?;
    ensure([hidden, cells].iter().all(|state| state.len() == batches * units), SHAPE)
}

/// Checks a recurrent layer.
pub(super) fn check_recurrent<T: Operand>(op: &Recurrent, operands: &[&T], output: &T) -> Checked {
    ensure(operands.len() == op.arity(), ARITY)?;
    ensure(op.shown != Shown::LastCells || op.cell.has_cells(), "shows cells that it does not have")?;
    let x = operands[0];
    let &[first, second, inputs] = x.shape() else { return Err(SHAPE) };
    let [batches, _, _] = op.extents([first, second, inputs]);
    let states = &operands[Recurrent::HIDDEN..];
    let &[state_batches, units] = states[0].shape() else { return Err(SHAPE) };
    ensure(state_batches == batches && states.iter().all(|state| state.shape() == [batches, units]), SHAPE)?;
    for state in states {
        state.check_recurrent_state()?;
        if op.start == Start::Kept {
            state.check_variable()?;
        }
    }
    let rows = units.checked_mul(op.gates()).ok_or(SHAPE)?;
    for (position, depth) in [(Recurrent::INPUT_WEIGHTS, inputs), (Recurrent::HIDDEN_WEIGHTS, units)] {
        let (weights, bias) = (operands[position], operands[position + 2]);
        weights.check_weights(0)?;
        ensure(weights.shape() == [rows, depth], SHAPE)?;
        bias.check_narrow_bias()?;
        ensure(bias.shape() == [rows], SHAPE)?;
    }
    let shown = match op.shown {
        Shown::EveryStep => output.shape() == [first, second, units],
        Shown::LastStep | Shown::LastCells => output.shape() == [batches, units],
    };
    ensure(shown, SHAPE)
}
