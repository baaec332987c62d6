//! Operators become nodes: most of them one, some several.

use super::operator::{self, NO_OPTIONS};
use super::schema::{Operator, Options, StridedSlice};
use super::{Element, Importer};
use crate::graph::{Activation, Node, Op, Padding, Pool, TensorId};
use crate::import::ImportError;
use crate::tflite_schema::{ABSENT, Builtin};
use crate::validate::elements;

impl<T: Element> Importer<'_, T> {
    /// Adds the nodes that compute `operator`.
    pub(super) fn lower(&mut self, operator: &Operator, builtin: Builtin) -> Result<(), ImportError> {
        match builtin {
            Builtin::StridedSlice => self.strided_slice(operator),
            Builtin::Split => self.split(operator),
            Builtin::ReduceMax => self.maximum_over_axes(operator),
            _ => {
                let op = operator::convert(self.file, operator, builtin);
                let op = op.map_err(|problem| self.file.problem(operator, problem))?;
                let mut inputs = Vec::new();
                for (position, &input) in builtin.values(operator).iter().enumerate() {
                    if input != ABSENT {
                        let is_weights = op.is_weighted() && position == 1;
                        inputs.push(if is_weights { self.weights(input)? } else { self.tensor(input)? });
                    }
                }
                let output = self.output(operator)?;
                self.push(operator, op, inputs, output)
            }
        }
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
    fn between(&mut self, operator: &Operator, like: TensorId, shape: Vec<usize>) -> TensorId {
        let name = self.file.node_name(operator);
        let tensor = self.graph.tensor(like).like(name, shape);
        self.graph.add_tensor(tensor)
    }

    fn strided_slice(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let (&[x, begin, end, strides], Options::StridedSlice(options)) =
            (&operator.inputs[..], &operator.options)
        else {
            return Err(problem(NO_OPTIONS));
        };
        let shape = self.file.shape(x).map_err(problem)?;
        let [begin, end, strides] = [begin, end, strides].map(|indices| self.file.indices(indices));
        let bounds = [begin.map_err(problem)?, end.map_err(problem)?, strides.map_err(problem)?];
        let (begin, taken) = block(&shape, &bounds, options).map_err(problem)?;
        let (x, output) = (self.tensor(x)?, self.output(operator)?);
        if self.graph.tensor(output).shape() == taken {
            return self.push(operator, Op::Slice { begin }, vec![x], output);
        }
        let whole = self.between(operator, x, taken);
        self.push(operator, Op::Slice { begin }, vec![x], whole)?;
        self.push(operator, Op::Reshape, vec![whole], output)
    }

    fn split(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let &[axis, x] = &operator.inputs[..] else { return Err(problem("lacks an input")) };
        let from = self.file.shape(x).map_err(problem)?;
        let axes = operator::axes(self.file, x, axis).map_err(problem)?;
        let &[axis] = &axes[..] else { return Err(problem("has not one axis")) };
        let x = self.tensor(x)?;
        let mut begin = vec![0; from.len()];
        for &output in &operator.outputs {
            let output = self.tensor(output)?;
            self.push(operator, Op::Slice { begin: begin.clone() }, vec![x], output)?;
            let taken = self.graph.tensor(output).shape().get(axis).copied().unwrap_or_default();
            begin[axis] = begin[axis].saturating_add(taken);
        }
        if begin[axis] == from[axis] {
            Ok(())
        } else {
            Err(self.file.problem(operator, "splits into other parts"))
        }
    }

    /// A maximum over dimensions that follow each other is a pool whose window is all of them.
    fn maximum_over_axes(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let &[x, indices] = &operator.inputs[..] else { return Err(problem("lacks an input")) };
        let shape = self.file.shape(x).map_err(problem)?;
        let axes = operator::axes(self.file, x, indices).map_err(problem)?;
        let (Some(&first), Some(&last)) = (axes.first(), axes.last()) else {
            return Err(problem("reduces no dimension"));
        };
        if last - first + 1 != axes.len() {
            return Err(problem("reduces dimensions that do not follow each other"));
        }
        if elements(&shape).is_none_or(|elements| elements == 0) {
            return Err(problem("reduces a tensor of no or too many elements"));
        }
        let product = |extents: &[usize]| extents.iter().product::<usize>();
        let (before, window) = (product(&shape[..first]), product(&shape[first..=last]));
        let channels = product(&shape[last + 1..]);
        let (x, output) = (self.tensor(x)?, self.output(operator)?);
        let image = self.between(operator, x, vec![before, window, 1, channels]);
        let pooled = self.between(operator, x, vec![before, 1, 1, channels]);
        let pool = Pool {
            window: [window, 1],
            stride: [1, 1],
            padding: Padding::default(),
            activation: Activation::NONE,
        };
        self.push(operator, Op::Reshape, vec![x], image)?;
        self.push(operator, Op::MaxPool2d(pool), vec![image], pooled)?;
        self.push(operator, Op::Reshape, vec![pooled], output)
    }
}

/// Where a slice begins and what it takes, for each dimension of `shape`; those that are left out after
/// it are still there.
fn block(
    shape: &[usize],
    [begin, end, strides]: &[Vec<i64>; 3],
    options: &StridedSlice,
) -> Result<(Vec<usize>, Vec<usize>), &'static str> {
    if begin.len() > shape.len() || end.len() != begin.len() || strides.len() != begin.len() {
        return Err("slices other dimensions");
    }
    if strides.iter().any(|&stride| stride != 1) {
        return Err("has a stride other than 1, which is not supported");
    }
    let (mut begins, mut taken) = (vec![0; shape.len()], shape.to_vec());
    for axis in 0..begin.len() {
        let extent = shape[axis] as i64;
        let is_in = |mask: u32| mask.checked_shr(axis as u32).unwrap_or_default() & 1 == 1;
        let inside =
            |index: i64| if index < 0 { index.saturating_add(extent) } else { index }.clamp(0, extent);
        let from = if is_in(options.begin_mask) { 0 } else { inside(begin[axis]) };
        let to = match end[axis] {
            _ if is_in(options.shrink_mask) => from + 1,
            _ if is_in(options.end_mask) => extent,
            end if options.has_offsets => from.saturating_add(end).clamp(0, extent),
            end => inside(end),
        };
        begins[axis] = from as usize;
        taken[axis] = usize::try_from(to - from).map_err(|_| "takes no element")?;
    }
    Ok((begins, taken))
}
