//! Weights and biases of recurrent layers: a scale for each gate of each unit.

use edgepkg_format::DType;

use super::compensate::Trust;
use super::{Assignment, BiasCorrection, int8_bytes, weights};
use crate::graph::{Node, Quantization, QuantizedTensor, Recurrent, TensorId};
use crate::multiplier::type_range;

/// What the products of a sum come to at most; a bias comes to [`GREATEST_BIAS`], and rounding to what is left of 32 bits.
const GREATEST_PRODUCTS: f32 = 5.0 * (1 << 28) as f32;
const GREATEST_BIAS: f32 = (1 << 29) as f32;

/// Weights of the input and of the hidden state, then the biases of both.
pub(super) fn operands(assignment: &Assignment<'_>, node: &Node) -> [QuantizedTensor; 4] {
    let part = |values: usize, weights: usize| {
        let [values, weights, bias] = [values, weights, weights + 2].map(|position| node.inputs[position]);
        weights_and_bias(assignment, values, weights, bias)
    };
    let (input_weights, input_bias) = part(0, Recurrent::INPUT_WEIGHTS);
    let (hidden_weights, hidden_bias) = part(Recurrent::HIDDEN, Recurrent::HIDDEN_WEIGHTS);
    [input_weights, hidden_weights, input_bias, hidden_bias]
}

fn weights_and_bias(
    assignment: &Assignment<'_>,
    values: TensorId,
    weights: TensorId,
    bias: TensorId,
) -> (QuantizedTensor, QuantizedTensor) {
    let constant = |id: TensorId| {
        let tensor = assignment.float.tensor(id);
        (tensor, tensor.data.as_deref().expect("checked to be constant"))
    };
    let ((weights, weight_values), (bias, bias_values)) = (constant(weights), constant(bias));
    let channels = weights::Channels::new(&weights.shape, 0);
    let value_scale = assignment.parameters[values.0].scale();
    let mut scales = weights::scales(weight_values, &channels, bias_values, value_scale, GREATEST_BIAS);
    let greatest_value = type_range(assignment.dtypes[values.0]).max as f32;
    for (scale, row) in scales.iter_mut().zip(weight_values.chunks_exact(weights.shape[1])) {
        let sum: f32 = row.iter().map(|weight| weight.abs()).sum();
        *scale = scale.max(sum * greatest_value / GREATEST_PRODUCTS);
    }
    let quantized = assignment.rounded_rows(values, Trust::OfStates, weight_values, &channels, &scales);
    let mut bias_values = bias_values.to_vec();
    if assignment.bias_correction == BiasCorrection::Mean
        && let Some(Some(moments)) = assignment.calibrated.moments.get(values.0)
    {
        let errors = weights::errors(weight_values, &channels, &scales, &quantized);
        for (bias, errors) in bias_values.iter_mut().zip(errors.chunks_exact(weights.shape[1])) {
            let shift: f64 =
                errors.iter().zip(&moments.mean).map(|(&error, mean)| f64::from(error) * mean).sum();
            *bias -= shift as f32;
        }
    }
    let bias_scales: Vec<f32> = scales.iter().map(|scale| value_scale * scale).collect();
    let bias_words = weights::quantize_bias(&bias_values, &bias_scales).into_iter();
    let bias_bytes: Vec<u8> = bias_words.flat_map(|word| (word as i32).to_le_bytes()).collect();
    let tensor = |name: &str, shape: &[usize], dtype, scales, data| QuantizedTensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        dtype,
        quantization: Quantization::per_channel(scales, 0),
        data: Some(data),
    };
    (
        tensor(&weights.name, &weights.shape, DType::Int8, scales, int8_bytes(&quantized)),
        tensor(&bias.name, &bias.shape, DType::Int32, bias_scales, bias_bytes.into()),
    )
}
