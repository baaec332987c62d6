//! OneHot: a row of a constant table for each index.

use tract_onnx::tract_core::internal::DatumType;

use super::super::operands::operand;
use super::super::site::{Refusal, Site, is_integer, unsupported};
use super::Lowering;
use crate::graph::{Op, TensorId};

/// A table of more rows takes more flash than it is worth.
const MOST_CLASSES: usize = 1024;

/// The indices' shape, with a dimension for what they choose among.
pub(in crate::import::onnx) fn shape(site: &Site<'_>) -> Result<Vec<usize>, Refusal> {
    let indices = site.x();
    if !is_integer(indices.datum_type) {
        return unsupported(format!("indices of type {:?}", indices.datum_type));
    }
    if operand(site, 2)?.datum_type != DatumType::F32 {
        return unsupported(format!("values of type {:?}", operand(site, 2)?.datum_type));
    }
    let mut shape = indices.shape.clone();
    shape.insert(axis(site)?, classes(site)?);
    Ok(shape)
}

fn axis(site: &Site<'_>) -> Result<usize, Refusal> {
    site.axis(site.int("axis").unwrap_or(-1), site.rank() + 1)
}

fn classes(site: &Site<'_>) -> Result<usize, Refusal> {
    let Some(stated) = site.all_ints(1) else { return unsupported("a depth that is not constant") };
    match stated.first().and_then(|&classes| usize::try_from(classes).ok()) {
        Some(classes @ 1..=MOST_CLASSES) => Ok(classes),
        _ => unsupported(format!("a depth of {stated:?}; 1 to {MOST_CLASSES} are possible")),
    }
}

impl Lowering {
    pub(super) fn one_hot(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let (axis, classes) = (axis(site)?, classes(site)?);
        let values = site.constant_floats(2)?.unwrap_or_default();
        let &[off, on] = &values[..] else { return Err(site.invalid("has not two values")) };
        let element = |index: usize| if index / classes == index % classes { on } else { off };
        let rows = (0..classes * classes).map(element).collect();
        let table = self.constant(format!("{}/table", site.name()), vec![classes, classes], rows);
        let inputs = vec![table, self.operand(site, 0)?];
        let rank = shape.len();
        let mut chosen = shape.to_vec();
        let along = chosen.remove(axis);
        chosen.push(along);
        let chosen = self.emit(site, Op::Gather { axis: 0, batch_dimensions: 0 }, inputs, chosen);
        if axis + 1 == rank {
            return Ok(chosen);
        }
        let others = |axes: std::ops::Range<usize>| axes.collect::<Vec<_>>();
        Ok(self.transposed(site, chosen, [others(0..axis), vec![rank - 1], others(axis..rank - 1)].concat()))
    }
}
