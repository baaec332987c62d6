//! TensorFlow Lite files: what TensorFlow Lite and TensorFlow Lite Micro execute, and our import reads back.
//!
//! Tensors between layers are called after the layer that writes them, since operators have no names of
//! their own. What the graph has in operators and the format has in tensors (axes, paddings, shapes)
//! becomes int32 constants.

mod activation;
mod draft;
mod flatbuffer;
mod operator;
mod version;
mod weighted;
mod window;

use self::draft::Draft;
use super::ExportError;
use crate::graph::QuantizedGraph;
use crate::validate::validate;

const FORMAT: &str = "TensorFlow Lite";
/// A flatbuffer's offsets reach 2 GiB.
const MAX_CONSTANT_BYTES: usize = 1 << 30;

/// The bytes of a TensorFlow Lite file that computes what `graph` computes, with `description` for people.
///
/// # Errors
///
/// When the graph is not sound, when TensorFlow Lite has no operators for one of its nodes, or when its
/// constants take more than 1 GiB.
pub fn write(graph: &QuantizedGraph, description: &str) -> Result<Vec<u8>, ExportError> {
    validate(graph)?;
    let constants = graph.tensors.iter().filter_map(|tensor| tensor.data.as_deref());
    let found_bytes: usize = constants.map(<[u8]>::len).sum();
    if found_bytes > MAX_CONSTANT_BYTES {
        return Err(ExportError::TooLarge { format: FORMAT, found_bytes, limit_bytes: MAX_CONSTANT_BYTES });
    }
    let mut draft = Draft::new(graph);
    draft.inputs = draft.tensors_of(&graph.inputs);
    for node in &graph.nodes {
        operator::add(&mut draft, node).map_err(|problem| ExportError::at(node, problem))?;
    }
    draft.outputs = draft.tensors_of(&graph.outputs);
    Ok(flatbuffer::write(&draft, description))
}
