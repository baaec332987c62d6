//! Other types at a model's edge: an input that is quantized at once, an output that is dequantized last.
//!
//! The integers behind them stand for the same reals, so they become the model's inputs and outputs.

use std::collections::HashMap;

use super::file::File;
use super::int8::{UINT8_OFFSET, quantization};
use super::schema::Tensor;
use crate::tflite_schema::Builtin;
use crate::tflite_schema::tensor_type::{FLOAT32, INT8, UINT8};

pub(super) const DEQUANTIZE: i32 = 6;
const QUANTIZE: i32 = Builtin::Quantize as i32;

/// The operators between another type outside and integers inside.
pub(super) struct Boundary {
    /// The outer tensor's inner one.
    inside: HashMap<i32, i32>,
    /// Places of the operators between them.
    operators: Vec<usize>,
}

impl Boundary {
    /// The boundary of the file's graph.
    pub(super) fn of(file: &File<'_>) -> Self {
        let mut boundary = Self { inside: HashMap::new(), operators: Vec::new() };
        for (index, operator) in file.graph.operators.iter().enumerate() {
            let ([input], [output]) = (&operator.inputs[..], &operator.outputs[..]) else { continue };
            let (inputs, outputs) = (&file.graph.inputs, &file.graph.outputs);
            let (outside, inside) = match file.code(operator).builtin {
                QUANTIZE if inputs.contains(input) => (*input, *output),
                DEQUANTIZE | QUANTIZE if outputs.contains(output) => (*output, *input),
                _ => continue,
            };
            let (Some(outer), Some(inner)) = (file.tensor(outside), file.tensor(inside)) else { continue };
            let is_same = outer.kind == FLOAT32 || is_shifted(outer, inner);
            if is_same && !boundary.inside.contains_key(&outside) {
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

/// Whether the uint8 tensor `outer` and the int8 tensor `inner` stand for the same reals.
fn is_shifted(outer: &Tensor, inner: &Tensor) -> bool {
    let parameters = |tensor| quantization(tensor).ok().flatten();
    let (Some(outside), Some(inside)) = (parameters(outer), parameters(inner)) else { return false };
    let shifted = inside.zero_points.iter().map(|zero_point| zero_point.saturating_add(UINT8_OFFSET));
    (outer.kind, inner.kind) == (UINT8, INT8)
        && outside.scales == inside.scales
        && outside.zero_points.into_iter().eq(shifted)
}
