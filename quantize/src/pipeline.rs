//! From a float graph to a quantized one with its report: every step in order.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::assign_int8::{AssignError, BiasCorrection, Int16Layers, assign_int8};
use crate::calibrate::{CalibrateError, CalibratedGraph, Calibrator, Range, add_second_moments, calibrate};
use crate::equalize::equalize;
use crate::graph::{FloatGraph, QuantizedGraph, Rounding, Tensor};
use crate::lower::LowerError;
use crate::report::Report;
use crate::samples::Samples;
use crate::score::{Layers, score};

/// How a model is quantized. The default is what does best over many models.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How ranges are chosen.
    pub calibrator: Calibrator,
    /// Whether channels are rescaled first.
    pub equalization: Equalization,
    /// Whether biases take off what rounded weights add.
    pub bias_correction: BiasCorrection,
    /// How often results are rounded: as TensorFlow Lite Micro or as ONNX Runtime does.
    pub rounding: Rounding,
    /// Which layers compute in int16.
    pub int16_layers: Int16Layers,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            calibrator: Calibrator::MinMax,
            equalization: Equalization::CrossLayer,
            bias_correction: BiasCorrection::Mean,
            rounding: Rounding::Twice,
            int16_layers: Int16Layers::None,
        }
    }
}

/// Whether the channels of activations are given like ranges before they get their scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equalization {
    /// They stay as they are.
    None,
    /// Layers are rescaled against each other, by [`equalize`].
    CrossLayer,
}

/// Samples that the model was not calibrated on, to compare the float and the int8 model with.
#[derive(Clone, Debug, PartialEq)]
pub struct TestSet {
    /// Inputs.
    pub samples: Samples,
    /// The right answer of each: the index of an element of the first output. Empty when not known.
    pub labels: Vec<usize>,
}

/// Where [`quantize`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Runs calibration samples.
    Calibrating {
        /// Inferences done.
        done: usize,
        /// Inferences to do.
        total: usize,
    },
    /// Chooses scales, rounds weights.
    Assigning,
    /// Runs samples through both models.
    Scoring {
        /// Samples done.
        done: usize,
        /// Samples to do.
        total: usize,
    },
}

/// A quantized model.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// What a package holds.
    pub graph: QuantizedGraph,
    /// What was lost, over the test set or else the calibration samples.
    pub report: Report,
}

/// Why a model cannot be quantized.
#[derive(Debug, Error)]
pub enum QuantizeError {
    /// Ranges cannot be observed.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    /// The graph cannot be int8.
    #[error(transparent)]
    Assign(#[from] AssignError),
    /// The quantized graph cannot be run.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// More labels than test samples, or fewer.
    #[error("there are {labels} labels for {samples} test samples")]
    LabelCount {
        /// Labels given.
        labels: usize,
        /// Test samples given.
        samples: usize,
    },
    /// A label that names no element of the first output.
    #[error("the label of test sample {sample} is {label}; the model's first output has {classes} elements")]
    Label {
        /// Index of the test sample.
        sample: usize,
        /// Its label.
        label: usize,
        /// Elements of the first output.
        classes: usize,
    },
}

/// Quantizes `graph` with the ranges that `calibration` shows, and compares the result with it.
///
/// The same arguments give the same bytes on every machine.
///
/// # Errors
///
/// When labels do not fit the test set, or when a step fails.
pub fn quantize(
    graph: FloatGraph,
    calibration: &Samples,
    test: Option<&TestSet>,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Quantized, QuantizeError> {
    if let Some(test) = test {
        check_labels(&graph, test)?;
    }
    let mut done_before = 0;
    let equalized = match options.equalization {
        Equalization::None => graph.clone(),
        Equalization::CrossLayer => {
            done_before = calibration.count();
            equalize(graph.clone(), calibration, |done, total| {
                let total = total * (1 + options.calibrator.passes());
                progress(Progress::Calibrating { done, total });
            })
        }
    };
    let mut calibrated = calibrate(equalized, calibration, options.calibrator, |done, total| {
        progress(Progress::Calibrating { done: done_before + done, total: done_before + total });
    })?;
    progress(Progress::Assigning);
    if options.int16_layers != Int16Layers::None {
        // With activations of int16, rounded weights are what most of the error comes from.
        add_second_moments(&mut calibrated, calibration);
    }
    let assigned =
        assign_int8(&calibrated, options.bias_correction, options.rounding, &options.int16_layers)?;
    let (samples, labels) = test.map_or((calibration, &[][..]), |test| (&test.samples, &test.labels));
    let layers = Layers { graph: &calibrated.graph, activations: &assigned.activations };
    let score = score(&graph, &assigned.graph, Some(layers), samples, labels, |done, total| {
        progress(Progress::Scoring { done, total });
    })?;
    let report = Report::new(options.calibrator, calibration.count(), &assigned, &score);
    Ok(Quantized { graph: assigned.graph, report })
}

/// Quantizes `graph` as if every activation had values around -1 to 1: its answers mean nothing, but layers and
/// memory are those that calibrated ranges give.
///
/// # Errors
///
/// When the graph cannot be int8.
pub fn quantize_with_made_up_ranges(graph: FloatGraph) -> Result<QuantizedGraph, AssignError> {
    // Ranges that are all the same would hide where a requantize is needed.
    let bound = |index: usize| 1.0 + (index % 64) as f32 / 64.0;
    let range = |index| Some(Range { min: -bound(index), max: bound(index) });
    let calibrated = CalibratedGraph {
        ranges: (0..graph.tensors.len()).map(range).collect(),
        means: vec![None; graph.tensors.len()],
        states: vec![None; graph.tensors.len()],
        moments: vec![None; graph.tensors.len()],
        steps: BTreeMap::new(),
        lattices: vec![None; graph.inputs.len()],
        graph,
    };
    Ok(assign_int8(&calibrated, BiasCorrection::None, Rounding::Twice, &Int16Layers::None)?.graph)
}

fn check_labels(graph: &FloatGraph, test: &TestSet) -> Result<(), QuantizeError> {
    let (labels, samples) = (test.labels.len(), test.samples.count());
    if labels != 0 && labels != samples {
        return Err(QuantizeError::LabelCount { labels, samples });
    }
    let classes = graph.tensor(graph.outputs[0]).len();
    match test.labels.iter().position(|&label| label >= classes) {
        Some(sample) => Err(QuantizeError::Label { sample, label: test.labels[sample], classes }),
        None => Ok(()),
    }
}
