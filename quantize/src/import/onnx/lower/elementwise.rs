//! Arithmetic on single elements, and normalizations.

use super::super::shapes::reduced_axes;
use super::super::site::{Refusal, Site};
use super::Lowering;
use crate::graph::{Activation, BinaryFunction, Op, TensorId, UnaryFunction};

pub(super) const ADD: Op = Op::Add { activation: Activation::NONE };
pub(super) const SUB: Op = Op::Binary { function: BinaryFunction::Subtract, activation: Activation::NONE };
pub(super) const MUL: Op = Op::Mul { activation: Activation::NONE };

impl Lowering {
    pub(super) fn binary(&mut self, site: &Site<'_>, op: Op, shape: &[usize]) -> Result<TensorId, Refusal> {
        let inputs = vec![self.operand(site, 0)?, self.operand(site, 1)?];
        Ok(self.emit(site, op, inputs, shape.to_vec()))
    }

    pub(super) fn sum(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        self.binary(site, ADD, shape)
    }

    /// `a + b`.
    pub(super) fn added(&mut self, site: &Site<'_>, a: TensorId, b: TensorId, shape: &[usize]) -> TensorId {
        self.emit(site, ADD, vec![a, b], shape.to_vec())
    }

    /// `x * factor`.
    pub(super) fn scaled_by(&mut self, site: &Site<'_>, x: TensorId, factor: f32) -> TensorId {
        if factor == 1.0 {
            return x;
        }
        let shape = self.shape(x).to_vec();
        let factor = self.constant(format!("{}/factor", site.name()), vec![1], vec![factor]);
        self.emit(site, MUL, vec![x, factor], shape)
    }

    pub(super) fn difference(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        // A constant's negative may go into a bias.
        let Some((constant_shape, data)) = self.constant_operand(site, 1) else {
            return self.binary(site, SUB, shape);
        };
        let a = self.operand(site, 0)?;
        let negated = data.iter().map(|value| -value).collect();
        let negated = self.constant(site.input_name(1).to_owned(), constant_shape, negated);
        Ok(self.added(site, a, negated, shape))
    }

    pub(super) fn quotient(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let Some((divisor_shape, divisor)) = self.constant_operand(site, 1) else {
            let (a, divisor) = (self.operand(site, 0)?, self.operand(site, 1)?);
            let inverse = self.applied(site, UnaryFunction::Reciprocal, divisor);
            return Ok(self.emit(site, MUL, vec![a, inverse], shape.to_vec()));
        };
        site.ensure(!divisor.contains(&0.0), "divides by 0")?;
        let a = self.operand(site, 0)?;
        let inverse = divisor.iter().map(|value| 1.0 / value).collect();
        let inverse = self.constant(site.input_name(1).to_owned(), divisor_shape, inverse);
        Ok(self.emit(site, MUL, vec![a, inverse], shape.to_vec()))
    }

    /// `x * gamma / sqrt(variance + epsilon) + (beta - mean * gamma / sqrt(variance + epsilon))`, as one
    /// product and one sum with the factors in double precision.
    pub(super) fn batch_normalization(
        &mut self,
        site: &Site<'_>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let x = self.operand(site, 0)?;
        let mut parameters = Vec::new();
        for position in 1..5 {
            parameters.push(site.constant_floats(position)?.unwrap_or_default());
        }
        let epsilon = f64::from(site.float("epsilon").unwrap_or(1e-5));
        let (mut factors, mut addends) = (Vec::new(), Vec::new());
        let channels = parameters[0].iter().zip(&parameters[1]).zip(&parameters[2]).zip(&parameters[3]);
        for (channel, (((&gamma, &beta), &mean), &variance)) in channels.enumerate() {
            let [gamma, beta, mean, variance] = [gamma, beta, mean, variance].map(f64::from);
            let factor = gamma / libm::sqrt(variance + epsilon);
            site.ensure(factor.is_finite(), format!("has a variance of {variance} in channel {channel}"))?;
            factors.push(factor as f32);
            addends.push((beta - mean * factor) as f32);
        }
        let mut broadcast = vec![1; shape.len() - 1];
        broadcast[0] = shape[1];
        let factors = self.constant(format!("{}/factor", site.name()), broadcast.clone(), factors);
        let addends = self.constant(format!("{}/addend", site.name()), broadcast, addends);
        let scaled = self.emit(site, MUL, vec![x, factors], shape.to_vec());
        Ok(self.added(site, scaled, addends, shape))
    }

    pub(super) fn clip(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let bound = |name: &str, position: usize| match site.opset >= 11 {
            true => Ok(site.constant_floats(position)?.and_then(|values| values.first().copied())),
            false => Ok(site.float(name)),
        };
        let (min, max) = (bound("min", 1)?, bound("max", 2)?);
        let number = |bound: Option<f32>| bound.is_none_or(|bound| !bound.is_nan());
        site.ensure(number(min) && number(max), "has a bound that is not a number")?;
        let max = max.filter(|&max| max < f32::MAX);
        // Where the bounds cross, the upper one holds.
        let min = min.filter(|&min| min > f32::MIN).map(|min| max.map_or(min, |max| min.min(max)));
        let op = match (Activation { min, max }) {
            Activation::NONE => Op::Reshape,
            Activation::RELU => Op::Relu,
            Activation::RELU6 => Op::Relu6,
            range => Op::Clamp(range),
        };
        self.unary(site, op, shape)
    }

    pub(super) fn softmax(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        self.on_rows(site, shape, |lowering, site, x| {
            let shape = lowering.shape(x).to_vec();
            Ok(lowering.emit(site, Op::Softmax { beta: 1.0 }, vec![x], shape))
        })
    }

    /// What `on_last` makes of the first operand along Softmax's and LogSoftmax's axis; it works on the last.
    pub(super) fn on_rows(
        &mut self,
        site: &Site<'_>,
        shape: &[usize],
        on_last: impl FnOnce(&mut Self, &Site<'_>, TensorId) -> Result<TensorId, Refusal>,
    ) -> Result<TensorId, Refusal> {
        let rank = shape.len();
        let x = self.operand(site, 0)?;
        if site.opset < 13 {
            // All dimensions from the axis on are one.
            let axis = site.int("axis").unwrap_or(1);
            let axis = if axis == rank as i64 { rank } else { site.axis(axis, rank)? };
            let rows: usize = shape[..axis].iter().product();
            let depth = shape[axis..].iter().product();
            if shape.last() == Some(&depth) {
                return on_last(self, site, x);
            }
            let x = self.reshaped(site, x, &[rows, depth]);
            let y = on_last(self, site, x)?;
            return Ok(self.reshaped(site, y, shape));
        }
        let axis = site.axis(site.int("axis").unwrap_or(-1), rank)?;
        if axis + 1 == rank {
            return on_last(self, site, x);
        }
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(axis, rank - 1);
        let x = self.transposed(site, x, perm.clone());
        let y = on_last(self, site, x)?;
        Ok(self.transposed(site, y, perm))
    }

    pub(super) fn mean(
        &mut self,
        site: &Site<'_>,
        axes: Vec<usize>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let op = if axes.is_empty() { Op::Reshape } else { Op::Mean { axes } };
        self.unary(site, op, shape)
    }

    pub(super) fn reduce_mean(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        self.mean(site, reduced_axes(site, 18)?, shape)
    }
}
