//! The single-operator cases whose outputs TensorFlow Lite Micro computed: `data/tflm_ops.tar.xz`.

use std::collections::HashMap;

use bytemuck::cast_slice;
use edgepkg_quantize::graph::{QuantizedGraph, TensorId};
use edgepkg_quantize::import::{ImportError, tflite};
use edgepkg_quantize::simulate::{dequantize_values, quantize_values};
use serde::Deserialize;

use crate::archive;
use crate::samples::number_samples;

/// The operators there are, those of int16 end with it.
pub const GROUPS: [&str; 73] = [
    "ADD",
    "ADD_16",
    "ARG_MAX",
    "ARG_MIN",
    "AVERAGE_POOL_2D",
    "AVERAGE_POOL_2D_16",
    "BATCH_MATMUL",
    "CONCATENATION",
    "CONCATENATION_16",
    "CONV_2D",
    "CONV_2D_16x8",
    "CUMSUM",
    "DEPTHWISE_CONV_2D",
    "DEPTHWISE_CONV_2D_16x8",
    "DEPTH_TO_SPACE",
    "DEQUANTIZE",
    "ELU",
    "EXPAND_DIMS",
    "FULLY_CONNECTED",
    "FULLY_CONNECTED_16x8",
    "GATHER",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LEAKY_RELU_16",
    "LOGISTIC",
    "LOGISTIC_16",
    "LOG_SOFTMAX",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MAX_POOL_2D_16",
    "MEAN",
    "MEAN_16",
    "MINIMUM",
    "MIRROR_PAD",
    "MUL",
    "MUL_16",
    "PACK",
    "PAD",
    "PADV2",
    "PAD_16",
    "PRELU",
    "QUANTIZE",
    "REDUCE_MAX",
    "RELU",
    "RELU6",
    "RELU6_16",
    "RELU_16",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "SLICE",
    "SOFTMAX",
    "SOFTMAX_16",
    "SPACE_TO_DEPTH",
    "SPLIT",
    "SPLIT_V",
    "SQUARED_DIFFERENCE",
    "SQUARED_DIFFERENCE_16",
    "SQUEEZE",
    "STRIDED_SLICE",
    "SUB",
    "SUB_16",
    "SUM",
    "SUM_16",
    "SVDF",
    "TANH",
    "TANH_16",
    "TRANSPOSE",
    "TRANSPOSE_CONV",
    "TRANSPOSE_CONV_16x8",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNPACK",
    "VAR_STREAM",
];

/// A case as the archive's index describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its folder, after which it is called.
    pub path: String,
    /// Its inputs.
    pub inputs: Vec<Port>,
    /// Its outputs.
    pub outputs: Vec<Port>,
}

/// An input or output of a case.
#[derive(Clone, Debug, Deserialize)]
pub struct Port {
    /// The type's name.
    pub dtype: String,
}

impl Port {
    fn is_float(&self) -> bool {
        self.dtype == "float32"
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

impl Case {
    /// The operator, with a suffix for int16 activations.
    pub fn group(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// The operator's name in TensorFlow Lite's schema; of streams of variables, that of reading one.
    pub fn operator(&self) -> &str {
        let group = self.group();
        let plain = group.strip_suffix("_16x8").or_else(|| group.strip_suffix("_16")).unwrap_or(group);
        if plain == "VAR_STREAM" { "READ_VARIABLE" } else { plain }
    }

    /// Whether it computes with activations of int16.
    pub fn is_wide(&self) -> bool {
        self.has_type("int16")
    }

    /// Whether its operator is there.
    pub fn is_supported(&self) -> bool {
        GROUPS.contains(&self.group())
    }

    /// Whether an input or output has the type called `dtype`.
    fn has_type(&self, dtype: &str) -> bool {
        self.inputs.iter().chain(&self.outputs).any(|port| port.dtype == dtype)
    }

    /// What the case's inputs are as bytes of `graph`'s: floats at the model's edge are quantized as the tool
    /// quantizes a user's.
    pub fn inputs_of(&self, graph: &QuantizedGraph, inputs: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let ports = self.inputs.iter().zip(&graph.inputs).zip(inputs);
        let input = |((port, &id), bytes): ((&Port, &TensorId), Vec<u8>)| match port.is_float() {
            true => cast_slice(&quantize_values(&floats(&bytes), graph.tensor(id))).to_vec(),
            false => bytes,
        };
        ports.map(input).collect()
    }

    /// What `graph`'s outputs are as bytes of the case's, likewise.
    pub fn outputs_of(&self, graph: &QuantizedGraph, outputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let ports = self.outputs.iter().zip(&graph.outputs).zip(outputs);
        let output = |((port, &id), bytes): ((&Port, &TensorId), &Vec<u8>)| match port.is_float() {
            true => {
                let reals = dequantize_values(cast_slice(bytes), graph.tensor(id));
                reals.into_iter().flat_map(f32::to_le_bytes).collect()
            }
            false => bytes.clone(),
        };
        ports.map(output).collect()
    }
}

/// The archive, unpacked in memory.
#[derive(Debug)]
pub struct Cases {
    /// Every case, in the index's order.
    pub cases: Vec<Case>,
    files: HashMap<String, Vec<u8>>,
}

impl Cases {
    /// Reads the archive.
    ///
    /// # Panics
    ///
    /// When it is not there or not sound.
    pub fn load() -> Self {
        let files: HashMap<String, Vec<u8>> = archive::unpack("tflm_ops")
            .into_iter()
            .map(|(path, bytes)| (path.trim_start_matches("tflm_ops/").to_owned(), bytes))
            .collect();
        let cases = serde_json::from_slice(&files["index.json"]).expect("an index");
        Self { cases, files }
    }

    /// The case's model, a TensorFlow Lite file.
    pub fn model(&self, case: &Case) -> &[u8] {
        &self.files[&format!("{}/model.tflite", case.path)]
    }

    /// The bytes of every input, for each sample.
    pub fn inputs(&self, case: &Case) -> Vec<Vec<Vec<u8>>> {
        self.by_sample(case, "in", case.inputs.len())
    }

    /// The bytes of every output, for each sample.
    pub fn outputs(&self, case: &Case) -> Vec<Vec<Vec<u8>>> {
        self.by_sample(case, "out", case.outputs.len())
    }

    fn by_sample(&self, case: &Case, prefix: &str, ports: usize) -> Vec<Vec<Vec<u8>>> {
        let mut samples: Vec<Vec<Vec<u8>>> = Vec::new();
        for port in 0..ports {
            let values = number_samples(&self.files[&format!("{}/{prefix}{port}.npy", case.path)]);
            samples.resize(values.len(), Vec::new());
            for (sample, value) in samples.iter_mut().zip(values) {
                sample.push(value);
            }
        }
        samples
    }
}

/// A model file whose one operator is not supported: DYNAMIC_UPDATE_SLICE in the place of CUMSUM.
///
/// # Panics
///
/// When the archive has no such case.
pub fn with_unsupported_operator() -> Vec<u8> {
    let (cumulative_sum, dynamic_update_slice) = (128, 151);
    let cases = Cases::load();
    let case = cases.cases.iter().find(|case| case.path == "CUMSUM/c0").expect("a case of this name");
    let model = cases.model(case).to_vec();
    let with_another_operator = |at: usize| {
        let mut model = model.clone();
        model[at] = dynamic_update_slice;
        matches!(tflite::read(&model), Err(ImportError::UnsupportedOperators(_))).then_some(model)
    };
    let mut places = (0..model.len()).filter(|&at| model[at] == cumulative_sum);
    places.find_map(with_another_operator).expect("the operator's code")
}
