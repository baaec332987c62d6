//! What a model file holds, before anything is quantized, and what it would take as int8.

use std::collections::BTreeSet;
use std::path::Path;

use edgepkg_format::Isa;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit;
use edgepkg_quantize::file_kind::FileKind;
use edgepkg_quantize::graph::{FloatGraph, Graph, QuantizedGraph, Tensor, TensorId};
use edgepkg_quantize::import::{ImportError, ImportOptions, ImportedGraph, UnsupportedOperator};
use edgepkg_quantize::optimize::Optimize;
use edgepkg_quantize::pipeline::quantize_with_made_up_ranges;
use edgepkg_quantize::report::macs;
use edgepkg_quantize::simplify::simplify;
use edgepkg_quantize::wire::graph_digest;
use serde::Serialize;

use crate::model::{self, Importer, ModelError};
use crate::pack::name_of;
use edgepkg_quantize::package::Version;

/// A model file's contents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelFile {
    /// `ONNX` or `TensorFlow Lite`.
    pub format: &'static str,
    /// Whether it is int8 already; `None` where that is not known for what is not supported.
    pub quantized: Option<bool>,
    /// What it says of itself; may be empty.
    pub description: String,
    /// What goes in.
    pub inputs: Vec<FilePort>,
    /// What comes out.
    pub outputs: Vec<FilePort>,
    /// Operators by their number, most first, as they would run: fused, images in NHWC.
    pub operators: Vec<OperatorCount>,
    /// The layers, in the order in which they would run.
    pub layers: Vec<FileLayer>,
    /// Values of all constants together.
    pub parameters: u64,
    /// Multiplications with weights in one inference.
    pub macs: u64,
    /// Nodes that cannot be read: all of them. Where there are some, nothing else is known.
    pub unsupported: Vec<UnsupportedOperator>,
    /// What it would take as int8, or takes; `None` where that cannot be said.
    pub int8: Option<Int8Needs>,
    /// Why it cannot be said.
    pub int8_problem: Option<String>,
    /// What a user should know of how it was read.
    pub notes: Vec<String>,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FilePort {
    /// Its name in the file.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Type of its elements.
    pub element: String,
}

/// How often an operator is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperatorCount {
    /// Its name.
    pub operator: &'static str,
    /// Nodes that are it.
    pub count: usize,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileLayer {
    /// Its name in the file.
    pub name: String,
    /// Its operator.
    pub operator: &'static str,
    /// Shape of its output.
    pub shape: Vec<usize>,
    /// Values of its constants.
    pub parameters: u64,
    /// Multiplications with weights in one inference.
    pub macs: u64,
}

/// Memory that an int8 model takes; at most, where its ranges were made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Int8Needs {
    /// Bytes of the artifact, in flash.
    pub model_bytes: usize,
    /// Bytes of RAM a run needs.
    pub arena_bytes: u32,
}

impl ModelFile {
    /// Whether `path` names a model file, and no package or artifact.
    ///
    /// # Errors
    ///
    /// When there is no such file, or it cannot be read.
    pub fn is_one(path: &Path) -> Result<bool, ModelError> {
        if path.is_dir() {
            return Ok(false);
        }
        let kind = FileKind::of(&model::read_file(path)?, path);
        Ok(matches!(kind, Some(FileKind::Onnx | FileKind::Tflite)))
    }

    /// Reads a model file. Operators that are not supported are part of the result.
    ///
    /// # Errors
    ///
    /// When it cannot be imported for another reason.
    pub fn read(path: &Path, options: &ImportOptions, importer: &Importer) -> Result<Self, ModelError> {
        let bytes = model::read_file(path)?;
        let format = match FileKind::of(&bytes, path) {
            Some(FileKind::Tflite) => "TensorFlow Lite",
            _ => "ONNX",
        };
        let imported = match model::import(&bytes, path, options, importer) {
            Ok(imported) => imported,
            Err(ModelError::Import { source: ImportError::UnsupportedOperators(unsupported), .. }) => {
                return Ok(Self { unsupported, ..Self::empty(format) });
            }
            Err(error) => return Err(error),
        };
        let mut file = match imported.graph {
            ImportedGraph::Float(graph) => Self::float(format, simplify(graph), path),
            ImportedGraph::Quantized(graph) => Self::quantized(format, &graph, path),
        };
        file.description = imported.metadata.description;
        file.notes = imported.notes;
        Ok(file)
    }

    fn empty(format: &'static str) -> Self {
        Self {
            format,
            quantized: None,
            description: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            operators: Vec::new(),
            layers: Vec::new(),
            parameters: 0,
            macs: 0,
            unsupported: Vec::new(),
            int8: None,
            int8_problem: None,
            notes: Vec::new(),
        }
    }

    fn float(format: &'static str, graph: FloatGraph, path: &Path) -> Self {
        let indices = graph.index_tensors();
        let element = |id| if indices.contains(&id) { "int32" } else { "float32" }.to_owned();
        let file = Self { quantized: Some(false), ..Self::of(format, &graph, element) };
        match quantize_with_made_up_ranges(graph) {
            Ok(graph) => file.with_needs(&graph, path, DeadChannels::Keep),
            Err(error) => Self { int8_problem: Some(error.to_string()), ..file },
        }
    }

    fn quantized(format: &'static str, graph: &QuantizedGraph, path: &Path) -> Self {
        let element = |id| format!("{:?}", graph.tensor(id).dtype).to_lowercase();
        Self { quantized: Some(true), ..Self::of(format, graph, element) }.with_needs(
            graph,
            path,
            DeadChannels::Drop,
        )
    }

    fn of<T: Tensor>(format: &'static str, graph: &Graph<T>, element: impl Fn(TensorId) -> String) -> Self {
        let ports = |ids: &[TensorId]| {
            let port = |&id: &TensorId| FilePort {
                name: graph.tensor(id).name().to_owned(),
                shape: graph.tensor(id).shape().to_vec(),
                element: element(id),
            };
            ids.iter().map(port).collect()
        };
        let constants = |ids: &mut dyn Iterator<Item = TensorId>| {
            ids.map(|id| graph.tensor(id))
                .filter(|tensor| tensor.is_constant())
                .map(|tensor| tensor.len() as u64)
                .sum()
        };
        let layers: Vec<FileLayer> = graph
            .nodes
            .iter()
            .map(|node| FileLayer {
                name: node.name.clone(),
                operator: node.op.name(),
                shape: graph.tensor(node.output()).shape().to_vec(),
                parameters: constants(&mut node.inputs.iter().copied()),
                macs: macs(graph, node),
            })
            .collect();
        let read: BTreeSet<TensorId> =
            graph.nodes.iter().flat_map(|node| node.inputs.iter().copied()).collect();
        Self {
            inputs: ports(&graph.inputs),
            outputs: ports(&graph.outputs),
            operators: count(&layers),
            parameters: constants(&mut read.into_iter()),
            macs: layers.iter().map(|layer| layer.macs).sum(),
            layers,
            ..Self::empty(format)
        }
    }

    fn with_needs(mut self, graph: &QuantizedGraph, path: &Path, dead_channels: DeadChannels) -> Self {
        let (name, version) = (name_of(path), Version::initial());
        let options = emit::Options {
            isa: Isa::Portable,
            name: name.as_str(),
            version: version.as_str(),
            labels: &[],
            graph_digest: graph_digest(graph),
            dead_channels,
            optimize: Optimize::default(),
        };
        match emit::emit(graph, &options) {
            Ok(emitted) => {
                let (model_bytes, arena_bytes) = (emitted.artifact.len(), emitted.arena_bytes);
                self.int8 = Some(Int8Needs { model_bytes, arena_bytes });
            }
            Err(error) => self.int8_problem = Some(error.to_string()),
        }
        self
    }
}

fn count(layers: &[FileLayer]) -> Vec<OperatorCount> {
    let mut counts: Vec<OperatorCount> = Vec::new();
    for &FileLayer { operator, .. } in layers {
        match counts.iter_mut().find(|count| count.operator == operator) {
            Some(count) => count.count += 1,
            None => counts.push(OperatorCount { operator, count: 1 }),
        }
    }
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}
