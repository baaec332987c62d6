//! Runs the calibration samples and observes the range of every activation.

mod histogram;
mod lattice;

use histogram::Histogram;
pub use lattice::Lattice;
use thiserror::Error;

use crate::graph::{FloatGraph, Op, Tensor, TensorId};
use crate::interpret::Interpreter;
use crate::samples::Samples;

/// How a range is chosen from the values seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Calibrator {
    /// From the least value to the greatest.
    MinMax,
    /// Leaves out what lies beyond this percentile, in `(50, 100]`, on both sides.
    Percentile(f64),
    /// The range with the least mean squared error of the quantized values.
    MeanSquaredError,
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
    let passes = if calibrator == Calibrator::MinMax { 1 } else { 2 };
    let total = passes * samples.count();
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, total);
    };
    let interpreter = Interpreter::new(&graph);
    let (mut ranges, means) = observe(&interpreter, samples, &mut step)?;
    if calibrator != Calibrator::MinMax {
        let histograms = count(&interpreter, samples, &ranges, &mut step);
        for (range, histogram) in ranges.iter_mut().zip(&histograms) {
            if let Some(histogram) = histogram {
                *range = Some(match calibrator {
                    Calibrator::Percentile(percentile) => histogram.percentile_range(percentile),
                    _ => histogram.least_error_range(),
                });
            }
        }
    }
    let lattices = (0..graph.inputs.len()).map(|input| Lattice::of(samples.input(input))).collect();
    Ok(CalibratedGraph { graph, ranges, means, lattices })
}

type Means = Vec<Option<Vec<f32>>>;

/// The first pass: ranges from least to greatest, and means.
fn observe(
    interpreter: &Interpreter<'_>,
    samples: &Samples,
    step: &mut impl FnMut(),
) -> Result<(Vec<Option<Range>>, Means), CalibrateError> {
    let graph = interpreter.graph();
    let mut ranges: Vec<Option<Range>> = vec![None; graph.tensors.len()];
    let mut sums: Vec<Option<Vec<f64>>> = vec![None; graph.tensors.len()];
    for node in &graph.nodes {
        if let Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::FullyConnected { .. } = node.op {
            sums[node.inputs[0].0] = Some(vec![0.0; graph.tensor(node.inputs[0]).len()]);
        }
    }
    let mut not_finite = None;
    for (sample, inputs) in samples.iter().enumerate() {
        interpreter.run(&inputs, |id, values| {
            if let Some(element) = values.iter().position(|value| !value.is_finite()) {
                not_finite.get_or_insert((id, sample, element));
            }
            let range = Range::of(values).expect("a tensor has elements");
            ranges[id.0] = Some(ranges[id.0].map_or(range, |seen| seen.union(range)));
            for (sum, &value) in sums[id.0].iter_mut().flatten().zip(values) {
                *sum += f64::from(value);
            }
        });
        if let Some((TensorId(index), sample, element)) = not_finite {
            let tensor = graph.tensors[index].name.clone();
            return Err(CalibrateError::NotFinite { tensor, sample, element });
        }
        step();
    }
    let mean = |sums: Vec<f64>| sums.iter().map(|sum| (sum / samples.count() as f64) as f32).collect();
    Ok((ranges, sums.into_iter().map(|sums| sums.map(mean)).collect()))
}

/// The second pass: histograms within the ranges.
fn count(
    interpreter: &Interpreter<'_>,
    samples: &Samples,
    ranges: &[Option<Range>],
    step: &mut impl FnMut(),
) -> Vec<Option<Histogram>> {
    let mut histograms: Vec<Option<Histogram>> =
        ranges.iter().map(|range| range.map(Histogram::new)).collect();
    for inputs in samples.iter() {
        interpreter.run(&inputs, |id, values| {
            if let Some(histogram) = &mut histograms[id.0] {
                histogram.count(values);
            }
        });
        step();
    }
    histograms
}
