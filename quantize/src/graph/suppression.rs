//! Boxes that are chosen by their scores.

pub use edgepkg_format::plan::BoxForm;
use serde::{Deserialize, Serialize};

/// `[boxes: [batches, count, 4], scores: [batches, classes, count]]`: of each class of each batch, in the order of their
/// scores, the boxes that overlap none before them. The output is `[batches * classes * most, 3]`: batch, class and box of each,
/// int32 in int graphs, and rows of -1 where there are no more. Of equal scores the first box comes first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppression {
    /// What a box is given by.
    pub form: BoxForm,
    /// Boxes of a class, at most.
    pub most: usize,
    /// Boxes overlap that have more than this share of what they cover together in common.
    pub overlap: f32,
    /// A box's score is above this; `None` takes all.
    pub score: Option<f32>,
}
