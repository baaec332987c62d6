//! Whether a graph is one: ids, shapes, arity and types agree.
//!
//! Graphs come from files that anyone may have written. The stages after this one index and multiply
//! without looking; what passes here cannot make them panic or overflow.

mod operand;
mod operator;
mod stateful;

use std::borrow::Cow;

use edgepkg_format::tensor::MAX_RANK;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::operand::Operand;
use crate::graph::{Graph, Tensor, TensorId};

/// The most elements of a tensor, and the greatest extent.
pub const MAX_ELEMENTS: usize = 1 << 28;
/// The greatest stride, dilation, padding and window extent, and the greatest height and width of an
/// image.
pub const MAX_IMAGE_EXTENT: usize = (1 << 15) - 1;

/// Why a graph cannot be lowered.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum GraphError {
    /// A tensor that is not one.
    #[error("tensor {index} `{name}` {problem}")]
    Tensor {
        /// Index in the graph.
        index: usize,
        /// Its name.
        name: String,
        /// What is wrong, as the sentence goes on.
        problem: Cow<'static, str>,
    },
    /// An operator whose parameters or operands contradict each other.
    #[error("{op} `{name}` (node {index}) {problem}")]
    Node {
        /// Index in the graph.
        index: usize,
        /// Its name.
        name: String,
        /// The operator.
        op: Cow<'static, str>,
        /// What is wrong, as the sentence goes on.
        problem: Cow<'static, str>,
    },
    /// An id past the last tensor.
    #[error("{referrer} names tensor {id}, but there are {tensors}")]
    NoSuchTensor {
        /// What names it.
        referrer: Cow<'static, str>,
        /// The id.
        id: usize,
        /// Tensors there are.
        tensors: usize,
    },
    /// An input or output of the model that cannot be one.
    #[error("model {direction} `{name}` {problem}")]
    Port {
        /// `input` or `output`.
        direction: Cow<'static, str>,
        /// The tensor's name.
        name: String,
        /// What is wrong, as the sentence goes on.
        problem: Cow<'static, str>,
    },
}

/// What is wrong with something, as the end of a sentence that begins with its name.
pub(crate) type Checked = Result<(), &'static str>;

fn ensure(condition: bool, problem: &'static str) -> Checked {
    if condition { Ok(()) } else { Err(problem) }
}

/// Checks that every id is a tensor, every tensor is sound, every node reads only what is known when
/// it runs, and every operator's shapes and types agree.
///
/// # Errors
///
/// The first thing found wrong.
pub fn validate<T: Operand>(graph: &Graph<T>) -> Result<(), GraphError> {
    for (index, tensor) in graph.tensors.iter().enumerate() {
        check_tensor(tensor).map_err(|problem| GraphError::Tensor {
            index,
            name: tensor.name().to_owned(),
            problem: problem.into(),
        })?;
    }
    let indices = graph.index_tensors();
    let mut known: Vec<bool> = graph.tensors.iter().map(T::is_constant).collect();
    for &id in &graph.inputs {
        let tensor = find(graph, "an input", id)?;
        let port = |problem| port_error("input", tensor, problem);
        ensure(!known[id.0], "is a constant, or an input twice").map_err(port)?;
        tensor
            .check_activation()
            .or_else(|problem| tensor.check_indices().map_err(|_| problem))
            .map_err(port)?;
        known[id.0] = true;
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        for &id in node.inputs.iter().chain(&node.outputs) {
            find(graph, "a node", id)?;
        }
        let problem = |problem: &'static str| GraphError::Node {
            index,
            name: node.name.clone(),
            op: node.op.name().into(),
            problem: problem.into(),
        };
        ensure(node.inputs.iter().all(|id| known[id.0]), "reads what no earlier node writes")
            .map_err(problem)?;
        let [output] = node.outputs[..] else {
            return Err(problem("must have one output"));
        };
        ensure(!known[output.0], "writes a constant, an input, or what another node writes")
            .map_err(problem)?;
        let inputs: Vec<&T> = node.inputs.iter().map(|&id| graph.tensor(id)).collect();
        operator::check(&node.op, &inputs, graph.tensor(output)).map_err(problem)?;
        let computes = |(position, id): (usize, &TensorId)| {
            indices.contains(id) && !node.op.reads_indices(position) && !node.op.moves_elements()
        };
        ensure(
            !node.inputs.iter().enumerate().any(computes),
            "computes with indices, which only choose elements",
        )
        .map_err(problem)?;
        known[output.0] = true;
    }
    for &id in &graph.outputs {
        let tensor = find(graph, "an output", id)?;
        let port = |problem| port_error("output", tensor, problem);
        ensure(known[id.0] && !tensor.is_constant(), "is not computed").map_err(port)?;
        tensor
            .check_activation()
            .or_else(|problem| tensor.check_indices().map_err(|_| problem))
            .map_err(port)?;
    }
    Ok(())
}

fn port_error(direction: &'static str, tensor: &impl Tensor, problem: &'static str) -> GraphError {
    GraphError::Port { direction: direction.into(), name: tensor.name().to_owned(), problem: problem.into() }
}

fn find<'a, T: Tensor>(
    graph: &'a Graph<T>,
    referrer: &'static str,
    id: TensorId,
) -> Result<&'a T, GraphError> {
    let tensors = graph.tensors.len();
    graph.tensors.get(id.0).ok_or(GraphError::NoSuchTensor { referrer: referrer.into(), id: id.0, tensors })
}

/// Elements of `shape`; `None` past [`MAX_ELEMENTS`].
pub fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &extent| {
        product.checked_mul(extent).filter(|&product| product <= MAX_ELEMENTS && extent <= MAX_ELEMENTS)
    })
}

fn check_tensor<T: Operand>(tensor: &T) -> Checked {
    ensure(tensor.shape().len() <= MAX_RANK, "has more than 6 dimensions")?;
    ensure(!tensor.shape().contains(&0), "has no element")?;
    let elements = elements(tensor.shape()).ok_or("has more than 2^28 elements")?;
    tensor.check_content(elements)
}
