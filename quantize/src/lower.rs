//! From a quantized graph to records: multipliers computed, biases folded, constants packed.
//!
//! The result is a plan that could run as it is, in an arena in which every activation has a place of
//! its own. [`plan_memory`](mod@crate::plan_memory) then makes buffers share places.

mod activation;
mod choose_kernels;
mod constants;
mod convolution16;
mod elementwise;
mod function16;
mod function_table;
mod index_runs;
mod layout;
mod movement;
mod product;
mod recurrent;
mod reduction;
mod requirements;
mod running;
mod stateful;
mod suppression;
#[cfg(test)]
mod tests;
mod weighted;

use std::collections::HashMap;

use edgepkg_format::plan::{GeometryError, PlanEntry, Sigmoid};
use edgepkg_format::{DType, Isa, Record, Space, TensorRef};
use thiserror::Error;

use self::choose_kernels::choose_kernels;
use self::constants::ConstantPool;
use self::function_table::function_of;
use crate::graph::{Node, Op, QuantizedGraph, QuantizedTensor, Rounding, TensorId};
use crate::multiplier::FactorOutOfRange;
use crate::optimize::Optimize;
use crate::validate::{GraphError, validate};

/// Buffers start at multiples of this.
pub const BUFFER_ALIGNMENT: u32 = 16;

/// A model as records.
#[derive(Clone, Debug, PartialEq)]
pub struct Lowered {
    /// What it is lowered for.
    pub isa: Isa,
    /// What its kernels were chosen for.
    pub optimize: Optimize,
    /// The records in order; `layer` is the index of the graph's node. References into the arena are
    /// addresses at which no two buffers overlap.
    pub plan: Vec<PlanEntry>,
    /// What references to constants point into.
    pub constants: Vec<u8>,
    /// Initial values of what is kept between runs, into which references to state point.
    pub state: Vec<u8>,
    /// The buffers, by ascending offset.
    pub buffers: Vec<Buffer>,
    /// Where each tensor of the graph lies; `None` for biases, which are part of tables, and for tensors
    /// that no node uses.
    pub tensors: Vec<Option<TensorRef>>,
    /// The model's inputs.
    pub inputs: Vec<TensorRef>,
    /// The model's outputs.
    pub outputs: Vec<TensorRef>,
}

/// Memory of an activation, and of those that are the same bytes in another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Its first byte.
    pub offset: u32,
    /// Its length.
    pub bytes: u32,
}

impl Lowered {
    /// The index of the buffer that `tensor` lies in; `None` where it is not in the arena.
    pub fn buffer_of(&self, tensor: TensorRef) -> Option<usize> {
        (tensor.space == Space::Arena)
            .then(|| self.buffers.partition_point(|buffer| buffer.offset <= tensor.offset) - 1)
    }
}

/// Why a graph cannot be lowered.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LowerError {
    /// It is not a sound graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The scales around a node give a factor that fixed point cannot hold.
    #[error("{operator} `{node}`: {source}")]
    Factor {
        /// The node's name.
        node: String,
        /// The operator.
        operator: &'static str,
        /// The factor.
        source: FactorOutOfRange,
    },
    /// The operator demands something of its tensors' scales and zero points.
    #[error("{operator} `{node}` {problem}")]
    Quantization {
        /// The node's name.
        node: String,
        /// The operator.
        operator: &'static str,
        /// What is wrong, as the sentence goes on.
        problem: &'static str,
    },
    /// An operator is larger than the artifact format allows.
    #[error("{operator} `{node}` is beyond the limits of the artifact format ({error:?})")]
    Record {
        /// The node's name.
        node: String,
        /// The operator.
        operator: &'static str,
        /// Which limit.
        error: GeometryError,
    },
    /// Weights or activations pass what 32-bit offsets reach.
    #[error("the model's {what} take more than 4 GiB")]
    TooLarge {
        /// `weights` or `activations`.
        what: &'static str,
    },
}

/// Lowers `graph` for `isa`, with the kernels that are best for `optimize`.
///
/// # Errors
///
/// When the graph is not sound, when the references would refuse its scales, or when it passes 4 GiB.
pub fn lower(graph: &QuantizedGraph, isa: Isa, optimize: Optimize) -> Result<Lowered, LowerError> {
    validate(graph)?;
    let mut lowering = Lowering::new(graph);
    for &id in &graph.inputs {
        lowering.allocate(id)?;
    }
    lowering.input_buffers = lowering.buffers.len();
    for (layer, node) in graph.nodes.iter().enumerate() {
        lowering.layer = layer as u32;
        lowering.lower_node(node)?;
    }
    Ok(choose_kernels(lowering.finish(isa, optimize)?)?)
}

struct Lowering<'g> {
    graph: &'g QuantizedGraph,
    layer: u32,
    plan: Vec<PlanEntry>,
    constants: ConstantPool,
    state: Vec<u8>,
    variables: HashMap<TensorId, TensorRef>,
    buffers: Vec<Buffer>,
    /// The first so many buffers hold the model's inputs.
    input_buffers: usize,
    places: HashMap<TensorId, TensorRef>,
}

/// What lowering one node can fail with; the node's name is added by the caller.
enum NodeError {
    Factor(FactorOutOfRange),
    Quantization(&'static str),
    TooLarge { what: &'static str },
}

impl From<FactorOutOfRange> for NodeError {
    fn from(error: FactorOutOfRange) -> Self {
        NodeError::Factor(error)
    }
}

impl From<NodeError> for LowerError {
    /// For errors that belong to no node.
    fn from(error: NodeError) -> Self {
        error.at("", "model")
    }
}

impl NodeError {
    fn at(self, node: &str, operator: &'static str) -> LowerError {
        let node = node.to_owned();
        match self {
            NodeError::Factor(source) => LowerError::Factor { node, operator, source },
            NodeError::Quantization(problem) => LowerError::Quantization { node, operator, problem },
            NodeError::TooLarge { what } => LowerError::TooLarge { what },
        }
    }
}

type NodeResult = Result<(), NodeError>;

impl<'g> Lowering<'g> {
    fn new(graph: &'g QuantizedGraph) -> Self {
        Self {
            graph,
            layer: 0,
            plan: Vec::new(),
            constants: ConstantPool::default(),
            state: Vec::new(),
            variables: HashMap::new(),
            buffers: Vec::new(),
            input_buffers: 0,
            places: HashMap::new(),
        }
    }

    fn finish(self, isa: Isa, optimize: Optimize) -> Result<Lowered, LowerError> {
        for entry in &self.plan {
            let node = &self.graph.nodes[entry.layer as usize];
            entry.record.operands().map_err(|error| LowerError::Record {
                node: node.name.clone(),
                operator: node.op.name(),
                error,
            })?;
        }
        let place = |id: &TensorId| self.places[id];
        Ok(Lowered {
            isa,
            optimize,
            inputs: self.graph.inputs.iter().map(place).collect(),
            outputs: self.graph.outputs.iter().map(place).collect(),
            tensors: (0..self.graph.tensors.len())
                .map(|index| self.places.get(&TensorId(index)).copied())
                .collect(),
            plan: self.plan,
            constants: self.constants.into_bytes(),
            state: self.state,
            buffers: self.buffers,
        })
    }

    fn lower_node(&mut self, node: &Node) -> Result<(), LowerError> {
        requirements::check(self.graph, node)
            .map_err(NodeError::Quantization)
            .and_then(|()| self.lower_operator(node))
            .map_err(|error| error.at(&node.name, node.op.name()))
    }

    fn lower_operator(&mut self, node: &Node) -> NodeResult {
        if self.graph.rounding == Rounding::Once
            && node.inputs.iter().chain(&node.outputs).all(|&id| self.tensor(id).dtype == DType::Int8)
            && let Some(function) = function_of(&node.op)
        {
            return self.in_floats(node, function);
        }
        if self.tensor(node.inputs[0]).dtype == DType::Int16 {
            return self.lower_int16(node);
        }
        self.lower_any(node)
    }

    fn lower_any(&mut self, node: &Node) -> NodeResult {
        match &node.op {
            Op::Conv2d(conv) => self.conv2d(node, conv),
            Op::DepthwiseConv2d(conv) => self.depthwise_conv2d(node, conv),
            Op::FullyConnected { activation } => self.fully_connected(node, activation),
            Op::Add { activation } => self.add(node, activation),
            Op::Mul { activation } => self.mul(node, activation),
            Op::Div { activation } => self.div(node, activation),
            Op::AveragePool2d(pool) => self.average_pool2d(node, pool),
            Op::MaxPool2d(pool) => self.max_pool2d(node, pool),
            Op::Mean { axes } => self.mean(node, axes),
            Op::Softmax { beta } => self.softmax(node, *beta),
            Op::Logistic => self.logistic(node),
            Op::Tanh => self.tanh(node),
            Op::Relu => self.relu(node),
            Op::Relu6 => self.relu6(node),
            Op::Clamp(activation) => self.clamp(node, activation),
            Op::LeakyRelu { alpha } => self.leaky_relu(node, *alpha),
            Op::Unary(function) => self.function(node, *function),
            Op::Pad { before, value, .. } => self.pad(node, before, *value),
            Op::Concat { axis } => self.concat(node, *axis),
            Op::Reshape => self.reshape(node),
            Op::Transpose { perm } => self.transpose(node, perm),
            Op::Slice { begin } => self.slice(node, begin),
            Op::Take { axis, indices } => self.take(node, *axis, indices),
            Op::Gather { axis, batch_dimensions } => self.gather(node, *axis, *batch_dimensions),
            Op::Binary { function, activation } => self.binary(node, *function, activation),
            Op::Compare { comparison, precision } => self.compare(node, *comparison, *precision),
            Op::Select => self.select(node),
            Op::Sum { axes } => self.sum(node, axes),
            Op::LogSoftmax => self.log_softmax(node),
            Op::ResizeBilinear(sampling) => self.resize_bilinear(node, *sampling),
            Op::TransposeConv2d(conv) => self.transpose_conv2d(node, conv),
            Op::BatchMatMul { a, b } => self.batch_mat_mul(node, [*a, *b]),
            Op::CumulativeSum { axis, direction, running } => {
                self.cumulative_sum(node, *axis, *direction, *running)
            }
            Op::ArgExtreme { axis, extreme } => self.arg_extreme(node, *axis, *extreme),
            Op::Requantize => self.requantize(node),
            Op::Stateful(op) => self.stateful(node, op),
            Op::Recurrent(op) => self.recurrent(node, op),
            Op::TopIndices { extreme } => self.top_indices(node, *extreme),
            Op::NonMaxSuppression(op) => self.suppression(node, op),
        }
    }

    /// Operators of int16 that have a lowering of their own; others are as those of int8.
    fn lower_int16(&mut self, node: &Node) -> NodeResult {
        match &node.op {
            Op::Conv2d(conv) => self.conv2d16(node, conv),
            Op::DepthwiseConv2d(conv) => self.depthwise_conv2d16(node, conv),
            Op::TransposeConv2d(conv) => self.transpose_conv2d16(node, conv),
            Op::FullyConnected { activation } => self.fully_connected16(node, activation),
            Op::Softmax { beta } => self.softmax16(node, *beta),
            Op::Logistic => self.sigmoid16(node, Sigmoid::Logistic),
            Op::Tanh => self.sigmoid16(node, Sigmoid::Tanh),
            Op::Relu => self.relu16(node),
            Op::Relu6 => self.relu6_16(node),
            Op::Clamp(activation) => self.clamp16(node, activation),
            Op::LeakyRelu { alpha } => self.leaky_relu16(node, *alpha),
            Op::Unary(function) => self.interpolated(node, |x| function.apply_to_any(x)),
            _ => self.lower_any(node),
        }
    }

    fn tensor(&self, id: TensorId) -> &'g QuantizedTensor {
        self.graph.tensor(id)
    }

    /// The only input's and the output's tensors.
    fn unary(&self, node: &Node) -> (&'g QuantizedTensor, &'g QuantizedTensor) {
        (self.tensor(node.inputs[0]), self.tensor(node.output()))
    }

    /// Where an input lies: constants are packed when they are first read.
    fn place(&mut self, id: TensorId) -> Result<TensorRef, NodeError> {
        if let Some(&place) = self.places.get(&id) {
            return Ok(place);
        }
        let tensor = self.tensor(id);
        let data = tensor.data.as_deref().unwrap_or_default();
        let place = self.constant(data, tensor.dtype)?;
        self.places.insert(id, place);
        Ok(place)
    }

    /// A buffer for what a node writes.
    fn allocate(&mut self, id: TensorId) -> Result<TensorRef, NodeError> {
        let tensor = self.tensor(id);
        let place = self.allocate_bytes(byte_count(tensor), tensor.dtype)?;
        self.places.insert(id, place);
        Ok(place)
    }

    /// A buffer of so many bytes.
    fn allocate_bytes(&mut self, bytes: u32, dtype: DType) -> Result<TensorRef, NodeError> {
        let end = self.buffers.last().map_or(0, |buffer| u64::from(buffer.offset) + u64::from(buffer.bytes));
        let offset = u32::try_from(end.next_multiple_of(u64::from(BUFFER_ALIGNMENT)))
            .ok()
            .filter(|offset| offset.checked_add(bytes).is_some_and(|end| end <= u32::MAX - BUFFER_ALIGNMENT))
            .ok_or(NodeError::TooLarge { what: "activations" })?;
        self.buffers.push(Buffer { offset, bytes });
        Ok(TensorRef::new(Space::Arena, dtype, offset))
    }

    fn constant(&mut self, bytes: &[u8], dtype: DType) -> Result<TensorRef, NodeError> {
        let offset = self.constants.add(bytes).ok_or(NodeError::TooLarge { what: "weights" })?;
        Ok(TensorRef::new(Space::Const, dtype, offset))
    }

    fn push(&mut self, record: impl Into<Record>) {
        self.plan.push(PlanEntry { layer: self.layer, record: record.into() });
    }
}

/// Bytes of a tensor's elements; a sound graph's fit 32 bits.
fn byte_count(tensor: &QuantizedTensor) -> u32 {
    let elements = tensor.shape.iter().product::<usize>() as u32;
    tensor.dtype.bytes(elements).unwrap_or(u32::MAX)
}

/// An extent, offset or count of a sound graph, which fits 32 bits.
fn word(value: usize) -> u32 {
    value as u32
}
