//! How the elements that enter a product of matrices go together over the samples.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::CalibratedGraph;
use crate::graph::{FloatGraph, Node, Op, Tensor, TensorId};
use crate::interpret::{Interpreter, Step, Trace};
use crate::samples::Samples;

/// Rows with more elements are left out: their moments would take more memory and time than they are worth.
const GREATEST_DEPTH: usize = 1024;

/// Fewer rows show how they go together themselves, and little of others.
const FEWEST_ROWS: usize = 100;

/// About so many steps of a recurrent layer are looked at.
const MOST_STEPS: usize = 4096;

/// Mean and covariance of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct SecondMoments {
    /// How many.
    pub rows: usize,
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
        let (depth, count) = (self.first.len(), self.rows as f64);
        let mean: Vec<f64> = self.first.iter().map(|sum| sum / count).collect();
        let element = |index: usize| {
            let (row, column) = (index / depth, index % depth);
            let (low, high) = (row.min(column), row.max(column));
            self.second[low * depth + high] / count - mean[row] * mean[column]
        };
        Some(SecondMoments { rows: self.rows, covariance: (0..depth * depth).map(element).collect(), mean })
    }
}

/// Runs `samples` once more and adds the moments of what fully connected layers read, and the steps of recurrent ones.
pub fn add_second_moments(calibrated: &mut CalibratedGraph, samples: &Samples) {
    let graph = &calibrated.graph;
    let mut sums: HashMap<TensorId, Sums> = depths(graph).map(|(id, depth)| (id, Sums::new(depth))).collect();
    let mut steps: BTreeMap<TensorId, Choice> = BTreeMap::new();
    let interpreter = Interpreter::new(graph);
    let mut kept = interpreter.initial();
    for (index, inputs) in samples.iter().enumerate() {
        if samples.starts_anew(index) {
            kept = interpreter.initial();
        }
        let observer = |id: TensorId, values: &[f32]| {
            if let Some(sums) = sums.get_mut(&id) {
                sums.add(values);
            }
        };
        let within = |node: &Node, trace: Trace| {
            let of_all = trace.steps.len() * samples.count();
            steps.entry(node.output()).or_insert_with(|| Choice::of(of_all)).add(trace.steps);
        };
        interpreter.run_after(&mut kept, &inputs, observer, within);
    }
    let moments: HashMap<TensorId, Arc<SecondMoments>> =
        sums.into_iter().filter_map(|(id, sums)| Some((id, Arc::new(sums.moments()?)))).collect();
    let count = graph.tensors.len();
    calibrated.moments = (0..count).map(|index| moments.get(&TensorId(index)).cloned()).collect();
    let enough = steps.into_iter().filter(|(_, choice)| choice.chosen.len() >= FEWEST_ROWS);
    calibrated.steps = enough.map(|(id, choice)| (id, choice.chosen.into())).collect();
}

/// What fully connected layers read, with the elements of its rows.
fn depths(graph: &FloatGraph) -> impl Iterator<Item = (TensorId, usize)> {
    let layers = graph.nodes.iter().filter(|node| matches!(node.op, Op::FullyConnected { .. }));
    let of = |node: &Node| (node.inputs[0], graph.tensor(node.inputs[1]).shape()[1]);
    layers.map(of).filter(|&(_, depth)| depth <= GREATEST_DEPTH)
}

/// Steps of a recurrent layer, about as many as are wanted, from all of its sequences.
struct Choice {
    seen: u64,
    /// One of so many is chosen.
    of: u64,
    chosen: Vec<Step>,
}

impl Choice {
    fn of(all: usize) -> Self {
        Self { seen: 0, of: all.div_ceil(MOST_STEPS) as u64, chosen: Vec::new() }
    }

    fn add(&mut self, steps: Vec<Step>) {
        for step in steps {
            // Multiples of the golden ratio meet no rhythm that sequences may have.
            if (self.seen.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).is_multiple_of(self.of) {
                self.chosen.push(step);
            }
            self.seen += 1;
        }
    }
}
