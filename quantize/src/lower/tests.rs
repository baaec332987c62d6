//! Small graphs, lowered and planned.

use std::sync::Arc;

use edgepkg_format::plan::ChannelParameters;
use edgepkg_format::{DType, Isa, OperatorKind, Record, Space};

use super::{LowerError, Lowered, lower};
use crate::graph::{
    Activation, Graph, Node, Op, Quantization, QuantizedGraph, QuantizedTensor, Rounding, TensorId,
};
use crate::optimize::Optimize;
use crate::plan_memory::{MemoryPlan, plan_memory};

struct Builder(QuantizedGraph);

impl Builder {
    fn new() -> Self {
        Self(Graph {
            name: String::new(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding: Rounding::Twice,
        })
    }

    fn tensor(&mut self, shape: &[usize], dtype: DType, data: Option<&[u8]>) -> TensorId {
        self.0.add_tensor(QuantizedTensor {
            name: format!("t{}", self.0.tensors.len()),
            shape: shape.to_vec(),
            dtype,
            quantization: Quantization::per_tensor(
                0.5,
                if dtype == DType::Int8 && data.is_none() { 3 } else { 0 },
            ),
            data: data.map(Arc::from),
        })
    }

    fn input(&mut self, shape: &[usize]) -> TensorId {
        let id = self.tensor(shape, DType::Int8, None);
        self.0.inputs.push(id);
        id
    }

    fn node(&mut self, op: Op, inputs: &[TensorId], shape: &[usize]) -> TensorId {
        let output = self.tensor(shape, DType::Int8, None);
        let name = format!("n{}", self.0.nodes.len());
        self.0.nodes.push(Node { name, op, inputs: inputs.to_vec(), outputs: vec![output] });
        output
    }

    fn lower(mut self, outputs: &[TensorId]) -> Result<Lowered, LowerError> {
        self.0.outputs = outputs.to_vec();
        lower(&self.0, Isa::Portable, Optimize::Speed)
    }
}

fn kinds(lowered: &Lowered) -> Vec<OperatorKind> {
    lowered.plan.iter().map(|entry| entry.record.kind()).collect()
}

const ADD: Op = Op::Add { activation: Activation::NONE };

#[test]
fn a_reshape_between_nodes_is_no_record() {
    let mut graph = Builder::new();
    let x = graph.input(&[2, 6]);
    let relu = graph.node(Op::Relu, &[x], &[2, 6]);
    let flat = graph.node(Op::Reshape, &[relu], &[12]);
    let y = graph.node(Op::Tanh, &[flat], &[12]);
    let lowered = graph.lower(&[y]).unwrap();
    assert_eq!(kinds(&lowered), [OperatorKind::Lookup, OperatorKind::Lookup]);
    assert_eq!(lowered.plan[1].layer, 2);
    assert_eq!(lowered.tensors[relu.0], lowered.tensors[flat.0]);
}

#[test]
fn an_input_is_never_an_output() {
    let mut graph = Builder::new();
    let x = graph.input(&[2, 6]);
    let flat = graph.node(Op::Reshape, &[x], &[12]);
    let y = graph.node(Op::Reshape, &[flat], &[3, 4]);
    let lowered = graph.lower(&[y]).unwrap();
    assert_eq!(kinds(&lowered), [OperatorKind::StridedCopy]);
    assert_eq!(lowered.buffers.len(), 2);
}

#[test]
fn equal_constants_are_stored_once() {
    let mut graph = Builder::new();
    let x = graph.input(&[4]);
    let [a, b] = [0, 1].map(|_| graph.tensor(&[4], DType::Int8, Some(&[1, 2, 3, 4])));
    let sum = graph.node(ADD, &[x, a], &[4]);
    let y = graph.node(ADD, &[sum, b], &[4]);
    let lowered = graph.lower(&[y]).unwrap();
    assert_eq!(lowered.constants, [1, 2, 3, 4]);
}

#[test]
fn input_zero_points_are_folded_into_the_bias() {
    let mut graph = Builder::new();
    let x = graph.input(&[1, 3]);
    let weights = graph.tensor(&[2, 3], DType::Int8, Some(&[1, 2, 3, 0x80, 0, 1]));
    let bias: Vec<u8> = [100i32, -5].iter().flat_map(|bias| bias.to_le_bytes()).collect();
    let bias = graph.tensor(&[2], DType::Int32, Some(&bias));
    let op = Op::FullyConnected { activation: Activation::RELU };
    let y = graph.node(op, &[x, weights, bias], &[1, 2]);
    let lowered = graph.lower(&[y]).unwrap();
    let Record::FullyConnected(op) = lowered.plan[0].record else { panic!("{:?}", lowered.plan) };
    let table = &lowered.constants[op.channels.offset as usize..];
    let biases: Vec<i32> = ChannelParameters::table(table).take(2).map(|channel| channel.bias).collect();
    assert_eq!(biases, [100 - 3 * 6, -5 - 3 * -127]);
    assert_eq!((op.clamp.min, op.clamp.max), (3, 127));
}

#[test]
fn element_wise_operators_work_in_place() {
    let mut graph = Builder::new();
    let x = graph.input(&[1, 100]);
    let relu = graph.node(Op::Relu, &[x], &[1, 100]);
    let tanh = graph.node(Op::Tanh, &[relu], &[1, 100]);
    let y = graph.node(ADD, &[relu, tanh], &[1, 100]);
    let lowered = graph.lower(&[y]).unwrap();
    let memory = plan_memory(&lowered);
    assert_eq!(memory.arena_bytes, 112 + 100, "relu over x, tanh apart from relu, the sum over one of both");
    assert_eq!(memory.lower_bound_bytes, 200);
    assert_eq!(memory.offsets[0], memory.offsets[1]);
    assert_ne!(memory.offsets[1], memory.offsets[2]);
}

#[test]
fn a_broadcast_operand_is_not_written_over() {
    let mut graph = Builder::new();
    let x = graph.input(&[1, 16]);
    let row = graph.node(Op::Relu, &[x], &[1, 16]);
    let column = graph.node(Op::Reshape, &[row], &[16, 1]);
    let y = graph.node(ADD, &[row, column], &[16, 16]);
    let lowered = graph.lower(&[y]).unwrap();
    let memory = plan_memory(&lowered);
    assert_eq!(memory.arena_bytes, 16 + 256);
}

#[test]
fn every_buffer_can_have_a_place_of_its_own() {
    let mut graph = Builder::new();
    let x = graph.input(&[1, 100]);
    let relu = graph.node(Op::Relu, &[x], &[1, 100]);
    let y = graph.node(Op::Tanh, &[relu], &[1, 100]);
    let lowered = graph.lower(&[y]).unwrap();
    let memory = MemoryPlan::without_sharing(&lowered);
    assert_eq!(memory.offsets, [0, 112, 224]);
    assert_eq!(memory.arena_bytes, 324);
    let place = lowered.tensors[relu.0].unwrap();
    assert_eq!((place.space, memory.place(&lowered, place).offset), (Space::Arena, 112));
}

#[test]
fn what_the_references_refuse_is_refused() {
    let mut graph = Builder::new();
    let x = graph.input(&[1, 4]);
    let y = graph.node(Op::Softmax { beta: 1.0 }, &[x], &[1, 4]);
    let error = graph.lower(&[y]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Softmax `n0` has an output whose scale and zero point are not those of its range [0, 1)"
    );

    let mut graph = Builder::new();
    let x = graph.input(&[1, 4]);
    let y = graph.node(ADD, &[x, x], &[1, 4]);
    graph.0.tensors[y.0].quantization.scales[0] = f32::powi(2.0, -30);
    let error = graph.lower(&[y]).unwrap_err();
    assert_eq!(error.to_string(), "Add `n0`: scales give the factor 1024, which must be less than 1");
}
