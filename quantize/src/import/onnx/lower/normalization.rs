//! Normalizations by mean and variance of the values themselves.

use super::super::site::{Refusal, Site};
use super::Lowering;
use super::elementwise::{ADD, MUL};
use crate::graph::{Op, TensorId, UnaryFunction};

impl Lowering {
    pub(super) fn layer_normalization(
        &mut self,
        site: &Site<'_>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let axis = site.axis(site.int("axis").unwrap_or(-1), shape.len())?;
        let x = self.operand(site, 0)?;
        let normal = self.normalized(site, x, axis);
        let factors = self.operand(site, 1)?;
        let scaled = self.emit(site, MUL, vec![normal, factors], shape.to_vec());
        if site.input(2).is_none() {
            return Ok(scaled);
        }
        let addends = self.operand(site, 2)?;
        Ok(self.added(site, scaled, addends, shape))
    }

    pub(super) fn instance_normalization(
        &mut self,
        site: &Site<'_>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let x = self.operand(site, 0)?;
        let normal = self.normalized(site, x, 2);
        let mut per_channel = vec![1; shape.len() - 1];
        per_channel[0] = shape[1];
        let [factors, addends] = [self.operand(site, 1)?, self.operand(site, 2)?];
        let factors = self.reshaped(site, factors, &per_channel);
        let addends = self.reshaped(site, addends, &per_channel);
        let scaled = self.emit(site, MUL, vec![normal, factors], shape.to_vec());
        Ok(self.added(site, scaled, addends, shape))
    }

    /// `(x - mean) / sqrt(variance + epsilon)` over the dimensions from `axis` on.
    fn normalized(&mut self, site: &Site<'_>, x: TensorId, axis: usize) -> TensorId {
        let shape = self.shape(x).to_vec();
        let rows = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
        let single = vec![rows[0], 1];
        let mean = |lowering: &mut Self, x: TensorId| {
            lowering.emit(site, Op::Mean { axes: vec![1] }, vec![x], single.clone())
        };
        let x = self.reshaped(site, x, &rows);
        let mean_of_x = mean(self, x);
        let minus_mean = self.applied(site, UnaryFunction::Neg, mean_of_x);
        let centred = self.emit(site, ADD, vec![x, minus_mean], rows.clone());
        let squares = self.applied(site, UnaryFunction::Power { exponent: 2.0 }, centred);
        let variance = mean(self, squares);
        let epsilon = site.float("epsilon").unwrap_or(1e-5);
        let epsilon = self.constant(format!("{}/epsilon", site.name()), vec![1], vec![epsilon]);
        let raised = self.emit(site, ADD, vec![variance, epsilon], single.clone());
        let factor = self.applied(site, UnaryFunction::Rsqrt, raised);
        let normal = self.emit(site, MUL, vec![centred, factor], rows);
        self.reshaped(site, normal, &shape)
    }
}
