//! Version 1 of the wire form. Frozen: a change of a type here breaks every published package.

use std::sync::Arc;

use edgepkg_format::DType;
use serde::{Deserialize, Serialize};

use super::WireError;
use crate::graph::{self, QuantizedGraph, TensorId};
use crate::validate::elements;

mod operator;
mod unary_function;

pub use operator::{Activation, Conv, Op, Padding, Pool};
pub use unary_function::UnaryFunction;

/// A graph without the values of its constants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `graph::Graph`")]
pub struct Structure {
    pub name: String,
    pub tensors: Vec<Tensor>,
    pub nodes: Vec<Node>,
    pub inputs: Vec<u32>,
    pub outputs: Vec<u32>,
    pub rounding: Rounding,
}

/// A tensor. A constant's values lie in its blob after those of all constants of that blob with a
/// lower index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `graph::QuantizedTensor`")]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<u32>,
    pub element: Element,
    pub scales: Vec<f32>,
    pub zero_points: Vec<i32>,
    pub axis: u32,
    /// The weight blob that holds its values, for a constant.
    pub blob: Option<u8>,
}

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Element {
    Int8,
    Int16,
    Int32,
    Int64,
    Int4,
}

/// How often a product with a scale is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Rounding {
    Twice,
    Once,
}

/// An operator. Ids are indices of tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `graph::Node`")]
pub struct Node {
    pub name: String,
    pub op: Op,
    pub inputs: Vec<u32>,
    pub outputs: Vec<u32>,
}

/// The most weight blobs a graph has: a base and a head.
const MAX_BLOBS: usize = 2;

impl Structure {
    /// The structure of `graph` and its weight blobs; `blob_of_tensor` has an entry for each tensor.
    pub(super) fn from_graph(graph: &QuantizedGraph, blob_of_tensor: &[u8]) -> (Self, Vec<Vec<u8>>) {
        let constant_blobs =
            graph.tensors.iter().zip(blob_of_tensor).filter(|(tensor, _)| tensor.data.is_some());
        let blobs = constant_blobs.map(|(_, &blob)| usize::from(blob) + 1).max().unwrap_or(0);
        let mut weights = vec![Vec::new(); blobs];
        let tensors = graph.tensors.iter().zip(blob_of_tensor).map(|(tensor, &blob)| {
            if let Some(data) = &tensor.data {
                weights[usize::from(blob)].extend_from_slice(data);
            }
            Tensor {
                name: tensor.name.clone(),
                shape: tensor.shape.iter().map(|&extent| narrow(extent)).collect(),
                element: Element::from_dtype(tensor.dtype),
                scales: tensor.quantization.scales.clone(),
                zero_points: tensor.quantization.zero_points.clone(),
                axis: narrow(tensor.quantization.axis),
                blob: tensor.data.is_some().then_some(blob),
            }
        });
        let structure = Self {
            name: graph.name.clone(),
            tensors: tensors.collect(),
            nodes: graph.nodes.iter().map(Node::from_graph).collect(),
            inputs: ids(&graph.inputs),
            outputs: ids(&graph.outputs),
            rounding: Rounding::from_graph(graph.rounding),
        };
        (structure, weights)
    }

    /// The graph, not yet validated but for the lengths of its constants.
    pub(super) fn into_graph(self, weights: &[&[u8]]) -> Result<QuantizedGraph, WireError> {
        let mut blobs = Blobs { weights, taken_bytes: [0; MAX_BLOBS] };
        let tensors: Result<_, _> =
            self.tensors.into_iter().map(|tensor| tensor.into_graph(&mut blobs)).collect();
        let tensors = tensors?;
        blobs.finish()?;
        Ok(QuantizedGraph {
            name: self.name,
            tensors,
            nodes: self.nodes.into_iter().map(Node::into_graph).collect(),
            inputs: tensor_ids(self.inputs),
            outputs: tensor_ids(self.outputs),
            rounding: self.rounding.into_graph(),
        })
    }
}

/// Weight blobs, each taken from front to back.
struct Blobs<'a> {
    weights: &'a [&'a [u8]],
    taken_bytes: [usize; MAX_BLOBS],
}

impl<'a> Blobs<'a> {
    fn take(&mut self, blob: u8, length: Option<usize>) -> Result<&'a [u8], WireError> {
        let blob = usize::from(blob);
        let found = self.weights.get(blob).copied().unwrap_or_default();
        let start = self.taken_bytes.get(blob).copied().unwrap_or(0);
        let end = length.and_then(|length| start.checked_add(length)).unwrap_or(usize::MAX);
        let lacking = WireError::Weights { blob, needed_bytes: end, found_bytes: found.len() };
        match (self.taken_bytes.get_mut(blob), found.get(start..end)) {
            (Some(taken), Some(bytes)) => {
                *taken = end;
                Ok(bytes)
            }
            _ => Err(lacking),
        }
    }

    /// Every blob is used up, and the last has a byte: there is one encoding of a graph and its split.
    fn finish(&self) -> Result<(), WireError> {
        for (blob, bytes) in self.weights.iter().enumerate() {
            let needed_bytes = self.taken_bytes.get(blob).copied().unwrap_or(0);
            let superfluous = needed_bytes == 0 && blob + 1 == self.weights.len();
            if needed_bytes != bytes.len() || superfluous {
                return Err(WireError::Weights { blob, needed_bytes, found_bytes: bytes.len() });
            }
        }
        Ok(())
    }
}

impl Tensor {
    fn into_graph(self, blobs: &mut Blobs<'_>) -> Result<graph::QuantizedTensor, WireError> {
        let shape: Vec<usize> = self.shape.iter().map(|&extent| widen(extent)).collect();
        let dtype = self.element.dtype();
        let length = elements(&shape).and_then(|elements| dtype.bytes(elements as u32)).map(widen);
        let data = self.blob.map(|blob| blobs.take(blob, length)).transpose()?;
        Ok(graph::QuantizedTensor {
            name: self.name,
            shape,
            dtype,
            quantization: graph::Quantization {
                scales: self.scales,
                zero_points: self.zero_points,
                axis: widen(self.axis),
            },
            data: data.map(Arc::from),
        })
    }
}

impl Node {
    fn from_graph(node: &graph::Node) -> Self {
        Self {
            name: node.name.clone(),
            op: Op::from_graph(&node.op),
            inputs: ids(&node.inputs),
            outputs: ids(&node.outputs),
        }
    }

    fn into_graph(self) -> graph::Node {
        graph::Node {
            name: self.name,
            op: self.op.into_graph(),
            inputs: tensor_ids(self.inputs),
            outputs: tensor_ids(self.outputs),
        }
    }
}

impl Element {
    fn from_dtype(dtype: DType) -> Self {
        match dtype {
            DType::Int8 => Element::Int8,
            DType::Int16 => Element::Int16,
            DType::Int32 => Element::Int32,
            DType::Int64 => Element::Int64,
            DType::Int4 => Element::Int4,
        }
    }

    fn dtype(self) -> DType {
        match self {
            Element::Int8 => DType::Int8,
            Element::Int16 => DType::Int16,
            Element::Int32 => DType::Int32,
            Element::Int64 => DType::Int64,
            Element::Int4 => DType::Int4,
        }
    }
}

impl Rounding {
    fn from_graph(rounding: graph::Rounding) -> Self {
        match rounding {
            graph::Rounding::Twice => Rounding::Twice,
            graph::Rounding::Once => Rounding::Once,
        }
    }

    fn into_graph(self) -> graph::Rounding {
        match self {
            Rounding::Twice => graph::Rounding::Twice,
            Rounding::Once => graph::Rounding::Once,
        }
    }
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).expect("a validated graph's numbers fit 32 bits")
}

fn widen(value: u32) -> usize {
    value as usize
}

fn ids(ids: &[TensorId]) -> Vec<u32> {
    ids.iter().map(|id| narrow(id.0)).collect()
}

fn tensor_ids(ids: Vec<u32>) -> Vec<TensorId> {
    ids.into_iter().map(|id| TensorId(widen(id))).collect()
}
