//! Resize along one dimension: which elements each result is made of, and with which weights.
//!
//! The definitions are those of ONNX's reference implementation. Every mode is a linear map along each
//! dimension, the same for all rows.

use super::site::{Refusal, Site, unsupported};

/// One dimension of a resize that changes it.
pub(super) struct Axis {
    /// Elements before.
    pub from: usize,
    /// Elements after.
    pub to: usize,
    scale: f64,
    /// The region that is taken, as shares of the extent.
    region: [f64; 2],
}

/// A linear map from `columns` elements to rows.
pub(super) struct Map {
    /// Weights, row by row.
    pub weights: Vec<f32>,
    /// What is added to each row.
    pub addends: Vec<f32>,
}

/// The greatest extent that a resize makes.
const MAX_EXTENT: f64 = (1u32 << 15) as f64;

/// All dimensions of the node's result; `None` for those that stay as they are.
pub(super) fn axes(site: &Site<'_>) -> Result<Vec<Option<Axis>>, Refusal> {
    let shape = &site.x().shape;
    let rank = shape.len();
    let named: Vec<usize> = match site.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| site.axis(axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    let twice = named.iter().enumerate().any(|(index, axis)| named[..index].contains(axis));
    site.ensure(!twice, "has the same axis twice")?;
    let (scales_at, sizes_at) = if site.opset < 11 { (1, usize::MAX) } else { (2, 3) };
    let given = |floats: Option<Vec<f32>>| floats.filter(|floats| !floats.is_empty());
    let scales = match site.floats("scales") {
        Some(scales) => Some(scales.to_vec()),
        None => given(site.constant_floats(scales_at)?),
    };
    let sizes = site.constant_ints(sizes_at)?.filter(|sizes| !sizes.is_empty());
    let mut all: Vec<Option<Axis>> = shape.iter().map(|_| None).collect();
    let targets: Vec<(f64, f64)> = match (scales, sizes) {
        (Some(scales), None) if scales.len() == named.len() => {
            let extents = scales.iter().zip(&named).map(|(&scale, &axis)| {
                let scale = f64::from(scale);
                (scale, (scale * shape[axis] as f64).floor())
            });
            extents.collect()
        }
        (None, Some(sizes)) if sizes.len() == named.len() => {
            let scale = |(&size, &axis): (&i64, &usize)| size as f64 / shape[axis] as f64;
            let scales = || sizes.iter().zip(&named).map(scale);
            let common = match site.word("keep_aspect_ratio_policy").as_deref() {
                Some("not_larger") => Some(scales().fold(f64::INFINITY, f64::min)),
                Some("not_smaller") => Some(scales().fold(0.0, f64::max)),
                _ => None,
            };
            match common {
                Some(scale) => {
                    named.iter().map(|&axis| (scale, (scale * shape[axis] as f64 + 0.5).floor())).collect()
                }
                None => scales().zip(&sizes).map(|(scale, &size)| (scale, size as f64)).collect(),
            }
        }
        _ => return Err(site.invalid("does not say how large its result is")),
    };
    let regions = match site.word("coordinate_transformation_mode").as_deref() {
        Some("tf_crop_and_resize") => site.constant_floats(1)?.unwrap_or_default(),
        _ => [vec![0.0; named.len()], vec![1.0; named.len()]].concat(),
    };
    let finite = regions.iter().all(|end| end.is_finite());
    site.ensure(regions.len() == 2 * named.len() && finite, "has a region of another rank")?;
    for (position, (&axis, (scale, to))) in named.iter().zip(targets).enumerate() {
        let possible = scale.is_finite() && scale > 0.0 && (1.0..=MAX_EXTENT).contains(&to);
        site.ensure(possible, format!("makes {to} elements of {} with a factor of {scale}", shape[axis]))?;
        let region = [regions[position], regions[position + named.len()]].map(f64::from);
        let axis_of = Axis { from: shape[axis], to: to as usize, scale, region };
        let changes = axis_of.from != axis_of.to || scale != 1.0 || region != [0.0, 1.0];
        all[axis] = changes.then_some(axis_of);
    }
    Ok(all)
}

/// The shape of the node's result.
pub(super) fn shape(site: &Site<'_>) -> Result<Vec<usize>, Refusal> {
    let resized = axes(site)?.into_iter().zip(&site.x().shape);
    Ok(resized.map(|(axis, &extent)| axis.map_or(extent, |axis| axis.to)).collect())
}

impl Axis {
    /// What the node computes along this dimension.
    pub fn map(&self, site: &Site<'_>) -> Result<Map, Refusal> {
        let extrapolation = site.float("extrapolation_value").unwrap_or(0.0);
        let mut weights = vec![0.0; self.from * self.to];
        let mut addends = vec![0.0; self.to];
        for (row, (weights, addend)) in weights.chunks_exact_mut(self.from).zip(&mut addends).enumerate() {
            match self.position(site, row)? {
                Some(position) => self.fill(site, position, weights)?,
                None => *addend = extrapolation,
            }
        }
        Ok(Map { weights, addends })
    }

    /// Where element `x` of the result lies among those before; `None` outside of the region.
    fn position(&self, site: &Site<'_>, x: usize) -> Result<Option<f64>, Refusal> {
        let (from, x) = (self.from as f64, x as f64);
        let to = self.scale * from;
        let default = if site.opset < 11 { "asymmetric" } else { "half_pixel" };
        let mode = site.word("coordinate_transformation_mode");
        let half_pixel = (x + 0.5) / self.scale - 0.5;
        Ok(Some(match mode.as_deref().unwrap_or(default) {
            "asymmetric" => x / self.scale,
            "half_pixel" => half_pixel,
            "tf_half_pixel_for_nn" => (x + 0.5) / self.scale,
            "half_pixel_symmetric" => from / 2.0 * (1.0 - self.to as f64 / to) + half_pixel,
            "pytorch_half_pixel" => {
                if to == 1.0 {
                    -0.5
                } else {
                    half_pixel
                }
            }
            "align_corners" => {
                if to == 1.0 {
                    0.0
                } else {
                    x * (from - 1.0) / (to - 1.0)
                }
            }
            "tf_crop_and_resize" => {
                let [start, end] = self.region;
                let within = if to == 1.0 { 0.5 } else { x / (to - 1.0) };
                let position = (start + within * (end - start)) * (from - 1.0);
                return Ok(Some(position).filter(|position| (0.0..=from - 1.0).contains(position)));
            }
            mode => return unsupported(format!("coordinates `{mode}`")),
        }))
    }

    /// Adds the weights of the elements around `position` to a row.
    fn fill(&self, site: &Site<'_>, position: f64, row: &mut [f32]) -> Result<(), Refusal> {
        // Of an integer the element to the left counts as the first.
        let first = position.ceil() - 1.0;
        let ratio = position - first;
        let (start, mut taps) = self.taps(site, ratio)?;
        let last = row.len() as i64 - 1;
        let index = |tap: usize| first as i64 + start + tap as i64;
        if site.flag("exclude_outside") {
            for (tap, weight) in taps.iter_mut().enumerate() {
                *weight = if (0..=last).contains(&index(tap)) { *weight } else { 0.0 };
            }
            normalize(&mut taps);
        }
        for (tap, weight) in taps.into_iter().enumerate() {
            row[index(tap).clamp(0, last) as usize] += weight as f32;
        }
        Ok(())
    }

    /// Weights for a result at `ratio` of the way from element 0 to 1, above 0, and the element that the
    /// first of them is for.
    fn taps(&self, site: &Site<'_>, ratio: f64) -> Result<(i64, Vec<f64>), Refusal> {
        let shrinks = site.flag("antialias").then_some(self.scale.min(1.0));
        match site.word("mode").as_deref().unwrap_or("nearest") {
            "nearest" => {
                let default = if site.opset < 11 { "floor" } else { "round_prefer_floor" };
                let takes_first = match site.word("nearest_mode").as_deref().unwrap_or(default) {
                    _ if ratio == 1.0 => false,
                    "round_prefer_floor" => ratio <= 0.5,
                    "round_prefer_ceil" => ratio < 0.5,
                    "floor" => true,
                    _ => false,
                };
                Ok((0, if takes_first { vec![1.0, 0.0] } else { vec![0.0, 1.0] }))
            }
            "linear" => Ok(around(1.0, shrinks, ratio, |distance| (1.0 - distance).max(0.0))),
            "cubic" => {
                let a = f64::from(site.float("cubic_coeff_a").unwrap_or(-0.75));
                Ok(around(2.0, shrinks, ratio, |x| match x {
                    x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
                    x if x < 2.0 => ((x - 5.0) * x + 8.0) * x * a - 4.0 * a,
                    _ => 0.0,
                }))
            }
            mode => unsupported(format!("mode `{mode}`")),
        }
    }
}

/// The values of `kernel`, which is 0 from `reach` on, at the distances of the elements around `ratio`;
/// widened where a dimension shrinks.
fn around(reach: f64, shrinks: Option<f64>, ratio: f64, kernel: impl Fn(f64) -> f64) -> (i64, Vec<f64>) {
    let scale = shrinks.unwrap_or(1.0);
    let start = (-reach / scale).floor() as i64 + 1;
    let mut taps: Vec<f64> =
        (start..2 - start).map(|element| kernel(((element as f64 - ratio) * scale).abs())).collect();
    if shrinks.is_some() {
        normalize(&mut taps);
    }
    (start, taps)
}

fn normalize(taps: &mut [f64]) {
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
}
