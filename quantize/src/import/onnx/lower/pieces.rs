//! Operators that take some elements of a tensor, or all of them in another order.

use super::super::operands::stated_shape;
use super::super::shapes::{block, parts};
use super::super::site::{Refusal, Site};
use super::Lowering;
use crate::graph::{Op, TensorId};

impl Lowering {
    /// What Split writes at `position`.
    pub(super) fn part(&mut self, site: &Site<'_>, position: usize) -> Result<TensorId, Refusal> {
        let (axis, shapes) = parts(site)?;
        let begin = shapes[..position].iter().map(|shape| shape[axis]).sum();
        let x = self.operand(site, 0)?;
        let part = self.piece(site, x, axis, (begin, shapes[position][axis]));
        self.graph.tensors[part.0].name.clone_from(&site.node.output[position]);
        Ok(part)
    }

    /// `taken` elements of `x` along `axis` from `begin` on.
    pub(super) fn piece(
        &mut self,
        site: &Site<'_>,
        x: TensorId,
        axis: usize,
        (begin, taken): (usize, usize),
    ) -> TensorId {
        let mut shape = self.shape(x).to_vec();
        shape[axis] = taken;
        let mut corner = vec![0; shape.len()];
        corner[axis] = begin;
        self.emit(site, Op::Slice { begin: corner }, vec![x], shape)
    }

    /// Elements of `x` along `axis` at `indices`, which are less than its extent.
    pub(super) fn taken(
        &mut self,
        site: &Site<'_>,
        x: TensorId,
        axis: usize,
        indices: Vec<usize>,
    ) -> TensorId {
        if indices.windows(2).all(|pair| pair[0] + 1 == pair[1]) {
            return self.piece(site, x, axis, (indices[0], indices.len()));
        }
        let mut shape = self.shape(x).to_vec();
        shape[axis] = indices.len();
        self.emit(site, Op::Take { axis, indices }, vec![x], shape)
    }

    pub(super) fn gather(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let from = &site.x().shape;
        let axis = site.axis(site.int("axis").unwrap_or(0), from.len())?;
        let Some(indices) = site.all_ints(1) else {
            let inputs = vec![self.operand(site, 0)?, self.operand(site, 1)?];
            return Ok(self.emit(site, Op::Gather { axis, batch_dimensions: 0 }, inputs, shape.to_vec()));
        };
        let from_start = |index: i64| if index < 0 { index + from[axis] as i64 } else { index };
        let indices: Vec<usize> = indices.into_iter().map(|index| from_start(index) as usize).collect();
        let x = self.operand(site, 0)?;
        let gathered = self.taken(site, x, axis, indices);
        Ok(self.emit(site, Op::Reshape, vec![gathered], shape.to_vec()))
    }

    /// `x` repeated along each dimension.
    pub(super) fn repeated(&mut self, site: &Site<'_>, mut x: TensorId, repeats: &[usize]) -> TensorId {
        for (axis, &count) in repeats.iter().enumerate().filter(|(_, count)| **count > 1) {
            let extent = self.shape(x)[axis];
            x = self.taken(site, x, axis, (0..extent * count).map(|position| position % extent).collect());
        }
        x
    }

    pub(super) fn tile(&mut self, site: &Site<'_>) -> Result<TensorId, Refusal> {
        let repeats = stated_shape(site, 1)?;
        let x = self.unary(site, Op::Reshape, &site.x().shape)?;
        Ok(self.repeated(site, x, &repeats))
    }

    pub(super) fn expand(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let from = &site.x().shape;
        let same_rank = [vec![1; shape.len() - from.len()], from.clone()].concat();
        let repeats: Vec<usize> =
            shape.iter().zip(&same_rank).map(|(&to, &from)| if from == to { 1 } else { to }).collect();
        let x = self.unary(site, Op::Reshape, &same_rank)?;
        Ok(self.repeated(site, x, &repeats))
    }

    /// A reshape, a transpose and a reshape.
    fn rearranged(
        &mut self,
        site: &Site<'_>,
        split: &[usize],
        perm: Vec<usize>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let x = self.unary(site, Op::Reshape, split)?;
        let x = self.transposed(site, x, perm);
        Ok(self.emit(site, Op::Reshape, vec![x], shape.to_vec()))
    }

    pub(super) fn depth_to_space(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let (from, block) = (&site.x().shape, block(site));
        let [batches, rows, columns] = [from[0], from[2], from[3]];
        let depth = shape[1];
        if site.word("mode").is_some_and(|mode| mode == "CRD") {
            let split = [batches, depth, block, block, rows, columns];
            return self.rearranged(site, &split, vec![0, 1, 4, 2, 5, 3], shape);
        }
        let split = [batches, block, block, depth, rows, columns];
        self.rearranged(site, &split, vec![0, 3, 4, 1, 5, 2], shape)
    }

    pub(super) fn space_to_depth(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let (from, block) = (&site.x().shape, block(site));
        let split = [from[0], from[1], shape[2], block, shape[3], block];
        self.rearranged(site, &split, vec![0, 3, 5, 1, 2, 4], shape)
    }
}
