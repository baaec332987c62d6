//! A file's nodes and constants before they are bytes: which values there are, in which layout.

use std::collections::{HashMap, HashSet};

use super::proto::{self, Attribute, ElementType, GraphParts};
use crate::graph::{Node, Quantization, QuantizedGraph, TensorId};

/// Where an image's channels stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Layout {
    /// As in the graph; for all that is no image too.
    Given,
    /// `[batch, channels, rows, columns]`.
    ChannelsFirst,
}

/// The order of [`Layout::ChannelsFirst`]'s dimensions, and the way back.
const CHANNELS_FIRST: [i64; 4] = [0, 3, 1, 2];
const CHANNELS_LAST: [i64; 4] = [0, 2, 3, 1];

/// The file's graph as far as it is written.
pub(super) struct Draft<'g> {
    pub(super) graph: &'g QuantizedGraph,
    parts: GraphParts,
    /// Names that are taken: each value has one of its own.
    names: HashSet<String>,
    /// Names of int8 values.
    quantized: HashMap<(TensorId, Layout), String>,
    /// Names of float values made of them.
    dequantized: HashMap<(TensorId, Layout), String>,
    /// Names of scales and zero points, by the scale's bits and the zero point.
    parameters: HashMap<(u32, i32), [String; 2]>,
    /// Names of the model's outputs.
    outputs: Vec<String>,
    constant_bytes: usize,
}

impl<'g> Draft<'g> {
    /// A file with the graph's inputs.
    pub(super) fn new(graph: &'g QuantizedGraph) -> Self {
        let mut draft = Self {
            graph,
            parts: GraphParts { name: graph.name.clone(), ..GraphParts::default() },
            names: HashSet::new(),
            quantized: HashMap::new(),
            dequantized: HashMap::new(),
            parameters: HashMap::new(),
            outputs: Vec::new(),
            constant_bytes: 0,
        };
        let inputs: Vec<String> =
            graph.inputs.iter().map(|&id| draft.name(&graph.tensor(id).name, "")).collect();
        draft.outputs = graph.outputs.iter().map(|&id| draft.name(&graph.tensor(id).name, "")).collect();
        for (&id, name) in graph.inputs.iter().zip(inputs) {
            let tensor = graph.tensor(id);
            draft.parts.inputs.push(proto::float_port(&name, &tensor.shape));
            draft.quantize(&name, (id, Layout::Given), &tensor.quantization);
        }
        draft
    }

    /// The whole file, with the graph's outputs.
    pub(super) fn finish(mut self) -> GraphParts {
        for (&id, name) in self.graph.outputs.iter().zip(std::mem::take(&mut self.outputs)) {
            let tensor = self.graph.tensor(id);
            let quantized = self.quantized(id, Layout::Given);
            let [scale, zero_point] = self.parameters(&tensor.quantization);
            self.node_to("DequantizeLinear", &name, &[&quantized, &scale, &zero_point], &[]);
            self.parts.outputs.push(proto::float_port(&name, &tensor.shape));
        }
        self.parts
    }

    /// # Errors
    ///
    /// The bytes of the constants so far, when they are more than `limit_bytes`.
    pub(super) fn check_size(&self, limit_bytes: usize) -> Result<(), usize> {
        if self.constant_bytes > limit_bytes { Err(self.constant_bytes) } else { Ok(()) }
    }

    /// A name that is not taken, as near to `base` and `suffix` as there is.
    fn name(&mut self, base: &str, suffix: &str) -> String {
        let base = if base.is_empty() { "value" } else { base };
        let wanted = format!("{base}{suffix}");
        let mut name = wanted.clone();
        let mut count = 1;
        while !self.names.insert(name.clone()) {
            count += 1;
            name = format!("{wanted}_{count}");
        }
        name
    }

    /// Adds an operator whose output is called after `node`, and gives the output's name.
    pub(super) fn node(
        &mut self,
        node: &Node,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let base = if node.name.is_empty() { &self.graph.tensor(node.output()).name } else { &node.name };
        let output = self.name(base, "");
        self.node_to(operator, &output, inputs, attributes);
        output
    }

    fn node_to(&mut self, operator: &str, output: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) {
        self.parts.nodes.push(proto::node(operator, output, inputs, output, attributes));
    }

    pub(super) fn constant(
        &mut self,
        base: &str,
        suffix: &str,
        shape: &[usize],
        element: ElementType,
        data: &[u8],
    ) -> String {
        let name = self.name(base, suffix);
        let tensor = proto::tensor(&name, shape, element, data);
        self.constant_bytes += tensor.len();
        self.parts.initializers.push(tensor);
        name
    }

    pub(super) fn float(&mut self, base: &str, suffix: &str, value: f32) -> String {
        self.constant(base, suffix, &[], ElementType::Float, &value.to_le_bytes())
    }

    /// A list of whole numbers.
    pub(super) fn indices(&mut self, node: &Node, suffix: &str, values: &[usize]) -> String {
        let data: Vec<u8> = values.iter().flat_map(|&value| (value as i64).to_le_bytes()).collect();
        self.constant(&node.name, suffix, &[values.len()], ElementType::Int64, &data)
    }

    /// Names of a tensor's scale and zero point.
    fn parameters(&mut self, quantization: &Quantization) -> [String; 2] {
        let (scale, zero_point) = (quantization.scale(), quantization.zero_point());
        let key = (scale.to_bits(), zero_point);
        if let Some(names) = self.parameters.get(&key) {
            return names.clone();
        }
        let scale = self.float("scale", "", scale);
        let zero_point = self.constant("zero_point", "", &[], ElementType::Int8, &[zero_point as u8]);
        let names = [scale, zero_point];
        self.parameters.insert(key, names.clone());
        names
    }

    /// Whether the tensor's int8 values are there in this layout without a transpose.
    pub(super) fn is_there(&self, id: TensorId, layout: Layout) -> bool {
        self.quantized.contains_key(&(id, layout))
    }

    /// The tensor's int8 values.
    pub(super) fn quantized(&mut self, id: TensorId, layout: Layout) -> String {
        if let Some(name) = self.quantized.get(&(id, layout)) {
            return name.clone();
        }
        let tensor = self.graph.tensor(id);
        let (other, suffix, perm) = match layout {
            Layout::Given => (Layout::ChannelsFirst, "_channels_last", CHANNELS_LAST),
            Layout::ChannelsFirst => (Layout::Given, "_channels_first", CHANNELS_FIRST),
        };
        let name = match &tensor.data {
            Some(data) if layout == Layout::Given => {
                self.constant(&tensor.name, "_quantized", &tensor.shape, ElementType::Int8, data)
            }
            _ => {
                let input = self.quantized(id, other);
                let output = self.name(&tensor.name, suffix);
                let perm = Attribute::Ints(perm.to_vec());
                self.node_to("Transpose", &output, &[&input], &[("perm", perm)]);
                output
            }
        };
        self.quantized.insert((id, layout), name.clone());
        name
    }

    /// The tensor's values as floats.
    pub(super) fn dequantized(&mut self, id: TensorId, layout: Layout) -> String {
        if let Some(name) = self.dequantized.get(&(id, layout)) {
            return name.clone();
        }
        let quantized = self.quantized(id, layout);
        let tensor = self.graph.tensor(id);
        let name = self.dequantize(&quantized, &tensor.name, &tensor.quantization);
        self.dequantized.insert((id, layout), name.clone());
        name
    }

    /// `quantized` as floats.
    pub(super) fn dequantize(&mut self, quantized: &str, base: &str, quantization: &Quantization) -> String {
        let [scale, zero_point] = self.parameters(quantization);
        let output = self.name(base, "_dequantized");
        self.node_to("DequantizeLinear", &output, &[quantized, &scale, &zero_point], &[]);
        output
    }

    /// A constant of weights or a bias as floats: one scale, or one for each index of the first dimension.
    pub(super) fn dequantized_constant(&mut self, base: &str, constant: &Weights<'_>) -> String {
        let Weights { shape, element, data, scales } = constant;
        let quantized = self.constant(base, "_quantized", shape, *element, data);
        let is_per_channel = scales.len() > 1;
        let scale_shape = if is_per_channel { &[scales.len()][..] } else { &[] };
        let scale_data: Vec<u8> = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let scale = self.constant(base, "_scale", scale_shape, ElementType::Float, &scale_data);
        let mut inputs = vec![quantized, scale];
        // Int32 has none.
        if let ElementType::Int8 = element {
            let zeros = vec![0; scales.len()];
            inputs.push(self.constant(base, "_zero_point", scale_shape, *element, &zeros));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let output = self.name(base, "_dequantized");
        let axis = is_per_channel.then_some(("axis", Attribute::Int(0)));
        self.node_to("DequantizeLinear", &output, &inputs, axis.as_slice());
        output
    }

    /// Makes `float` the tensor's values: quantized with `quantization`, which where an operator only moves
    /// values is its input's.
    pub(super) fn quantize(
        &mut self,
        float: &str,
        (id, layout): (TensorId, Layout),
        quantization: &Quantization,
    ) {
        let quantized = self.quantize_value(float, id, quantization);
        self.define((id, layout), quantized);
    }

    /// `float` as int8, called after the tensor `id`.
    pub(super) fn quantize_value(
        &mut self,
        float: &str,
        id: TensorId,
        quantization: &Quantization,
    ) -> String {
        let [scale, zero_point] = self.parameters(quantization);
        let output = self.name(&self.graph.tensor(id).name, "_quantized");
        self.node_to("QuantizeLinear", &output, &[float, &scale, &zero_point], &[]);
        output
    }

    /// Makes `quantized` the tensor's int8 values.
    pub(super) fn define(&mut self, value: (TensorId, Layout), quantized: String) {
        self.quantized.insert(value, quantized);
    }
}

/// A constant with zero points 0.
pub(super) struct Weights<'a> {
    pub(super) shape: &'a [usize],
    pub(super) element: ElementType,
    pub(super) data: &'a [u8],
    /// One, or one for each index of the first dimension.
    pub(super) scales: &'a [f32],
}
