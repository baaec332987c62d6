//! What a model keeps between runs: resource variables, and the state of recurrent operators.

use std::sync::Arc;

use edgepkg_format::DType;

use super::file::File;
use super::operator::NO_OPTIONS;
use super::schema::{Operator, Options, SubGraph};
use super::{Element, Importer};
use crate::graph::{LSTM_GATES, Op, QuantizedTensor, SequenceOrder, Stateful, TensorId};
use crate::import::ImportError;
use crate::tflite_schema::{ABSENT, Builtin, activation};

impl Importer<'_, QuantizedTensor> {
    pub(super) fn read_variable(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let &[handle] = &operator.inputs[..] else {
            return Err(self.file.problem(operator, "lacks its variable"));
        };
        let output = self.output(operator)?;
        let variable = self.variable(operator, handle, output)?;
        self.push(operator, Op::Stateful(Stateful::ReadVariable), vec![variable], output)
    }

    /// The node's output is the value again, which no node reads.
    pub(super) fn assign_variable(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let &[handle, value] = &operator.inputs[..] else {
            return Err(self.file.problem(operator, "lacks its variable or value"));
        };
        let value = self.tensor(value)?;
        let variable = self.variable(operator, handle, value)?;
        let like = self.graph.tensor(value);
        let assigned = like.like(format!("{}/assigned", like.name), like.shape.clone());
        let assigned = self.graph.add_tensor(assigned);
        self.push(operator, Op::Stateful(Stateful::AssignVariable), vec![value, variable], assigned)
    }

    pub(super) fn svdf(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let (&[x, features, times, bias, state], Options::Svdf { rank }) =
            (&operator.inputs[..], &operator.options)
        else {
            return Err(self.file.problem(operator, "lacks an input, or its options"));
        };
        let rank = usize::try_from(*rank).map_err(|_| self.file.problem(operator, "has a negative rank"))?;
        let inputs = vec![
            self.tensor(x)?,
            self.weights(features)?,
            self.tensor(times)?,
            self.tensor(bias)?,
            self.state(state)?,
        ];
        let output = self.output(operator)?;
        self.push(operator, Op::Stateful(Stateful::Svdf { rank }), inputs, output)
    }

    pub(super) fn lstm(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let Options::Lstm(options) = &operator.options else { return Err(problem(NO_OPTIONS)) };
        if options.activation != activation::TANH {
            return Err(problem("has another activation than tanh"));
        }
        let input = |place: usize| operator.inputs.get(place).copied().unwrap_or(ABSENT);
        if PEEPHOLES_PROJECTION_AND_NORMS.into_iter().flatten().any(|place| input(place) != ABSENT) {
            return Err(problem(
                "has peepholes, a projection or layer normalization, which are not supported",
            ));
        }
        let given = [0..1, INPUT_WEIGHTS, HIDDEN_WEIGHTS, BIASES, STATES].into_iter().flatten();
        if given.clone().any(|place| input(place) == ABSENT) {
            return Err(problem("lacks an input; gates that share weights are not supported"));
        }
        let mut inputs = Vec::new();
        for place in given {
            inputs.push(match place {
                _ if STATES.contains(&place) => self.state(input(place))?,
                _ if place < BIASES.start && place > 0 => self.weights(input(place))?,
                _ => self.tensor(input(place))?,
            });
        }
        let order = if options.is_time_major { SequenceOrder::TimeMajor } else { SequenceOrder::BatchMajor };
        let op = Stateful::Lstm { order, cell_clip: options.cell_clip };
        let output = self.output(operator)?;
        self.push(operator, Op::Stateful(op), inputs, output)
    }

    /// The variable that the resource tensor `handle` stands for; its values are as those of `like`.
    fn variable(
        &mut self,
        operator: &Operator,
        handle: i32,
        like: TensorId,
    ) -> Result<TensorId, ImportError> {
        let name = variable_name(self.file, self.file.graph, handle)
            .ok_or_else(|| self.file.problem(operator, "uses a variable that has no handle"))?;
        if let Some(&id) = self.variables.get(&name) {
            return Ok(id);
        }
        let initial = initial_value(self.file, &name);
        let initial = initial.map_err(|problem| self.file.problem(operator, problem))?;
        let like = self.graph.tensor(like);
        let data = match initial {
            Some(data) => Arc::from(data),
            // The references fill memory with the zero point's low byte.
            None => self.bytes_of(like, |bytes| vec![like.quantization.zero_point() as u8; bytes])?,
        };
        let (_, label) = &name;
        let variable = QuantizedTensor { data: Some(data), ..like.like(label.clone(), like.shape.clone()) };
        self.count_constant(variable.constant_bytes())?;
        let id = self.graph.add_tensor(variable);
        self.variables.insert(name, id);
        Ok(id)
    }

    /// The variable tensor `index`: int8 starts at its zero point, others at 0.
    fn state(&mut self, index: i32) -> Result<TensorId, ImportError> {
        if let Some(&id) = self.ids.get(&index) {
            return Ok(id);
        }
        let tensor = QuantizedTensor::variable(self.file, index)?;
        let start = match tensor.dtype {
            DType::Int8 => tensor.quantization.zero_point() as u8,
            _ => 0,
        };
        let data = self.bytes_of(&tensor, |bytes| vec![start; bytes])?;
        self.count_constant(data.len())?;
        let id = self.graph.add_tensor(QuantizedTensor { data: Some(data), ..tensor });
        self.ids.insert(index, id);
        Ok(id)
    }

    /// As many bytes as `tensor` has.
    pub(super) fn bytes_of(
        &self,
        tensor: &QuantizedTensor,
        make: impl FnOnce(usize) -> Vec<u8>,
    ) -> Result<Arc<[u8]>, ImportError> {
        let elements = crate::validate::elements(&tensor.shape);
        let bytes = elements.and_then(|elements| tensor.dtype.bytes(elements as u32));
        let bytes = bytes.filter(|&bytes| bytes as usize <= super::MAX_CONSTANT_BYTES);
        let bytes =
            bytes.ok_or_else(|| super::unreadable(format!("variable `{}` is too large", tensor.name)))?;
        Ok(Arc::from(make(bytes as usize)))
    }
}

/// Where the operands stand among the inputs of a long short-term memory.
const INPUT_WEIGHTS: std::ops::Range<usize> = 1..1 + LSTM_GATES;
const HIDDEN_WEIGHTS: std::ops::Range<usize> = 5..5 + LSTM_GATES;
const BIASES: std::ops::Range<usize> = 12..12 + LSTM_GATES;
const STATES: std::ops::Range<usize> = 18..20;
const PEEPHOLES_PROJECTION_AND_NORMS: [std::ops::Range<usize>; 3] = [9..12, 16..18, 20..24];

/// A variable's container and name.
pub(super) type VariableName = (String, String);

/// The name of the variable that the resource tensor `handle` of `graph` stands for.
fn variable_name(file: &File<'_>, graph: &SubGraph, handle: i32) -> Option<VariableName> {
    let makes_it = |operator: &&Operator| {
        let code = file.model.operator_codes.get(operator.code as usize);
        operator.outputs == [handle] && code.is_some_and(|code| code.builtin == Builtin::VarHandle as i32)
    };
    match &graph.operators.iter().find(makes_it)?.options {
        Options::VarHandle { container, name } => Some((container.clone(), name.clone())),
        _ => None,
    }
}

/// The constant that the graphs which run once assign to a variable.
fn initial_value<'b>(file: &File<'b>, name: &VariableName) -> Result<Option<&'b [u8]>, &'static str> {
    for operator in &file.graph.operators {
        let (CALL_ONCE, Options::CallOnce { graph }) = (file.code(operator).builtin, &operator.options)
        else {
            continue;
        };
        let index = usize::try_from(*graph).ok();
        let graph = index.and_then(|index| file.model.subgraphs.get(index)).ok_or("calls no graph")?;
        for operator in &graph.operators {
            let code = file.model.operator_codes.get(operator.code as usize).map(|code| code.builtin);
            let (Some(ASSIGN_VARIABLE), &[handle, value]) = (code, &operator.inputs[..]) else { continue };
            if variable_name(file, graph, handle).as_ref() != Some(name) {
                continue;
            }
            let value = usize::try_from(value).ok().and_then(|value| graph.tensors.get(value));
            let data = value.and_then(|value| file.data(value)).filter(|data| !data.is_empty());
            return data
                .map(Some)
                .ok_or("has a variable whose initial value is computed, which is not supported");
        }
    }
    Ok(None)
}

const CALL_ONCE: i32 = Builtin::CallOnce as i32;
const ASSIGN_VARIABLE: i32 = Builtin::AssignVariable as i32;
