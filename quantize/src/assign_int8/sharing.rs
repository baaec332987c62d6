//! Which tensors share scale and zero point, and what these are.

use edgepkg_format::DType;

use super::int16_layers::Widths;
use super::masked::{narrow_selected, unmasked};
use super::parameters::{
    holds_exactly, indices, of_lattice, of_range, of_range_int16, of_state, prescribed, prescribed_int16,
    range_of, symmetric, truths,
};
use crate::calibrate::{CalibratedGraph, Range};
use crate::graph::{
    Activation, BinaryFunction, FloatGraph, FloatTensor, Node, Op, Quantization, Recurrent, RecurrentCell,
    Stateful, TensorId,
};

/// A tensor gets a requantize of its own before a concatenation that would coarsen its scale by more than
/// this for its other readers.
const MOST_COARSENING: f32 = 1.25;

/// A float graph with requantizes where they must be, and int8 parameters for all its activations.
pub(super) struct Shared {
    pub(super) graph: FloatGraph,
    /// Of each tensor; those of weights and biases mean nothing.
    pub(super) parameters: Vec<Quantization>,
    /// Of each tensor.
    pub(super) dtypes: Vec<DType>,
}

/// Decides the parameters of every activation.
pub(super) fn share(widths: &Widths) -> Shared {
    let calibrated = &widths.graph;
    let mut sharing = Sharing::new(widths);
    narrow_selected(&calibrated.graph, &mut sharing.ranges);
    sharing.narrow(&calibrated.graph);
    for node in &calibrated.graph.nodes {
        sharing.node(&calibrated.graph, node.clone());
    }
    sharing.finish(calibrated)
}

struct Sharing {
    graph: FloatGraph,
    /// Of each tensor. Those of a group have one.
    dtypes: Vec<DType>,
    /// Of each tensor.
    ranges: Vec<Option<Range>>,
    /// Of what starts as each tensor: see [`CalibratedGraph::states`].
    states: Vec<Option<Range>>,
    /// Of each tensor, another of its group, or itself: groups are trees.
    parents: Vec<usize>,
    /// Of each group's root: parameters that the operator prescribes.
    prescribed: Vec<Option<Quantization>>,
}

impl Sharing {
    fn new(Widths { graph: calibrated, is_int16 }: &Widths) -> Self {
        let graph = FloatGraph { nodes: Vec::new(), ..calibrated.graph.clone() };
        let count = graph.tensors.len();
        let ranges = graph
            .tensors
            .iter()
            .zip(&calibrated.ranges)
            .map(|(tensor, &range)| tensor.data.as_deref().map_or(range, Range::of))
            .collect();
        let dtype = |&is_int16: &bool| if is_int16 { DType::Int16 } else { DType::Int8 };
        let dtypes = is_int16.iter().map(dtype).collect();
        let states = calibrated.states.clone();
        let mut prescribed = vec![None; count];
        for id in calibrated.graph.index_tensors() {
            prescribed[id.0] = Some(indices());
        }
        Self { graph, dtypes, ranges, states, parents: (0..count).collect(), prescribed }
    }

    /// Drops from the range of a tensor what its only reader would drop anyway.
    fn narrow(&mut self, graph: &FloatGraph) {
        for node in graph.nodes.iter().rev() {
            let Some(&input) = node.inputs.first() else { continue };
            if graph.is_output(input) || graph.inputs.contains(&input) || readers(graph, input) != 1 {
                continue;
            }
            let kept = self.ranges[node.output().0];
            let clamped = |activation: &Activation, range: Range| Range {
                min: activation.apply(range.min),
                max: activation.apply(range.max),
            };
            self.ranges[input.0] = match (&node.op, self.ranges[input.0]) {
                (
                    Op::MaxPool2d(_)
                    | Op::Slice { .. }
                    | Op::Take { .. }
                    | Op::Reshape
                    | Op::Transpose { .. },
                    _,
                ) => kept,
                (Op::Softmax { .. } | Op::LogSoftmax, Some(range)) => {
                    Some(unmasked(graph, &self.ranges, input, range))
                }
                (Op::Relu, Some(range)) => Some(clamped(&Activation::RELU, range)),
                (Op::Relu6, Some(range)) => Some(clamped(&Activation::RELU6, range)),
                (Op::Clamp(activation), Some(range)) => Some(clamped(activation, range)),
                (_, range) => range,
            };
        }
    }

    /// Takes over one node, tying tensors that must share and putting requantizes before it.
    fn node(&mut self, graph: &FloatGraph, mut node: Node) {
        match &node.op {
            Op::AveragePool2d(_)
            | Op::MaxPool2d(_)
            | Op::Relu6
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Take { .. } => self.tie(node.inputs[0], node.output()),
            Op::Pad { value, .. } => {
                let value = *value;
                if let Some(prescribed) = &self.prescribed[self.root(node.inputs[0])]
                    && let reals = range_of(prescribed, self.dtypes[node.inputs[0].0])
                    && reals.including(value) != reals
                {
                    node.inputs[0] = self.requantized(&node, node.inputs[0]);
                }
                let output = node.output().0;
                self.ranges[output] = self.ranges[output].map(|range| range.including(value));
                self.tie(node.inputs[0], node.output());
            }
            // Sums begin at what raw 0 stands for, which must be 0.
            Op::CumulativeSum { .. } => {
                let input = self.requantized(&node, node.inputs[0]);
                self.prescribed[input.0] = self.ranges[input.0].map(symmetric);
                node.inputs[0] = input;
            }
            Op::Gather { .. } => self.tie(node.inputs[0], node.output()),
            Op::Recurrent(op) => {
                let op = *op;
                for &state in &node.inputs[Recurrent::HIDDEN..] {
                    self.prescribed[state.0] = Some(of_state(self.state_range(op, &node, state)));
                }
            }
            Op::Stateful(Stateful::ReadVariable) => self.tie(node.inputs[0], node.output()),
            Op::Stateful(_) => {
                // What prescribes the value must not prescribe what else shares the variable's scale.
                if self.prescribed[self.root(node.inputs[0])].is_some() {
                    node.inputs[0] = self.requantized(&node, node.inputs[0]);
                }
                self.tie(node.inputs[0], node.inputs[1]);
                self.tie(node.inputs[0], node.output());
            }
            Op::ResizeBilinear(_) => self.tie(node.inputs[0], node.output()),
            Op::Concat { .. }
            | Op::Binary { function: BinaryFunction::Maximum | BinaryFunction::Minimum, .. } => {
                let joint = self.ranges[node.output().0];
                self.join(graph, &mut node, 0, joint);
                for &input in &node.inputs {
                    self.tie(input, node.output());
                }
            }
            Op::Compare { .. } => {
                let ranges = node.inputs.iter().filter_map(|input| self.ranges[input.0]);
                let joint = ranges.reduce(Range::union);
                self.join(graph, &mut node, 0, joint);
                self.tie(node.inputs[0], node.inputs[1]);
                self.prescribed[node.output().0] = Some(truths());
            }
            Op::Select => {
                let condition = self.root(node.inputs[0]);
                if self.prescribed[condition].as_ref().is_some_and(|other| *other != truths()) {
                    node.inputs[0] = self.requantized(&node, node.inputs[0]);
                }
                let condition = self.root(node.inputs[0]);
                self.prescribed[condition] = Some(truths());
                let joint = self.ranges[node.output().0];
                self.join(graph, &mut node, 1, joint);
                for &input in &node.inputs[1..] {
                    self.tie(input, node.output());
                }
            }
            op => {
                let parameters = match self.dtypes[node.output().0] {
                    DType::Int16 => prescribed_int16(op),
                    _ => prescribed(op),
                };
                if let Some(parameters) = parameters {
                    self.prescribed[node.output().0] = Some(parameters);
                }
            }
        }
        self.graph.nodes.push(node);
    }

    /// The range of what a recurrent layer goes from step to step with.
    fn state_range(&self, op: Recurrent, node: &Node, state: TensorId) -> Range {
        let first = self.ranges[state.0];
        let is_hidden = state == node.inputs[Recurrent::HIDDEN];
        let all = match op.cell {
            // These stay within 1, once they are.
            RecurrentCell::Tanh | RecurrentCell::GruResetAfter | RecurrentCell::GruResetBefore => None,
            RecurrentCell::Lstm if is_hidden => None,
            RecurrentCell::Lstm | RecurrentCell::Relu => self.states[state.0],
        };
        let within_one = Range { min: -1.0, max: 1.0 };
        [first, all].into_iter().flatten().fold(within_one, Range::union)
    }

    /// Puts requantizes before the inputs of `node` from `first` on that cannot have one scale, which holds `joint`, or
    /// would lose by it.
    fn join(&mut self, graph: &FloatGraph, node: &mut Node, first: usize, joint: Option<Range>) {
        for position in first..node.inputs.len() {
            let input = node.inputs[position];
            if self.must_stay_apart(graph, &node.inputs[first..], joint, input) {
                node.inputs[position] = self.requantized(node, input);
            }
        }
    }

    /// Whether `input` cannot take the scale of all `inputs`, which holds `joint`, or would lose by it.
    fn must_stay_apart(
        &self,
        graph: &FloatGraph,
        inputs: &[TensorId],
        joint: Option<Range>,
        input: TensorId,
    ) -> bool {
        let root = self.root(input);
        if let Some(prescribed) = &self.prescribed[root] {
            let alike =
                |other: &TensorId| match (&self.prescribed[self.root(*other)], &graph_data(graph, *other)) {
                    (Some(theirs), _) => theirs == prescribed,
                    (None, Some(values)) => holds_exactly(prescribed, self.dtypes[root], values),
                    (None, None) => false,
                };
            return !inputs.iter().all(alike);
        }
        let coarsening = match (self.ranges[input.0], joint) {
            (Some(own), Some(joint)) => of_range(joint.union(own)).scale() / of_range(own).scale(),
            _ => 1.0,
        };
        let read_elsewhere = readers(graph, input) > 1 || graph.is_output(input);
        read_elsewhere && coarsening > MOST_COARSENING
    }

    /// Puts a requantize of `input` before `node` and gives its output.
    fn requantized(&mut self, node: &Node, input: TensorId) -> TensorId {
        let FloatTensor { name, shape, .. } = self.graph.tensor(input).clone();
        let output =
            self.graph.add_tensor(FloatTensor { name: format!("{name}/requantize"), shape, data: None });
        self.ranges.push(self.ranges[input.0]);
        self.dtypes.push(self.dtypes[input.0]);
        self.parents.push(output.0);
        self.prescribed.push(None);
        self.graph.nodes.push(Node {
            name: format!("{}/requantize", node.name),
            op: Op::Requantize,
            inputs: vec![input],
            outputs: vec![output],
        });
        output
    }

    fn root(&self, id: TensorId) -> usize {
        let mut at = id.0;
        while self.parents[at] != at {
            at = self.parents[at];
        }
        at
    }

    fn tie(&mut self, a: TensorId, b: TensorId) {
        let (a, b) = (self.root(a), self.root(b));
        let (first, second) = (a.min(b), a.max(b));
        self.parents[second] = first;
        self.prescribed[first] = self.prescribed[first].take().or(self.prescribed[second].take());
    }

    fn finish(self, calibrated: &CalibratedGraph) -> Shared {
        let roots: Vec<usize> = (0..self.parents.len()).map(|index| self.root(TensorId(index))).collect();
        let mut ranges: Vec<Option<Range>> = vec![None; roots.len()];
        for (&root, range) in roots.iter().zip(&self.ranges) {
            ranges[root] = match (ranges[root], range) {
                (Some(joint), Some(range)) => Some(joint.union(*range)),
                (joint, range) => joint.or(*range),
            };
        }
        let mut groups = self.prescribed;
        for (&input, lattice) in self.graph.inputs.iter().zip(&calibrated.lattices) {
            let root = roots[input.0];
            if self.dtypes[root] == DType::Int8
                && let (Some(lattice), Some(range), None) = (lattice, ranges[root], &groups[root])
            {
                let lossless = of_lattice(lattice);
                let holds_all = range_of(&lossless, DType::Int8);
                // Half a step is what rounding allows for.
                let slack = lattice.step / 2.0;
                if range.min >= holds_all.min - slack && range.max <= holds_all.max + slack {
                    groups[root] = Some(lossless);
                }
            }
        }
        let mut groups: Vec<Quantization> = groups
            .into_iter()
            .zip(&ranges)
            .zip(&self.dtypes)
            .map(|((known, range), dtype)| {
                let range = range.unwrap_or(Range { min: 0.0, max: 0.0 });
                known.unwrap_or_else(|| match dtype {
                    DType::Int16 => of_range_int16(range),
                    _ => of_range(range),
                })
            })
            .collect();
        widen(&mut groups, &roots, &self.graph.nodes, &self.dtypes);
        Shared {
            parameters: roots.iter().map(|&root| groups[root].clone()).collect(),
            graph: self.graph,
            dtypes: self.dtypes,
        }
    }
}

/// Widens scales that fixed-point arithmetic could not work with: the sum of large values that cancel, or
/// inputs of softmax that are all but equal.
fn widen(groups: &mut [Quantization], roots: &[usize], nodes: &[Node], dtypes: &[DType]) {
    for node in nodes {
        let scale = |id: TensorId| groups[roots[id.0]].scale();
        let (id, least) = match node.op {
            Op::Add { .. } | Op::Binary { function: BinaryFunction::Subtract, .. } => {
                let widest = scale(node.inputs[0]).max(scale(node.inputs[1]));
                let room = if dtypes[node.output().0] == DType::Int16 { 1 << 13 } else { 1 << 18 };
                (node.output(), widest / room as f32)
            }
            Op::Softmax { beta } if dtypes[node.output().0] == DType::Int8 => {
                (node.inputs[0], 1.0 / (beta.abs() * (1 << 25) as f32))
            }
            Op::Binary { function: BinaryFunction::SquaredDifference, .. } => {
                let widest = scale(node.inputs[0]).max(scale(node.inputs[1]));
                (node.output(), widest * widest / (1 << 11) as f32)
            }
            Op::CumulativeSum { .. } => (node.output(), scale(node.inputs[0]) / (1 << 18) as f32),
            Op::LogSoftmax => (node.inputs[0], 1.0 / (1 << 25) as f32),
            _ => continue,
        };
        let group = &mut groups[roots[id.0]];
        if group.scale() < least && least.is_finite() {
            *group = Quantization::per_tensor(least, group.zero_point());
        }
    }
}

/// The values of a constant that `graph` has; `None` of what it does not.
fn graph_data(graph: &FloatGraph, id: TensorId) -> Option<&[f32]> {
    graph.tensors.get(id.0)?.data.as_deref()
}

/// How often `id` is read.
fn readers(graph: &FloatGraph, id: TensorId) -> usize {
    graph.nodes.iter().flat_map(|node| &node.inputs).filter(|&&input| input == id).count()
}
