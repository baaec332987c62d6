//! From a build's files to a package.

use std::fs;
use std::path::{Path, PathBuf};

use super::script::Script;
use super::{Build, BuildError};
use crate::file_kind::FileKind;
use crate::graph::FloatGraph;
use crate::import::{self, ImportError, ImportOptions, Imported, ImportedGraph};
use crate::keep_state::{StatePair, keep_state};
use crate::package::{Manifest, Package, PackageName, Version};
use crate::pipeline::{Quantized, quantize};
use crate::report::Report;
use crate::samples::{Array, Samples};
use crate::simplify::simplify;
use crate::tensor_file;

/// The files of a build, read.
pub struct Inputs {
    model: Vec<u8>,
    kind: FileKind,
    calibration: Vec<(PathBuf, Vec<u8>)>,
    label_names: Option<Vec<u8>>,
}

impl Inputs {
    /// Reads the files, each of which `script` watches, whether it is there or not.
    pub fn read(build: &Build, script: &mut Script) -> Result<Self, BuildError> {
        let files = std::iter::once(&build.model).chain(&build.calibration).chain(&build.label_names);
        files.for_each(|path| script.rerun_if_changed(path));
        let model = read(&build.model)?;
        let kind = match FileKind::of(&model, &build.model) {
            Some(FileKind::Artifact) | None => return Err(BuildError::NotAModel(build.model.clone())),
            Some(FileKind::Onnx) if cfg!(not(feature = "onnx")) => {
                return Err(BuildError::NoOnnx(build.model.clone()));
            }
            Some(kind) => kind,
        };
        let samples = |path: &PathBuf| Ok((path.clone(), read(path)?));
        Ok(Self {
            model,
            kind,
            calibration: build.calibration.iter().map(samples).collect::<Result<_, BuildError>>()?,
            label_names: build.label_names.as_deref().map(read).transpose()?,
        })
    }

    /// The contents of every file, in an order that tells them apart.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        let calibration = self.calibration.iter().map(|(_, bytes)| &bytes[..]);
        let labels = self.label_names.as_deref().unwrap_or_default();
        [&self.model[..], labels].into_iter().chain(calibration)
    }

    /// The package they are, or become.
    pub fn package(&self, build: &Build) -> Result<Package, BuildError> {
        let mut package = if self.kind == FileKind::Package {
            refuse_what_is_for_floats(build)?;
            Package::from_bytes(self.model.clone(), &build.model)?
        } else {
            self.imported(build)?
        };
        self.set_labels(&mut package)?;
        Ok(package)
    }

    /// The package of a model file.
    fn imported(&self, build: &Build) -> Result<Package, BuildError> {
        let imported = self.import(build)?;
        let Quantized { graph, mut report } = match imported.graph {
            ImportedGraph::Float(graph) => self.quantize(graph, build)?,
            ImportedGraph::Quantized(graph) => {
                refuse_what_is_for_floats(build)?;
                Quantized { report: Report::of_int8_file(&graph, Vec::new()), graph }
            }
        };
        report.notes = imported.notes;
        let labels = imported.metadata.labels.into_iter().next().unwrap_or_default();
        let name = PackageName::nearest(&build.model.file_stem().unwrap_or_default().to_string_lossy());
        Ok(Package::of(Manifest::of(&graph, name, Version::initial(), labels), graph, report))
    }

    fn import(&self, build: &Build) -> Result<Imported, BuildError> {
        let folder = build.model.parent().map(Path::to_owned);
        let options = ImportOptions { folder, ..build.import.clone() };
        let imported = match self.kind {
            FileKind::Tflite => import::tflite::read(&self.model),
            _ => read_onnx(&self.model, &options),
        };
        imported.map_err(|source| BuildError::Import { path: build.model.clone(), source })
    }

    fn quantize(&self, graph: FloatGraph, build: &Build) -> Result<Quantized, BuildError> {
        let path = || build.model.clone();
        if self.calibration.is_empty() {
            return Err(BuildError::CalibrationMissing(path()));
        }
        let pair = |[input, output]: &[String; 2]| StatePair {
            input: input.clone(),
            output: output.clone(),
            initial: None,
        };
        let pairs: Vec<StatePair> = build.state.iter().map(pair).collect();
        let kept = keep_state(graph, &pairs).map_err(|source| BuildError::State { path: path(), source })?;
        let graph = simplify(kept);
        let array = |(path, bytes): &(PathBuf, Vec<u8>)| {
            let file = tensor_file::parse(bytes, path)?;
            Ok(Array { elements: file.to_f32(), shape: file.shape })
        };
        let arrays = self.calibration.iter().map(array).collect::<Result<_, BuildError>>()?;
        let samples =
            Samples::new(&graph, arrays).map_err(|source| BuildError::Samples { model: path(), source })?;
        quantize(graph, &samples, None, &build.options, &mut |_| {})
            .map_err(|source| BuildError::Quantize { path: path(), source })
    }

    fn set_labels(&self, package: &mut Package) -> Result<(), BuildError> {
        let Some(file) = &self.label_names else { return Ok(()) };
        let text =
            std::str::from_utf8(file).map_err(|_| BuildError::LabelNames("the file is not UTF-8".into()))?;
        let output = &mut package.manifest.outputs[0];
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        output.labels = lines.map(str::to_owned).collect();
        output.check_labels().map_err(BuildError::LabelNames)
    }
}

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, BuildError> {
    let path = path.as_ref();
    fs::read(path).map_err(|source| BuildError::Read { path: path.into(), source })
}

/// Refuses samples and state, which only a float model takes.
fn refuse_what_is_for_floats(build: &Build) -> Result<(), BuildError> {
    let what = match (&build.calibration[..], &build.state[..]) {
        ([], []) => return Ok(()),
        ([], _) => "state",
        _ => "calibration samples",
    };
    Err(BuildError::Int8 { path: build.model.clone(), what })
}

#[cfg(feature = "onnx")]
fn read_onnx(bytes: &[u8], options: &ImportOptions) -> Result<Imported, ImportError> {
    import::onnx::read(bytes, options)
}

#[cfg(not(feature = "onnx"))]
fn read_onnx(_bytes: &[u8], options: &ImportOptions) -> Result<Imported, ImportError> {
    unreachable!("refused when the files were read, with options {options:?}")
}
