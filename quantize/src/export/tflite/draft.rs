//! A file's tables before they are bytes.

use std::borrow::Cow;
use std::collections::HashMap;

use edgepkg_format::DType;

use crate::graph::{
    Direction, MatrixLayout, Node, Quantization, QuantizedGraph, QuantizedTensor, Running, Sampling, TensorId,
};
use crate::tflite_schema::{Builtin, activation, tensor_type};

/// The file's graph as far as it is written.
pub(super) struct Draft<'g> {
    pub(super) graph: &'g QuantizedGraph,
    pub(super) tensors: Vec<Tensor<'g>>,
    pub(super) operators: Vec<Operator>,
    /// Indices of tensors.
    pub(super) inputs: Vec<i32>,
    pub(super) outputs: Vec<i32>,
    /// The file's tensors by the graph's.
    indices: HashMap<TensorId, i32>,
    /// What tensors between layers are called.
    names: HashMap<TensorId, &'g str>,
}

/// A tensor.
#[derive(Clone)]
pub(super) struct Tensor<'g> {
    pub(super) name: String,
    pub(super) shape: Vec<i32>,
    pub(super) kind: i8,
    /// Of a constant.
    pub(super) data: Option<Cow<'g, [u8]>>,
    /// Indices have none.
    pub(super) quantization: Option<Cow<'g, Quantization>>,
}

/// An operator.
pub(super) struct Operator {
    pub(super) builtin: Builtin,
    /// The first version of the operator that computes this.
    pub(super) version: i32,
    /// Indices of tensors.
    pub(super) inputs: Vec<i32>,
    pub(super) output: i32,
    pub(super) options: Options,
    /// Fused into it, by its code; operators that can have none are given none.
    pub(super) activation: i8,
}

/// An operator's options. Rows before columns.
#[derive(Clone)]
pub(super) enum Options {
    None,
    Conv2d { padding: i8, stride: [usize; 2], dilation: [usize; 2] },
    DepthwiseConv2d { padding: i8, stride: [usize; 2], dilation: [usize; 2], multiplier: usize },
    Pool2d { padding: i8, stride: [usize; 2], window: [usize; 2] },
    FullyConnected { keeps_dimensions: bool },
    Softmax { beta: f32 },
    Concatenation { axis: usize },
    Add,
    Mul,
    Reshape { shape: Vec<i32> },
    Reducer { keeps_dimensions: bool },
    LeakyRelu { alpha: f32 },
    Gather { axis: usize, batch_dimensions: usize },
    Sub,
    SquaredDifference,
    MaximumMinimum,
    LogSoftmax,
    ResizeBilinear(Sampling),
    TransposeConv { padding: i8, stride: [usize; 2] },
    BatchMatMul([MatrixLayout; 2]),
    CumulativeSum(Direction, Running),
    ArgMax,
    ArgMin,
}

impl<'g> Draft<'g> {
    pub(super) fn new(graph: &'g QuantizedGraph) -> Self {
        let named = graph.nodes.iter().filter(|node| !node.name.is_empty());
        let mut names: HashMap<_, _> = named.map(|node| (node.output(), node.name.as_str())).collect();
        for port in graph.inputs.iter().chain(&graph.outputs) {
            names.remove(port);
        }
        Self {
            graph,
            tensors: Vec::new(),
            operators: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            indices: HashMap::new(),
            names,
        }
    }

    /// The file's tensor for the graph's.
    pub(super) fn tensor(&mut self, id: TensorId) -> i32 {
        if let Some(&index) = self.indices.get(&id) {
            return index;
        }
        let tensor = self.graph.tensor(id);
        let name = self.names.get(&id).copied().unwrap_or(&tensor.name).to_owned();
        let index = self.add(Tensor { name, ..Tensor::like(tensor) });
        self.indices.insert(id, index);
        index
    }

    pub(super) fn tensors_of(&mut self, ids: &[TensorId]) -> Vec<i32> {
        ids.iter().map(|&id| self.tensor(id)).collect()
    }

    pub(super) fn add(&mut self, tensor: Tensor<'g>) -> i32 {
        self.tensors.push(tensor);
        self.tensors.len() as i32 - 1
    }

    /// A constant of indices for `node`.
    pub(super) fn indices(&mut self, node: &Node, role: &str, shape: &[usize], values: &[i32]) -> i32 {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add(Tensor {
            name: part_name(node, role),
            shape: words(shape),
            kind: tensor_type::INT32,
            data: Some(data.into()),
            quantization: None,
        })
    }

    /// An int8 constant of one element for `node`, with its output's scale and zero point.
    pub(super) fn scalar(&mut self, node: &Node, role: &str, value: i8) -> i32 {
        let like = Tensor::like(self.graph.tensor(node.output()));
        let data = Some(vec![value as u8].into());
        self.add(Tensor { name: part_name(node, role), shape: vec![1], data, ..like })
    }

    /// A tensor of the shape, scale and zero point of `index` that only operators of `node` read and write.
    pub(super) fn like(&mut self, index: i32, node: &Node, role: &str) -> i32 {
        let tensor = &self.tensors[index as usize];
        let like = Tensor { name: part_name(node, role), data: None, ..tensor.clone() };
        self.add(like)
    }

    /// As [`like`](Self::like), with another shape.
    pub(super) fn like_with_shape(&mut self, index: i32, node: &Node, role: &str, shape: &[usize]) -> i32 {
        let like = self.like(index, node, role);
        self.tensors[like as usize].shape = words(shape);
        like
    }
}

impl Operator {
    /// An operator without options and without an activation.
    pub(super) fn new(builtin: Builtin, version: i32, inputs: Vec<i32>, output: i32) -> Self {
        Self { builtin, version, inputs, output, options: Options::None, activation: activation::NONE }
    }
}

impl<'g> Tensor<'g> {
    /// The graph's tensor as it is.
    pub(super) fn like(tensor: &'g QuantizedTensor) -> Self {
        Self {
            name: tensor.name.clone(),
            shape: words(&tensor.shape),
            kind: match tensor.dtype {
                DType::Int8 | DType::Int4 => tensor_type::INT8,
                DType::Int16 => tensor_type::INT16,
                DType::Int32 => tensor_type::INT32,
                DType::Int64 => tensor_type::INT64,
            },
            data: tensor.data.as_deref().map(Cow::Borrowed),
            quantization: Some(Cow::Borrowed(&tensor.quantization)),
        }
    }
}

fn part_name(node: &Node, role: &str) -> String {
    if node.name.is_empty() { role.to_owned() } else { format!("{}/{role}", node.name) }
}

/// Extents, which in a sound graph are at most 2^28.
pub(super) fn words(values: &[usize]) -> Vec<i32> {
    values.iter().map(|&value| value as i32).collect()
}
