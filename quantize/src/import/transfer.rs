//! What an import found, as bytes from one process to another of the same build.
//!
//! The length of the structure, 4 bytes, little-endian; the structure (postcard) with empty constants; then
//! the values of every constant, in the order of the tensors, as this machine has them in memory. The
//! bytes may come from a process that the model file has taken over: lengths are checked, and the graph is
//! validated.

use std::io::{self, Write};
use std::sync::Arc;

use bytemuck::{Pod, Zeroable as _};
use thiserror::Error;

use super::{ImportError, Imported, ImportedGraph};
use crate::graph::{FloatTensor, Graph, QuantizedTensor, Tensor};
use crate::validate::{GraphError, elements, validate};
use crate::wire::MAX_STRUCTURE_BYTES;

/// Why bytes are not what an import found.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TransferError {
    /// They do not decode, or are more or less than the constants need.
    #[error("{0}")]
    Malformed(String),
    /// The graph is not one.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Writes what an import found; an error in its place, where its structure is longer than [`read`] takes.
///
/// # Errors
///
/// Those of `out`.
pub fn write(mut found: Result<Imported, ImportError>, out: &mut dyn Write) -> io::Result<()> {
    let mut structure = Vec::new();
    let mut constants = Constants::None;
    if let Ok(imported) = &mut found {
        constants = Constants::take_from(&mut imported.graph);
    }
    encode(&found, &mut structure);
    if structure.len() > MAX_STRUCTURE_BYTES {
        let reason = format!("what it holds, weights apart, takes more than {MAX_STRUCTURE_BYTES} bytes");
        structure.clear();
        constants = Constants::None;
        encode(&Err(ImportError::Unreadable { format: "model".into(), reason }), &mut structure);
    }
    out.write_all(&(structure.len() as u32).to_le_bytes())?;
    out.write_all(&structure)?;
    match constants {
        Constants::None => Ok(()),
        Constants::Float(values) => {
            values.iter().try_for_each(|values| out.write_all(bytemuck::cast_slice(values)))
        }
        Constants::Bytes(values) => values.iter().try_for_each(|values| out.write_all(values)),
    }
}

fn encode(found: &Result<Imported, ImportError>, structure: &mut Vec<u8>) {
    *structure = postcard::to_extend(found, std::mem::take(structure)).expect("memory is the only limit");
}

/// What the import found that [`write()`] wrote these bytes of.
///
/// # Errors
///
/// On any other bytes; it never panics, and takes memory in proportion to their number.
pub fn read(bytes: &[u8]) -> Result<Result<Imported, ImportError>, TransferError> {
    let (length, rest) = bytes.split_first_chunk().ok_or_else(|| malformed("it has no length"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_STRUCTURE_BYTES || length > rest.len() {
        return Err(malformed("its structure is too long, or cut short"));
    }
    let (structure, constants) = rest.split_at(length);
    let (mut found, left_over): (Result<Imported, ImportError>, _) =
        postcard::take_from_bytes(structure).map_err(|error| malformed(&error.to_string()))?;
    let left_over = left_over.len()
        + match &mut found {
            Ok(Imported { graph: ImportedGraph::Float(graph), .. }) => fill(graph, constants)?,
            Ok(Imported { graph: ImportedGraph::Quantized(graph), .. }) => fill(graph, constants)?,
            Err(_) => constants.len(),
        };
    if left_over != 0 {
        return Err(malformed("bytes are left over"));
    }
    if let Ok(imported) = &found {
        match &imported.graph {
            ImportedGraph::Float(graph) => validate(graph)?,
            ImportedGraph::Quantized(graph) => validate(graph)?,
        }
    }
    Ok(found)
}

fn malformed(reason: &str) -> TransferError {
    TransferError::Malformed(reason.to_owned())
}

/// The values of a graph's constants, in the order of its tensors.
enum Constants {
    None,
    Float(Vec<Arc<[f32]>>),
    Bytes(Vec<Arc<[u8]>>),
}

impl Constants {
    fn take_from(graph: &mut ImportedGraph) -> Self {
        match graph {
            ImportedGraph::Float(graph) => Constants::Float(take(graph)),
            ImportedGraph::Quantized(graph) => Constants::Bytes(take(graph)),
        }
    }
}

/// A tensor whose values can be taken out and put back.
trait Constant: Tensor {
    type Element: Pod;

    fn values(&mut self) -> Option<&mut Arc<[Self::Element]>>;

    /// How many there must be; `None` past the limits of tensors.
    fn length(&self) -> Option<usize>;
}

impl Constant for FloatTensor {
    type Element = f32;

    fn values(&mut self) -> Option<&mut Arc<[f32]>> {
        self.data.as_mut()
    }

    fn length(&self) -> Option<usize> {
        elements(&self.shape)
    }
}

impl Constant for QuantizedTensor {
    type Element = u8;

    fn values(&mut self) -> Option<&mut Arc<[u8]>> {
        self.data.as_mut()
    }

    fn length(&self) -> Option<usize> {
        Some(self.dtype.bytes(u32::try_from(elements(&self.shape)?).ok()?)? as usize)
    }
}

fn take<T: Constant>(graph: &mut Graph<T>) -> Vec<Arc<[T::Element]>> {
    let values = graph.tensors.iter_mut().filter_map(T::values);
    values.map(|values| std::mem::replace(values, Arc::from([]))).collect()
}

/// Gives `graph` its constants; how many bytes are left over.
fn fill<T: Constant>(graph: &mut Graph<T>, mut bytes: &[u8]) -> Result<usize, TransferError> {
    for tensor in &mut graph.tensors {
        let length = tensor.length();
        let Some(values) = tensor.values() else { continue };
        let length = length.and_then(|length| length.checked_mul(size_of::<T::Element>()));
        let (own, rest) = length
            .and_then(|length| bytes.split_at_checked(length))
            .ok_or_else(|| malformed("a constant is cut short"))?;
        let mut copy = vec![T::Element::zeroed(); own.len() / size_of::<T::Element>()];
        bytemuck::cast_slice_mut(&mut copy).copy_from_slice(own);
        *values = copy.into();
        bytes = rest;
    }
    Ok(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Node, Op, TensorId};
    use crate::import::Metadata;

    fn imported() -> Imported {
        let tensor = |name: &str, data: Option<&[f32]>| FloatTensor {
            name: name.into(),
            shape: vec![1, 3],
            data: data.map(Arc::from),
        };
        let graph = Graph {
            name: "test".into(),
            tensors: vec![tensor("x", None), tensor("c", Some(&[1.0, f32::MAX, -0.5])), tensor("y", None)],
            nodes: vec![Node {
                name: "add".into(),
                op: Op::Add { activation: Default::default() },
                inputs: vec![TensorId(0), TensorId(1)],
                outputs: vec![TensorId(2)],
            }],
            inputs: vec![TensorId(0)],
            outputs: vec![TensorId(2)],
            rounding: (),
        };
        let metadata = Metadata { description: "a sum".into(), ..Metadata::default() };
        Imported { graph: ImportedGraph::Float(graph), metadata, notes: vec!["a note".into()] }
    }

    fn bytes(found: Result<Imported, ImportError>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(found, &mut bytes).expect("memory is the only limit");
        bytes
    }

    #[test]
    fn graphs_and_errors_arrive_as_they_were() {
        assert_eq!(read(&bytes(Ok(imported()))), Ok(Ok(imported())));
        let error = || ImportError::Unreadable { format: "ONNX".into(), reason: "it is none".into() };
        assert_eq!(read(&bytes(Err(error()))), Ok(Err(error())));
    }

    #[test]
    fn any_change_gives_a_sound_graph_or_an_error() {
        let good = bytes(Ok(imported()));
        for end in 0..good.len() {
            assert!(read(&good[..end]).is_err(), "cut at {end}");
        }
        for at in 0..good.len() {
            for value in [0, 1, 2, 127, 128, 255] {
                let mut changed = good.clone();
                changed[at] = value;
                let _ = read(&changed);
            }
        }
        let mut longer = good;
        longer.push(0);
        assert!(read(&longer).is_err());
    }
}
