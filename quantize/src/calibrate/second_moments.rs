//! How the elements that enter a product of matrices go together over the samples.

use std::collections::HashMap;
use std::sync::Arc;

use super::CalibratedGraph;
use crate::graph::{FloatGraph, Op, Recurrent, Tensor, TensorId};
use crate::interpret::Interpreter;
use crate::samples::Samples;

/// Rows with more elements are left out: their moments would take more memory and time than they are worth.
const GREATEST_DEPTH: usize = 1024;

/// Fewer rows show how they go together themselves, and little of others.
const FEWEST_ROWS: usize = 100;

/// Mean and covariance of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct SecondMoments {
    /// Of each element.
    pub mean: Vec<f64>,
    /// `[depth, depth]`, row-major.
    pub covariance: Vec<f64>,
}

/// Sums over rows.
struct Sums {
    rows: usize,
    first: Vec<f64>,
    /// The upper triangle is meant.
    second: Vec<f64>,
}

impl Sums {
    fn new(depth: usize) -> Self {
        Self { rows: 0, first: vec![0.0; depth], second: vec![0.0; depth * depth] }
    }

    fn add(&mut self, values: &[f32]) {
        let depth = self.first.len();
        for row in values.chunks_exact(depth) {
            self.rows += 1;
            for (index, &value) in row.iter().enumerate() {
                let value = f64::from(value);
                self.first[index] += value;
                let sums = &mut self.second[index * depth..][index..depth];
                for (sum, &other) in sums.iter_mut().zip(&row[index..]) {
                    *sum += value * f64::from(other);
                }
            }
        }
    }

    fn moments(self) -> Option<SecondMoments> {
        if self.rows < FEWEST_ROWS {
            return None;
        }
        let (depth, rows) = (self.first.len(), self.rows as f64);
        let mean: Vec<f64> = self.first.iter().map(|sum| sum / rows).collect();
        let element = |index: usize| {
            let (row, column) = (index / depth, index % depth);
            let (low, high) = (row.min(column), row.max(column));
            self.second[low * depth + high] / rows - mean[row] * mean[column]
        };
        Some(SecondMoments { covariance: (0..depth * depth).map(element).collect(), mean })
    }
}

/// Runs `samples` once more and adds the moments of what fully connected and recurrent layers read.
pub fn add_second_moments(calibrated: &mut CalibratedGraph, samples: &Samples) {
    let graph = &calibrated.graph;
    let mut sums: HashMap<TensorId, Sums> =
        depths(graph).into_iter().map(|(id, depth)| (id, Sums::new(depth))).collect();
    let mut states: HashMap<TensorId, Sums> = HashMap::new();
    for (id, depth) in depths_of_states(graph) {
        states.insert(id, Sums::new(depth));
    }
    let interpreter = Interpreter::new(graph);
    let mut kept = interpreter.initial();
    for (index, inputs) in samples.iter().enumerate() {
        if samples.starts_anew(index) {
            kept = interpreter.initial();
        }
        let add_to = |sums: &mut HashMap<TensorId, Sums>, id: TensorId, values: &[f32]| {
            if let Some(sums) = sums.get_mut(&id) {
                sums.add(values);
            }
        };
        let observer = |id: TensorId, values: &[f32]| add_to(&mut sums, id, values);
        let within = |id: TensorId, values: &[f32]| add_to(&mut states, id, values);
        interpreter.run_after(&mut kept, &inputs, observer, within);
    }
    let all = sums.into_iter().chain(states);
    let moments: HashMap<TensorId, Arc<SecondMoments>> =
        all.filter_map(|(id, sums)| Some((id, Arc::new(sums.moments()?)))).collect();
    let count = graph.tensors.len();
    calibrated.moments = (0..count).map(|index| moments.get(&TensorId(index)).cloned()).collect();
}

/// What layers read, with the elements of its rows.
fn depths(graph: &FloatGraph) -> Vec<(TensorId, usize)> {
    let of = |position: usize, inputs: &[TensorId]| (inputs[0], graph.tensor(inputs[position]).shape()[1]);
    let layers = graph.nodes.iter().filter_map(|node| match node.op {
        Op::FullyConnected { .. } => Some(of(1, &node.inputs)),
        Op::Recurrent(_) => Some(of(Recurrent::INPUT_WEIGHTS, &node.inputs)),
        _ => None,
    });
    layers.filter(|&(_, depth)| depth <= GREATEST_DEPTH).collect()
}

/// What recurrent layers start with, with their units.
fn depths_of_states(graph: &FloatGraph) -> Vec<(TensorId, usize)> {
    let layers = graph.nodes.iter().filter(|node| matches!(node.op, Op::Recurrent(_)));
    let hidden = layers.map(|node| node.inputs[Recurrent::HIDDEN]);
    hidden.map(|id| (id, graph.tensor(id).shape()[1])).filter(|&(_, depth)| depth <= GREATEST_DEPTH).collect()
}
