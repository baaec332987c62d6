//! Boxes chosen by their scores, in float32 as ONNX Runtime computes them.

use crate::graph::{BoxForm, Suppression};

/// A box's least and greatest place along both axes.
struct Bounds {
    begin: [f32; 2],
    end: [f32; 2],
}

impl Bounds {
    fn of(form: BoxForm, values: &[f32]) -> Self {
        let (first, second) = ([values[0], values[1]], [values[2], values[3]]);
        match form {
            BoxForm::Corners => Self {
                begin: [0, 1].map(|axis| first[axis].min(second[axis])),
                end: [0, 1].map(|axis| first[axis].max(second[axis])),
            },
            BoxForm::Center => Self {
                begin: [0, 1].map(|axis| first[axis] - second[axis] / 2.0),
                end: [0, 1].map(|axis| first[axis] + second[axis] / 2.0),
            },
        }
    }

    fn area(&self) -> f32 {
        (self.end[0] - self.begin[0]) * (self.end[1] - self.begin[1])
    }

    /// Whether the part that both have is more than `least` of what they cover together.
    fn overlap(&self, other: &Self, least: f32) -> bool {
        let common = Self {
            begin: [0, 1].map(|axis| self.begin[axis].max(other.begin[axis])),
            end: [0, 1].map(|axis| self.end[axis].min(other.end[axis])),
        };
        if (0..2).any(|axis| common.end[axis] <= common.begin[axis]) {
            return false;
        }
        let [common, own, others] = [common.area(), self.area(), other.area()];
        let together = own + others - common;
        own > 0.0 && others > 0.0 && together > 0.0 && common / together > least
    }
}

/// `boxes`: `[batches, count, 4]`; `scores`: `[batches, classes, count]` of the shape given; `output`: rows of batch, class and box.
pub(super) fn suppress(
    op: &Suppression,
    boxes: &[f32],
    (shape, scores): (&[usize], &[f32]),
    output: &mut [f32],
) {
    output.fill(-1.0);
    let mut rows = output.chunks_exact_mut(3);
    let (classes, count) = (shape[1], shape[2]);
    for (list, scores) in scores.chunks_exact(count).enumerate() {
        let (batch, class) = (list / classes, list % classes);
        let bounds = |index: usize| Bounds::of(op.form, &boxes[4 * (batch * count + index)..][..4]);
        let mut order: Vec<usize> =
            (0..count).filter(|&index| op.score.is_none_or(|least| scores[index] > least)).collect();
        // Equal ones stay in their order.
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut taken: Vec<Bounds> = Vec::new();
        for index in order {
            let candidate = bounds(index);
            if taken.len() == op.most {
                break;
            }
            if !taken.iter().any(|other| candidate.overlap(other, op.overlap)) {
                taken.push(candidate);
                let row = rows.next().expect("the output has a row for each box that may be taken");
                row.copy_from_slice(&[batch as f32, class as f32, index as f32]);
            }
        }
    }
}
