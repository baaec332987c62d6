//! Windows that move over images: extents, strides, dilations and padding as ONNX gives them.

use super::site::{Refusal, Site, unsupported};

/// The most dimensions of a tensor.
pub(super) const MAX_RANK: usize = edgepkg_format::tensor::MAX_RANK;

/// How a window moves over `N` spatial dimensions.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Extents of the window.
    pub kernel: Vec<usize>,
    /// Elements it moves by.
    pub strides: Vec<usize>,
    /// Elements between taps.
    pub dilations: Vec<usize>,
    /// Elements around the image.
    pub padding: AutoPad,
}

/// How much is added around an image.
#[derive(Clone, Debug)]
pub(super) enum AutoPad {
    /// These numbers before and after each dimension.
    Explicit {
        /// Before the first element.
        before: Vec<usize>,
        /// After the last.
        after: Vec<usize>,
    },
    /// As many as make `ceil(extent / stride)` positions, the odd one after.
    SameUpper,
    /// The same, the odd one before.
    SameLower,
}

impl Window {
    /// The window of a convolution or pool over images with these spatial extents, checked against them.
    pub fn of(site: &Site<'_>, kernel: Vec<usize>, image: &[usize]) -> Result<Self, Refusal> {
        let spatial = image.len();
        if !(1..=2).contains(&spatial) {
            return unsupported(format!("{spatial} spatial dimensions"));
        }
        let list = |name: &str, length: usize, default: usize| {
            let values = site.sizes(name).unwrap_or_else(|| vec![default; length]);
            let problem = format!("has `{name}` {values:?}, where {length} values are needed");
            site.ensure(values.len() == length, problem).map(|()| values)
        };
        site.ensure(kernel.len() == spatial, "has a kernel of another rank than its image")?;
        let strides = list("strides", spatial, 1)?;
        let dilations = list("dilations", spatial, 1)?;
        let pads = list("pads", 2 * spatial, 0)?;
        let (before, after) = pads.split_at(spatial);
        let none = || AutoPad::Explicit { before: vec![0; spatial], after: vec![0; spatial] };
        let padding = match site.word("auto_pad").as_deref() {
            Some("SAME_UPPER") => AutoPad::SameUpper,
            Some("SAME_LOWER") => AutoPad::SameLower,
            Some("VALID") => none(),
            _ => AutoPad::Explicit { before: before.to_vec(), after: after.to_vec() },
        };
        let window = Self { kernel, strides, dilations, padding };
        for (axis, &extent) in image.iter().enumerate() {
            let (before, after) = window.added(axis, extent);
            let reach = window.reach(axis);
            let problem = format!("has a window of {reach} over {before} + {extent} + {after} elements");
            site.ensure(extent > 0 && reach <= before + extent + after, problem)?;
        }
        Ok(window)
    }

    /// Elements that the window spans along `axis`.
    pub fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilations[axis] + 1
    }

    /// Elements before and after an image of `extent` along `axis`.
    pub fn added(&self, axis: usize, extent: usize) -> (usize, usize) {
        let same = || {
            let positions = extent.div_ceil(self.strides[axis]);
            ((positions.max(1) - 1) * self.strides[axis] + self.reach(axis)).saturating_sub(extent)
        };
        match &self.padding {
            AutoPad::Explicit { before, after } => (before[axis], after[axis]),
            AutoPad::SameUpper => (same() / 2, same() - same() / 2),
            AutoPad::SameLower => (same() - same() / 2, same() / 2),
        }
    }
}

/// The shape of `a` and `b` broadcast together as NumPy does; `None` when they do not fit.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |position| shape[position])
    };
    (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (a, b) if a == b => Some(a),
            (1, other) | (other, 1) => Some(other),
            _ => None,
        })
        .collect()
}
