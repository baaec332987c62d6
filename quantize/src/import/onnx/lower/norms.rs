//! Reductions that are made of others: norms, logarithms of sums, products.

use super::super::shapes::reduced_axes;
use super::super::site::{Refusal, Site, unsupported};
use super::Lowering;
use super::elementwise::{MUL, SUB};
use crate::graph::{Op, TensorId, UnaryFunction};

/// The version of the operator set from which on axes are an operand of these reductions.
const AXES_ARE_OPERAND: i64 = 18;

/// More factors would make a chain of products whose steps lose what the first ones hold.
const MOST_FACTORS: usize = 1024;

impl Lowering {
    /// ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp or ReduceSumSquare.
    pub(super) fn reduce_norm(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let axes = reduced_axes(site, AXES_ARE_OPERAND)?;
        let x = self.operand(site, 0)?;
        let kept = kept_as_one(self.shape(x), &axes);
        let norm = match &*site.node.op_type {
            "ReduceL1" => {
                let magnitudes = self.applied(site, UnaryFunction::Abs, x);
                self.summed(site, magnitudes, axes, kept)
            }
            "ReduceL2" => {
                let sum = self.sum_of_squares(site, x, axes, kept);
                self.applied(site, UnaryFunction::Sqrt, sum)
            }
            "ReduceLogSum" => {
                let sum = self.summed(site, x, axes, kept);
                self.applied(site, UnaryFunction::Log, sum)
            }
            "ReduceSumSquare" => self.sum_of_squares(site, x, axes, kept),
            _ => {
                // The greatest is taken off first, so that no exponential is above 1.
                let greatest = self.greatest(site, x, &axes)?;
                let greatest = self.reshaped(site, greatest, &kept);
                let from = self.shape(x).to_vec();
                let below = self.emit(site, SUB, vec![x, greatest], from);
                let powers = self.applied(site, UnaryFunction::Exp, below);
                let sum = self.summed(site, powers, axes, kept.clone());
                let logarithm = self.applied(site, UnaryFunction::Log, sum);
                self.added(site, logarithm, greatest, &kept)
            }
        };
        Ok(self.emit(site, Op::Reshape, vec![norm], shape.to_vec()))
    }

    /// Halves are multiplied with each other until one element is left.
    pub(super) fn reduce_product(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let axes = reduced_axes(site, AXES_ARE_OPERAND)?;
        let x = self.operand(site, 0)?;
        let from = self.shape(x).to_vec();
        let (reduced, kept): (Vec<usize>, Vec<usize>) = (0..from.len()).partition(|axis| axes.contains(axis));
        let count = |axes: &[usize]| axes.iter().map(|&axis| from[axis]).product::<usize>();
        let (mut factors, inner) = (count(&reduced), count(&kept));
        if factors > MOST_FACTORS {
            return unsupported(format!("a product of more than {MOST_FACTORS} factors"));
        }
        let x = self.transposed(site, x, [reduced, kept].concat());
        let mut x = self.reshaped(site, x, &[factors, inner]);
        while factors > 1 {
            let half = factors / 2;
            let [first, second] = [0, half].map(|begin| self.piece(site, x, 0, (begin, half)));
            let products = self.emit(site, MUL, vec![first, second], vec![half, inner]);
            let odd = factors % 2;
            x = if odd == 1 {
                let last = self.piece(site, x, 0, (factors - 1, 1));
                self.emit(site, Op::Concat { axis: 0 }, vec![products, last], vec![half + 1, inner])
            } else {
                products
            };
            factors = half + odd;
        }
        Ok(self.emit(site, Op::Reshape, vec![x], shape.to_vec()))
    }

    /// `x` divided by its norm along an axis.
    pub(super) fn normalized_by_norm(
        &mut self,
        site: &Site<'_>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let axis = site.axis(site.int("axis").unwrap_or(-1), shape.len())?;
        let x = self.operand(site, 0)?;
        let kept = kept_as_one(shape, &[axis]);
        let inverse = if site.int("p") == Some(1) {
            let magnitudes = self.applied(site, UnaryFunction::Abs, x);
            let norm = self.summed(site, magnitudes, vec![axis], kept);
            self.applied(site, UnaryFunction::Reciprocal, norm)
        } else {
            let squares = self.sum_of_squares(site, x, vec![axis], kept);
            self.applied(site, UnaryFunction::Rsqrt, squares)
        };
        Ok(self.emit(site, MUL, vec![x, inverse], shape.to_vec()))
    }

    fn sum_of_squares(
        &mut self,
        site: &Site<'_>,
        x: TensorId,
        axes: Vec<usize>,
        kept: Vec<usize>,
    ) -> TensorId {
        let squares = self.applied(site, UnaryFunction::Power { exponent: 2.0 }, x);
        self.summed(site, squares, axes, kept)
    }

    fn summed(&mut self, site: &Site<'_>, x: TensorId, axes: Vec<usize>, kept: Vec<usize>) -> TensorId {
        if axes.is_empty() { x } else { self.emit(site, Op::Sum { axes }, vec![x], kept) }
    }
}

/// `shape` with 1 for each of `axes`.
fn kept_as_one(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().map(|(axis, &extent)| if axes.contains(&axis) { 1 } else { extent }).collect()
}
