//! Runs the calibration samples and observes the range of every activation.

mod extremes;
mod histogram;
mod lattice;
mod second_moments;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub(crate) use extremes::Extremes;
use histogram::Histogram;
pub use lattice::Lattice;
pub use second_moments::{SecondMoments, add_second_moments};
use thiserror::Error;

use crate::graph::{FloatGraph, Node, Recurrent, Tensor, TensorId};
pub use crate::interpret::Step;
use crate::interpret::{Interpreter, Trace};
use crate::samples::Samples;

/// Tensors of at most so many elements are small: a value that is clamped there is a large share of them.
const SMALL_ELEMENTS: usize = 256;

/// How a range is chosen from the values seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Calibrator {
    /// From the least value to the greatest; for small tensors, of which a sample shows little, as far as
    /// the next samples are expected to go.
    MinMax,
    /// Leaves out what lies beyond this percentile, in `(50, 100]`, on both sides.
    Percentile(f64),
    /// The range with the least mean squared error of the quantized values.
    MeanSquaredError,
}

impl Calibrator {
    /// How often it runs each sample.
    pub fn passes(self) -> usize {
        match self {
            Calibrator::MinMax => 1,
            Calibrator::Percentile(_) | Calibrator::MeanSquaredError => 2,
        }
    }
}

impl std::fmt::Display for Calibrator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Calibrator::MinMax => write!(formatter, "minmax"),
            Calibrator::Percentile(percentile) => write!(formatter, "percentile {percentile}"),
            Calibrator::MeanSquaredError => write!(formatter, "mse"),
        }
    }
}

/// An interval of reals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Least value.
    pub min: f32,
    /// Greatest value.
    pub max: f32,
}

impl Range {
    /// The range of `values`; `None` without any.
    pub fn of(values: &[f32]) -> Option<Self> {
        let first = Self { min: *values.first()?, max: values[0] };
        Some(values.iter().fold(first, |range, &value| range.including(value)))
    }

    /// The least range that holds `self` and `value`.
    #[must_use]
    pub fn including(self, value: f32) -> Self {
        Self {
            min: if value < self.min { value } else { self.min },
            max: if value > self.max { value } else { self.max },
        }
    }

    /// The least range that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        self.including(other.min).including(other.max)
    }
}

/// A float graph and what the calibration samples do in it.
#[derive(Clone, Debug)]
pub struct CalibratedGraph {
    /// The graph.
    pub graph: FloatGraph,
    /// The range of each tensor; `None` for constants and what no node writes.
    pub ranges: Vec<Option<Range>>,
    /// For each tensor that enters a convolution or a matrix product, each element's mean over the samples.
    pub means: Vec<Option<Vec<f32>>>,
    /// For each operand that a recurrent layer's state starts with, the range of all its values; `None` elsewhere.
    pub states: Vec<Option<Range>>,
    /// Of what enters a fully connected layer, the moments of all its rows: after [`add_second_moments`].
    pub moments: Vec<Option<Arc<SecondMoments>>>,
    /// Of recurrent layers, by what they put out, steps of their sequences: after [`add_second_moments`].
    pub steps: BTreeMap<TensorId, Arc<[Step]>>,
    /// For each input of the graph, the grid that all its values lie on, where there is one.
    pub lattices: Vec<Option<Lattice>>,
}

/// Why a model cannot be calibrated.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CalibrateError {
    /// The model itself makes a value that is no number.
    #[error("sample {sample} makes tensor `{tensor}` NaN or infinite at element {element}")]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// Index of the sample.
        sample: usize,
        /// Index of the element, row-major.
        element: usize,
    },
    /// A percentile that leaves nothing.
    #[error("percentile {percentile} is not within 50 to 100")]
    Percentile {
        /// What was asked for.
        percentile: f64,
    },
}

/// Runs `samples` through `graph`. Sums and counts are taken in the order of the samples.
///
/// `progress` is called after every inference with those done and those to do.
///
/// # Errors
///
/// When a percentile is out of range, or when an activation becomes NaN or infinite.
pub fn calibrate(
    graph: FloatGraph,
    samples: &Samples,
    calibrator: Calibrator,
    mut progress: impl FnMut(usize, usize),
) -> Result<CalibratedGraph, CalibrateError> {
    if let Calibrator::Percentile(percentile) = calibrator
        && !(percentile > 50.0 && percentile <= 100.0)
    {
        return Err(CalibrateError::Percentile { percentile });
    }
    let total = calibrator.passes() * samples.count();
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, total);
    };
    let interpreter = Interpreter::new(&graph);
    let seen = observe(&interpreter, samples, &mut step)?;
    let histograms = match calibrator {
        Calibrator::MinMax => Vec::new(),
        _ => count(&interpreter, samples, &seen.activations, &mut step),
    };
    let range = |(index, seen): (usize, &Option<Seen>)| {
        let (seen, id) = (seen.as_ref()?, TensorId(index));
        Some(match (calibrator, histograms.get(index)) {
            (Calibrator::Percentile(percentile), Some(Some(histogram))) => {
                histogram.percentile_range(percentile)
            }
            (Calibrator::MeanSquaredError, Some(Some(histogram))) => histogram.least_error_range(),
            _ if graph.tensor(id).len() > SMALL_ELEMENTS || graph.inputs.contains(&id) => seen.range(),
            _ => seen.expected_range(),
        })
    };
    let states = (0..graph.tensors.len())
        .map(|index| seen.states.get(&TensorId(index)).map(Seen::expected_range))
        .collect();
    let seen = seen.activations;
    let ranges = seen.iter().enumerate().map(range).collect();
    let mean = |seen: Option<Seen>| {
        let sums = seen?.sums;
        let mean = |sum: &f64| (sum / samples.count() as f64) as f32;
        (!sums.is_empty()).then(|| sums.iter().map(mean).collect())
    };
    let means = seen.into_iter().map(mean).collect();
    let lattices = (0..graph.inputs.len()).map(|input| Lattice::of(samples.input(input))).collect();
    let moments = vec![None; graph.tensors.len()];
    let steps = BTreeMap::new();
    Ok(CalibratedGraph { graph, ranges, means, states, moments, steps, lattices })
}

/// What the first pass sees of a tensor.
struct Seen {
    high: Extremes,
    /// Of the negated values.
    low: Extremes,
    /// Each element's sum over the samples, where its mean is wanted; empty elsewhere.
    sums: Vec<f64>,
}

impl Seen {
    fn new(sums: usize) -> Self {
        Self { high: Extremes::default(), low: Extremes::default(), sums: vec![0.0; sums] }
    }

    fn add(&mut self, values: &[f32]) {
        let range = Range::of(values).expect("a tensor has elements");
        self.high.add(range.max);
        self.low.add(-range.min);
        for (sum, &value) in self.sums.iter_mut().zip(values) {
            *sum += f64::from(value);
        }
    }

    /// From the least value seen to the greatest.
    fn range(&self) -> Range {
        Range { min: -self.low.greatest(), max: self.high.greatest() }
    }

    /// As far as the next samples are expected to go, on sides where there are values.
    fn expected_range(&self) -> Range {
        let Range { min, max } = self.range();
        Range {
            min: if min < 0.0 { -self.low.expected() } else { min },
            max: if max > 0.0 { self.high.expected() } else { max },
        }
    }
}

/// What the first pass sees.
struct FirstPass {
    /// Of each tensor.
    activations: Vec<Option<Seen>>,
    /// Of what recurrent layers go from step to step with, by the operands that they start with.
    states: HashMap<TensorId, Seen>,
}

/// The first pass: extremes and means.
fn observe(
    interpreter: &Interpreter<'_>,
    samples: &Samples,
    step: &mut impl FnMut(),
) -> Result<FirstPass, CalibrateError> {
    let graph = interpreter.graph();
    let mut mean_wanted = vec![false; graph.tensors.len()];
    for node in graph.nodes.iter().filter(|node| node.op.is_weighted()) {
        mean_wanted[node.inputs[0].0] = true;
    }
    let mut seen: Vec<Option<Seen>> = graph.tensors.iter().map(|_| None).collect();
    let mut seen_states: HashMap<TensorId, Seen> = HashMap::new();
    let mut kept = interpreter.initial();
    let mut not_finite = None;
    for (sample, inputs) in samples.iter().enumerate() {
        let within = |node: &Node, trace: Trace| {
            let states = node.inputs[Recurrent::HIDDEN..].iter().zip([&trace.hidden, &trace.cells]);
            for (&id, values) in states {
                seen_states.entry(id).or_insert_with(|| Seen::new(0)).add(values);
            }
        };
        let observer = |id: TensorId, values: &[f32]| {
            if let Some(element) = values.iter().position(|value| !value.is_finite()) {
                not_finite.get_or_insert((id, sample, element));
            }
            let sums = if mean_wanted[id.0] { values.len() } else { 0 };
            seen[id.0].get_or_insert_with(|| Seen::new(sums)).add(values);
        };
        if samples.starts_anew(sample) {
            kept = interpreter.initial();
        }
        interpreter.run_after(&mut kept, &inputs, observer, within);
        if let Some((TensorId(index), sample, element)) = not_finite {
            let tensor = graph.tensors[index].name.clone();
            return Err(CalibrateError::NotFinite { tensor, sample, element });
        }
        step();
    }
    Ok(FirstPass { activations: seen, states: seen_states })
}

/// The second pass: histograms within the ranges.
fn count(
    interpreter: &Interpreter<'_>,
    samples: &Samples,
    seen: &[Option<Seen>],
    step: &mut impl FnMut(),
) -> Vec<Option<Histogram>> {
    let histogram = |seen: &Option<Seen>| Some(Histogram::new(seen.as_ref()?.range()));
    let mut histograms: Vec<Option<Histogram>> = seen.iter().map(histogram).collect();
    let mut kept = interpreter.initial();
    for (sample, inputs) in samples.iter().enumerate() {
        let observer = |id: TensorId, values: &[f32]| {
            if let Some(histogram) = &mut histograms[id.0] {
                histogram.count(values);
            }
        };
        if samples.starts_anew(sample) {
            kept = interpreter.initial();
        }
        interpreter.run_after(&mut kept, &inputs, observer, |_, _| {});
        step();
    }
    histograms
}
