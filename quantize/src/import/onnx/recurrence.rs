//! What LSTM, GRU and RNN are given: sizes, directions, functions.

use super::operands::operand;
use super::site::{Refusal, Site, unsupported};
use crate::graph::{Direction, RecurrentCell, SequenceOrder};

/// Operands by their positions.
pub(super) const WEIGHTS: usize = 1;
pub(super) const HIDDEN_WEIGHTS: usize = 2;
pub(super) const BIAS: usize = 3;
const LENGTHS: usize = 4;
pub(super) const HIDDEN: usize = 5;
pub(super) const CELLS: usize = 6;
const PEEPHOLES: usize = 7;

/// What a node computes.
pub(super) struct Recurrence {
    pub cell: RecurrentCell,
    pub order: SequenceOrder,
    /// One or both.
    pub directions: Vec<Direction>,
    pub steps: usize,
    pub batches: usize,
    pub inputs: usize,
    pub units: usize,
}

impl Recurrence {
    /// Reads and checks a node's attributes and operands.
    pub fn of(site: &Site<'_>) -> Result<Self, Refusal> {
        let &[first, second, inputs] = &site.x().shape[..] else {
            let problem =
                format!("has an input of shape {:?}, where 3 dimensions are needed", site.x().shape);
            return Err(site.invalid(problem));
        };
        let order = match site.flag("layout") {
            true => SequenceOrder::BatchMajor,
            false => SequenceOrder::TimeMajor,
        };
        let (batches, steps) = if site.flag("layout") { (first, second) } else { (second, first) };
        let directions = match &*site.word("direction").unwrap_or("forward".into()) {
            "reverse" => vec![Direction::Backward],
            "bidirectional" => vec![Direction::Forward, Direction::Backward],
            _ => vec![Direction::Forward],
        };
        let hidden_weights = &operand(site, HIDDEN_WEIGHTS)?.shape;
        let &[_, _, units] = &hidden_weights[..] else {
            return Err(site.invalid(format!("has recurrence weights of shape {hidden_weights:?}")));
        };
        let cell = cell(site, directions.len())?;
        let recurrence = Self { cell, order, directions, steps, batches, inputs, units };
        recurrence.check_operands(site)?;
        Ok(recurrence)
    }

    fn check_operands(&self, site: &Site<'_>) -> Result<(), Refusal> {
        let (directions, units) = (self.directions.len(), self.units);
        let stated = site.int("hidden_size").unwrap_or(units as i64);
        site.ensure(stated == units as i64, format!("states {stated} units and has weights for {units}"))?;
        let rows = units.saturating_mul(self.cell.gates() as usize);
        let state = match self.order {
            SequenceOrder::BatchMajor => vec![self.batches, directions, units],
            SequenceOrder::TimeMajor => vec![directions, self.batches, units],
        };
        for (position, shape) in [
            (WEIGHTS, vec![directions, rows, self.inputs]),
            (HIDDEN_WEIGHTS, vec![directions, rows, units]),
            (BIAS, vec![directions, rows.saturating_mul(2)]),
            (HIDDEN, state.clone()),
            (CELLS, state),
        ] {
            if let Some(given) = site.input(position).map(|fact| &fact.shape) {
                let problem = format!("has operand {position} of shape {given:?}, where {shape:?} is needed");
                site.ensure(*given == shape, problem)?;
            }
        }
        for position in [WEIGHTS, HIDDEN_WEIGHTS, BIAS] {
            site.constant_floats(position)?;
        }
        if site.input(PEEPHOLES).is_some_and(|_| !self.is_zero(site, PEEPHOLES)) {
            return unsupported("peepholes");
        }
        if let Some(lengths) = site.constant_ints(LENGTHS)?
            && lengths.iter().any(|&length| length != self.steps as i64)
        {
            return unsupported(format!("sequences of {lengths:?} steps in a tensor of {}", self.steps));
        }
        Ok(())
    }

    fn is_zero(&self, site: &Site<'_>, position: usize) -> bool {
        matches!(site.constant_floats(position), Ok(Some(values)) if values.iter().all(|&value| value == 0.0))
    }

    /// The shapes of the outputs.
    pub fn shapes(&self) -> Vec<Vec<usize>> {
        let Self { steps, batches, units, .. } = *self;
        let directions = self.directions.len();
        let (all, state) = match self.order {
            SequenceOrder::BatchMajor => {
                (vec![batches, steps, directions, units], vec![batches, directions, units])
            }
            SequenceOrder::TimeMajor => {
                (vec![steps, directions, batches, units], vec![directions, batches, units])
            }
        };
        let mut shapes = vec![all, state.clone()];
        shapes.extend(self.cell.has_cells().then_some(state));
        shapes
    }

    /// The dimension of outputs at `position` that directions are.
    pub fn axis_of_directions(&self, position: usize) -> usize {
        match (self.order, position) {
            (SequenceOrder::BatchMajor, 0) => 2,
            (SequenceOrder::BatchMajor, _) | (SequenceOrder::TimeMajor, 0) => 1,
            (SequenceOrder::TimeMajor, _) => 0,
        }
    }
}

/// What a unit computes; its functions have to be those that it has by default.
fn cell(site: &Site<'_>, directions: usize) -> Result<RecurrentCell, Refusal> {
    let (cell, functions): (_, &[&str]) = match &*site.node.op_type {
        "LSTM" => (RecurrentCell::Lstm, &["sigmoid", "tanh", "tanh"]),
        "GRU" if site.flag("linear_before_reset") => (RecurrentCell::GruResetAfter, &["sigmoid", "tanh"]),
        "GRU" => (RecurrentCell::GruResetBefore, &["sigmoid", "tanh"]),
        _ => (RecurrentCell::Tanh, &["tanh"]),
    };
    if site.float("clip").is_some_and(|clip| clip != 0.0) {
        return unsupported("sums that are clipped");
    }
    if site.flag("input_forget") {
        return unsupported("an input gate that follows from the forget gate");
    }
    let Some(given) = site.words("activations") else { return Ok(cell) };
    let is_all = |functions: &[&str]| {
        given.len() == functions.len() * directions
            && given
                .chunks(functions.len())
                .all(|own| own.iter().zip(functions).all(|(own, function)| own == function))
    };
    match cell {
        _ if is_all(functions) => Ok(cell),
        RecurrentCell::Tanh if is_all(&["relu"]) => Ok(RecurrentCell::Relu),
        _ => unsupported(format!("the functions {given:?}")),
    }
}
