//! Model files become graphs. Whatever the bytes are, a reader gives a sound graph or an error.
//!
//! The readers work in the caller's process, which suits files that the caller made itself (a build
//! script's, say). A file made to harm may still take more memory or time than there is: the command line
//! reads in a process of its own, with limits, and [`transfer`] brings back what that found.

#[cfg(feature = "onnx")]
pub mod onnx;
pub mod tflite;
pub mod transfer;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::graph::{FloatGraph, Graph, QuantizedGraph, Tensor};
use crate::validate::GraphError;

/// The most bytes that all constants of a file together have, those included that are folded.
const MAX_CONSTANT_BYTES: usize = 1 << 28;

/// A model as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// What it computes.
    pub graph: ImportedGraph,
    /// What it says of itself.
    pub metadata: Metadata,
    /// What a user should know of how the file was read, as sentences without a full stop.
    pub notes: Vec<String>,
}

/// The graph of a model file: to be quantized, or int8 already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ImportedGraph {
    /// Computes with floats.
    Float(FloatGraph),
    /// Computes with integers.
    Quantized(QuantizedGraph),
}

impl ImportedGraph {
    /// Extents of the outputs.
    fn output_shapes(&self) -> Vec<Vec<usize>> {
        fn of<T: Tensor>(graph: &Graph<T>) -> Vec<Vec<usize>> {
            graph.outputs.iter().map(|&id| graph.tensor(id).shape().to_vec()).collect()
        }
        match self {
            Self::Float(graph) => of(graph),
            Self::Quantized(graph) => of(graph),
        }
    }
}

/// What a model file says of itself, beside what it computes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// In a few sentences; may be empty.
    pub description: String,
    /// For each output, the names of its classes; empty lists where there are none.
    pub labels: Vec<Vec<String>>,
}

/// What a user adds to a file that leaves it open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportOptions {
    /// Shapes of inputs, by name.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// The batch, where an input's first extent is open; 1 where this is `None`.
    pub batch: Option<usize>,
    /// Where the files lie that hold a model's weights apart from it; `None` where they are not read.
    pub folder: Option<PathBuf>,
}

impl Imported {
    /// The float graph; `None` where it is int8 already.
    pub fn into_float(self) -> Option<FloatGraph> {
        match self.graph {
            ImportedGraph::Float(graph) => Some(graph),
            ImportedGraph::Quantized(_) => None,
        }
    }

    /// The int8 graph; `None` where it computes with floats.
    pub fn into_quantized(self) -> Option<QuantizedGraph> {
        match self.graph {
            ImportedGraph::Quantized(graph) => Some(graph),
            ImportedGraph::Float(_) => None,
        }
    }
}

impl From<ImportedGraph> for Imported {
    /// A model that says nothing of itself.
    fn from(graph: ImportedGraph) -> Self {
        Self { graph, metadata: Metadata::default(), notes: Vec::new() }
    }
}

/// Why a file cannot be read as a model.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum ImportError {
    /// It is no file of this format, or it is damaged.
    #[error("not a readable {format} file: {reason}")]
    Unreadable {
        /// The format it was read as.
        format: Cow<'static, str>,
        /// What was found, or missing.
        reason: String,
    },
    /// It uses operators that are not there: all of them.
    #[error("{}", UnsupportedList(.0))]
    UnsupportedOperators(Vec<UnsupportedOperator>),
    /// It leaves the shapes of inputs open: all inputs.
    #[error("{}", DynamicList(.0))]
    DynamicShapes(Vec<DynamicInput>),
    /// A tensor has a type that is not read.
    #[error("tensor `{tensor}` has type {found}; {expected}")]
    TensorType {
        /// The tensor's name.
        tensor: String,
        /// Its type.
        found: String,
        /// What would be read, as a sentence without its full stop.
        expected: Cow<'static, str>,
    },
    /// What the user says of an input does not fit the file, or the input is too large.
    #[error("model input `{input}` {problem}")]
    Input {
        /// Its name.
        input: String,
        /// What is wrong, as the sentence goes on.
        problem: String,
    },
    /// A node's tensors or options contradict each other.
    #[error("{operator} `{node}` {problem}")]
    Node {
        /// The node's name.
        node: String,
        /// The operator, in the file's words.
        operator: String,
        /// What is wrong, as the sentence goes on.
        problem: String,
    },
    /// The graph is not one.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl ImportError {
    /// The way out, where it is the same for everyone. What is left open ([`DynamicShapes`](Self::DynamicShapes)) is
    /// fixed by whoever reads the file, each in words of its own.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ImportError::UnsupportedOperators(_) => Some(
                "export the model with other layers, or without those that belong to training or post-processing",
            ),
            ImportError::Unreadable { .. } => Some("see that the file was downloaded or exported completely"),
            _ => None,
        }
    }
}

/// A node whose operator is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsupportedOperator {
    /// The operator, in the file's words.
    pub operator: String,
    /// The node's name, or its place.
    pub node: String,
    /// Shapes of what it reads.
    pub inputs: Vec<Vec<usize>>,
    /// Shapes of what it writes.
    pub outputs: Vec<Vec<usize>>,
    /// The version of the operator set that gives the name its meaning, or of the operator; `None` where
    /// the format has none.
    pub version: Option<i64>,
    /// What about it is not supported; empty where it is the operator itself.
    pub reason: String,
}

/// An input of a file that does not fix every extent beside the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicInput {
    /// Its name.
    pub input: String,
    /// Its shape as the file has it: numbers and symbols.
    pub shape: Vec<String>,
    /// Those of them that are open; empty where none is.
    pub open: Vec<String>,
}

struct DynamicList<'a>(&'a [DynamicInput]);

impl fmt::Display for DynamicList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every extent but the batch must be fixed:")?;
        for DynamicInput { input, shape, open } in self.0 {
            write!(f, "\n  input `{input}` [{}]", shape.join(", "))?;
            if !open.is_empty() {
                write!(f, " leaves open {}", open.join(", "))?;
            }
        }
        Ok(())
    }
}

struct UnsupportedList<'a>(&'a [UnsupportedOperator]);

impl fmt::Display for UnsupportedList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} not supported:", if count == 1 { "operator is" } else { "operators are" })?;
        for operator in self.0 {
            write!(f, "\n  {} `{}` ", operator.operator, operator.node)?;
            write_shapes(f, &operator.inputs)?;
            f.write_str(" -> ")?;
            write_shapes(f, &operator.outputs)?;
            if let Some(version) = operator.version {
                write!(f, ", version {version}")?;
            }
            if !operator.reason.is_empty() {
                write!(f, ": {}", operator.reason)?;
            }
        }
        Ok(())
    }
}

fn write_shapes(f: &mut fmt::Formatter<'_>, shapes: &[Vec<usize>]) -> fmt::Result {
    for (index, shape) in shapes.iter().enumerate() {
        let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
        write!(f, "{}[{}]", if index == 0 { "" } else { ", " }, extents.join(", "))?;
    }
    Ok(())
}
