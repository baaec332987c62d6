//! Makes inputs that the caller would fill with outputs of the run before into what the model keeps itself.
//!
//! Where such a pair is the state of a recurrent layer, the layer keeps it, as exactly as it computes; any other pair becomes a
//! variable that the run reads at its start and assigns at its end.

mod layers;

use std::sync::Arc;

use thiserror::Error;

use crate::graph::{FloatGraph, FloatTensor, Node, Op, Stateful, TensorId};
use crate::simplify::without_dead_nodes;
use crate::validate::validate;

/// An input that has the value of an output of the run before.
#[derive(Clone, Debug, PartialEq)]
pub struct StatePair {
    /// The input's name.
    pub input: String,
    /// The output's name.
    pub output: String,
    /// The input's elements in the first run; zeros where it is `None`.
    pub initial: Option<Vec<f32>>,
}

/// Why a pair cannot be kept.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum KeepStateError {
    /// A name that no port has, or that another pair has taken.
    #[error("the model has no {direction} `{name}` to be kept; it has {}", list(.there))]
    NoSuchPort {
        /// `input` or `output`.
        direction: &'static str,
        /// The name given.
        name: String,
        /// The names there are.
        there: Vec<String>,
    },
    /// An output that is no value for the input.
    #[error(
        "output `{output}` of shape {output_shape:?} cannot be the next run's `{input}` of shape {input_shape:?}"
    )]
    Shape {
        /// The input.
        input: String,
        /// Its shape.
        input_shape: Vec<usize>,
        /// The output.
        output: String,
        /// Its shape.
        output_shape: Vec<usize>,
    },
    /// A first value that is none for the input.
    #[error("the first value of `{input}` has {found} elements, where {expected} are needed")]
    Initial {
        /// The input.
        input: String,
        /// Elements it has.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// A model of which nothing would be left to be seen.
    #[error("no {direction} would be left beside what is kept")]
    NothingLeft {
        /// `input` or `output`.
        direction: &'static str,
    },
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { "none".into() } else { quoted.join(", ") }
}

/// A pair whose ports are no longer the model's.
struct Kept {
    input: TensorId,
    output: TensorId,
    initial: Vec<f32>,
}

/// `graph` without the inputs and outputs of `pairs`.
///
/// # Errors
///
/// When a pair names no input and output of one size, or when nothing but pairs would be there.
pub fn keep_state(mut graph: FloatGraph, pairs: &[StatePair]) -> Result<FloatGraph, KeepStateError> {
    let kept = pairs.iter().map(|pair| take_ports(&mut graph, pair)).collect::<Result<Vec<_>, _>>()?;
    if kept.is_empty() {
        return Ok(graph);
    }
    for (direction, ports) in [("input", &graph.inputs), ("output", &graph.outputs)] {
        if ports.is_empty() {
            return Err(KeepStateError::NothingLeft { direction });
        }
    }
    if let Some(kept_by_layers) = keep(graph.clone(), &kept, layers::keep) {
        return Ok(kept_by_layers);
    }
    let as_variables = keep(graph, &kept, |graph, kept| {
        keep_as_variable(graph, kept);
        Some(())
    });
    Ok(as_variables.expect("what is read at the start and assigned at the end can always be kept"))
}

/// `graph` with each pair kept as `way` does it, or else as a variable; `None` where that makes no sound graph.
fn keep(
    mut graph: FloatGraph,
    kept: &[Kept],
    way: impl Fn(&mut FloatGraph, &Kept) -> Option<()>,
) -> Option<FloatGraph> {
    let mut rest = Vec::new();
    let tensors = graph.tensors.len();
    for kept in kept {
        if way(&mut graph, kept).is_none() {
            rest.push(kept);
        }
    }
    if !layers::keep_no_more(&graph, tensors) {
        return None;
    }
    layers::merge_cells(&mut graph);
    for kept in rest {
        keep_as_variable(&mut graph, kept);
    }
    let graph = without_dead_nodes(graph);
    validate(&graph).is_ok().then_some(graph)
}

fn take_ports(graph: &mut FloatGraph, pair: &StatePair) -> Result<Kept, KeepStateError> {
    let find = |ports: &[TensorId], direction, name: &String| {
        let named = |id: &&TensorId| graph.tensor(**id).name == *name;
        ports.iter().find(named).copied().ok_or_else(|| KeepStateError::NoSuchPort {
            direction,
            name: name.clone(),
            there: ports.iter().map(|&id| graph.tensor(id).name.clone()).collect(),
        })
    };
    let input = find(&graph.inputs, "input", &pair.input)?;
    let output = find(&graph.outputs, "output", &pair.output)?;
    let [input_shape, output_shape] = [input, output].map(|id| graph.tensor(id).shape.clone());
    let expected = input_shape.iter().product();
    if output_shape.iter().product::<usize>() != expected {
        let (input, output) = (pair.input.clone(), pair.output.clone());
        return Err(KeepStateError::Shape { input, input_shape, output, output_shape });
    }
    let initial = pair.initial.clone().unwrap_or_else(|| vec![0.0; expected]);
    if initial.len() != expected {
        return Err(KeepStateError::Initial { input: pair.input.clone(), expected, found: initial.len() });
    }
    graph.inputs.retain(|&id| id != input);
    graph.outputs.retain(|&id| id != output);
    Ok(Kept { input, output, initial })
}

/// Adds a variable.
fn add_variable(graph: &mut FloatGraph, name: String, shape: Vec<usize>, initial: &[f32]) -> TensorId {
    graph.add_tensor(FloatTensor { name, shape, data: Some(Arc::from(initial)) })
}

/// Reads the pair's input from a variable at the start, and assigns the output to it at the end.
fn keep_as_variable(graph: &mut FloatGraph, kept: &Kept) {
    let FloatTensor { name, shape, .. } = graph.tensor(kept.input).clone();
    let variable = add_variable(graph, name.clone(), shape.clone(), &kept.initial);
    let node = |name, op, inputs, outputs| Node { name, op, inputs, outputs: vec![outputs] };
    let read = Op::Stateful(Stateful::ReadVariable);
    graph.nodes.insert(0, node(format!("{name}/read"), read, vec![variable], kept.input));
    let mut value = kept.output;
    if graph.tensor(value).shape != shape {
        let tensor = FloatTensor { name: name.clone(), shape: shape.clone(), data: None };
        let reshaped = graph.add_tensor(tensor);
        graph.nodes.push(node(format!("{name}/next"), Op::Reshape, vec![value], reshaped));
        value = reshaped;
    }
    let assigned = graph.add_tensor(FloatTensor { name: name.clone(), shape, data: None });
    let assign = Op::Stateful(Stateful::AssignVariable);
    graph.nodes.push(node(format!("{name}/assign"), assign, vec![value, variable], assigned));
}

#[cfg(test)]
mod tests;
