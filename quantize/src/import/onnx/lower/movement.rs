//! Operators that only move elements.

use super::super::operands::{pads, slices};
use super::super::site::{Refusal, Site, unsupported};
use super::Lowering;
use crate::graph::{Op, TensorId};

impl Lowering {
    pub(super) fn transposition(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let perm = site.sizes("perm").unwrap_or_else(|| (0..shape.len()).rev().collect());
        self.unary(site, Op::Transpose { perm }, shape)
    }

    pub(super) fn pad(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        if let Some(mode) = site.word("mode").filter(|mode| mode != "constant") {
            return unsupported(format!("mode `{mode}`"));
        }
        let (before, after) = pads(site)?;
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
        if let Some((.., step)) = slices.iter().find(|(.., step)| *step != 1) {
            return unsupported(format!("a step of {step}"));
        }
        let begin = slices.iter().map(|&(start, ..)| start).collect();
        self.unary(site, Op::Slice { begin }, shape)
    }
}
