//! ONNX files in the QDQ form: float operators between QuantizeLinear and DequantizeLinear, which ONNX Runtime
//! and compilers for accelerators read.
//!
//! Inputs and outputs are floats, in the model's own layout. Images go through convolutions and pools with
//! their channels first; a transpose of int8 values stands where the layout changes.
//!
//! The arithmetic is that of who executes the file: results may differ from ours by steps of an output's
//! scale.

mod draft;
mod function;
mod operator;
mod proto;
mod protobuf;
mod weighted;

use edgepkg_format::DType;

use self::draft::Draft;
use super::ExportError;
use crate::graph::QuantizedGraph;
use crate::validate::validate;

const FORMAT: &str = "ONNX";
/// A message has at most 2 GiB.
const MAX_CONSTANT_BYTES: usize = 1 << 30;

/// The bytes of an ONNX file that computes what `graph` computes, to within rounding, with `description` for
/// people.
///
/// # Errors
///
/// When the graph is not sound, when ONNX has no operators for one of its nodes, or when its constants take
/// more than 1 GiB.
pub fn write(graph: &QuantizedGraph, description: &str) -> Result<Vec<u8>, ExportError> {
    validate(graph)?;
    let mut draft = Draft::new(graph);
    for node in &graph.nodes {
        let is_int16 = |id| graph.tensor(id).dtype == DType::Int16;
        if node.inputs.iter().chain(&node.outputs).any(|&id| is_int16(id)) {
            return Err(ExportError::at(
                node,
                "has int16 tensors, which ONNX quantizes from opset 21 on only",
            ));
        }
        operator::add(&mut draft, node).map_err(|problem| ExportError::at(node, problem))?;
        draft.check_size(MAX_CONSTANT_BYTES).map_err(|found_bytes| ExportError::TooLarge {
            format: FORMAT,
            found_bytes,
            limit_bytes: MAX_CONSTANT_BYTES,
        })?;
    }
    Ok(proto::model(&draft.finish(), description))
}
