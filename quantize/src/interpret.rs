//! Runs a float graph: the definition of what the model computes, which quantization is measured against.
//!
//! The same input gives the same bytes on every machine: every sum is taken in one fixed order, nothing is
//! contracted to a fused multiply-add, and transcendental functions come from `libm`.

mod convolution;
mod elementwise;
mod layout;
mod pooling;
mod product;
mod recurrent;
mod reduction;
mod resampling;
mod suppression;

pub(crate) use elementwise::logistic;

use std::collections::HashMap;

use convolution::{PackedWeights, convolve, convolve_depthwise};
use recurrent::{Layer, State};
pub use recurrent::{Step, Trace};

use crate::graph::{Activation, FloatGraph, Node, Op, Recurrent, Stateful, Tensor, TensorId};

/// A float graph made ready to run: weights repacked, lifetimes known.
pub struct Interpreter<'a> {
    graph: &'a FloatGraph,
    /// For each node, its weights packed for the inner loop, where it has any that are.
    packed: Vec<Option<PackedWeights>>,
    /// For each node, the tensors that nothing reads after it.
    dead_after: Vec<Vec<TensorId>>,
}

impl<'a> Interpreter<'a> {
    /// Prepares `graph`: repacks the weights of its convolutions once.
    ///
    /// # Panics
    ///
    /// When weights or biases are not constants, or when the graph holds [`Op::Requantize`]: importers
    /// produce neither.
    pub fn new(graph: &'a FloatGraph) -> Self {
        let packed = graph.nodes.iter().map(|node| pack(graph, node)).collect();
        Self { graph, packed, dead_after: dead_after(graph) }
    }

    /// The graph it runs.
    pub fn graph(&self) -> &'a FloatGraph {
        self.graph
    }

    /// What the graph keeps between runs, before the first one.
    pub fn initial(&self) -> Kept {
        let changed = self.graph.nodes.iter().flat_map(|node| node.op.variables(&node.inputs));
        let value = |&id: &TensorId| (id, self.graph.tensor(id).data.as_deref().unwrap_or_default().to_vec());
        Kept(changed.map(value).collect())
    }

    /// Runs one inference, the first. `inputs` are the elements of the graph's inputs, row-major, in the graph's order;
    /// the result is its outputs likewise.
    ///
    /// `observer` sees the inputs first and then every tensor when it has been computed, in the order of
    /// the nodes. Constants are not shown.
    ///
    /// # Panics
    ///
    /// When the number of inputs, or of elements in one, is not the graph's.
    pub fn run(&self, inputs: &[&[f32]], observer: impl FnMut(TensorId, &[f32])) -> Vec<Vec<f32>> {
        self.run_after(&mut self.initial(), inputs, observer, |_, _| {})
    }

    /// As [`Self::run`], with what the run before has left in `kept`.
    ///
    /// `within` is given what each recurrent layer comes by within the run.
    ///
    /// # Panics
    ///
    /// As [`Self::run`], or when `kept` is another graph's.
    pub fn run_after(
        &self,
        kept: &mut Kept,
        inputs: &[&[f32]],
        mut observer: impl FnMut(TensorId, &[f32]),
        mut within: impl FnMut(&Node, Trace),
    ) -> Vec<Vec<f32>> {
        let graph = self.graph;
        assert_eq!(inputs.len(), graph.inputs.len(), "the graph has another number of inputs");
        let mut buffers = Buffers::new(graph);
        for (&id, elements) in graph.inputs.iter().zip(inputs) {
            assert_eq!(elements.len(), graph.tensor(id).len(), "input `{}`", graph.tensor(id).name);
            let mut buffer = buffers.take(elements.len());
            buffer.copy_from_slice(elements);
            observer(id, &buffer);
            buffers.live[id.0] = Some(buffer);
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            let id = node.output();
            let mut output = buffers.take(graph.tensor(id).len());
            match &node.op {
                Op::Stateful(op) => self.move_variable(*op, node, kept, &buffers, &mut output),
                Op::Recurrent(op) => {
                    within(node, self.recurrent(*op, node, kept, &buffers, &mut output));
                }
                _ => self.compute(index, &buffers, &mut output),
            }
            observer(id, &output);
            buffers.live[id.0] = Some(output);
            for &dead in &self.dead_after[index] {
                buffers.release(dead);
            }
        }
        graph.outputs.iter().map(|&id| buffers.view(id).to_vec()).collect()
    }

    /// Reads or assigns a variable.
    fn move_variable(
        &self,
        op: Stateful,
        node: &Node,
        kept: &mut Kept,
        buffers: &Buffers<'_>,
        output: &mut [f32],
    ) {
        match op {
            Stateful::AssignVariable => {
                output.copy_from_slice(buffers.view(node.inputs[0]));
                kept.0.insert(node.inputs[1], output.to_vec());
            }
            _ => {
                let variable = node.inputs[0];
                output.copy_from_slice(kept.0.get(&variable).map_or(buffers.view(variable), Vec::as_slice));
            }
        }
    }

    fn recurrent(
        &self,
        op: Recurrent,
        node: &Node,
        kept: &mut Kept,
        buffers: &Buffers<'_>,
        output: &mut [f32],
    ) -> Trace {
        let view = |position: usize| buffers.view(node.inputs[position]);
        let shape = self.graph.tensor(node.inputs[0]).shape();
        let layer = Layer {
            op,
            extents: op.extents([shape[0], shape[1], shape[2]]),
            x: view(0),
            input_weights: view(Recurrent::INPUT_WEIGHTS),
            hidden_weights: view(Recurrent::HIDDEN_WEIGHTS),
            input_bias: view(Recurrent::INPUT_BIAS),
            hidden_bias: view(Recurrent::HIDDEN_BIAS),
        };
        let start = |id: &TensorId| kept.0.get(id).cloned().unwrap_or_else(|| buffers.view(*id).to_vec());
        let mut state = State {
            hidden: start(&node.inputs[Recurrent::HIDDEN]),
            cells: node.inputs.get(Recurrent::HIDDEN + 1).map(start).unwrap_or_default(),
        };
        let trace = layer.run(&mut state, output);
        for (&variable, value) in node.op.variables(&node.inputs).iter().zip([state.hidden, state.cells]) {
            kept.0.insert(variable, value);
        }
        trace
    }

    /// Computes node `index` from what lies in `buffers`.
    fn compute(&self, index: usize, buffers: &Buffers<'_>, output: &mut [f32]) {
        let node = &self.graph.nodes[index];
        let shape = |id: TensorId| self.graph.tensor(id).shape();
        let out_shape = shape(node.output());
        let view = |position: usize| buffers.view(node.inputs[position]);
        let in_shape = |position: usize| shape(node.inputs[position]);
        let bias = || node.inputs.get(2).map(|&id| buffers.view(id));
        let packed = || self.packed[index].as_ref().expect("packed when it was prepared");
        match &node.op {
            Op::Conv2d(conv) => convolve(conv, in_shape(0), view(0), packed(), bias(), out_shape, output),
            Op::DepthwiseConv2d(conv) => convolve_depthwise(
                conv,
                (in_shape(0), view(0)),
                (in_shape(1), view(1)),
                bias(),
                out_shape,
                output,
            ),
            Op::FullyConnected { activation } => {
                convolution::multiply_rows(*activation, view(0), packed(), bias(), output);
            }
            Op::Add { activation } => elementwise::binary(
                (in_shape(0), view(0)),
                (in_shape(1), view(1)),
                (out_shape, output),
                *activation,
                |a, b| a + b,
            ),
            Op::Div { activation } => elementwise::binary(
                (in_shape(0), view(0)),
                (in_shape(1), view(1)),
                (out_shape, output),
                *activation,
                |a, b| a / b,
            ),
            Op::Mul { activation } => elementwise::binary(
                (in_shape(0), view(0)),
                (in_shape(1), view(1)),
                (out_shape, output),
                *activation,
                |a, b| a * b,
            ),
            Op::AveragePool2d(pool) => pooling::average(pool, in_shape(0), view(0), out_shape, output),
            Op::MaxPool2d(pool) => pooling::max(pool, in_shape(0), view(0), out_shape, output),
            Op::Mean { axes } => pooling::mean(axes, in_shape(0), view(0), output),
            Op::Softmax { beta } => {
                let depth = *out_shape.last().expect("softmax has a last dimension");
                elementwise::softmax(*beta, depth, view(0), output);
            }
            Op::Logistic => elementwise::unary(view(0), output, logistic),
            Op::Tanh => elementwise::unary(view(0), output, libm::tanhf),
            Op::Relu => elementwise::unary(view(0), output, |x| if x < 0.0 { 0.0 } else { x }),
            Op::Relu6 => {
                let clamp = elementwise::Clamp::new(Activation::RELU6);
                elementwise::unary(view(0), output, |x| clamp.apply(x));
            }
            Op::Clamp(activation) => {
                let clamp = elementwise::Clamp::new(*activation);
                elementwise::unary(view(0), output, |x| clamp.apply(x));
            }
            Op::LeakyRelu { alpha } => {
                elementwise::unary(view(0), output, |x| if x < 0.0 { alpha * x } else { x });
            }
            Op::Unary(function) => elementwise::unary(view(0), output, |x| function.apply(x)),
            Op::Pad { before, value, .. } => {
                output.fill(*value);
                layout::copy_into(view(0), in_shape(0), output, out_shape, before);
            }
            Op::Concat { axis } => {
                let mut begin = vec![0; out_shape.len()];
                for position in 0..node.inputs.len() {
                    layout::copy_into(view(position), in_shape(position), output, out_shape, &begin);
                    begin[*axis] += in_shape(position)[*axis];
                }
            }
            Op::Reshape => output.copy_from_slice(view(0)),
            Op::Transpose { perm } => layout::transpose(perm, view(0), in_shape(0), output),
            Op::Slice { begin } => layout::slice(begin, view(0), in_shape(0), output, out_shape),
            Op::Binary { function, activation } => elementwise::binary(
                (in_shape(0), view(0)),
                (in_shape(1), view(1)),
                (out_shape, output),
                *activation,
                elementwise::function_of_two(*function),
            ),
            Op::Compare { comparison, .. } => elementwise::binary(
                (in_shape(0), view(0)),
                (in_shape(1), view(1)),
                (out_shape, output),
                Activation::NONE,
                |a, b| if comparison.holds(a, b) { 1.0 } else { 0.0 },
            ),
            Op::Select => {
                let operands = [0, 1, 2].map(|position| (in_shape(position), view(position)));
                elementwise::select(operands, (out_shape, output));
            }
            Op::Sum { axes } => pooling::sum(axes, in_shape(0), view(0), output),
            Op::LogSoftmax => {
                let depth = *out_shape.last().expect("softmax has a last dimension");
                elementwise::log_softmax(depth, view(0), output);
            }
            Op::ResizeBilinear(sampling) => {
                resampling::resize(*sampling, in_shape(0), view(0), out_shape, output);
            }
            Op::TransposeConv2d(conv) => convolution::convolve_transposed(
                conv,
                (in_shape(0), view(0)),
                (in_shape(1), view(1)),
                bias(),
                out_shape,
                output,
            ),
            Op::BatchMatMul { a, b } => product::batch_mat_mul(
                (*a, in_shape(0), view(0)),
                (*b, in_shape(1), view(1)),
                (out_shape, output),
            ),
            Op::CumulativeSum { axis, direction, running } => {
                reduction::cumulative_sum(*axis, (*direction, *running), in_shape(0), view(0), output);
            }
            Op::ArgExtreme { axis, extreme } => {
                reduction::arg_extreme(*axis, *extreme, in_shape(0), view(0), output);
            }
            Op::TopIndices { extreme } => {
                reduction::top_indices(*extreme, (in_shape(0), view(0)), (out_shape, output));
            }
            Op::Gather { axis, batch_dimensions } => {
                layout::gather((*axis, *batch_dimensions), (in_shape(0), view(0)), view(1), output)
            }
            Op::NonMaxSuppression(op) => {
                suppression::suppress(op, view(0), (in_shape(1), view(1)), output);
            }
            Op::Take { axis, indices } => layout::take(*axis, indices, view(0), in_shape(0), output),
            Op::Requantize | Op::Stateful(_) | Op::Recurrent(_) => {
                unreachable!("refused when it was prepared, or done before")
            }
        }
    }
}

/// The variables of a graph, between two runs.
#[derive(Clone, Debug)]
pub struct Kept(HashMap<TensorId, Vec<f32>>);

/// The tensors of one run.
struct Buffers<'a> {
    graph: &'a FloatGraph,
    live: Vec<Option<Vec<f32>>>,
    free: Vec<Vec<f32>>,
}

impl<'a> Buffers<'a> {
    fn new(graph: &'a FloatGraph) -> Self {
        Self { graph, live: vec![None; graph.tensors.len()], free: Vec::new() }
    }

    /// A buffer of `len` elements of any value.
    fn take(&mut self, len: usize) -> Vec<f32> {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.resize(len, 0.0);
        buffer
    }

    fn release(&mut self, id: TensorId) {
        self.free.extend(self.live[id.0].take());
    }

    fn view(&self, id: TensorId) -> &[f32] {
        match (&self.graph.tensor(id).data, &self.live[id.0]) {
            (Some(data), _) => data,
            (None, Some(buffer)) => buffer,
            (None, None) => panic!("`{}` is read before it is computed", self.graph.tensor(id).name),
        }
    }
}

fn pack(graph: &FloatGraph, node: &Node) -> Option<PackedWeights> {
    let weights = || {
        let tensor = graph.tensor(node.inputs[1]);
        let data = tensor.data.as_deref().unwrap_or_else(|| panic!("weights of `{}` vary", node.name));
        (&tensor.shape[..], data)
    };
    match &node.op {
        Op::Conv2d(_) => {
            let (shape, data) = weights();
            let channels = *graph.tensor(node.inputs[0]).shape.last().expect("an image has channels");
            Some(PackedWeights::new(data, shape, channels / shape[3]))
        }
        Op::FullyConnected { .. } => {
            let (shape, data) = weights();
            Some(PackedWeights::new(data, &[shape[0], 1, 1, shape[1]], 1))
        }
        Op::Requantize => panic!("`{}` requantizes in a float graph", node.name),
        Op::Stateful(Stateful::Svdf { .. } | Stateful::Lstm { .. }) => {
            panic!("`{}` is not of floats", node.name)
        }
        _ => None,
    }
}

/// For each node, the tensors that are neither read later nor outputs of the graph.
fn dead_after(graph: &FloatGraph) -> Vec<Vec<TensorId>> {
    let mut last_use = vec![None; graph.tensors.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        for id in node.inputs.iter().chain(&node.outputs) {
            last_use[id.0] = Some(index);
        }
    }
    let mut dead = vec![Vec::new(); graph.nodes.len()];
    for (tensor, last) in last_use.into_iter().enumerate() {
        let id = TensorId(tensor);
        if let Some(index) = last
            && !graph.is_output(id)
            && !graph.tensor(id).is_constant()
        {
            dead[index].push(id);
        }
    }
    dead
}

#[cfg(test)]
mod tests;
