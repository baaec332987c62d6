//! Whether a quantized graph is one: ids, shapes, arity and types agree.
//!
//! Graphs come from files that anyone may have written. The stages after this one index and multiply
//! without looking; what passes here cannot make them panic or overflow.

mod operator;

use std::borrow::Cow;

use edgepkg_format::DType;
use edgepkg_format::tensor::MAX_RANK;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::graph::{QuantizedGraph, QuantizedTensor, TensorId};

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
type Checked = Result<(), &'static str>;

fn ensure(condition: bool, problem: &'static str) -> Checked {
    if condition { Ok(()) } else { Err(problem) }
}

/// Checks that every id is a tensor, every tensor is sound, every node reads only what is known when
/// it runs, and every operator's shapes and types agree.
///
/// # Errors
///
/// The first thing found wrong.
pub fn validate(graph: &QuantizedGraph) -> Result<(), GraphError> {
    for (index, tensor) in graph.tensors.iter().enumerate() {
        check_tensor(tensor).map_err(|problem| GraphError::Tensor {
            index,
            name: tensor.name.clone(),
            problem: problem.into(),
        })?;
    }
    let mut known: Vec<bool> = graph.tensors.iter().map(|tensor| tensor.data.is_some()).collect();
    for &id in &graph.inputs {
        let tensor = find(graph, "an input", id)?;
        let port = |problem| port_error("input", tensor, problem);
        ensure(!known[id.0], "is a constant, or an input twice").map_err(port)?;
        check_activation(tensor).map_err(port)?;
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
        let inputs: Vec<&QuantizedTensor> = node.inputs.iter().map(|&id| graph.tensor(id)).collect();
        operator::check(&node.op, &inputs, graph.tensor(output)).map_err(problem)?;
        known[output.0] = true;
    }
    for &id in &graph.outputs {
        let tensor = find(graph, "an output", id)?;
        let port = |problem| port_error("output", tensor, problem);
        ensure(known[id.0] && tensor.data.is_none(), "is not computed").map_err(port)?;
        check_activation(tensor).map_err(port)?;
    }
    Ok(())
}

fn port_error(direction: &'static str, tensor: &QuantizedTensor, problem: &'static str) -> GraphError {
    GraphError::Port { direction: direction.into(), name: tensor.name.clone(), problem: problem.into() }
}

fn find<'a>(
    graph: &'a QuantizedGraph,
    referrer: &'static str,
    id: TensorId,
) -> Result<&'a QuantizedTensor, GraphError> {
    let tensors = graph.tensors.len();
    graph.tensors.get(id.0).ok_or(GraphError::NoSuchTensor { referrer: referrer.into(), id: id.0, tensors })
}

/// Elements of `shape`; `None` past [`MAX_ELEMENTS`].
pub fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &extent| {
        product.checked_mul(extent).filter(|&product| product <= MAX_ELEMENTS && extent <= MAX_ELEMENTS)
    })
}

fn check_tensor(tensor: &QuantizedTensor) -> Checked {
    ensure(tensor.shape.len() <= MAX_RANK, "has more than 6 dimensions")?;
    ensure(!tensor.shape.contains(&0), "has no element")?;
    let elements = elements(&tensor.shape).ok_or("has more than 2^28 elements")?;
    let bytes = tensor.dtype.bytes(elements as u32).ok_or("is larger than 4 GiB")? as usize;
    if let Some(data) = &tensor.data {
        ensure(data.len() == bytes, "has more or less data than its shape")?;
    }
    let quantization = &tensor.quantization;
    let count = quantization.scales.len();
    ensure(count >= 1, "has no scale")?;
    ensure(quantization.zero_points.len() == count, "has more or less zero points than scales")?;
    let per_axis = tensor.shape.get(quantization.axis) == Some(&count);
    ensure(count == 1 || per_axis, "has more or less scales than its axis is long")?;
    ensure(
        quantization.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0),
        "has a scale that is not positive",
    )?;
    let range = match tensor.dtype {
        DType::Int4 => -8..=7,
        DType::Int8 => i32::from(i8::MIN)..=i32::from(i8::MAX),
        DType::Int16 => i32::from(i16::MIN)..=i32::from(i16::MAX),
        DType::Int32 | DType::Int64 => i32::MIN..=i32::MAX,
    };
    ensure(
        quantization.zero_points.iter().all(|zero_point| range.contains(zero_point)),
        "has a zero point outside its type",
    )
}

/// What moves between operators: int8 or int16 with one scale.
fn check_activation(tensor: &QuantizedTensor) -> Checked {
    ensure(matches!(tensor.dtype, DType::Int8 | DType::Int16), "is neither int8 nor int16")?;
    ensure(tensor.quantization.scales.len() == 1, "has more than one scale")
}
