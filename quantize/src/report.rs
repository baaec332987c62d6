//! The quantization report: what was lost, and where.

use serde::{Deserialize, Serialize};

use crate::assign_int8::Assigned;
use crate::calibrate::Calibrator;
use crate::graph::{Graph, LSTM_GATES, MatrixLayout, Node, Op, QuantizedGraph, Recurrent, Stateful, Tensor};
use crate::score::{Score, SignalToNoise};

/// The schema that is written.
pub const SCHEMA_VERSION: u32 = 1;

/// How a model's quantization went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The schema it follows.
    pub schema_version: u32,
    /// How ranges were found; `None` for a file that was int8 already.
    pub calibration: Option<Calibration>,
    /// Correct answers before and after, where labelled test samples were given.
    pub accuracy: Option<Accuracy>,
    /// Share of the scored samples on which both models have the same top-1; `None` without a float
    /// reference.
    pub top_1_agreement: Option<f64>,
    /// `10 log10(sum ref^2 / sum (ref - int8)^2)` of the worst output, in dB; `None` where there is no
    /// float reference or no difference.
    pub sqnr_db: Option<f64>,
    /// What a user should know of how the model file was read, as sentences without a full stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The layers, in the order in which they run.
    pub layers: Vec<LayerReport>,
}

/// How ranges were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// `minmax`, `percentile P` or `mse`.
    pub calibrator: String,
    /// Samples that were run.
    pub samples: usize,
}

/// Correct answers as shares of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Of the float model; `None` for a file that was int8 already.
    pub float: Option<f64>,
    /// Of the int8 model.
    pub int8: f64,
    /// Samples that were run.
    pub samples: usize,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerReport {
    /// Its name in the model file.
    pub name: String,
    /// Its operator.
    pub operator: String,
    /// Shape of its output.
    pub shape: Vec<usize>,
    /// Multiplications with weights in one inference.
    pub macs: u64,
    /// Bytes of its weights and biases in the quantized graph.
    pub weight_bytes: u64,
    /// As [`Report::sqnr_db`], of its output, all layers before it quantized too.
    pub sqnr_db: Option<f64>,
    /// Scale of its output.
    pub scale: f32,
    /// Zero point of its output.
    pub zero_point: i32,
}

impl Report {
    /// The report of a model that was calibrated on `calibration_samples` and compared in `score`.
    pub fn new(
        calibrator: Calibrator,
        calibration_samples: usize,
        assigned: &Assigned,
        score: &Score,
    ) -> Self {
        let mut sqnr = vec![None; assigned.graph.tensors.len()];
        for (same, score) in assigned.activations.iter().zip(&score.activations) {
            if let Some(id) = same {
                sqnr[id.0] = finite_decibels(score);
            }
        }
        let answers = &score.answers;
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let accuracy = share(answers.float_correct, answers.labelled)
            .zip(share(answers.int8_correct, answers.labelled))
            .map(|(float, int8)| Accuracy { float: Some(float), int8, samples: answers.labelled });
        Self {
            schema_version: SCHEMA_VERSION,
            calibration: Some(Calibration {
                calibrator: calibrator.to_string(),
                samples: calibration_samples,
            }),
            accuracy,
            top_1_agreement: share(answers.agreeing, answers.samples),
            sqnr_db: Some(score.worst_output_decibels()).filter(|decibels| decibels.is_finite()),
            notes: Vec::new(),
            layers: layers(&assigned.graph, &sqnr),
        }
    }

    /// The report of a file that was int8 already: what it consists of, without a float model to compare
    /// it with. `notes` are those of its import.
    pub fn of_int8_file(graph: &QuantizedGraph, notes: Vec<String>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            calibration: None,
            accuracy: None,
            top_1_agreement: None,
            sqnr_db: None,
            notes,
            layers: layers(graph, &vec![None; graph.tensors.len()]),
        }
    }
}

/// `sqnr_db` has an entry for each tensor.
fn layers(graph: &QuantizedGraph, sqnr_db: &[Option<f64>]) -> Vec<LayerReport> {
    graph
        .nodes
        .iter()
        .map(|node| {
            let output = graph.tensor(node.output());
            let constants = node.inputs.iter().filter_map(|&id| graph.tensor(id).data.as_ref());
            LayerReport {
                name: node.name.clone(),
                operator: node.op.name().to_owned(),
                shape: output.shape.clone(),
                macs: macs(graph, node),
                weight_bytes: constants.map(|data| data.len() as u64).sum(),
                sqnr_db: sqnr_db[node.output().0],
                scale: output.quantization.scale(),
                zero_point: output.quantization.zero_point(),
            }
        })
        .collect()
}

fn finite_decibels(score: &SignalToNoise) -> Option<f64> {
    Some(score.decibels()).filter(|decibels| decibels.is_finite())
}

/// Multiplications of activations with weights in one inference of `node`.
pub fn macs<T: Tensor>(graph: &Graph<T>, node: &Node) -> u64 {
    let weights_per_output = match &node.op {
        Op::Conv2d(_) => graph.tensor(node.inputs[1]).shape()[1..].iter().product(),
        Op::TransposeConv2d(_) => {
            let weights = graph.tensor(node.inputs[1]).len();
            let pixels: usize = graph.tensor(node.inputs[0]).shape()[..3].iter().product();
            return (weights * pixels) as u64;
        }
        Op::BatchMatMul { a, .. } => {
            let depth = if *a == MatrixLayout::RowsFirst { 1 } else { 2 };
            let shape = graph.tensor(node.inputs[0]).shape();
            shape[shape.len() - depth]
        }
        Op::Recurrent(op) => {
            let shape = graph.tensor(node.inputs[0]).shape();
            let [batches, steps, _] = op.extents([shape[0], shape[1], shape[2]]);
            let weights = [Recurrent::INPUT_WEIGHTS, Recurrent::HIDDEN_WEIGHTS];
            let weights: usize =
                weights.iter().map(|&position| graph.tensor(node.inputs[position]).len()).sum();
            return (batches * steps * weights) as u64;
        }
        Op::DepthwiseConv2d(_) => graph.tensor(node.inputs[1]).shape()[1..3].iter().product(),
        Op::FullyConnected { .. } => graph.tensor(node.inputs[1]).shape()[1],
        Op::Stateful(Stateful::Svdf { rank }) => {
            rank * [1, 2].map(|index| graph.tensor(node.inputs[index]).shape()[1]).iter().sum::<usize>()
        }
        Op::Stateful(Stateful::Lstm { .. }) => {
            let weights = &node.inputs[1..=2 * LSTM_GATES];
            weights.iter().map(|&id| graph.tensor(id).shape()[1]).sum()
        }
        _ => 0,
    };
    graph.tensor(node.output()).len() as u64 * weights_per_output as u64
}
