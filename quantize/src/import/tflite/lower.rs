//! Operators become nodes: most of them one, some several.

use super::operator;
use super::schema::{Operator, Options};
use super::steps::Steps;
use super::{Element, Importer, truths};
use crate::graph::{Activation, Node, Op, Padding, Pool, TensorId, UnaryFunction};
use crate::import::ImportError;
use crate::tflite_schema::{ABSENT, Builtin};
use crate::validate::elements;

impl<T: Element> Importer<'_, T> {
    /// Adds the nodes that compute `operator`.
    pub(super) fn lower(&mut self, operator: &Operator, builtin: Builtin) -> Result<(), ImportError> {
        match builtin {
            Builtin::StridedSlice => self.strided_slice(operator),
            Builtin::Split | Builtin::SplitV => self.split(operator),
            Builtin::Pack => self.pack(operator),
            Builtin::Unpack => self.unpack(operator),
            Builtin::DepthToSpace => self.depth_to_space(operator),
            Builtin::SpaceToDepth => self.space_to_depth(operator),
            Builtin::MirrorPad => self.mirror_pad(operator),
            Builtin::ResizeNearestNeighbor => self.resize_nearest(operator),
            Builtin::Gather => self.gather(operator),
            Builtin::TopKV2 => self.top(operator),
            Builtin::Cast => {
                let &x =
                    operator.inputs.first().ok_or_else(|| self.file.problem(operator, "lacks an input"))?;
                let (x, output) = (self.tensor(x)?, self.output(operator)?);
                self.push(operator, Op::Reshape, vec![x], output)
            }
            Builtin::EmbeddingLookup => self.embedding_lookup(operator),
            Builtin::ReduceMax => self.reduce_max(operator),
            Builtin::ReduceMin => self.reduce_min(operator),
            Builtin::Tile | Builtin::BroadcastTo => self.tile(operator),
            Builtin::ReverseV2 => self.reverse(operator),
            Builtin::SpaceToBatchNd => self.space_to_batch(operator),
            Builtin::BatchToSpaceNd => self.batch_to_space(operator),
            Builtin::TransposeConv => self.transpose_conv(operator),
            Builtin::LogicalNot => self.negation(operator),
            Builtin::Less | Builtin::LessEqual => self.reversed_comparison(operator, builtin),
            Builtin::Maximum | Builtin::Minimum
                if operator::clamp(self.file, operator, builtin).is_some() =>
            {
                let (x, output) = (self.tensor(operator.inputs[0])?, self.output(operator)?);
                let clamp = operator::clamp(self.file, operator, builtin).unwrap_or(Op::Reshape);
                self.push(operator, clamp, vec![x], output)
            }
            _ => {
                let op = match truths::comparison(builtin) {
                    Some(comparison) => Ok(Op::Compare { comparison, precision: T::COMPARED }),
                    None => operator::convert(self.file, operator, builtin),
                };
                let op = op.map_err(|problem| self.file.problem(operator, problem))?;
                let mut inputs = Vec::new();
                for (position, &input) in builtin.values(operator).iter().enumerate() {
                    if input != ABSENT {
                        let is_weights = op.is_weighted() && position == 1;
                        inputs.push(if is_weights { self.weights(input)? } else { self.tensor(input)? });
                    }
                }
                if let [x, weights] = inputs[..]
                    && op.is_weighted()
                    && let Some(bias) = self.implied_bias(operator, x, weights)
                {
                    inputs.push(self.graph.add_tensor(bias));
                }
                let output = self.output(operator)?;
                self.push(operator, op, inputs, output)
            }
        }
    }

    /// The zeros that stand for a bias that is not given, where its type decides how the layer computes.
    fn implied_bias(&self, operator: &Operator, x: TensorId, weights: TensorId) -> Option<T> {
        let bias_type = match &operator.options {
            Options::Conv2d(conv) => conv.bias_type,
            Options::FullyConnected(fully_connected) => fully_connected.bias_type,
            _ => return None,
        };
        let weights = self.graph.tensor(weights);
        self.graph.tensor(x).zero_bias(self.file.node_name(operator), weights, bias_type)
    }

    /// Adds a node that is called after `operator`.
    pub(super) fn push(
        &mut self,
        operator: &Operator,
        op: Op,
        inputs: Vec<TensorId>,
        output: TensorId,
    ) -> Result<(), ImportError> {
        if inputs.iter().all(|&id| self.graph.tensor(id).is_constant()) {
            let elements = elements(self.graph.tensor(output).shape());
            self.count_constant(elements.unwrap_or(usize::MAX).saturating_mul(size_of::<f32>()))?;
        }
        let name = self.file.node_name(operator);
        self.graph.nodes.push(Node { name, op, inputs, outputs: vec![output] });
        Ok(())
    }

    /// The output of an operator that has one.
    pub(super) fn output(&mut self, operator: &Operator) -> Result<TensorId, ImportError> {
        match operator.outputs[..] {
            [output] if self.file.tensor(output).is_some() => self.tensor(output),
            [_] => Err(self.file.problem(operator, "has an output that is not there")),
            _ => Err(self.file.problem(operator, "has not one output")),
        }
    }

    /// A tensor between nodes of one operator: elements as `like` has them, in another shape.
    pub(super) fn between(&mut self, operator: &Operator, like: TensorId, shape: Vec<usize>) -> TensorId {
        let name = self.file.node_name(operator);
        let tensor = self.graph.tensor(like).like(name, shape);
        self.graph.add_tensor(tensor)
    }

    /// The file names the kernel before the image.
    fn transpose_conv(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let conv = operator::transpose_conv(self.file, operator);
        let conv = conv.map_err(|problem| self.file.problem(operator, problem))?;
        let (weights, x, bias) = match operator.inputs[..] {
            [_, weights, x] => (weights, x, ABSENT),
            [_, weights, x, bias] => (weights, x, bias),
            _ => return Err(self.file.problem(operator, "has the wrong number of inputs")),
        };
        let mut inputs = vec![self.tensor(x)?, self.weights(weights)?];
        if bias != ABSENT {
            inputs.push(self.tensor(bias)?);
        }
        let output = self.output(operator)?;
        self.push(operator, Op::TransposeConv2d(conv), inputs, output)
    }

    fn reduce_max(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let &x = operator.inputs.first().ok_or_else(|| self.file.problem(operator, "lacks an input"))?;
        let (x, output) = (self.tensor(x)?, self.output(operator)?);
        self.maximum_over_axes(operator, x, output)
    }

    /// The least is minus the greatest of what is negated. Of integers, what is negated has their complements.
    fn reduce_min(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let &x = operator.inputs.first().ok_or_else(|| self.file.problem(operator, "lacks an input"))?;
        let (x, output) = (self.tensor(x)?, self.output(operator)?);
        if !self.graph.tensor(x).is_narrow() {
            return Err(self.file.problem(operator, "reduces int16, which is not supported"));
        }
        let name = self.file.node_name(operator);
        let [from, to] = [x, output].map(|id| self.graph.tensor(id).shape().to_vec());
        let negative = self.graph.tensor(x).negative(name);
        let greatest = self.graph.add_tensor(negative.like(format!("{}/greatest", negative.name()), to));
        let negated = self.graph.add_tensor(negative.like(negative.name().to_owned(), from));
        let negate = Op::Unary(UnaryFunction::Neg);
        self.push(operator, negate.clone(), vec![x], negated)?;
        self.maximum_over_axes(operator, negated, greatest)?;
        self.push(operator, negate, vec![greatest], output)
    }

    /// A maximum over dimensions is a pool whose window is all of them, which first come to stand together.
    pub(super) fn maximum_over_axes(
        &mut self,
        operator: &Operator,
        x: TensorId,
        output: TensorId,
    ) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let &[of, indices] = &operator.inputs[..] else { return Err(problem("lacks an input")) };
        let axes = operator::axes(self.file, of, indices).map_err(problem)?;
        let (Some(&first), Some(&last)) = (axes.first(), axes.last()) else {
            return Err(problem("reduces no dimension"));
        };
        let shape = self.graph.tensor(x).shape().to_vec();
        if elements(&shape).is_none_or(|elements| elements == 0) {
            return Err(self.file.problem(operator, "reduces a tensor of no or too many elements"));
        }
        let product = |extents: &[usize]| extents.iter().product::<usize>();
        let mut steps = Steps::from(shape.clone());
        let [before, channels] = if last - first + 1 == axes.len() {
            [product(&shape[..first]), product(&shape[last + 1..])]
        } else {
            let others = (0..shape.len()).filter(|axis| !axes.contains(axis));
            steps.transpose(axes.iter().copied().chain(others).collect());
            [1, product(&shape) / axes.iter().map(|&axis| shape[axis]).product::<usize>()]
        };
        let window = product(&shape) / before / channels;
        steps.reshape(&[before, window, 1, channels]);
        steps.pool(Pool {
            window: [window, 1],
            stride: [1, 1],
            padding: Padding::default(),
            activation: Activation::NONE,
        });
        steps.reshape(self.graph.tensor(output).shape());
        self.follow(operator, x, steps, output)
    }
}
