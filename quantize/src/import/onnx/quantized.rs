//! Files that are quantized already.
//!
//! Operators on integers are first written as what they mean: the float operator between DequantizeLinear
//! and QuantizeLinear ([`expand`]). The file is then read as a float model in which QuantizeLinear only marks
//! where values are rounded ([`linear`]), so that what turns and joins float operators serves here too. Last,
//! every tensor gets the file's scale ([`assign`]) and every weight its integer back, which is its quotient
//! by the scale ([`constants`]).

mod assign;
mod constants;
mod expand;
mod linear;
mod scales;

use std::collections::{BTreeMap, HashMap};

use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::tract_core::internal::DatumType;

use constants::Constant;
pub(super) use expand::expand;

use super::protobuf::Model;
use crate::graph::{FloatGraph, Quantization};
use crate::import::{ImportError, Imported, ImportedGraph};
use crate::simplify::simplify;

/// How a file quantizes its tensors.
pub(super) struct Quantized {
    /// The integer inputs of the model.
    inputs: BTreeMap<String, DatumType>,
    /// Where values are rounded: the nodes of the float graph that only mark it, by name, and what they round
    /// to.
    marks: HashMap<String, Quantization>,
    /// What holds integers in the file and varies, by name.
    integers: HashMap<String, Grid>,
    /// What DequantizeLinear makes of constants, and what only moves that.
    constants: HashMap<String, Constant>,
}

/// The reals that a tensor's integers stand for.
#[derive(Clone, Debug, PartialEq)]
struct Grid {
    /// As int8.
    quantization: Quantization,
    /// The type in the file: int8 or uint8.
    stored: DatumType,
}

impl Quantized {
    /// Nothing but `model`'s integer inputs.
    pub fn new(model: &Model) -> Self {
        let integer = |name: &str| {
            let input = model.graph().input.iter().find(|input| input.name == name)?;
            let stored = match super::inputs::element_type(input)? {
                DataType::Int8 => DatumType::I8,
                DataType::Uint8 => DatumType::U8,
                _ => return None,
            };
            Some((name.to_owned(), stored))
        };
        let inputs = model.inputs.iter().filter_map(|input| integer(&input.name)).collect();
        Self { inputs, marks: HashMap::new(), integers: HashMap::new(), constants: HashMap::new() }
    }

    /// The model whose float form is `graph`: as it is, where only its constants are quantized.
    pub fn finish(self, graph: FloatGraph) -> Result<Imported, ImportError> {
        if let Some((tensor, stored)) =
            self.inputs.iter().find(|(name, _)| !self.integers.contains_key(*name))
        {
            return Err(ImportError::TensorType {
                tensor: tensor.clone(),
                found: format!("{stored:?}").to_lowercase(),
                expected: "inputs must be float32, or dequantized".into(),
            });
        }
        if self.marks.is_empty() {
            let mut imported = Imported::from(ImportedGraph::Float(graph));
            if !self.constants.is_empty() {
                let note = "the file quantizes weights but no activations, and was read as a float model";
                imported.notes.push(note.into());
            }
            return Ok(imported);
        }
        let (graph, notes) = assign::assign(&simplify(graph), &self)?;
        Ok(Imported { notes, ..Imported::from(ImportedGraph::Quantized(graph)) })
    }
}

/// What about an operator on integers is not supported; empty for any other.
pub(super) fn reason(node: &NodeProto) -> String {
    let reason = match &*node.op_type {
        "DynamicQuantizeLinear"
        | "DynamicQuantizeMatMul"
        | "DynamicQuantizeLSTM"
        | "MatMulIntegerToFloat" => {
            "scales that are computed while the model runs; quantize it statically, with calibration samples"
        }
        "ConvInteger" | "MatMulInteger" => {
            "results of 32 bits without a scale; quantize the model statically, with calibration samples"
        }
        _ => "",
    };
    reason.into()
}

/// `node` for tract, which only sees that QuantizeLinear and DequantizeLinear keep the shape.
pub(super) fn for_inference(node: &NodeProto) -> NodeProto {
    if !matches!(&*node.op_type, "QuantizeLinear" | "DequantizeLinear") {
        return node.clone();
    }
    NodeProto {
        op_type: "Identity".into(),
        input: node.input[..1].to_vec(),
        attribute: Vec::new(),
        ..node.clone()
    }
}
