//! Transposed convolutions: how far apart their elements are spread before a convolution runs over them.

use super::operands::operand;
use super::site::{Refusal, Site, unsupported};
use crate::validate::MAX_IMAGE_EXTENT;

/// One spatial dimension of a transposed convolution, as a convolution over spread elements.
pub(super) struct Dimension {
    /// From one element to the next; between them are zeros.
    pub stride: usize,
    pub dilation: usize,
    pub kernel: usize,
    /// Zeros before the first element.
    pub before: usize,
    /// Zeros after the last.
    pub after: usize,
    /// Extent of the result.
    pub to: usize,
}

/// The spatial dimensions of the node, checked.
pub(super) fn dimensions(site: &Site<'_>) -> Result<Vec<Dimension>, Refusal> {
    let shape = &site.x().shape;
    let weights = &operand(site, 1)?.shape;
    let problem = format!("has weights of shape {weights:?} for an image of shape {shape:?}");
    site.ensure(shape.len() >= 3 && weights.len() == shape.len() && weights[0] == shape[1], problem)?;
    let (extents, kernel) = (&shape[2..], &weights[2..]);
    let spatial = extents.len();
    if spatial > 2 {
        return unsupported(format!("{spatial} spatial dimensions"));
    }
    let groups = site.int("group").unwrap_or(1) as usize;
    site.ensure(shape[1].is_multiple_of(groups), format!("has {groups} groups for {} channels", shape[1]))?;
    if let Some(bias) = site.input(2) {
        let problem = format!("has a bias of shape {:?} for {} channels", bias.shape, weights[1] * groups);
        site.ensure(bias.shape == [weights[1] * groups], problem)?;
    }
    let stated = site.sizes("kernel_shape");
    let fits = stated.as_deref().is_none_or(|stated| stated == kernel);
    site.ensure(fits, format!("has a kernel of {kernel:?}, where `kernel_shape` says {stated:?}"))?;
    let list = |name: &str, length: usize, default: usize| {
        let values = site.sizes(name).unwrap_or_else(|| vec![default; length]);
        let problem = format!("has `{name}` {values:?}, where {length} values are needed");
        site.ensure(values.len() == length, problem).map(|()| values)
    };
    let (strides, dilations) = (list("strides", spatial, 1)?, list("dilations", spatial, 1)?);
    let (pads, more) = (list("pads", 2 * spatial, 0)?, list("output_padding", spatial, 0)?);
    let stated = site.sizes("output_shape").map(|_| list("output_shape", spatial, 0)).transpose()?;
    let mode = site.word("auto_pad");
    let same = mode.as_deref().is_some_and(|mode| mode.starts_with("SAME"));
    let dimension = |axis: usize| {
        let (stride, dilation, kernel) = (strides[axis], dilations[axis], kernel[axis]);
        let reach = (kernel - 1) * dilation + 1;
        let whole = (stride * (extents[axis] - 1) + more[axis] + reach) as i64;
        let target = match &stated {
            Some(stated) => Some(stated[axis]),
            None => same.then_some(extents[axis] * stride),
        };
        let (cut_before, cut_after) = match target {
            Some(to) => {
                let total = whole - to as i64;
                let half = total.div_euclid(2);
                let upper = mode.as_deref() == Some("SAME_UPPER");
                if upper { (half, total - half) } else { (total - half, half) }
            }
            None if mode.as_deref() == Some("VALID") => (0, 0),
            None => (pads[axis] as i64, pads[axis + spatial] as i64),
        };
        let zeros = |cut: i64, more: usize| usize::try_from(reach as i64 - 1 - cut + more as i64).ok();
        let Some((before, after)) = zeros(cut_before, 0).zip(zeros(cut_after, more[axis])) else {
            return unsupported("more padding than its window reaches");
        };
        let to = usize::try_from(whole - cut_before - cut_after).unwrap_or(0);
        let sizes = [to, before, after, reach, stride * extents[axis]];
        let possible = to > 0 && sizes.iter().all(|&size| size <= MAX_IMAGE_EXTENT);
        site.ensure(possible, format!("makes {to} elements of {}", extents[axis]))?;
        Ok(Dimension { stride, dilation, kernel, before, after, to })
    };
    site.ensure(extents.iter().all(|&extent| extent <= MAX_IMAGE_EXTENT), "has an image that is too large")?;
    (0..spatial).map(dimension).collect()
}

/// The shape of the node's result.
pub(super) fn shape(site: &Site<'_>) -> Result<Vec<usize>, Refusal> {
    let to = dimensions(site)?.into_iter().map(|dimension| dimension.to);
    let groups = site.int("group").unwrap_or(1) as usize;
    Ok([site.x().shape[0], operand(site, 1)?.shape[1] * groups].into_iter().chain(to).collect())
}
