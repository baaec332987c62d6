//! Boxes with the best scores, without those that overlap a better one.

use core::cell::Cell;

use edgepkg_format::plan::{BoxForm, NonMaxSuppression};

use crate::view::{View, element, word};

/// Bytes of a row of the output: batch, class and box.
const ROW_BYTES: usize = 12;

/// Of each class of each batch, in the order of their scores, the boxes that overlap none before them by more than
/// `op.overlap`: at most `op.most` of those that score `op.least_score` or more. Of equal scores the first box comes first.
///
/// `boxes`: `[batches, count, 4]` and `scores`: `[batches, classes, count]`, int8 or int16. `output`: int32 rows of batch,
/// class and box, each class behind the one before; -1 where there are no more.
///
/// It needs no memory of its own: boxes that are taken are those in the output, and the next one of a class is found by
/// going through its scores.
#[inline(never)]
pub fn non_max_suppression(op: &NonMaxSuppression, boxes: View<'_>, scores: View<'_>, output: &[Cell<i8>]) {
    let (classes, count) = (op.classes as usize, op.count as usize);
    let rows = output.as_chunks::<ROW_BYTES>().0;
    let mut taken = 0;
    for list in 0..op.batches as usize * classes {
        let (batch, class) = (list / classes, list % classes);
        let first = taken;
        let mut last = None;
        while taken - first < op.most as usize {
            let Some(best) = next(op, scores, list * count, last) else { break };
            last = Some(best);
            let bounds = |index: usize| Bounds::of(op, boxes, batch * count + index);
            let candidate = bounds(best.index);
            let overlaps = |row: &[Cell<i8>; ROW_BYTES]| {
                let other = word(View::Arena(row), 2) as usize;
                candidate.overlap(&bounds(other), op.overlap)
            };
            if !rows[first..taken].iter().any(overlaps) {
                set_row(&rows[taken], [batch, class, best.index].map(|index| index as i32));
                taken += 1;
            }
        }
    }
    rows[taken..].iter().for_each(|row| set_row(row, [-1; 3]));
}

fn set_row(row: &[Cell<i8>; ROW_BYTES], values: [i32; 3]) {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    row.iter().zip(bytes).for_each(|(cell, byte)| cell.set(byte as i8));
}

/// A box of a class.
#[derive(Clone, Copy)]
struct Candidate {
    score: i32,
    index: usize,
}

/// The best box of the class whose scores begin at `start` behind `last`, in the order of scores and of places; `None`
/// where all others score too little.
fn next(
    op: &NonMaxSuppression,
    scores: View<'_>,
    start: usize,
    last: Option<Candidate>,
) -> Option<Candidate> {
    let mut best: Option<Candidate> = None;
    for index in 0..op.count as usize {
        let score = element(scores, op.scores.dtype, start + index);
        let is_left = last.is_none_or(|last| (score, last.index) < (last.score, index));
        if score >= op.least_score && is_left && best.is_none_or(|best| score > best.score) {
            best = Some(Candidate { score, index });
        }
    }
    best
}

/// Where a box begins and ends along both axes.
struct Bounds {
    begin: [i32; 2],
    end: [i32; 2],
}

impl Bounds {
    /// The box at `index`: in steps of its scale, or of half its scale where it is given by its centre.
    fn of(op: &NonMaxSuppression, boxes: View<'_>, index: usize) -> Self {
        let value = |at: usize| element(boxes, op.boxes.dtype, 4 * index + at);
        let pair = |at: usize| [value(at), value(at + 1)];
        let (first, second) = (pair(0), pair(2));
        match op.form {
            BoxForm::Corners => Self {
                begin: [0, 1].map(|axis| first[axis].min(second[axis])),
                end: [0, 1].map(|axis| first[axis].max(second[axis])),
            },
            BoxForm::Center => {
                let extent = second.map(|extent| extent.wrapping_sub(op.boxes_zero_point));
                Self {
                    begin: [0, 1].map(|axis| (2 * first[axis]).wrapping_sub(extent[axis])),
                    end: [0, 1].map(|axis| (2 * first[axis]).wrapping_add(extent[axis])),
                }
            }
        }
    }

    /// Whether the part that both have is more than `least`, in steps of `2^-30`, of what they cover together.
    fn overlap(&self, other: &Self, least: u32) -> bool {
        let common = Self {
            begin: [0, 1].map(|axis| self.begin[axis].max(other.begin[axis])),
            end: [0, 1].map(|axis| self.end[axis].min(other.end[axis])),
        };
        if (0..2).any(|axis| common.end[axis] <= common.begin[axis]) {
            return false;
        }
        let [common, own, others] = [&common, self, other].map(Self::area);
        let together = own.wrapping_add(others).wrapping_sub(common);
        own > 0
            && others > 0
            && together > 0
            && common.wrapping_shl(30) > together.wrapping_mul(i64::from(least))
    }

    fn area(&self) -> i64 {
        let extent = |axis: usize| i64::from(self.end[axis].wrapping_sub(self.begin[axis]));
        extent(0).wrapping_mul(extent(1))
    }
}
