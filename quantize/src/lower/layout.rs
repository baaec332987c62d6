//! Shapes and strides as records hold them: few dimensions, innermost last.

use edgepkg_format::plan::{Dims, Strides};
use edgepkg_format::tensor::MAX_RANK;

/// Views of one shape with `VIEWS` lists of strides, in elements. Extents of 1 are left out, and
/// neighbouring dimensions that every view passes through in one go are merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Views<const VIEWS: usize> {
    dims: Vec<(usize, [isize; VIEWS])>,
}

impl<const VIEWS: usize> Views<VIEWS> {
    /// Views of `shape`, each with a stride for every dimension.
    pub(super) fn new(shape: &[usize], strides: [&[isize]; VIEWS]) -> Self {
        let mut dims: Vec<(usize, [isize; VIEWS])> = Vec::new();
        for (axis, &extent) in shape.iter().enumerate() {
            if extent == 1 {
                continue;
            }
            let inner = strides.map(|strides| strides[axis]);
            match dims.last_mut() {
                Some((outer_extent, outer))
                    if (0..VIEWS).all(|view| outer[view] == inner[view] * extent as isize) =>
                {
                    *outer_extent *= extent;
                    *outer = inner;
                }
                _ => dims.push((extent, inner)),
            }
        }
        Self { dims }
    }

    /// How many dimensions there are.
    pub(super) fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The extents.
    pub(super) fn dims(&self) -> Dims {
        self.padded(1, |(extent, _)| *extent as u32)
    }

    /// The strides of the view at `index`, none of which is negative.
    pub(super) fn strides(&self, index: usize) -> Dims {
        self.padded(0, |(_, strides)| strides[index] as u32)
    }

    /// The strides of the view at `index`, which may be negative.
    pub(super) fn signed_strides(&self, index: usize) -> Strides {
        self.padded(0, |(_, strides)| strides[index] as i32)
    }

    fn padded<T: Copy>(&self, unused: T, value: impl Fn(&(usize, [isize; VIEWS])) -> T) -> [T; MAX_RANK] {
        let mut padded = [unused; MAX_RANK];
        let leading = MAX_RANK - self.dims.len();
        for (place, dim) in padded[leading..].iter_mut().zip(&self.dims) {
            *place = value(dim);
        }
        padded
    }
}

/// Elements of `shape` before `axis`, along it, and behind it.
pub(super) fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    let product = |extents: &[usize]| extents.iter().product();
    [product(&shape[..axis]), shape[axis], product(&shape[axis + 1..])]
}

/// Strides of a dense tensor, in elements.
pub(super) fn dense_strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// Strides with which a dense tensor of `shape` is broadcast to `rank` dimensions: 0 where it has
/// extent 1 or no such dimension.
pub(super) fn broadcast_strides(shape: &[usize], rank: usize) -> Vec<isize> {
    let mut strides = vec![0; rank - shape.len()];
    let dense = dense_strides(shape);
    strides.extend(shape.iter().zip(dense).map(|(&extent, stride)| if extent == 1 { 0 } else { stride }));
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_views_become_one_dimension() {
        let shape = [2, 3, 1, 4];
        let dense = dense_strides(&shape);
        assert_eq!(dense, [12, 4, 4, 1]);
        let views = Views::new(&shape, [&dense, &dense]);
        assert_eq!(views.dims(), [1, 1, 1, 1, 1, 24]);
        assert_eq!(views.strides(1), [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn broadcasting_keeps_the_dimensions_it_needs() {
        let shape = [2, 3, 4, 5];
        let channel = broadcast_strides(&[5], 4);
        let row = broadcast_strides(&[2, 1, 1, 5], 4);
        let views = Views::new(&shape, [&dense_strides(&shape), &channel, &row]);
        assert_eq!(views.dims(), [1, 1, 1, 2, 12, 5]);
        assert_eq!(views.strides(0), [0, 0, 0, 60, 5, 1]);
        assert_eq!(views.strides(1), [0, 0, 0, 0, 0, 1]);
        assert_eq!(views.strides(2), [0, 0, 0, 5, 0, 1]);
    }

    #[test]
    fn a_single_element_has_no_stride() {
        let views = Views::new(&[1, 1], [&[1, 1]]);
        assert_eq!(views.dims(), [1; 6]);
        assert_eq!(views.strides(0), [0; 6]);
    }
}
