//! Weights and biases of recurrent layers: a scale for each gate of each unit.

use edgepkg_format::DType;

use super::recurrent_rows::{self, Rounded, Rows};
use super::{Assignment, BiasCorrection, int8_bytes, weights};
use crate::graph::{FloatTensor, Node, Quantization, QuantizedTensor, Recurrent, Tensor, TensorId};
use crate::multiplier::type_range;

/// What the products of a sum come to at most; a bias comes to [`GREATEST_BIAS`], and rounding to what is left of 32 bits.
const GREATEST_PRODUCTS: f32 = 5.0 * (1 << 28) as f32;
const GREATEST_BIAS: f32 = (1 << 29) as f32;

/// Weights of the input and of the hidden state, then the biases of both.
pub(super) fn operands(assignment: &Assignment<'_>, node: &Node, op: Recurrent) -> [QuantizedTensor; 4] {
    let part = |values: usize, weights: usize| {
        let [values, weights, bias] = [values, weights, weights + 2].map(|position| node.inputs[position]);
        Part::new(assignment, values, weights, bias)
    };
    let mut input = part(0, Recurrent::INPUT_WEIGHTS);
    let mut hidden = part(Recurrent::HIDDEN, Recurrent::HIDDEN_WEIGHTS);
    let is_int16 = assignment.dtypes[node.inputs[0].0] == DType::Int16;
    let steps = assignment.calibrated.steps.get(&node.output()).filter(|_| is_int16);
    let rows = Rows {
        op,
        inputs: input.weights.shape[1],
        units: hidden.weights.shape[1],
        input_weights: input.weight_values,
        hidden_weights: hidden.weight_values,
        input_scales: &input.scales,
        hidden_scales: &hidden.scales,
    };
    if let Some(rounded) = steps.and_then(|steps| recurrent_rows::round(&rows, steps)) {
        let Rounded { input_weights, hidden_weights, input_scales, hidden_scales, input_bias, hidden_bias } =
            rounded;
        (input.integers, hidden.integers) = (input_weights, hidden_weights);
        (input.scales, hidden.scales) = (input_scales, hidden_scales);
        if assignment.bias_correction == BiasCorrection::Mean {
            for (part, shifts) in [(&mut input, input_bias), (&mut hidden, hidden_bias)] {
                part.bias_values.iter_mut().zip(shifts).for_each(|(bias, shift)| *bias += shift);
            }
        }
    }
    let ((input_weights, input_bias), (hidden_weights, hidden_bias)) = (input.tensors(), hidden.tensors());
    [input_weights, hidden_weights, input_bias, hidden_bias]
}

/// What is multiplied with the input, or with the hidden state.
struct Part<'a> {
    weights: &'a FloatTensor,
    weight_values: &'a [f32],
    /// Of each row of weights.
    scales: Vec<f32>,
    /// The weights in their scales.
    integers: Vec<i8>,
    bias: &'a FloatTensor,
    bias_values: Vec<f32>,
    /// The scale of what they are multiplied with.
    value_scale: f32,
}

impl<'a> Part<'a> {
    /// Each weight is the nearest integer.
    fn new(assignment: &Assignment<'a>, values: TensorId, weights: TensorId, bias: TensorId) -> Self {
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
        let integers = weights::quantize(weight_values, &channels, &scales);
        let bias_values = bias_values.to_vec();
        Self { weights, weight_values, scales, integers, bias, bias_values, value_scale }
    }

    /// Weights of int8 and a bias of int32.
    fn tensors(self) -> (QuantizedTensor, QuantizedTensor) {
        let bias_scales: Vec<f32> = self.scales.iter().map(|scale| self.value_scale * scale).collect();
        let words = weights::quantize_bias(&self.bias_values, &bias_scales).into_iter();
        let bias_bytes: Vec<u8> = words.flat_map(|word| (word as i32).to_le_bytes()).collect();
        let tensor = |of: &FloatTensor, dtype, scales, data| QuantizedTensor {
            name: of.name().to_owned(),
            shape: of.shape.clone(),
            dtype,
            quantization: Quantization::per_channel(scales, 0),
            data: Some(data),
        };
        (
            tensor(self.weights, DType::Int8, self.scales, int8_bytes(&self.integers)),
            tensor(self.bias, DType::Int32, bias_scales, bias_bytes.into()),
        )
    }
}
