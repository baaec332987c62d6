//! Resize and Upsample: along one dimension after the other.

use super::super::resampling::{Axis, Map, axes};
use super::super::site::{Refusal, Site};
use super::Lowering;
use crate::graph::{Op, TensorId};

impl Lowering {
    pub(super) fn resize(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let axes = axes(site)?;
        let is_image = matches!(shape.len(), 3 | 4) && axes[..2].iter().all(Option::is_none);
        let mut x =
            if is_image { self.image(site)? } else { self.unary(site, Op::Reshape, &site.x().shape)? };
        for (position, axis) in axes.iter().enumerate() {
            let Some(axis) = axis else { continue };
            let position = if is_image { position + 3 - shape.len() } else { position };
            x = self.resized(site, x, position, axis)?;
        }
        Ok(if is_image { self.restore(site, x, shape) } else { x })
    }

    fn resized(
        &mut self,
        site: &Site<'_>,
        x: TensorId,
        position: usize,
        axis: &Axis,
    ) -> Result<TensorId, Refusal> {
        let mut shape = self.shape(x).to_vec();
        let map = axis.map(site)?;
        let outer = shape[..position].iter().product();
        let inner = shape[position + 1..].iter().product();
        shape[position] = axis.to;
        let rows = self.reshaped(site, x, &[outer, axis.from, inner]);
        let rows = match map.indices(axis.from) {
            Some(indices) => self.taken(site, rows, 1, indices),
            None => {
                let lines = self.transposed(site, rows, vec![0, 2, 1]);
                let lines = self.mapped(site, lines, [axis.to, axis.from], map.weights, map.addends);
                self.transposed(site, lines, vec![0, 2, 1])
            }
        };
        Ok(self.reshaped(site, rows, &shape))
    }
}

impl Map {
    /// The element that each row takes, when each takes one as it is.
    fn indices(&self, columns: usize) -> Option<Vec<usize>> {
        if self.addends.iter().any(|&addend| addend != 0.0) {
            return None;
        }
        let index = |row: &[f32]| {
            let mut taken = (0..columns).filter(|&column| row[column] != 0.0);
            taken.next().filter(|&column| row[column] == 1.0 && taken.next().is_none())
        };
        self.weights.chunks_exact(columns).map(index).collect()
    }
}
