//! A float graph with marks where values are rounded becomes an int8 graph with the file's scales.

use std::sync::Arc;

use edgepkg_format::DType;

use super::{Quantized, constants, scales};
use crate::assign_int8::parameters::{of_range, prescribed};
use crate::assign_int8::weights::Channels;
use crate::calibrate::Range;
use crate::graph::{
    Activation, BinaryFunction, FloatGraph, Node, Op, Pool, Quantization, QuantizedGraph, QuantizedTensor,
    Rounding, Tensor, TensorId,
};
use crate::import::{ImportError, UnsupportedOperator};
use crate::simulate::quantize_int8;
use crate::validate::validate;

/// An operator whose output has a fixed scale is refused where the file's is finer by more than this.
const MOST_REFINEMENT: f32 = 4.0;

/// The int8 form of `graph`, and what a user should know of it.
pub(super) fn assign(
    graph: &FloatGraph,
    quantized: &Quantized,
) -> Result<(QuantizedGraph, Vec<String>), ImportError> {
    let mut assignment = Assignment {
        float: graph,
        quantized,
        wanted: scales::wanted(graph, quantized),
        graph: QuantizedGraph {
            name: graph.name.clone(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding: Rounding::Once,
        },
        assigned: vec![None; graph.tensors.len()],
        refused: Vec::new(),
        notes: Notes::default(),
    };
    assignment.inputs()?;
    for node in &graph.nodes {
        if let Err(reason) = assignment.node(node) {
            assignment.refuse(node, reason);
        }
    }
    if !assignment.refused.is_empty() {
        return Err(ImportError::UnsupportedOperators(assignment.refused));
    }
    assignment.outputs();
    validate(&assignment.graph)?;
    Ok((assignment.graph, assignment.notes.sentences()))
}

/// Why a node is not supported, as what follows its name.
type Reason = String;

struct Assignment<'a> {
    float: &'a FloatGraph,
    quantized: &'a Quantized,
    /// For each float tensor, the scale that the file rounds it to.
    wanted: Vec<Option<Quantization>>,
    graph: QuantizedGraph,
    /// For each float tensor, the int8 one.
    assigned: Vec<Option<TensorId>>,
    refused: Vec<UnsupportedOperator>,
    notes: Notes,
}

/// Names of what was not taken from the file as it is.
#[derive(Default)]
struct Notes {
    biases: Vec<String>,
    constants: Vec<String>,
}

impl Notes {
    fn sentences(self) -> Vec<String> {
        let list = |names: Vec<String>, what: &str| {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        let biases = "biases that are floats, or have another scale than their operator's sums, were rounded to \
                      that scale";
        let constants = "constants that the file does not quantize got scales from their own ranges";
        list(self.biases, biases).into_iter().chain(list(self.constants, constants)).collect()
    }
}

impl Assignment<'_> {
    fn inputs(&mut self) -> Result<(), ImportError> {
        for &id in &self.float.inputs {
            let tensor = self.float.tensor(id);
            let quantization = self.wanted[id.0].clone().ok_or_else(|| ImportError::TensorType {
                tensor: tensor.name.clone(),
                found: "float32".into(),
                expected:
                    "the file quantizes other tensors, and must quantize every input before it computes"
                        .into(),
            })?;
            let input = self.tensor(&tensor.name, &tensor.shape, quantization, None);
            self.assigned[id.0] = Some(input);
            self.graph.inputs.push(input);
        }
        Ok(())
    }

    /// Outputs are tensors of their own, with the names of the file.
    fn outputs(&mut self) {
        for &id in &self.float.outputs {
            let mut output = self.activation(id);
            let name = &self.float.tensor(id).name;
            if self.graph.inputs.contains(&output) || self.graph.outputs.contains(&output) {
                let QuantizedTensor { shape, quantization, .. } = self.graph.tensor(output).clone();
                output = self.emit(name, Op::Reshape, vec![output], (name, &shape), quantization);
            }
            self.graph.tensors[output.0].name.clone_from(name);
            self.graph.outputs.push(output);
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), Reason> {
        let output = match &node.op {
            Op::Requantize => {
                let mark = self.quantized.marks.get(&node.name).ok_or("no scale of its own")?;
                let x = self.activation(node.inputs[0]);
                self.requantized(node, x, mark)
            }
            op if op.is_weighted() => self.weighted(node)?,
            _ => self.unweighted(node)?,
        };
        self.assigned[node.output().0] = Some(output);
        Ok(())
    }

    /// The scale of what `node` writes at first; where the file wants another, a requantize follows.
    fn parameters(&self, node: &Node, x: TensorId) -> Result<Quantization, Reason> {
        let wanted = self.wanted[node.output().0].clone();
        let from_input = || self.graph.tensor(x).quantization.clone();
        if let Some(fixed) = prescribed(&node.op) {
            let finest = fixed.scale() / MOST_REFINEMENT;
            return match wanted.filter(|wanted| wanted.scale() < finest) {
                None => Ok(fixed),
                Some(wanted) => Err(format!(
                    "a scale of {} for its output, which is computed in steps of {}",
                    wanted.scale(),
                    fixed.scale()
                )),
            };
        }
        match &node.op {
            Op::AveragePool2d(_)
            | Op::MaxPool2d(_)
            | Op::Pad { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::ResizeBilinear(_)
            | Op::Take { .. } => Ok(from_input()),
            Op::Concat { .. }
            | Op::Binary { function: BinaryFunction::Maximum | BinaryFunction::Minimum, .. }
            | Op::Mean { .. }
            | Op::Relu
            | Op::Relu6
            | Op::Clamp(_)
            | Op::LeakyRelu { .. } => Ok(wanted.unwrap_or_else(from_input)),
            _ => wanted.ok_or_else(|| "no scale for its output, which the file does not quantize".into()),
        }
    }

    fn unweighted(&mut self, node: &Node) -> Result<TensorId, Reason> {
        let mut inputs: Vec<TensorId> = node.inputs.iter().map(|&id| self.activation(id)).collect();
        let mut parameters = self.parameters(node, inputs[0])?;
        let mut op = node.op.clone();
        match &node.op {
            Op::Concat { .. }
            | Op::Binary { function: BinaryFunction::Maximum | BinaryFunction::Minimum, .. } => {
                for input in &mut inputs {
                    *input = self.requantized(node, *input, &parameters);
                }
            }
            // It takes its output's scale to be its input's.
            Op::Relu6 => op = Op::Clamp(Activation::RELU6),
            Op::AveragePool2d(pool) if self.is_whole(node, pool) => {
                if let Some(wanted) =
                    self.wanted[node.output().0].clone().filter(|wanted| *wanted != parameters)
                {
                    op = Op::Mean { axes: vec![1, 2] };
                    parameters = wanted;
                }
            }
            _ => {}
        }
        let tensor = self.float.tensor(node.output());
        Ok(self.emit(&node.name, op, inputs, (&tensor.name, &tensor.shape), parameters))
    }

    /// Whether a pool's only window is the image.
    fn is_whole(&self, node: &Node, pool: &Pool) -> bool {
        let image = self.float.tensor(node.inputs[0]).shape();
        image[1..3] == pool.window && pool.padding == Default::default() && pool.activation.is_none()
    }

    fn weighted(&mut self, node: &Node) -> Result<TensorId, Reason> {
        let x = self.activation(node.inputs[0]);
        let weights = self.weights(node)?;
        let mut inputs = vec![x];
        let axis = output_axis(&node.op);
        let channels = weights.shape[axis];
        if let Some(&bias) = node.inputs.get(2) {
            let input_scale = self.graph.tensor(x).quantization.scale();
            let weight_scales = &weights.quantization.scales;
            let scale = |channel: usize| input_scale * weight_scales[channel % weight_scales.len()];
            let bias = self.bias(node, bias, (0..channels).map(scale).collect())?;
            inputs.extend([self.graph.add_tensor(weights), self.graph.add_tensor(bias)]);
        } else {
            inputs.push(self.graph.add_tensor(weights));
        }
        let parameters = self.parameters(node, x)?;
        let tensor = self.float.tensor(node.output());
        Ok(self.emit(&node.name, node.op.clone(), inputs, (&tensor.name, &tensor.shape), parameters))
    }

    fn weights(&self, node: &Node) -> Result<QuantizedTensor, Reason> {
        let tensor = self.float.tensor(node.inputs[1]);
        let given = self.quantized.constants.get(&tensor.name);
        let (Some(values), Some(given)) = (tensor.data.as_deref(), given) else {
            return Err("weights that the file does not quantize".into());
        };
        let axis = output_axis(&node.op);
        let channels = Channels::new(&tensor.shape, axis);
        let count = given.scales.len();
        if ![1, channels.count].contains(&count) {
            return Err(format!("weights with {count} scales for {} outputs", channels.count));
        }
        let integers = constants::weights(values, &channels, &given.scales);
        let integers = integers.ok_or_else(|| match given.zero_points.iter().find(|&&zero| zero != 0) {
            Some(zero) => {
                format!("weights with a zero point ({zero} as int8), less which they have more than 8 bits")
            }
            None => "weights that are changed after they are dequantized".to_owned(),
        })?;
        let quantization = match given.scales[..] {
            [scale] => Quantization::per_tensor(scale, 0),
            _ => Quantization::per_channel(given.scales.clone(), axis),
        };
        Ok(QuantizedTensor {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype: DType::Int8,
            quantization,
            data: Some(bytemuck::cast_slice(&integers).into()),
        })
    }

    fn bias(&mut self, node: &Node, id: TensorId, scales: Vec<f32>) -> Result<QuantizedTensor, Reason> {
        let tensor = self.float.tensor(id);
        let values = tensor.data.as_deref().filter(|values| values.len() == scales.len());
        let values = values.ok_or("a bias that is not one constant an output")?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err("a bias that is not finite".into());
        }
        let bias = constants::bias(values, &scales, self.quantized.constants.get(&tensor.name));
        if !bias.is_exact {
            self.notes.biases.push(node.name.clone());
        }
        Ok(QuantizedTensor {
            name: tensor.name.clone(),
            shape: vec![scales.len()],
            dtype: DType::Int32,
            quantization: Quantization::per_channel(scales, 0),
            data: Some(bias.words),
        })
    }

    /// The int8 form of an activation, or of a constant in the place of one.
    fn activation(&mut self, id: TensorId) -> TensorId {
        if let Some(assigned) = self.assigned[id.0] {
            return assigned;
        }
        let tensor = self.float.tensor(id);
        let values = tensor.data.as_deref().unwrap_or_default();
        let given = self.quantized.constants.get(&tensor.name).and_then(|given| {
            let ([scale], [zero_point]) = (&given.scales[..], &given.zero_points[..]) else { return None };
            let quantization = Quantization::per_tensor(*scale, *zero_point);
            Some((constants::activation(values, &quantization)?, quantization))
        });
        let (integers, quantization) = given.unwrap_or_else(|| {
            self.notes.constants.push(tensor.name.clone());
            let quantization = of_range(Range::of(values).unwrap_or(Range { min: 0.0, max: 0.0 }));
            (quantize_int8(values, &quantization), quantization)
        });
        let data = bytemuck::cast_slice(&integers).into();
        let assigned = self.tensor(&tensor.name, &tensor.shape, quantization, Some(data));
        self.assigned[id.0] = Some(assigned);
        assigned
    }

    /// `x` in another scale: itself, where it has that.
    fn requantized(&mut self, node: &Node, x: TensorId, to: &Quantization) -> TensorId {
        let QuantizedTensor { name, shape, quantization, .. } = self.graph.tensor(x).clone();
        if quantization == *to {
            return x;
        }
        let name = format!("{name}/requantize");
        self.emit(&format!("{}/requantize", node.name), Op::Requantize, vec![x], (&name, &shape), to.clone())
    }

    fn emit(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<TensorId>,
        (tensor, shape): (&str, &[usize]),
        quantization: Quantization,
    ) -> TensorId {
        let output = self.tensor(tensor, shape, quantization, None);
        self.graph.nodes.push(Node { name: name.to_owned(), op, inputs, outputs: vec![output] });
        output
    }

    fn tensor(
        &mut self,
        name: &str,
        shape: &[usize],
        quantization: Quantization,
        data: Option<Arc<[u8]>>,
    ) -> TensorId {
        self.graph.add_tensor(QuantizedTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            dtype: DType::Int8,
            quantization,
            data,
        })
    }

    /// Notes that `node` is not supported, and stands in for what it writes, for those after it.
    fn refuse(&mut self, node: &Node, reason: Reason) {
        let shapes = |ids: &[TensorId]| ids.iter().map(|&id| self.float.tensor(id).shape.clone()).collect();
        self.refused.push(UnsupportedOperator {
            operator: node.op.name().to_owned(),
            node: node.name.clone(),
            inputs: shapes(&node.inputs),
            outputs: shapes(&node.outputs),
            version: None,
            reason,
        });
        let tensor = self.float.tensor(node.output());
        let placeholder = Quantization::per_tensor(1.0, 0);
        self.assigned[node.output().0] = Some(self.tensor(&tensor.name, &tensor.shape, placeholder, None));
    }
}

/// The dimension of an operator's weights that counts its outputs.
fn output_axis(op: &Op) -> usize {
    match op {
        Op::DepthwiseConv2d(_) => 3,
        _ => 0,
    }
}
