//! Gives every tensor its int8 form: scales, zero points, integer weights and biases.
//!
//! Activations have one scale and zero point, weights a scale for each output channel and zero point 0,
//! biases the product of both scales: TensorFlow Lite's int8 specification. Operators that only move values
//! share their neighbours' scale; where that cannot be, a requantize is put between.

mod compensate;
mod correct;
mod int16_layers;
mod masked;
pub(crate) mod parameters;
mod recurrent;
mod recurrent_rows;
mod sharing;
pub(crate) mod weights;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use edgepkg_format::DType;
use thiserror::Error;

use self::compensate::{Compensation, Part, Trust};
pub use self::int16_layers::Int16Layers;
use crate::calibrate::CalibratedGraph;
use crate::graph::{
    FloatGraph, Node, Op, Quantization, QuantizedGraph, QuantizedTensor, Recurrent, Rounding, Tensor,
    TensorId,
};
use crate::simulate::quantize_values;

/// What the mean error that quantized weights make in an output channel is met with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BiasCorrection {
    /// Nothing.
    None,
    /// Taken off the bias, as the calibration samples show it.
    Mean,
}

/// A quantized graph, and where the float graph's activations are in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// The quantized graph.
    pub graph: QuantizedGraph,
    /// For each tensor of the float graph, the same activation in the quantized one; `None` for weights,
    /// biases and what no node uses.
    pub activations: Vec<Option<TensorId>>,
}

/// Why a graph cannot be quantized.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AssignError {
    /// Weights or a bias that are computed.
    #[error("the {operand} of {operator} `{node}` are not constant")]
    NotConstant {
        /// `weights` or `bias values`.
        operand: &'static str,
        /// The operator.
        operator: &'static str,
        /// The node's name.
        node: String,
    },
    /// A constant that is no number.
    #[error("constant `{tensor}` has {value} at element {element}")]
    NotFinite {
        /// The constant.
        tensor: String,
        /// Index of the element, row-major.
        element: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// A layer that is to compute in int16 and is not there.
    #[error("there is no layer `{name}` to compute in int16")]
    NoSuchLayer {
        /// The name given.
        name: String,
    },
    /// A layer that is to compute in int16 and cannot.
    #[error("{operator} `{node}` cannot compute in int16")]
    NotInInt16 {
        /// The operator.
        operator: &'static str,
        /// The node's name.
        node: String,
    },
    /// A graph that quantizes in part already.
    #[error("`{node}` requantizes, but the graph is not quantized")]
    Requantize {
        /// The node's name.
        node: String,
    },
}

/// Quantizes `calibrated` to a graph that rounds as `rounding` says, with activations of int16 in `int16_layers`. The
/// same graph gives the same bytes on every machine.
///
/// # Errors
///
/// When weights are not constant, a constant is NaN or infinite, or a layer cannot be int16.
pub fn assign_int8(
    calibrated: &CalibratedGraph,
    bias_correction: BiasCorrection,
    rounding: Rounding,
    int16_layers: &Int16Layers,
) -> Result<Assigned, AssignError> {
    check(&calibrated.graph)?;
    let widths = int16_layers::separate(calibrated, int16_layers)?;
    let shared = sharing::share(&widths);
    let mut assignment = Assignment {
        float: &shared.graph,
        calibrated: &widths.graph,
        bias_correction,
        parameters: &shared.parameters,
        dtypes: &shared.dtypes,
        graph: QuantizedGraph {
            name: shared.graph.name.clone(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding,
        },
        activations: HashMap::new(),
        indices: shared.graph.index_tensors(),
    };
    assignment.graph.inputs = shared.graph.inputs.iter().map(|&id| assignment.activation(id)).collect();
    for node in &shared.graph.nodes {
        assignment.node(node);
    }
    assignment.graph.outputs = shared.graph.outputs.iter().map(|&id| assignment.activation(id)).collect();
    let float_tensors = 0..calibrated.graph.tensors.len();
    let activations =
        float_tensors.map(|index| assignment.activations.get(&TensorId(index)).copied()).collect();
    Ok(Assigned { graph: assignment.graph, activations })
}

fn check(graph: &FloatGraph) -> Result<(), AssignError> {
    for node in &graph.nodes {
        if node.op == Op::Requantize {
            return Err(AssignError::Requantize { node: node.name.clone() });
        }
        if node.op.is_weighted()
            && let Some(position) =
                (1..node.inputs.len()).find(|&position| !graph.tensor(node.inputs[position]).is_constant())
        {
            let operand = if position == 1 { "weights" } else { "bias values" };
            return Err(AssignError::NotConstant {
                operand,
                operator: node.op.name(),
                node: node.name.clone(),
            });
        }
    }
    for tensor in &graph.tensors {
        let data = tensor.data.as_deref().unwrap_or_default();
        if let Some(element) = data.iter().position(|value| !value.is_finite()) {
            return Err(AssignError::NotFinite {
                tensor: tensor.name.clone(),
                element,
                value: data[element],
            });
        }
    }
    Ok(())
}

/// The quantized graph as it grows.
struct Assignment<'a> {
    /// The calibrated graph, requantizes included.
    float: &'a FloatGraph,
    calibrated: &'a CalibratedGraph,
    bias_correction: BiasCorrection,
    /// Of every activation of `float`.
    parameters: &'a [Quantization],
    /// Of every activation of `float`.
    dtypes: &'a [DType],
    graph: QuantizedGraph,
    /// From tensors of `float` to those of `graph`.
    activations: HashMap<TensorId, TensorId>,
    /// The tensors of `float` that hold indices.
    indices: HashSet<TensorId>,
}

impl Assignment<'_> {
    /// The quantized form of an activation, or of a constant that takes the place of one.
    fn activation(&mut self, id: TensorId) -> TensorId {
        if let Some(&done) = self.activations.get(&id) {
            return done;
        }
        let tensor = self.float.tensor(id);
        let quantization = self.parameters[id.0].clone();
        let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
        let dtype = if self.indices.contains(&id) { DType::Int32 } else { self.dtypes[id.0] };
        let empty = QuantizedTensor { name, shape, dtype, quantization, data: None };
        let data = tensor.data.as_deref().map(|values| int8_bytes(&quantize_values(values, &empty)));
        let done = self.graph.add_tensor(QuantizedTensor { data, ..empty });
        self.activations.insert(id, done);
        done
    }

    fn node(&mut self, node: &Node) {
        let activations = int16_layers::activations(node);
        let mut inputs: Vec<TensorId> = activations.iter().map(|&id| self.activation(id)).collect();
        if node.op.is_weighted() {
            let (weights, bias) = self.weights_and_bias(node);
            inputs.extend([self.graph.add_tensor(weights), self.graph.add_tensor(bias)]);
        }
        if let Op::Recurrent(op) = node.op {
            let operands = recurrent::operands(self, node, op);
            inputs.extend(operands.map(|operand| self.graph.add_tensor(operand)));
            inputs.extend(node.inputs[Recurrent::HIDDEN..].iter().map(|&id| self.activation(id)));
        }
        let outputs = node.outputs.iter().map(|&id| self.activation(id)).collect();
        self.graph.nodes.push(Node { name: node.name.clone(), op: node.op.clone(), inputs, outputs });
    }

    /// Rows of weights for `input`, whose errors cancel, and their scales, which are at least `scales`; `None` where the
    /// input is not int16 or the samples do not show how it goes together.
    fn compensated_rows(
        &self,
        input: TensorId,
        values: &[f32],
        scales: &[f32],
    ) -> Option<(Vec<i8>, Vec<f32>)> {
        let (count, depth) = (scales.len(), values.len() / scales.len());
        let moments = self.calibrated.moments.get(input.0).and_then(Option::as_deref);
        let moments = moments.filter(|_| self.dtypes[input.0] == DType::Int16)?;
        let compensation =
            Compensation::new(&moments.covariance, moments.rows, &[(depth, Trust::OfActivations)])?;
        let rows = values.chunks_exact(depth).zip(scales);
        let rounded =
            rows.map(|(row, &scale)| compensation.round_row(row, &[Part { elements: depth, scale }], count));
        let (integers, scales): (Vec<_>, Vec<_>) = rounded.map(|row| (row.integers, row.scales)).unzip();
        Some((integers.concat(), scales.concat()))
    }

    /// Weights of int8 and a bias of int32, or of int64 in a layer of int16; one that corrects where the model has
    /// none.
    fn weights_and_bias(&self, node: &Node) -> (QuantizedTensor, QuantizedTensor) {
        let weights = self.float.tensor(node.inputs[1]);
        let values = weights.data.as_deref().expect("checked to be constant");
        let axis = match node.op {
            Op::DepthwiseConv2d(_) => 3,
            _ => 0,
        };
        let channels = weights::Channels::new(&weights.shape, axis);
        let mut bias = match node.inputs.get(2) {
            Some(&id) => self.float.tensor(id).data.as_deref().expect("checked to be constant").to_vec(),
            None => vec![0.0; channels.count],
        };
        let input_scale = self.parameters[node.inputs[0].0].scale();
        let bias_type = match self.dtypes[node.inputs[0].0] {
            DType::Int16 => DType::Int64,
            _ => DType::Int32,
        };
        let greatest_bias = weights::greatest_bias(bias_type);
        let scales = weights::scales(values, &channels, &bias, input_scale, greatest_bias);
        let compensated = match node.op {
            Op::FullyConnected { .. } => self.compensated_rows(node.inputs[0], values, &scales),
            _ => None,
        };
        let (quantized, scales) =
            compensated.unwrap_or_else(|| (weights::quantize(values, &channels, &scales), scales));
        if self.bias_correction == BiasCorrection::Mean
            && let Some(Some(mean)) = self.calibrated.means.get(node.inputs[0].0)
        {
            let errors = weights::errors(values, &channels, &scales, &quantized);
            correct::take_off_mean_error(&mut bias, self.float, node, mean, &errors);
        }
        let bias_scales: Vec<f32> = scales.iter().map(|scale| input_scale * scale).collect();
        let bias_values = weights::quantize_bias(&bias, &bias_scales).into_iter();
        let bias_bytes: Vec<u8> = match bias_type {
            DType::Int64 => bias_values.flat_map(i64::to_le_bytes).collect(),
            _ => bias_values.flat_map(|value| (value as i32).to_le_bytes()).collect(),
        };
        let bias_name = match node.inputs.get(2) {
            Some(&id) => self.float.tensor(id).name.clone(),
            None => format!("{}/bias", node.name),
        };
        (
            QuantizedTensor {
                name: weights.name.clone(),
                shape: weights.shape.clone(),
                dtype: DType::Int8,
                quantization: Quantization::per_channel(scales, axis),
                data: Some(int8_bytes(&quantized)),
            },
            QuantizedTensor {
                name: bias_name,
                shape: vec![channels.count],
                dtype: bias_type,
                quantization: Quantization::per_channel(bias_scales, 0),
                data: Some(bias_bytes.into()),
            },
        )
    }
}

fn int8_bytes(values: &[i8]) -> Arc<[u8]> {
    bytemuck::cast_slice(values).into()
}

#[cfg(test)]
mod tests;
