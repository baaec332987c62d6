//! Makes a package from a model file.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use edgepkg_format::Isa;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit::Choices;
use edgepkg_quantize::file_kind::FileKind;
use edgepkg_quantize::graph::{FloatGraph, QuantizedGraph};
use edgepkg_quantize::import::{ImportOptions, ImportedGraph};
use edgepkg_quantize::keep_state::{KeepStateError, StatePair, keep_state};
use edgepkg_quantize::pipeline::{self, Progress, QuantizeError, Quantized, TestSet};
use edgepkg_quantize::report::{Accuracy, Report};
use edgepkg_quantize::samples::{Samples, index_extents};
use edgepkg_quantize::score::top_1;
use edgepkg_quantize::simplify::simplify;
use thiserror::Error;

use crate::device::{Device as _, DeviceError, HostDevice};
use crate::model::{self, BoardModel, Importer, ModelError};
use crate::samples::{self, InputError, ModelInputs, Units};
use edgepkg_quantize::package::{
    Manifest, Package, PackageName, Port, Source, TestVector, TestVectors, Version,
};

/// The most test vectors that are packed.
const MAX_VECTORS: usize = 8;
/// The most bytes of inputs and outputs that are packed as test vectors; one vector there always is.
const MAX_VECTOR_BYTES: usize = 256 << 10;

/// What a package is made from.
#[derive(Clone, Debug)]
pub struct Request {
    /// The model file: `.onnx` or `.tflite`.
    pub model: PathBuf,
    /// What the file leaves open.
    pub import: ImportOptions,
    /// Where the file is read.
    pub importer: Importer,
    /// Calibration samples, a file for each input; none for an int8 file.
    pub calibration: Vec<PathBuf>,
    /// Test samples, a file for each input; may be empty.
    pub test: Vec<PathBuf>,
    /// The right class of each test sample.
    pub labels: Option<PathBuf>,
    /// How the float model is quantized.
    pub options: pipeline::Options,
    /// What the model keeps between runs.
    pub state: State,
    /// The package's name; `None` takes the file's.
    pub name: Option<PackageName>,
    /// The package's version.
    pub version: Version,
    /// Names of the classes of the first output; may be empty.
    pub label_names: Vec<String>,
    /// Nodes whose weights lie apart.
    pub head: Vec<String>,
    /// Whether the package keeps the model file.
    pub keep: Keep,
}

impl Request {
    /// A request of nothing beyond `model`.
    pub fn of_file(model: PathBuf, importer: Importer) -> Self {
        Self {
            model,
            import: ImportOptions::default(),
            importer,
            calibration: Vec::new(),
            test: Vec::new(),
            labels: None,
            options: pipeline::Options::default(),
            state: State::default(),
            name: None,
            version: Version::initial(),
            label_names: Vec::new(),
            head: Vec::new(),
            keep: Keep::Result,
        }
    }
}

/// Inputs of a float model that are outputs of the run before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The pairs.
    pub ports: Vec<StatePort>,
    /// Files with first values of the inputs named; others start with zeros.
    pub initial: Vec<(String, PathBuf)>,
    /// After how many samples what is kept starts anew; never, where it is `None`.
    pub reset_every: Option<NonZeroUsize>,
}

/// An input and an output that has its next value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePort {
    /// The input's name.
    pub input: String,
    /// The output's name.
    pub output: String,
}

impl State {
    /// The pairs with their first values.
    fn pairs(&self) -> Result<Vec<StatePair>, PackError> {
        let is_port = |input: &String| self.ports.iter().any(|port| port.input == *input);
        if let Some((input, _)) = self.initial.iter().find(|(input, _)| !is_port(input)) {
            return Err(PackError::InitialOfNoState(input.clone()));
        }
        let pair = |StatePort { input, output }: &StatePort| {
            let file = self.initial.iter().find(|(of, _)| of == input).map(|(_, file)| file.clone());
            let initial = samples::read_arrays(file.as_slice())
                .map_err(|source| PackError::Samples { role: "first", source })?
                .pop()
                .map(|array| array.elements);
            Ok(StatePair { input: input.clone(), output: output.clone(), initial })
        };
        self.ports.iter().map(pair).collect()
    }

    /// `samples` as streams between which what is kept starts anew.
    fn streams(&self, samples: Samples) -> Samples {
        match self.reset_every {
            Some(length) => samples.in_streams_of(length),
            None => samples,
        }
    }
}

/// What of the model file goes into the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What was made from it.
    Result,
    /// The file too.
    ModelFile,
}

/// Why no package can be made.
#[derive(Debug, Error)]
pub enum PackError {
    /// The model file cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A float model without calibration samples.
    #[error("`{}` is a float model, and quantizing it needs calibration samples", .0.display())]
    CalibrationMissing(PathBuf),
    /// A file that is no model to be quantized.
    #[error("`{}` is not a model to be quantized: neither an ONNX nor a .tflite file", .0.display())]
    NotAModel(PathBuf),
    /// Labels without samples.
    #[error("labels were given, and no test samples")]
    TestMissing,
    /// Samples that do not fit.
    #[error("the {role} samples cannot be used")]
    Samples {
        /// `calibration` or `test`.
        role: &'static str,
        /// What is wrong.
        source: InputError,
    },
    /// A model that cannot be int8.
    #[error("`{}` cannot be quantized", path.display())]
    Quantize {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: QuantizeError,
    },
    /// State of a model that is quantized already.
    #[error("`{}` is not a float model, so what it keeps cannot be changed", .0.display())]
    StateOfInt8(PathBuf),
    /// State that is none of the model's ports.
    #[error("`{}` cannot keep its state", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeepStateError,
    },
    /// A first value of an input that is not kept.
    #[error("a first value is given for `{0}`, which is not kept")]
    InitialOfNoState(String),
    /// Names of classes that do not fit the output.
    #[error("the label names do not fit: {0}")]
    LabelNames(String),
    /// A head that names no node.
    #[error("the model has no layer `{0}` to be its head")]
    NoSuchNode(String),
    /// Something is said of an input or output that there is not.
    #[error("the model has no {direction} `{name}`")]
    NoSuchPort {
        /// `input` or `output`.
        direction: &'static str,
        /// The name.
        name: String,
        /// The names there are.
        names: Vec<String>,
    },
    /// The int8 model does not run here.
    #[error("the test vectors cannot be computed")]
    Vectors(#[from] DeviceError),
}

/// Makes a package of the model file, quantizing it where it is not int8 already.
///
/// # Errors
///
/// When the model, or the samples it needs, cannot be used.
pub fn pack(request: &Request, progress: &mut dyn FnMut(Progress)) -> Result<Package, PackError> {
    if request.labels.is_some() && request.test.is_empty() {
        return Err(PackError::TestMissing);
    }
    let bytes = model::read_file(&request.model)?;
    let is_model = matches!(FileKind::of(&bytes, &request.model), Some(FileKind::Onnx | FileKind::Tflite));
    if !is_model {
        return Err(PackError::NotAModel(request.model.clone()));
    }
    let imported = model::import(&bytes, &request.model, &request.import, &request.importer)?;
    let own_labels = imported.metadata.labels.first().cloned().unwrap_or_default();
    let Quantized { graph, report } = match imported.graph {
        ImportedGraph::Quantized(_) if !request.state.ports.is_empty() => {
            return Err(PackError::StateOfInt8(request.model.clone()));
        }
        ImportedGraph::Quantized(graph) => {
            Quantized { report: Report::of_int8_file(&graph, imported.notes), graph }
        }
        ImportedGraph::Float(graph) => {
            let mut quantized = quantize(graph, request, progress)?;
            quantized.report.notes = imported.notes;
            quantized
        }
    };
    let name = request.name.clone().unwrap_or_else(|| name_of(&request.model));
    let labels = if request.label_names.is_empty() { own_labels } else { request.label_names.clone() };
    let mut manifest = Manifest::of(&graph, name, request.version.clone(), labels);
    for port in &manifest.outputs {
        port.check_labels().map_err(PackError::LabelNames)?;
    }
    check_head(&request.head, &graph)?;
    manifest.head = request.head.clone();
    manifest.description = imported.metadata.description;
    let source = (request.keep == Keep::ModelFile).then(|| Source {
        file_name: request.model.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes,
    });
    let vectors = TestVectors::default();
    let mut package = Package { manifest, graph, vectors, report, source };
    add_vectors(&mut package, request)?;
    Ok(package)
}

/// The package name nearest to a model file's; the folder's, where the file is called `model`.
pub(crate) fn name_of(path: &Path) -> PackageName {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = path.parent().and_then(Path::file_name);
    match folder {
        Some(folder) if stem == "model" => PackageName::nearest(&folder.to_string_lossy()),
        _ => PackageName::nearest(&stem),
    }
}

fn check_head(head: &[String], graph: &QuantizedGraph) -> Result<(), PackError> {
    match head.iter().find(|name| !graph.nodes.iter().any(|node| node.name == **name)) {
        Some(name) => Err(PackError::NoSuchNode(name.clone())),
        None => Ok(()),
    }
}

/// Adds vectors of the test samples, else of the calibration samples, else of made-up inputs, with the
/// outputs that the model has for them in this process; and the accuracy, where the test samples have labels
/// and there was no float model to be compared with.
fn add_vectors(package: &mut Package, request: &Request) -> Result<(), PackError> {
    let index_extents = index_extents(&package.graph);
    let model_inputs = ModelInputs { ports: &package.manifest.inputs, index_extents: &index_extents };
    let (role, files) = match (&request.test[..], &request.calibration[..]) {
        ([], []) => ("", None),
        ([], calibration) => ("calibration", Some(calibration)),
        (test, _) => ("test", Some(test)),
    };
    let inputs = match files {
        Some(files) => samples::read_inputs(files, model_inputs, Units::Real)
            .map_err(|source| PackError::Samples { role, source })?,
        None => made_up_inputs(package, MAX_VECTORS),
    };
    // The whole graph: so that a board's answers to the vectors show that what it leaves out changes nothing.
    let choices = Choices { dead_channels: DeadChannels::Keep, ..Choices::default() };
    let whole = BoardModel::lower(package, Isa::Portable, choices)?;
    let mut device = HostDevice::open(&whole.artifact)?;
    if let (Some(labels), None) = (&request.labels, &package.report.calibration) {
        let labels =
            samples::read_labels(labels).map_err(|source| PackError::Samples { role: "test", source })?;
        package.report.accuracy = Some(accuracy(&mut device, package, request, &inputs, &labels)?);
    }
    let mut total_bytes = 0;
    for inputs in inputs.into_iter().take(MAX_VECTORS) {
        let outputs = run(&mut device, &inputs)?;
        total_bytes += inputs.iter().chain(&outputs).map(Vec::len).sum::<usize>();
        if total_bytes > MAX_VECTOR_BYTES && !package.vectors.vectors.is_empty() {
            break;
        }
        package.vectors.vectors.push(TestVector { inputs, outputs });
    }
    Ok(())
}

fn run(device: &mut HostDevice, inputs: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, DeviceError> {
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    Ok(device.run(&inputs)?.outputs)
}

/// The share of samples that the int8 model answers as labelled.
fn accuracy(
    device: &mut HostDevice,
    package: &Package,
    request: &Request,
    inputs: &[Vec<Vec<u8>>],
    labels: &[usize],
) -> Result<Accuracy, PackError> {
    let failed = |source| PackError::Quantize { path: request.model.clone(), source };
    if labels.len() != inputs.len() {
        return Err(failed(QuantizeError::LabelCount { labels: labels.len(), samples: inputs.len() }));
    }
    let port = &package.manifest.outputs[0];
    let classes = port.len();
    let mut correct = 0;
    for (sample, (inputs, &label)) in inputs.iter().zip(labels).enumerate() {
        if label >= classes {
            return Err(failed(QuantizeError::Label { sample, label, classes }));
        }
        let outputs = run(device, inputs)?;
        correct += usize::from(top_1(&port.dequantize(&outputs[0])) == label);
    }
    let samples = labels.len();
    Ok(Accuracy { float: None, int8: correct as f64 / samples as f64, samples })
}

/// `count` inputs of the package's model, `[sample][input]`: bytes of a fixed sequence, the same on every
/// machine, and indices of what is there.
pub fn made_up_inputs(package: &Package, count: usize) -> Vec<Vec<Vec<u8>>> {
    // Knuth's MMIX generator.
    let mut state = 1u64;
    let mut byte = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let index_extents = index_extents(&package.graph);
    let mut input = |(port, extents): (&Port, &Option<Vec<usize>>)| {
        let bytes: Vec<u8> = (0..port.bytes()).map(|_| byte()).collect();
        match extents {
            Some(extents) => {
                let within = |(index, &extent): (i32, &usize)| {
                    index.rem_euclid(i32::try_from(extent).unwrap_or(i32::MAX))
                };
                port.to_bytes(port.elements(&bytes).zip(extents).map(within))
            }
            None => bytes,
        }
    };
    let ports = &package.manifest.inputs;
    (0..count).map(|_| ports.iter().zip(&index_extents).map(&mut input).collect()).collect()
}

/// Quantizes a float model with the request's samples.
fn quantize(
    graph: FloatGraph,
    request: &Request,
    progress: &mut dyn FnMut(Progress),
) -> Result<Quantized, PackError> {
    let path = &request.model;
    if request.calibration.is_empty() {
        return Err(PackError::CalibrationMissing(path.clone()));
    }
    let failed = |source| PackError::State { path: path.clone(), source };
    let graph = simplify(keep_state(graph, &request.state.pairs()?).map_err(failed)?);
    let read = |role, files: &[PathBuf]| {
        let fit = |arrays| {
            let failed = |source| InputError::Samples { files: files.into(), source };
            Samples::new(&graph, arrays).map(|samples| request.state.streams(samples)).map_err(failed)
        };
        samples::read_arrays(files).and_then(fit).map_err(|source| PackError::Samples { role, source })
    };
    let calibration = read("calibration", &request.calibration)?;
    let labels = match &request.labels {
        Some(file) => {
            samples::read_labels(file).map_err(|source| PackError::Samples { role: "test", source })?
        }
        None => Vec::new(),
    };
    let test = match &request.test[..] {
        [] => None,
        files => Some(TestSet { samples: read("test", files)?, labels }),
    };
    pipeline::quantize(graph, &calibration, test.as_ref(), &request.options, progress)
        .map_err(|source| PackError::Quantize { path: path.clone(), source })
}
