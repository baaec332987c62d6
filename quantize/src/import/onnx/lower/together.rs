//! Operators on any number of operands, element by element.

use super::super::geometry::broadcast;
use super::super::site::{Refusal, Site};
use super::Lowering;
use super::elementwise::ADD;
use crate::graph::{Activation, BinaryFunction, Op, TensorId};

/// Which of two values is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extreme {
    Greatest,
    Least,
}

impl Lowering {
    /// All operands, two at a time.
    fn joined(
        &mut self,
        site: &Site<'_>,
        mut join: impl FnMut(&mut Self, TensorId, TensorId, Vec<usize>) -> TensorId,
    ) -> Result<TensorId, Refusal> {
        let mut joined = self.operand(site, 0)?;
        for position in 1..site.node.input.len() {
            let other = self.operand(site, position)?;
            let shape = broadcast(self.shape(joined), self.shape(other)).expect("checked to fit");
            joined = join(self, joined, other, shape);
        }
        Ok(joined)
    }

    pub(super) fn sum_of_all(&mut self, site: &Site<'_>) -> Result<TensorId, Refusal> {
        let sum = self.joined(site, |lowering, a, b, shape| lowering.emit(site, ADD, vec![a, b], shape))?;
        Ok(self.not_an_operand(site, sum))
    }

    pub(super) fn mean_of_all(&mut self, site: &Site<'_>) -> Result<TensorId, Refusal> {
        let sum = self.sum_of_all(site)?;
        Ok(self.scaled_by(site, sum, 1.0 / site.node.input.len() as f32))
    }

    /// The greatest or least of all operands: a clamp where one of two is the same number throughout.
    pub(super) fn extreme_of_all(&mut self, site: &Site<'_>, which: Extreme) -> Result<TensorId, Refusal> {
        let extreme = self.joined(site, |lowering, a, b, shape| {
            for (x, bound) in [(a, b), (b, a)] {
                if let Some(bound) = lowering.number(bound)
                    && lowering.shape(x) == shape
                {
                    return lowering.emit(site, Op::Clamp(which.bounded_by(bound)), vec![x], shape);
                }
            }
            let function = match which {
                Extreme::Greatest => BinaryFunction::Maximum,
                Extreme::Least => BinaryFunction::Minimum,
            };
            lowering.emit(site, Op::Binary { function, activation: Activation::NONE }, vec![a, b], shape)
        })?;
        Ok(self.not_an_operand(site, extreme))
    }

    /// The number that a constant is throughout.
    fn number(&self, id: TensorId) -> Option<f32> {
        let data = self.graph.tensor(id).data.as_deref()?;
        let first = *data.first()?;
        (!first.is_nan() && data.iter().all(|&value| value == first)).then_some(first)
    }

    /// `id`, or its copy where it is what the file calls the operand.
    fn not_an_operand(&mut self, site: &Site<'_>, id: TensorId) -> TensorId {
        if site.node.input.len() > 1 {
            return id;
        }
        let shape = self.shape(id).to_vec();
        self.emit(site, Op::Reshape, vec![id], shape)
    }
}

impl Extreme {
    /// The clamp that takes this of a value and `bound`.
    fn bounded_by(self, bound: f32) -> Activation {
        match self {
            Self::Greatest => Activation { min: Some(bound), max: None },
            Self::Least => Activation { min: None, max: Some(bound) },
        }
    }
}
