//! Floats at a model's edge: an input that is quantized at once, an output that is dequantized last.
//!
//! The integers behind them stand for the same reals, so they become the model's inputs and outputs.

use std::collections::HashMap;

use super::find;
use super::schema::{Model, SubGraph};
use crate::tflite_schema::tensor_type::FLOAT32;

const DEQUANTIZE: i32 = 6;
const QUANTIZE: i32 = 114;

/// The operators between floats outside and integers inside.
pub(super) struct Boundary {
    /// The float tensor's integer one.
    inside: HashMap<i32, i32>,
    /// Places of the operators between them.
    operators: Vec<usize>,
}

impl Boundary {
    /// The boundary of `subgraph`.
    pub(super) fn of(model: &Model<'_>, subgraph: &SubGraph) -> Self {
        let mut boundary = Self { inside: HashMap::new(), operators: Vec::new() };
        for (index, operator) in subgraph.operators.iter().enumerate() {
            let code = model.operator_codes.get(operator.code as usize).map(|code| code.builtin);
            let ([input], [output]) = (&operator.inputs[..], &operator.outputs[..]) else { continue };
            let (ports, outside, inside) = match code {
                Some(QUANTIZE) => (&subgraph.inputs, *input, *output),
                Some(DEQUANTIZE) => (&subgraph.outputs, *output, *input),
                _ => continue,
            };
            let is_float = find(subgraph, outside).is_some_and(|tensor| tensor.kind == FLOAT32);
            if is_float && ports.contains(&outside) && !boundary.inside.contains_key(&outside) {
                boundary.inside.insert(outside, inside);
                boundary.operators.push(index);
            }
        }
        boundary
    }

    /// Whether the operator at `index` is left out of the graph.
    pub(super) fn replaces(&self, index: usize) -> bool {
        self.operators.contains(&index)
    }

    /// The tensor that stands for the model's input or output `tensor`.
    pub(super) fn inside(&self, tensor: i32) -> i32 {
        self.inside.get(&tensor).copied().unwrap_or(tensor)
    }
}
