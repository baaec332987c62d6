//! Recurrent layers.

use edgepkg_format::plan::{self, ChannelParameters, Scale};
use edgepkg_format::{DType, Space, TensorRef};

use super::function16::sigmoid_table;
use super::stateful::row;
use super::{Lowering, NodeError, NodeResult, word};
use crate::graph::{Node, QuantizedTensor, Recurrent, RecurrentCell, SequenceOrder, Start, Tensor, TensorId};
use crate::multiplier::{self, FactorOutOfRange};

/// Bytes of a value of the state.
const STATE_BYTES: usize = 2;

impl Lowering<'_> {
    pub(super) fn recurrent(&mut self, node: &Node, op: &Recurrent) -> NodeResult {
        let x = self.tensor(node.inputs[0]);
        let [batches, steps, inputs] = op.extents([x.shape[0], x.shape[1], x.shape[2]]);
        let states = &node.inputs[Recurrent::HIDDEN..];
        let hidden = self.tensor(states[0]);
        let shown = match op.shown {
            plan::Shown::LastCells => self.tensor(states[1]),
            plan::Shown::EveryStep | plan::Shown::LastStep => hidden,
        };
        let exponent = |id: Option<&TensorId>| {
            let scale = id.map(|&id| self.tensor(id).quantization.scale());
            scale.and_then(multiplier::exponent_of_state).unwrap_or_default()
        };
        let (hidden_exponent, cell_exponent) = (exponent(states.first()), exponent(states.get(1)));
        let y = &self.tensor(node.output()).quantization;
        let mut record = plan::Recurrent {
            input: self.place(node.inputs[0])?,
            weights: self.recurrent_weights(node, op)?,
            channels: self.recurrent_channels(node, op)?,
            table: self.constant(&sigmoid_table(), DType::Int16)?,
            state: TensorRef::new(Space::State, DType::Int16, 0),
            output: self.allocate(node.output())?,
            batches: word(batches),
            steps: word(steps),
            inputs: word(inputs),
            units: word(hidden.len() / batches),
            order: match op.order {
                SequenceOrder::BatchMajor => plan::SequenceOrder::BatchMajor,
                SequenceOrder::TimeMajor => plan::SequenceOrder::TimeMajor,
            },
            direction: op.direction,
            cell: op.cell,
            shown: op.shown,
            hidden_exponent,
            cell_exponent,
            output_scale: multiplier::requantize(shown.quantization.scale(), y.scale())?,
            output_zero_point: y.zero_point(),
        };
        let elements = record.state_elements().map_err(|_| NodeError::TooLarge { what: "state" })?;
        let bytes = elements as usize * STATE_BYTES;
        record.state = match op.start {
            Start::Anew => self.set_state(states, bytes)?,
            Start::Kept => self.keep_together(states, bytes)?,
        };
        self.push(record);
        Ok(())
    }

    /// A place in the arena, for so many bytes, that starts with what `states` hold.
    fn set_state(&mut self, states: &[TensorId], bytes: usize) -> Result<TensorRef, NodeError> {
        let place = self.allocate_bytes(word(bytes), DType::Int16)?;
        let is_zero = |&id: &TensorId| {
            self.tensor(id).data.as_deref().is_some_and(|data| data.iter().all(|&byte| byte == 0))
        };
        if states.iter().all(is_zero) {
            let length: usize = states.iter().map(|&id| self.tensor(id).len()).sum();
            self.fill(place, length, 0)?;
            return Ok(place);
        }
        let mut offset = place.offset;
        for &id in states {
            let length = self.tensor(id).len();
            let from = self.place(id)?;
            self.copy_elements(from, TensorRef { offset, ..place }, length)?;
            offset += word(length * STATE_BYTES);
        }
        Ok(place)
    }

    /// `[units][gate][inputs, then units]`.
    fn recurrent_weights(&mut self, node: &Node, op: &Recurrent) -> Result<TensorRef, NodeError> {
        let weights = [Recurrent::INPUT_WEIGHTS, Recurrent::HIDDEN_WEIGHTS];
        let weights = weights.map(|position| self.tensor(node.inputs[position]));
        let rows = by_unit(weights[0].shape[0], op.gates());
        let packed: Vec<i8> =
            rows.flat_map(|index| weights.map(|weights| row(weights, index)).concat()).collect();
        self.constant(bytemuck::cast_slice(&packed), DType::Int8)
    }

    /// `[units][gate][of the input's sum, of the hidden state's]`, zero points folded in.
    fn recurrent_channels(&mut self, node: &Node, op: &Recurrent) -> Result<TensorRef, NodeError> {
        let tensor = |position: usize| self.tensor(node.inputs[position]);
        let hidden_scale = tensor(Recurrent::HIDDEN).quantization.scale();
        let step = match op.cell {
            RecurrentCell::Relu => Some(hidden_scale),
            _ => None,
        };
        let parts = [
            (tensor(0), tensor(Recurrent::INPUT_WEIGHTS), tensor(Recurrent::INPUT_BIAS).int32()),
            (
                tensor(Recurrent::HIDDEN),
                tensor(Recurrent::HIDDEN_WEIGHTS),
                tensor(Recurrent::HIDDEN_BIAS).int32(),
            ),
        ];
        let mut packed = Vec::new();
        for index in by_unit(parts[0].1.shape[0], op.gates()) {
            for (values, weights, bias) in &parts {
                let sum: i32 = row(weights, index).iter().map(|&weight| i32::from(weight)).sum();
                let offset = values.quantization.zero_point().wrapping_mul(sum);
                let scale = part_scale(values, weights, index, step)?;
                packed.extend(ChannelParameters { bias: bias[index].wrapping_sub(offset), scale }.to_bytes());
            }
        }
        self.constant(&packed, DType::Int32)
    }
}

/// The rows of weights, those of a unit beside each other.
fn by_unit(rows: usize, gates: usize) -> impl Iterator<Item = usize> {
    let units = rows / gates;
    (0..units).flat_map(move |unit| (0..gates).map(move |gate| gate * units + unit))
}

fn part_scale(
    values: &QuantizedTensor,
    weights: &QuantizedTensor,
    index: usize,
    step: Option<f32>,
) -> Result<Scale, FactorOutOfRange> {
    let scales = &weights.quantization.scales;
    let weight = scales.get(index).unwrap_or(&scales[0]);
    multiplier::recurrent_part(values.quantization.scale(), *weight, step)
}
