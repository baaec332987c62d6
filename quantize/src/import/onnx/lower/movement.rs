//! Operators that only move elements.

use super::super::operands::{pads, slices};
use super::super::site::{Refusal, Site};
use super::Lowering;
use crate::graph::{Op, TensorId};

impl Lowering {
    pub(super) fn transposition(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let perm = site.sizes("perm").unwrap_or_else(|| (0..shape.len()).rev().collect());
        self.unary(site, Op::Transpose { perm }, shape)
    }

    pub(super) fn pad(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let (before, after) = pads(site)?;
        if let Some(mode) = site.word("mode").filter(|mode| mode != "constant") {
            let mut x = self.operand(site, 0)?;
            for (axis, &before) in before.iter().enumerate() {
                let extent = site.x().shape[axis];
                let source = |at: usize| mirrored(&mode, at as i64 - before as i64, extent);
                x = self.taken(site, x, axis, (0..shape[axis]).map(source).collect());
            }
            return Ok(x);
        }
        let value = match site.opset >= 11 {
            true => site.constant_floats(2)?.and_then(|values| values.first().copied()),
            false => site.float("value"),
        };
        self.unary(site, Op::Pad { before, after, value: value.unwrap_or(0.0) }, shape)
    }

    pub(super) fn concat(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let axis = site.axis(site.int("axis").unwrap_or(0), shape.len())?;
        let mut inputs = Vec::new();
        for (position, fact) in site.inputs().enumerate() {
            if fact.len() > 0 {
                inputs.push(self.operand(site, position)?);
            }
        }
        Ok(self.emit(site, Op::Concat { axis }, inputs, shape.to_vec()))
    }

    pub(super) fn slice(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let slices = slices(site)?;
        let begin: Vec<usize> = slices.iter().map(|&(start, ..)| start).collect();
        if slices.iter().all(|&(.., step)| step == 1) {
            return self.unary(site, Op::Slice { begin }, shape);
        }
        let mut x = self.operand(site, 0)?;
        for (axis, &(start, _, step)) in slices.iter().enumerate() {
            let extent = site.x().shape[axis];
            let first = start.min(extent - 1) as i64;
            let index = |position: usize| usize::try_from(first + position as i64 * step);
            let indices: Result<Vec<usize>, _> = (0..shape[axis]).map(index).collect();
            let inside = indices.ok().filter(|indices| indices.iter().all(|&index| index < extent));
            let problem = || site.invalid(format!("takes elements beyond dimension {axis} of {extent}"));
            x = self.taken(site, x, axis, inside.ok_or_else(problem)?);
        }
        Ok(x)
    }
}

/// Which of `extent` elements stands at `at`, before, among or after them, in a mode of Pad.
fn mirrored(mode: &str, at: i64, extent: usize) -> usize {
    let last = extent as i64 - 1;
    let index = match mode {
        "edge" => at.clamp(0, last),
        "wrap" => at.rem_euclid(last + 1),
        _ => {
            let position = at.rem_euclid((2 * last).max(1));
            position.min(2 * last - position)
        }
    };
    index as usize
}

#[cfg(test)]
mod tests {
    use super::mirrored;

    #[test]
    fn elements_around_others() {
        let around = |mode| (-4..7).map(|at| mirrored(mode, at, 3)).collect::<Vec<_>>();
        assert_eq!(around("edge"), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]);
        assert_eq!(around("wrap"), [2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(around("reflect"), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(mirrored("reflect", -5, 1), 0);
    }
}
