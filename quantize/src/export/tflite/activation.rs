//! Ranges that results are clamped to: fused into operators, or operators of their own.

use super::draft::{Draft, Operator};
use super::version;
use crate::graph::{Activation, Node, QuantizedTensor};
use crate::multiplier::{activation_range, type_range};
use crate::tflite_schema::{Builtin, activation};

/// What can be fused into an operator.
const FUSED: [(i8, Activation); 4] = [
    (activation::NONE, Activation::NONE),
    (activation::RELU, Activation::RELU),
    (activation::RELU6, Activation::RELU6),
    (activation::RELU_N1_TO_1, Activation::RELU_N1_TO_1),
];

/// The code of the fused activation that leaves the same of `y`'s values as `wanted` does.
fn fused(wanted: &Activation, y: &QuantizedTensor) -> Option<i8> {
    let range = |activation: &Activation| activation_range(activation, &y.quantization, y.dtype);
    let same = FUSED.iter().find(|(_, activation)| activation == wanted);
    let alike = || FUSED.iter().find(|(_, activation)| range(activation) == range(wanted));
    same.or_else(alike).map(|(code, _)| *code)
}

/// Adds `operator`, clamped as `activation` says. Its output, whatever its shape, has the scale and zero
/// point of the node's.
pub(super) fn add_fusing(draft: &mut Draft<'_>, node: &Node, operator: Operator, activation: &Activation) {
    let y = draft.graph.tensor(node.output());
    if let Some(code) = fused(activation, y) {
        draft.operators.push(Operator { activation: code, ..operator });
        return;
    }
    let output = operator.output;
    let unclamped = draft.like(output, node, "unclamped");
    draft.operators.push(Operator { output: unclamped, ..operator });
    add_clamp(draft, node, activation, unclamped, output);
}

/// Adds what clamps `input` to `output`, which have the scale and zero point of the node's output.
pub(super) fn add_clamp(
    draft: &mut Draft<'_>,
    node: &Node,
    activation: &Activation,
    input: i32,
    output: i32,
) {
    let y = draft.graph.tensor(node.output());
    let whole = type_range(y.dtype);
    let range = activation_range(activation, &y.quantization, y.dtype);
    let bounds = [
        (Builtin::Maximum, "least", range.min, range.min != whole.min),
        // A clamp that changes nothing is an operator too: something must write the output.
        (Builtin::Minimum, "greatest", range.max, range.max != whole.max || range.min == whole.min),
    ];
    let mut bounds = bounds.into_iter().filter(|(.., is_needed)| *is_needed).peekable();
    let mut input = input;
    while let Some((builtin, role, bound, _)) = bounds.next() {
        let written =
            if bounds.peek().is_some() { draft.like(output, node, "unclamped_above") } else { output };
        let bound = draft.scalar(node, role, bound as i8);
        let version = version::of(builtin, y);
        draft.operators.push(Operator::new(builtin, version, vec![input, bound], written));
        input = written;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use edgepkg_format::DType;

    use super::*;
    use crate::graph::Quantization;

    fn code(activation: Activation, scale: f32, zero_point: i32) -> Option<i8> {
        let quantization = Quantization::per_tensor(scale, zero_point);
        let data: Option<Arc<[u8]>> = None;
        let y =
            QuantizedTensor { name: String::new(), shape: vec![1], dtype: DType::Int8, quantization, data };
        fused(&activation, &y)
    }

    #[test]
    fn the_formats_own_activations_keep_their_names() {
        for (code_of, activation) in FUSED {
            assert_eq!(code(activation, 0.1, 3), Some(code_of));
        }
    }

    #[test]
    fn ranges_that_clamp_alike_share_a_code() {
        let up_to = |max| Activation { min: Some(0.0), max: Some(max) };
        assert_eq!(code(up_to(4.0), 4.0 / 255.0, -128), Some(activation::NONE));
        assert_eq!(code(up_to(25.5), 0.1, -100), Some(activation::RELU));
        assert_eq!(code(up_to(6.04), 0.1, 0), Some(activation::RELU6));
        assert_eq!(code(up_to(4.0), 0.1, 0), None);
    }
}
