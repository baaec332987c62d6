//! LSTM, GRU and RNN: a layer for each direction.

use super::super::recurrence::{BIAS, CELLS, HIDDEN, HIDDEN_WEIGHTS, Recurrence, WEIGHTS};
use super::super::site::{Refusal, Site};
use super::Lowering;
use crate::graph::{Direction, Op, Recurrent, RecurrentCell, SequenceOrder, Shown, Start, TensorId};

impl Lowering {
    /// What a recurrent node writes at `position`: all hidden states, the last ones, the last cells.
    pub(super) fn recurrent(
        &mut self,
        site: &Site<'_>,
        position: usize,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let recurrence = Recurrence::of(site)?;
        let axis = recurrence.axis_of_directions(position);
        let all_states = site.node.output.first().and_then(|name| self.ids.get(name)).copied();
        let mut parts = Vec::new();
        for (index, &direction) in recurrence.directions.iter().enumerate() {
            let shown = match position {
                0 => Shown::EveryStep,
                1 => Shown::LastStep,
                _ => Shown::LastCells,
            };
            // Where every hidden state is computed, the last ones are taken from them.
            let part = match all_states.filter(|_| shown == Shown::LastStep) {
                Some(all) => self.last_states(site, &recurrence, all, (index, direction)),
                None => self.direction(site, &recurrence, (index, direction), shown)?,
            };
            let mut part_shape = shape.to_vec();
            part_shape[axis] = 1;
            parts.push(self.reshaped(site, part, &part_shape));
        }
        let whole = match parts.len() {
            1 => parts.remove(0),
            _ => self.emit(site, Op::Concat { axis }, parts, shape.to_vec()),
        };
        self.graph.tensors[whole.0].name.clone_from(&site.node.output[position]);
        Ok(whole)
    }

    /// The layer of one direction.
    fn direction(
        &mut self,
        site: &Site<'_>,
        recurrence: &Recurrence,
        (index, direction): (usize, Direction),
        shown: Shown,
    ) -> Result<TensorId, Refusal> {
        let Recurrence { cell, order, steps, batches, units, .. } = *recurrence;
        let operands = match self.layers.get(&(site.index(), index)) {
            Some(operands) => operands.clone(),
            None => self.operands(site, recurrence, index)?,
        };
        self.layers.insert((site.index(), index), operands.clone());
        let op = Op::Recurrent(Recurrent { cell, order, direction, shown, start: Start::Anew });
        let shape = match (shown, order) {
            (Shown::LastStep | Shown::LastCells, _) => vec![batches, units],
            (Shown::EveryStep, SequenceOrder::BatchMajor) => vec![batches, steps, units],
            (Shown::EveryStep, SequenceOrder::TimeMajor) => vec![steps, batches, units],
        };
        Ok(self.emit(site, op, operands, shape))
    }

    /// What the layer of a direction reads.
    fn operands(
        &mut self,
        site: &Site<'_>,
        recurrence: &Recurrence,
        index: usize,
    ) -> Result<Vec<TensorId>, Refusal> {
        let Recurrence { cell, inputs, units, .. } = *recurrence;
        let x = self.operand(site, 0)?;
        let rows = units * cell.gates() as usize;
        let bias = match site.constant_floats(BIAS)? {
            Some(bias) => bias[index * 2 * rows..][..2 * rows].to_vec(),
            None => vec![0.0; 2 * rows],
        };
        let (input_bias, hidden_bias) = bias.split_at(rows);
        let mut operands = vec![x];
        let weights = [(WEIGHTS, inputs), (HIDDEN_WEIGHTS, units)];
        for (position, depth) in weights {
            let values = site.constant_floats(position)?.unwrap_or_default();
            let own = &values[index * rows * depth..][..rows * depth];
            let name = site.input_name(position).to_owned();
            operands.push(self.constant(name, vec![rows, depth], by_gate(cell, own)));
        }
        for (name, bias) in [("input", input_bias), ("hidden", hidden_bias)] {
            let name = format!("{}/{name}_bias", site.name());
            operands.push(self.constant(name, vec![rows], by_gate(cell, bias)));
        }
        for position in [HIDDEN, CELLS].into_iter().take(if cell.has_cells() { 2 } else { 1 }) {
            operands.push(self.initial_state(site, recurrence, position, index)?);
        }
        Ok(operands)
    }

    /// What a direction's hidden state or cells are before the first step.
    fn initial_state(
        &mut self,
        site: &Site<'_>,
        recurrence: &Recurrence,
        position: usize,
        index: usize,
    ) -> Result<TensorId, Refusal> {
        let shape = vec![recurrence.batches, recurrence.units];
        if site.input(position).is_none() {
            let name = format!("{}/{}", site.name(), if position == HIDDEN { "hidden" } else { "cells" });
            let zeros = vec![0.0; shape.iter().product()];
            return Ok(self.constant(name, shape, zeros));
        }
        let given = self.operand(site, position)?;
        let axis = recurrence.axis_of_directions(position);
        let own = match recurrence.directions.len() {
            1 => given,
            _ => self.piece(site, given, axis, (index, 1)),
        };
        Ok(self.reshaped(site, own, &shape))
    }

    /// The last of a direction's hidden states, `all` being those of all directions.
    fn last_states(
        &mut self,
        site: &Site<'_>,
        recurrence: &Recurrence,
        all: TensorId,
        (index, direction): (usize, Direction),
    ) -> TensorId {
        let own = match recurrence.directions.len() {
            1 => all,
            _ => self.piece(site, all, recurrence.axis_of_directions(0), (index, 1)),
        };
        let axis = match recurrence.order {
            SequenceOrder::BatchMajor => 1,
            SequenceOrder::TimeMajor => 0,
        };
        let last = match direction {
            Direction::Forward => recurrence.steps - 1,
            Direction::Backward => 0,
        };
        self.piece(site, own, axis, (last, 1))
    }
}

/// Rows in the order of the file's gates, in that of [`RecurrentCell`]'s.
fn by_gate(cell: RecurrentCell, rows: &[f32]) -> Vec<f32> {
    let gates: Vec<&[f32]> = rows.chunks_exact(rows.len() / cell.gates() as usize).collect();
    match (cell, &gates[..]) {
        // The file has input, output, forget, cell.
        (RecurrentCell::Lstm, [input, output, forget, cell]) => [*input, *forget, *cell, *output].concat(),
        _ => rows.to_vec(),
    }
}
