//! Normalizations by mean and variance of the values themselves.

use super::super::shapes::groups;
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

    /// Groups of channels are rows, and so are normalized as these are.
    pub(super) fn group_normalization(
        &mut self,
        site: &Site<'_>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let (channels, groups) = (shape[1], groups(site));
        let x = self.operand(site, 0)?;
        let rows = self.reshaped(
            site,
            x,
            &[shape[0] * groups, channels / groups * shape[2..].iter().product::<usize>()],
        );
        let normal = self.normalized(site, rows, 1);
        let mut of_each = vec![1; shape.len() - 1];
        of_each[0] = channels;
        let mut parameters = Vec::new();
        for position in 1..3 {
            let mut parameter = self.operand(site, position)?;
            if self.shape(parameter) == [groups] && groups != channels {
                let repeated = (0..channels).map(|channel| channel / (channels / groups)).collect();
                parameter = self.taken(site, parameter, 0, repeated);
            }
            parameters.push(self.reshaped(site, parameter, &of_each));
        }
        let normal = self.reshaped(site, normal, shape);
        let scaled = self.emit(site, MUL, vec![normal, parameters[0]], shape.to_vec());
        Ok(self.added(site, scaled, parameters[1], shape))
    }

    /// `x / sqrt(mean of squares + epsilon)` over the dimensions from an axis on, times factors.
    pub(super) fn rms_normalization(
        &mut self,
        site: &Site<'_>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let axis = site.axis(site.int("axis").unwrap_or(-1), shape.len())?;
        let x = self.operand(site, 0)?;
        let rows = [shape[..axis].iter().product(), shape[axis..].iter().product()];
        let x = self.reshaped(site, x, &rows);
        let normal = self.divided_by_deviation(site, x);
        let normal = self.reshaped(site, normal, shape);
        let factors = self.operand(site, 1)?;
        Ok(self.emit(site, MUL, vec![normal, factors], shape.to_vec()))
    }

    /// `(x - mean) / sqrt(variance + epsilon)` over the dimensions from `axis` on.
    fn normalized(&mut self, site: &Site<'_>, x: TensorId, axis: usize) -> TensorId {
        let shape = self.shape(x).to_vec();
        let rows = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
        let single = vec![rows[0], 1];
        let x = self.reshaped(site, x, &rows);
        let mean_of_x = self.emit(site, Op::Mean { axes: vec![1] }, vec![x], single);
        let minus_mean = self.applied(site, UnaryFunction::Neg, mean_of_x);
        let centred = self.emit(site, ADD, vec![x, minus_mean], rows.clone());
        let normal = self.divided_by_deviation(site, centred);
        self.reshaped(site, normal, &shape)
    }

    /// `x / sqrt(mean of squares + epsilon)` for each row.
    fn divided_by_deviation(&mut self, site: &Site<'_>, x: TensorId) -> TensorId {
        let rows = self.shape(x).to_vec();
        let single = vec![rows[0], 1];
        let squares = self.applied(site, UnaryFunction::Power { exponent: 2.0 }, x);
        let variance = self.emit(site, Op::Mean { axes: vec![1] }, vec![squares], single.clone());
        let epsilon = site.float("epsilon").unwrap_or(1e-5);
        let epsilon = self.constant(format!("{}/epsilon", site.name()), vec![1], vec![epsilon]);
        let raised = self.emit(site, ADD, vec![variance, epsilon], single);
        let factor = self.applied(site, UnaryFunction::Rsqrt, raised);
        self.emit(site, MUL, vec![x, factor], rows)
    }
}
