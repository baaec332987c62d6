//! Quantized graphs as files of other people's tools. Every operator is written, or refused by name.

pub mod onnx_qdq;
pub mod tflite;

use thiserror::Error;

use crate::graph::Node;
use crate::validate::GraphError;

/// Why a graph cannot be written in a format.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ExportError {
    /// It is not a sound graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The format has no words for what a node computes.
    #[error("{operator} `{node}` {problem}")]
    Node {
        /// The node's name.
        node: String,
        /// The operator.
        operator: &'static str,
        /// What it has that the format lacks, as the sentence goes on.
        problem: &'static str,
    },
    /// The constants are more than a file of the format can hold.
    #[error("the model's constants take {found_bytes} bytes, and a {format} file holds {limit_bytes}")]
    TooLarge {
        /// The format.
        format: &'static str,
        /// Bytes of constants.
        found_bytes: usize,
        /// The most there may be.
        limit_bytes: usize,
    },
}

impl ExportError {
    fn at(node: &Node, problem: &'static str) -> Self {
        Self::Node { node: node.name.clone(), operator: node.op.name(), problem }
    }
}
