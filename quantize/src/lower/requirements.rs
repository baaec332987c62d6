//! What operators demand of their tensors' scales and zero points.
//!
//! The references refuse these models, or assume what is checked here. Operators that only move values
//! copy raw integers; to give their neighbours one scale is the quantizer's duty.

use edgepkg_format::DType;

use crate::graph::{Node, Op, Quantization, QuantizedGraph, QuantizedTensor};

/// Checks one node of a sound graph.
///
/// # Errors
///
/// What is wrong, as the end of a sentence that begins with the node.
pub(super) fn check(graph: &QuantizedGraph, node: &Node) -> Result<(), &'static str> {
    let output = graph.tensor(node.output());
    let y = &output.quantization;
    let input = |index: usize| &graph.tensor(node.inputs[index]).quantization;
    check_int16(graph, node)?;
    match &node.op {
        Op::FullyConnected { .. } => ensure(
            input(1).zero_points.iter().all(|&zero_point| zero_point == 0),
            "has weights with a zero point",
        ),
        Op::AveragePool2d(_) | Op::MaxPool2d(_) => {
            let alike =
                input(0).zero_point() == y.zero_point() && (input(0).scale() - y.scale()).abs() <= 1e-6;
            ensure(alike, "has an output with another scale or zero point than its input")
        }
        Op::Concat { .. } => {
            let alike = (0..node.inputs.len()).all(|index| same(input(index), y));
            ensure(alike, "has an input with another scale or zero point than its output")
        }
        Op::Softmax { .. } => {
            let (scale, zero_point) = match (graph.tensor(node.inputs[0]).dtype, output.dtype) {
                (DType::Int16, DType::Int16) => (1.0 / 32768.0, 0),
                (_, DType::Int16) => (1.0 / 65536.0, -32768),
                (DType::Int8, _) => (1.0 / 256.0, -128),
                _ => return Err("has an output that is narrower than its input"),
            };
            let fixed = is_close(y.scale(), scale) && y.zero_point() == zero_point;
            ensure(fixed, "has an output whose scale and zero point are not those of its range [0, 1)")
        }
        Op::Logistic | Op::Tanh if output.dtype == DType::Int16 => {
            ensure(is_close(y.scale(), 1.0 / 32768.0), "has an output whose scale is not 1/32768")
        }
        Op::LogSoftmax => {
            let fixed = y.scale() == 1.0 / 16.0 && y.zero_point() == 127;
            ensure(fixed, "has an output whose scale and zero point are not 1/16 and 127")
        }
        Op::Logistic => ensure(y.zero_point() == -128, "has an output whose zero point is not -128"),
        _ => Ok(()),
    }
}

/// The references take int16 to have the zero point 0, but where they only move or rescale it.
fn check_int16(graph: &QuantizedGraph, node: &Node) -> Result<(), &'static str> {
    let is_free = matches!(
        node.op,
        Op::FullyConnected { .. }
            | Op::Requantize
            | Op::Mean { .. }
            | Op::Sum { .. }
            | Op::Relu
            | Op::Relu6
            | Op::Clamp(_)
            | Op::LeakyRelu { .. }
            | Op::Unary(_)
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
    );
    let is_centred = |tensor: &QuantizedTensor| {
        tensor.dtype != DType::Int16 || tensor.quantization.zero_points.iter().all(|&point| point == 0)
    };
    let from_int8 =
        matches!(node.op, Op::Softmax { .. }) && graph.tensor(node.inputs[0]).dtype == DType::Int8;
    let operands = node.inputs.iter().chain(&node.outputs).map(|&id| graph.tensor(id));
    let is_sound = is_free || from_int8 || operands.into_iter().all(is_centred);
    ensure(is_sound, "has an int16 operand whose zero point is not 0")
}

fn is_close(scale: f32, expected: f32) -> bool {
    (scale - expected).abs() <= 0.001 * expected
}

fn same(a: &Quantization, b: &Quantization) -> bool {
    a.scale() == b.scale() && a.zero_point() == b.zero_point()
}

fn ensure(condition: bool, problem: &'static str) -> Result<(), &'static str> {
    if condition { Ok(()) } else { Err(problem) }
}
