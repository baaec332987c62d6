//! Operators of one input, one after the other.

use super::schema::Operator;
use super::{Element, Importer};
use crate::graph::{Op, Pool, TensorId};
use crate::import::ImportError;

/// The most elements that one operator takes along a dimension one by one.
const MOST_INDICES: usize = 1 << 20;

/// What makes of one tensor another, step by step.
pub(super) struct Steps {
    shape: Vec<usize>,
    steps: Vec<(Op, Vec<usize>)>,
}

impl Steps {
    /// No step from a tensor of `shape`.
    pub(super) fn from(shape: Vec<usize>) -> Self {
        Self { shape, steps: Vec::new() }
    }

    fn step(&mut self, op: Op, shape: Vec<usize>) {
        self.shape.clone_from(&shape);
        self.steps.push((op, shape));
    }

    /// The same elements in another shape.
    pub(super) fn reshape(&mut self, shape: &[usize]) {
        if self.shape != shape {
            self.step(Op::Reshape, shape.to_vec());
        }
    }

    /// Dimensions in another order.
    pub(super) fn transpose(&mut self, perm: Vec<usize>) {
        let shape = perm.iter().map(|&axis| self.shape[axis]).collect();
        self.step(Op::Transpose { perm }, shape);
    }

    /// The block of `shape` that starts at `begin`.
    pub(super) fn slice(&mut self, begin: Vec<usize>, shape: Vec<usize>) {
        if self.shape != shape {
            self.step(Op::Slice { begin }, shape);
        }
    }

    /// Zeros before and after each dimension.
    pub(super) fn pad(&mut self, before: Vec<usize>, after: Vec<usize>) {
        let around = before.iter().zip(&after);
        let shape: Vec<usize> =
            self.shape.iter().zip(around).map(|(extent, (a, b))| extent + a + b).collect();
        if self.shape != shape {
            self.step(Op::Pad { before, after, value: 0.0 }, shape);
        }
    }

    /// The greatest of all rows.
    pub(super) fn pool(&mut self, pool: Pool) {
        let shape = vec![self.shape[0], 1, 1, self.shape[3]];
        self.step(Op::MaxPool2d(pool), shape);
    }

    /// Along `axis`, the elements at `indices`.
    pub(super) fn take(
        &mut self,
        axis: usize,
        indices: impl ExactSizeIterator<Item = usize>,
    ) -> Result<(), &'static str> {
        if indices.len() > MOST_INDICES {
            return Err("takes more than 2^20 elements along a dimension");
        }
        let indices: Vec<usize> = indices.collect();
        if !indices.iter().copied().eq(0..self.shape[axis]) {
            let mut shape = self.shape.clone();
            shape[axis] = indices.len();
            self.step(Op::Take { axis, indices }, shape);
        }
        Ok(())
    }
}

impl<T: Element> Importer<'_, T> {
    /// Adds `steps` from `x` to `output`.
    pub(super) fn follow(
        &mut self,
        operator: &Operator,
        x: TensorId,
        steps: Steps,
        output: TensorId,
    ) -> Result<(), ImportError> {
        let mut steps = steps.steps;
        let (last, _) = steps.pop().unwrap_or((Op::Reshape, Vec::new()));
        let mut at = x;
        for (op, shape) in steps {
            let between = self.between(operator, x, shape);
            self.push(operator, op, vec![at], between)?;
            at = between;
        }
        self.push(operator, last, vec![at], output)
    }
}
