//! Model files become graphs. Whatever the bytes are, a reader gives a sound graph or an error.

#[cfg(feature = "onnx")]
pub mod onnx;
pub mod tflite;

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::graph::{FloatGraph, QuantizedGraph};
use crate::validate::GraphError;

/// A model as its file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// What it computes.
    pub graph: ImportedGraph,
    /// What it says of itself.
    pub metadata: Metadata,
    /// What a user should know of how the file was read, as sentences without a full stop.
    pub notes: Vec<String>,
}

/// The graph of a model file: to be quantized, or int8 already.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportedGraph {
    /// Computes with floats.
    Float(FloatGraph),
    /// Computes with integers.
    Quantized(QuantizedGraph),
}

/// What a model file says of itself, beside what it computes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// In a few sentences; may be empty.
    pub description: String,
    /// For each output, the names of its classes; empty lists where there are none.
    pub labels: Vec<Vec<String>>,
}

/// What a user adds to a file that leaves it open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Shapes of inputs, by name.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// The batch, where an input's first extent is open; 1 where this is `None`.
    pub batch: Option<usize>,
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
#[derive(Debug, Error)]
pub enum ImportError {
    /// It is no file of this format, or it is damaged.
    #[error("not a readable {format} file: {reason}")]
    Unreadable {
        /// The format it was read as.
        format: &'static str,
        /// What was found, or missing.
        reason: String,
    },
    /// It uses operators that are not there: all of them.
    #[error("{}", UnsupportedList(.0))]
    UnsupportedOperators(Vec<UnsupportedOperator>),
    /// It leaves the shapes of inputs open: all of those.
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
        expected: &'static str,
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

/// A node whose operator is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// An input with extents, beside the batch, that the file does not fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicInput {
    /// Its name.
    pub input: String,
    /// Its shape as the file has it: numbers and symbols.
    pub shape: Vec<String>,
    /// Those of them that are no extents.
    pub open: Vec<String>,
}

struct DynamicList<'a>(&'a [DynamicInput]);

impl fmt::Display for DynamicList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every extent but the batch must be fixed:")?;
        for DynamicInput { input, shape, open } in self.0 {
            write!(f, "\n  input `{input}` [{}] leaves open {}", shape.join(", "), open.join(", "))?;
        }
        f.write_str("\n\nhint: fix the input shapes when the model is exported")
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
