//! NonMaxSuppression: boxes chosen by their scores.

use super::super::operands::operand;
use super::super::site::{Refusal, Site, unsupported};
use super::Lowering;
use crate::graph::{BoxForm, Op, Suppression, TensorId};

/// The shape of what is chosen, with a row for each box that may be: the file leaves their number open.
pub(in crate::import::onnx) fn shape(site: &Site<'_>) -> Result<Vec<usize>, Refusal> {
    let (boxes, scores) = (&site.x().shape, &operand(site, 1)?.shape);
    let fits = boxes.len() == 3
        && scores.len() == 3
        && boxes[2] == 4
        && boxes[0] == scores[0]
        && boxes[1] == scores[2];
    site.ensure(fits, format!("has boxes of shape {boxes:?} and scores of shape {scores:?}"))?;
    let rows = most(site)?.checked_mul(scores[0] * scores[1]);
    let rows = rows.ok_or_else(|| site.invalid("chooses more boxes than can be counted"))?;
    Ok(vec![rows, 3])
}

/// Boxes of a class, at most.
fn most(site: &Site<'_>) -> Result<usize, Refusal> {
    let stated = site.constant_ints(2)?.unwrap_or_default();
    let most = stated.first().and_then(|&most| usize::try_from(most).ok()).unwrap_or(0);
    match most.min(site.x().shape[1]) {
        0 => unsupported("`max_output_boxes_per_class` is 0, so that it chooses no box"),
        most => Ok(most),
    }
}

impl Lowering {
    pub(super) fn suppression(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let number = |position: usize| match site.constant_floats(position)? {
            Some(values) => match values[..] {
                [value] if value.is_finite() => Ok(Some(value)),
                _ => Err(site.invalid(format!("has an operand {position} that is not one number"))),
            },
            None => Ok(None),
        };
        let overlap = number(3)?.unwrap_or(0.0);
        site.ensure(
            (0.0..=1.0).contains(&overlap),
            format!("has the threshold {overlap}, not within 0 to 1"),
        )?;
        let op = Suppression {
            form: if site.flag("center_point_box") { BoxForm::Center } else { BoxForm::Corners },
            most: most(site)?,
            overlap,
            score: number(4)?,
        };
        let inputs = vec![self.operand(site, 0)?, self.operand(site, 1)?];
        Ok(self.emit(site, Op::NonMaxSuppression(op), inputs, shape.to_vec()))
    }
}
