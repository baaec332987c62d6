//! Operators that keep something from run to run, in the state space.

use edgepkg_format::plan::{self, Clamp, GateScales, Lstm, Svdf};
use edgepkg_format::{DType, Space, TensorRef};

use super::function16::sigmoid_table;
use super::{BUFFER_ALIGNMENT, Lowering, NodeError, NodeResult, word};
use crate::graph::{LSTM_GATES, Node, QuantizedTensor, SequenceOrder, Stateful, Tensor, TensorId};
use crate::multiplier::{self, type_range};

/// Where the gates' weights of the input, those of the hidden state, and biases stand among the inputs.
const INPUT_WEIGHTS: usize = 1;
const HIDDEN_WEIGHTS: usize = INPUT_WEIGHTS + LSTM_GATES;
const BIASES: usize = HIDDEN_WEIGHTS + LSTM_GATES;
const HIDDEN: usize = BIASES + LSTM_GATES;
const CELLS: usize = HIDDEN + 1;

impl Lowering<'_> {
    pub(super) fn stateful(&mut self, node: &Node, op: &Stateful) -> NodeResult {
        match op {
            Stateful::ReadVariable => {
                let variable = self.variable(node.inputs[0])?;
                self.copy_whole(variable, node.output())
            }
            Stateful::AssignVariable => {
                let input = self.place(node.inputs[0])?;
                let variable = self.variable(node.inputs[1])?;
                self.copy_elements(input, variable, self.tensor(node.inputs[0]).len())?;
                self.reshape(node)
            }
            Stateful::Svdf { rank } => self.svdf(node, *rank),
            Stateful::Lstm { order, cell_clip } => self.lstm(node, *order, *cell_clip),
        }
    }

    /// Where a variable lies; nodes that name it share it.
    fn variable(&mut self, id: TensorId) -> Result<TensorRef, NodeError> {
        if let Some(&place) = self.variables.get(&id) {
            return Ok(place);
        }
        let tensor = self.tensor(id);
        let place = self.keep(tensor.dtype, tensor.data.as_deref().unwrap_or_default())?;
        self.variables.insert(id, place);
        Ok(place)
    }

    /// A place in the state for what has the value `initial` before the first run.
    fn keep(&mut self, dtype: DType, initial: &[u8]) -> Result<TensorRef, NodeError> {
        let offset = self.state.len().next_multiple_of(BUFFER_ALIGNMENT as usize);
        if offset + initial.len() > i32::MAX as usize {
            return Err(NodeError::TooLarge { what: "state" });
        }
        self.state.resize(offset, 0);
        self.state.extend_from_slice(initial);
        Ok(TensorRef::new(Space::State, dtype, word(offset)))
    }

    /// A place in the state for `variables`, one behind the other at even bytes, of so many bytes at least.
    pub(super) fn keep_together(
        &mut self,
        variables: &[TensorId],
        least_bytes: usize,
    ) -> Result<TensorRef, NodeError> {
        if variables.iter().any(|id| self.variables.contains_key(id)) {
            return Err(NodeError::Quantization("keeps its state where another operator does"));
        }
        let mut initial = Vec::new();
        for &id in variables {
            initial.resize(initial.len().next_multiple_of(2), 0);
            initial.extend_from_slice(self.tensor(id).data.as_deref().unwrap_or_default());
        }
        initial.resize(initial.len().max(least_bytes), 0);
        let place = self.keep(DType::Int16, &initial)?;
        self.variables.extend(variables.iter().map(|&id| (id, place)));
        Ok(place)
    }

    fn svdf(&mut self, node: &Node, rank: usize) -> NodeResult {
        let [x, features, times, _, state] = [0, 1, 2, 3, 4].map(|index| self.tensor(node.inputs[index]));
        let y = self.tensor(node.output());
        let scale = |tensor: &QuantizedTensor| tensor.quantization.scale();
        let record = Svdf {
            input: self.place(node.inputs[0])?,
            feature_weights: self.place(node.inputs[1])?,
            time_weights: self.place(node.inputs[2])?,
            bias: self.place(node.inputs[3])?,
            state: self.variable(node.inputs[4])?,
            output: self.allocate(node.output())?,
            batches: word(x.shape[0]),
            inputs: word(x.shape[1]),
            units: word(y.shape[1]),
            rank: word(rank),
            memory: word(times.shape[1]),
            input_zero_point: x.quantization.zero_point(),
            feature_scale: multiplier::per_tensor_product(scale(x), scale(features), scale(state))?,
            state_zero_point: state.quantization.zero_point(),
            output_scale: multiplier::svdf_output(scale(state), scale(times), scale(y))?,
            output_zero_point: y.quantization.zero_point(),
        };
        self.push(record);
        Ok(())
    }

    fn lstm(&mut self, node: &Node, order: SequenceOrder, cell_clip: f32) -> NodeResult {
        let (x, y) = self.unary(node);
        let tensor = |index: usize| self.graph.tensor(node.inputs[index]);
        let (hidden, cells) = (tensor(HIDDEN), tensor(CELLS));
        let [x_scale, hidden_scale, cell_scale] =
            [x, hidden, cells].map(|tensor| tensor.quantization.scale());
        let gate = |index: usize| -> Result<GateScales, NodeError> {
            let scale = |weights: usize| tensor(weights + index).quantization.scale();
            Ok(GateScales {
                input: multiplier::lstm_gate(x_scale, scale(INPUT_WEIGHTS))?,
                hidden: multiplier::lstm_gate(hidden_scale, scale(HIDDEN_WEIGHTS))?,
            })
        };
        let tanh = multiplier::tanh_of_cells(cell_scale)
            .ok_or(NodeError::Quantization("has cells whose scale is no power of two"))?;
        let [first, second] = [0, 1].map(|axis| word(x.shape[axis]));
        let (batches, steps) = match order {
            SequenceOrder::BatchMajor => (first, second),
            SequenceOrder::TimeMajor => (second, first),
        };
        let record = Lstm {
            gates: [gate(0)?, gate(1)?, gate(2)?, gate(3)?],
            input: self.place(node.inputs[0])?,
            weights: self.lstm_weights(node)?,
            biases: self.lstm_biases(node)?,
            table: self.constant(&sigmoid_table(), DType::Int16)?,
            state: self.lstm_state(node)?,
            output: self.allocate(node.output())?,
            batches,
            steps,
            inputs: word(x.shape[2]),
            units: word(y.shape[2]),
            order: match order {
                SequenceOrder::BatchMajor => plan::SequenceOrder::BatchMajor,
                SequenceOrder::TimeMajor => plan::SequenceOrder::TimeMajor,
            },
            accumulation: match x.dtype {
                DType::Int16 => plan::Accumulation::Wide,
                _ => plan::Accumulation::Narrow,
            },
            cell_scale: multiplier::lstm_product(cell_scale)?,
            cell_clamp: cell_range(cell_clip, cell_scale),
            tanh_multiplier: tanh.multiplier,
            tanh_shift: tanh.shift,
            output_scale: multiplier::lstm_product(hidden_scale)?,
            output_zero_point: hidden.quantization.zero_point(),
        };
        self.push(record);
        Ok(())
    }

    /// `[units][gate][inputs, then units]`.
    fn lstm_weights(&mut self, node: &Node) -> Result<TensorRef, NodeError> {
        let units = self.tensor(node.output()).shape[2];
        let mut packed = Vec::new();
        for unit in 0..units {
            for gate in 0..LSTM_GATES {
                for weights in [INPUT_WEIGHTS, HIDDEN_WEIGHTS] {
                    packed.extend_from_slice(row(self.tensor(node.inputs[weights + gate]), unit));
                }
            }
        }
        self.constant(bytemuck::cast_slice(&packed), DType::Int8)
    }

    /// `[units][gate][of the input's sum, of the hidden state's]`, zero points folded in.
    fn lstm_biases(&mut self, node: &Node) -> Result<TensorRef, NodeError> {
        let units = self.tensor(node.output()).shape[2];
        let tensor = |index: usize| self.graph.tensor(node.inputs[index]);
        let biases: Vec<Vec<i64>> = (0..LSTM_GATES).map(|gate| tensor(BIASES + gate).int64()).collect();
        let mut packed = Vec::new();
        for unit in 0..units {
            for (gate, biases) in biases.iter().enumerate() {
                let offset = |of: usize, weights: usize| -> i64 {
                    let sum: i64 =
                        row(tensor(weights + gate), unit).iter().map(|&weight| i64::from(weight)).sum();
                    i64::from(tensor(of).quantization.zero_point()) * sum
                };
                let of_input = biases[unit].wrapping_sub(offset(0, INPUT_WEIGHTS));
                packed.extend(of_input.to_le_bytes());
                packed.extend((-offset(HIDDEN, HIDDEN_WEIGHTS)).to_le_bytes());
            }
        }
        self.constant(&packed, DType::Int64)
    }

    /// The hidden state and, from the next element of int16 on, the cells.
    fn lstm_state(&mut self, node: &Node) -> Result<TensorRef, NodeError> {
        self.keep_together(&[HIDDEN, CELLS].map(|index| node.inputs[index]), 0)
    }
}

/// A unit's weights.
pub(super) fn row(weights: &QuantizedTensor, unit: usize) -> &[i8] {
    let depth = weights.shape[1];
    &weights.int8()[unit * depth..][..depth]
}

/// The values that cells within `clip` from 0 have; all where it is 0.
fn cell_range(clip: f32, scale: f32) -> Clamp {
    let range = type_range(DType::Int16);
    if clip <= 0.0 {
        return range;
    }
    let greatest = ((clip / scale) as i32).min(range.max);
    Clamp { min: -greatest, max: greatest }
}
