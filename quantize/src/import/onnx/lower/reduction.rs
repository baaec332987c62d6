//! Operators that make one or few values of many.

use super::super::shapes::{reduced_axes, reduced_axis, summed_axis, top_axis};
use super::super::site::{Fact, Refusal, Site, unsupported};
use super::Lowering;
use super::together::Extreme;
use crate::graph::{
    Activation, Direction, Extreme as Place, Op, Padding, Pool, Running, TensorId, UnaryFunction,
};
use crate::validate::MAX_IMAGE_EXTENT;

impl Lowering {
    pub(super) fn reduce_sum(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let axes = reduced_axes(site, 13)?;
        let op = if axes.is_empty() { Op::Reshape } else { Op::Sum { axes } };
        self.unary(site, op, shape)
    }

    /// The greatest of the elements, or minus the greatest of their negatives.
    pub(super) fn reduce_extreme(
        &mut self,
        site: &Site<'_>,
        which: Extreme,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let axes = reduced_axes(site, 18)?;
        let mut x = self.operand(site, 0)?;
        if which == Extreme::Least {
            x = self.applied(site, UnaryFunction::Neg, x);
        }
        x = self.greatest(site, x, &axes)?;
        if which == Extreme::Least {
            x = self.applied(site, UnaryFunction::Neg, x);
        }
        Ok(self.emit(site, Op::Reshape, vec![x], shape.to_vec()))
    }

    /// The greatest value over `axes`: a pool over an image with a row for each element of those and a
    /// channel for each of the others. Its shape is that image's.
    pub(super) fn greatest(
        &mut self,
        site: &Site<'_>,
        x: TensorId,
        axes: &[usize],
    ) -> Result<TensorId, Refusal> {
        let shape = self.shape(x).to_vec();
        let (reduced, kept): (Vec<usize>, Vec<usize>) =
            (0..shape.len()).partition(|axis| axes.contains(axis));
        let count = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).product::<usize>();
        let (rows, channels) = (count(&reduced), count(&kept));
        if rows > MAX_IMAGE_EXTENT {
            return unsupported(format!("the greatest of more than {MAX_IMAGE_EXTENT} elements"));
        }
        let x = self.transposed(site, x, [reduced, kept].concat());
        let image = self.reshaped(site, x, &[1, rows, 1, channels]);
        let pool = Pool {
            window: [rows, 1],
            stride: [1, 1],
            padding: Padding::default(),
            activation: Activation::NONE,
        };
        Ok(self.emit(site, Op::MaxPool2d(pool), vec![image], vec![1, 1, 1, channels]))
    }

    /// Where the extreme element is: the first of equal ones, or, where the file asks for it, the last.
    pub(super) fn place_of_extreme(
        &mut self,
        site: &Site<'_>,
        [first, last]: [Place; 2],
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let extreme = if site.flag("select_last_index") { last } else { first };
        self.unary(site, Op::ArgExtreme { axis: reduced_axis(site)?, extreme }, shape)
    }

    /// The greatest or least elements, and where they are: of equal ones the first come first.
    pub(super) fn top(&mut self, site: &Site<'_>, facts: &[Option<Fact>]) -> Result<(), Refusal> {
        let axis = top_axis(site)?;
        let extreme = if site.int("largest") == Some(0) { Place::Least } else { Place::Greatest };
        let last = site.rank() - 1;
        // Its own inverse.
        let mut perm: Vec<usize> = (0..site.rank()).collect();
        perm.swap(axis, last);
        let mut ordered = None;
        for position in [1, 0] {
            let Some(name) = site.node.output.get(position).filter(|name| self.read.contains(*name)) else {
                continue;
            };
            let fact = facts.get(position).and_then(Option::as_ref);
            self.output(site, position, fact, |lowering, shape| {
                let mut to = shape.to_vec();
                to.swap(axis, last);
                let (x, indices) = match ordered {
                    Some(ordered) => ordered,
                    None => {
                        let x = lowering.operand(site, 0)?;
                        let x = if axis == last { x } else { lowering.transposed(site, x, perm.clone()) };
                        let indices = lowering.emit(site, Op::TopIndices { extreme }, vec![x], to.clone());
                        *ordered.insert((x, indices))
                    }
                };
                let taken = match position {
                    1 => indices,
                    _ => {
                        let gather = Op::Gather { axis: last, batch_dimensions: last };
                        lowering.emit(site, gather, vec![x, indices], to)
                    }
                };
                let taken = if axis == last { taken } else { lowering.transposed(site, taken, perm.clone()) };
                lowering.graph.tensors[taken.0].name.clone_from(name);
                Ok(taken)
            })?;
        }
        Ok(())
    }

    pub(super) fn running_sum(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let direction = if site.flag("reverse") { Direction::Backward } else { Direction::Forward };
        let running = if site.flag("exclusive") { Running::Excluding } else { Running::Including };
        self.unary(site, Op::CumulativeSum { axis: summed_axis(site)?, direction, running }, shape)
    }

    /// Along the last dimension.
    pub(super) fn log_softmax_of_rows(&mut self, site: &Site<'_>, x: TensorId) -> Result<TensorId, Refusal> {
        let shape = self.shape(x).to_vec();
        Ok(self.emit(site, Op::LogSoftmax, vec![x], shape))
    }
}
