//! What finds the best of many.

use super::field::{Field, WordReader, WordWriter};
use super::{BoxForm, Extreme, Record};
use crate::tensor::TensorRef;

structure! {
    /// Where the greatest or least elements of each row are, in order; of equal ones the first or last come first.
    TopIndices {
        /// int8 or int16, `[rows, depth]`.
        input: TensorRef,
        /// int32, `[rows, count]`.
        output: TensorRef,
        /// Rows.
        rows: u32,
        /// Elements of a row.
        depth: u32,
        /// Indices of a row; at most `depth`.
        count: u32,
        /// Of which elements.
        extreme: Extreme,
    }
}

structure! {
    /// Of each class the boxes with the best scores, without those that overlap a better one.
    NonMaxSuppression {
        /// int8 or int16, `[batches, count, 4]`.
        boxes: TensorRef,
        /// int8 or int16, `[batches, classes, count]`.
        scores: TensorRef,
        /// int32, `[batches * classes * most, 3]`: batch, class and box of each that is taken, then -1.
        output: TensorRef,
        /// Lists of boxes.
        batches: u32,
        /// Scores of a box.
        classes: u32,
        /// Boxes of a list.
        count: u32,
        /// Boxes taken of a class, at most.
        most: u32,
        /// What a box is given by.
        form: BoxForm,
        /// Zero point of `boxes`.
        boxes_zero_point: i32,
        /// The least value of `scores` that is taken.
        least_score: i32,
        /// Boxes overlap that have more than this of what they cover together in common, in steps of `2^-30`.
        overlap: u32,
    }
}

impl From<TopIndices> for Record {
    fn from(fields: TopIndices) -> Self {
        Record::TopIndices(fields)
    }
}

impl From<NonMaxSuppression> for Record {
    fn from(fields: NonMaxSuppression) -> Self {
        Record::NonMaxSuppression(fields)
    }
}
