//! Recurrent layers of files that compute with floats. Their states are variables: a run goes on where the last one
//! ended.

use std::ops::Range;
use std::sync::Arc;

use super::operator::NO_OPTIONS;
use super::schema::{Operator, Options};
use super::{Importer, MAX_CONSTANT_BYTES};
use crate::graph::{
    Direction, FloatTensor, Op, Recurrent, RecurrentCell, SequenceOrder, Shown, Start, Tensor, TensorId,
};
use crate::import::ImportError;
use crate::tflite_schema::{ABSENT, Builtin, activation};

/// Where the operands of a layer that goes one way stand among the inputs.
struct Places {
    input_weights: Range<usize>,
    hidden_weights: Range<usize>,
    biases: Range<usize>,
    states: Range<usize>,
    /// What is not supported.
    absent: &'static [usize],
}

const LSTM: Places = Places {
    input_weights: 1..5,
    hidden_weights: 5..9,
    biases: 12..16,
    states: 18..20,
    absent: &[9, 10, 11, 16, 17, 20, 21, 22, 23],
};

/// Forward and backward. What follows is a second input and its weights.
const BIDIRECTIONAL_LSTM: [Places; 2] = [
    Places {
        input_weights: 1..5,
        hidden_weights: 5..9,
        biases: 12..16,
        states: 35..37,
        absent: &[9, 10, 11, 16, 17, 39, 40, 41, 42, 43, 44, 45, 46, 47],
    },
    Places {
        input_weights: 18..22,
        hidden_weights: 22..26,
        biases: 29..33,
        states: 37..39,
        absent: &[26, 27, 28, 33, 34],
    },
];

const RNN: Places =
    Places { input_weights: 1..2, hidden_weights: 2..3, biases: 3..4, states: 4..5, absent: &[] };

/// Likewise.
const BIDIRECTIONAL_RNN: [Places; 2] = [
    Places { input_weights: 1..2, hidden_weights: 2..3, biases: 3..4, states: 4..5, absent: &[9, 10, 11] },
    Places { input_weights: 5..6, hidden_weights: 6..7, biases: 7..8, states: 8..9, absent: &[] },
];

/// What a layer's options say.
struct Layer {
    cell: RecurrentCell,
    order: SequenceOrder,
    merges_outputs: bool,
}

impl Importer<'_, FloatTensor> {
    /// A long short-term memory or a simple recurrent layer, in one direction or both.
    pub(super) fn sequence(&mut self, operator: &Operator, builtin: Builtin) -> Result<(), ImportError> {
        let is_lstm =
            matches!(builtin, Builtin::UnidirectionalSequenceLstm | Builtin::BidirectionalSequenceLstm);
        let layer = layer(operator, is_lstm).map_err(|problem| self.file.problem(operator, problem))?;
        let [forward, backward] = match builtin {
            Builtin::UnidirectionalSequenceLstm => return self.one_way(operator, &layer, &LSTM),
            Builtin::UnidirectionalSequenceRnn => return self.one_way(operator, &layer, &RNN),
            Builtin::BidirectionalSequenceLstm => &BIDIRECTIONAL_LSTM,
            _ => &BIDIRECTIONAL_RNN,
        };
        let outputs: Vec<TensorId> =
            operator.outputs.iter().map(|&output| self.tensor(output)).collect::<Result<_, _>>()?;
        match (&outputs[..], layer.merges_outputs) {
            (&[one, other], false) => {
                self.direction(operator, &layer, forward, Direction::Forward, one)?;
                self.direction(operator, &layer, backward, Direction::Backward, other)
            }
            (&[both], true) => {
                let shape = self.graph.tensor(both).shape.clone();
                let Some((&width, outer)) = shape.split_last().filter(|(width, _)| width.is_multiple_of(2))
                else {
                    return Err(self.file.problem(operator, "has an output that is not of both directions"));
                };
                let [one, other] =
                    [(), ()].map(|()| self.between(operator, both, [outer, &[width / 2]].concat()));
                self.direction(operator, &layer, forward, Direction::Forward, one)?;
                self.direction(operator, &layer, backward, Direction::Backward, other)?;
                self.push(operator, Op::Concat { axis: outer.len() }, vec![one, other], both)
            }
            _ => Err(self.file.problem(operator, "has another number of outputs than its options say")),
        }
    }

    fn one_way(&mut self, operator: &Operator, layer: &Layer, places: &Places) -> Result<(), ImportError> {
        let output = self.output(operator)?;
        self.direction(operator, layer, places, Direction::Forward, output)
    }

    fn direction(
        &mut self,
        operator: &Operator,
        layer: &Layer,
        places: &Places,
        direction: Direction,
        output: TensorId,
    ) -> Result<(), ImportError> {
        let given = |place: usize| operator.inputs.get(place).copied().filter(|&input| input != ABSENT);
        if places.absent.iter().any(|&place| given(place).is_some()) {
            let refused =
                "has peepholes, a projection, layer normalization or a second input, which are not supported";
            return Err(self.file.problem(operator, refused));
        }
        let all = |range: &Range<usize>| -> Result<Vec<i32>, ImportError> {
            let missing =
                || self.file.problem(operator, "lacks an input; gates that share weights are not supported");
            range.clone().map(|place| given(place).ok_or_else(missing)).collect()
        };
        let x = given(0).ok_or_else(|| self.file.problem(operator, "lacks an input"))?;
        let [input_weights, hidden_weights, biases, states] =
            [&places.input_weights, &places.hidden_weights, &places.biases, &places.states].map(all);
        let (input_weights, hidden_weights) = (input_weights?, hidden_weights?);
        let (biases, states) = (biases?, states?);
        let mut inputs = vec![self.tensor(x)?];
        for rows in [input_weights, hidden_weights, biases] {
            inputs.push(self.stacked(operator, &rows)?);
        }
        let bias = self.graph.tensor(inputs[3]).clone();
        let none = FloatTensor {
            name: format!("{}/hidden_bias", self.file.node_name(operator)),
            data: Some(vec![0.0; bias.len()].into()),
            ..bias
        };
        inputs.push(self.graph.add_tensor(none));
        for state in states {
            inputs.push(self.initial_state(state)?);
        }
        let Layer { cell, order, .. } = *layer;
        let op = Recurrent { cell, order, direction, shown: Shown::EveryStep, start: Start::Kept };
        self.push(operator, Op::Recurrent(op), inputs, output)
    }

    /// The rows of constants, those of one gate behind those of another.
    fn stacked(&mut self, operator: &Operator, parts: &[i32]) -> Result<TensorId, ImportError> {
        let (mut data, mut shape): (Vec<f32>, Vec<usize>) = (Vec::new(), Vec::new());
        for &part in parts {
            let part = self.tensor(part)?;
            let FloatTensor { shape: own, data: values, .. } = self.graph.tensor(part);
            let (Some(values), Some((&rows, inner))) = (values, own.split_first()) else {
                return Err(self.file.problem(operator, "has weights that are not constant"));
            };
            if shape.is_empty() {
                shape = [&[0], inner].concat();
            }
            if shape[1..] != *inner {
                return Err(self.file.problem(operator, "has gates with weights of different shapes"));
            }
            shape[0] += rows;
            data.extend_from_slice(values);
        }
        self.count_constant(size_of_val(&data[..]))?;
        let name = match parts {
            [one] => return self.tensor(*one),
            [first, ..] => self.file.tensor(*first).map(|tensor| tensor.name.clone()).unwrap_or_default(),
            [] => String::new(),
        };
        Ok(self.graph.add_tensor(FloatTensor { name, shape, data: Some(data.into()) }))
    }

    /// The variable tensor `index`, which starts at 0.
    fn initial_state(&mut self, index: i32) -> Result<TensorId, ImportError> {
        if let Some(&id) = self.ids.get(&index) {
            return Ok(id);
        }
        let tensor = self.file.variable(index)?;
        let shape = tensor.extents().ok_or_else(|| tensor.problem("has a negative extent"))?;
        let elements =
            crate::validate::elements(&shape).filter(|elements| elements * 4 <= MAX_CONSTANT_BYTES);
        let elements = elements.ok_or_else(|| tensor.problem("is too large"))?;
        self.count_constant(4 * elements)?;
        let data = Some(Arc::from(vec![0.0; elements]));
        let id = self.graph.add_tensor(FloatTensor { name: tensor.name.clone(), shape, data });
        self.ids.insert(index, id);
        Ok(id)
    }
}

fn layer(operator: &Operator, is_lstm: bool) -> Result<Layer, &'static str> {
    let (function, cell_clip, is_time_major, merges_outputs) = match &operator.options {
        Options::Lstm(options) => (options.activation, options.cell_clip, options.is_time_major, false),
        Options::Sequence(options) => {
            (options.activation, options.cell_clip, options.is_time_major, options.merges_outputs)
        }
        _ => return Err(NO_OPTIONS),
    };
    if cell_clip != 0.0 {
        return Err("clips its cells, which is read in integer models only");
    }
    let cell = match (is_lstm, function) {
        (true, activation::TANH) => RecurrentCell::Lstm,
        (false, activation::TANH) => RecurrentCell::Tanh,
        (false, activation::RELU) => RecurrentCell::Relu,
        _ => return Err("has another activation than tanh, or than relu or tanh without cells"),
    };
    let order = if is_time_major { SequenceOrder::TimeMajor } else { SequenceOrder::BatchMajor };
    Ok(Layer { cell, order, merges_outputs })
}
