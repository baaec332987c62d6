//! Paddings: the format knows `SAME` and `VALID`; all others become an operator before.

use crate::graph::Padding;
use crate::tflite_schema::padding;

/// A window that moves over an image: rows, then columns.
pub(super) struct Window {
    pub(super) image: [usize; 2],
    pub(super) positions: [usize; 2],
    pub(super) extents: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    pub(super) padding: Padding,
}

/// How a window's padding is written.
pub(super) enum Scheme {
    /// One of the format's, by its code.
    Named(i8),
    /// Elements around the image, as far as the window reads them; the scheme is `VALID` then.
    Explicit(Padding),
}

impl Window {
    /// How the padding is written.
    pub(super) fn scheme(&self) -> Scheme {
        let Padding { top, left, .. } = self.padding;
        let [(needed_above, after_rows), (needed_left, after_columns)] =
            [self.around(0, top), self.around(1, left)];
        let is_same = |axis: usize| self.positions[axis] == self.image[axis].div_ceil(self.stride[axis]);
        if top == 0 && left == 0 && after_rows == 0 && after_columns == 0 {
            Scheme::Named(padding::VALID)
        } else if is_same(0) && is_same(1) && needed_above == top && needed_left == left {
            Scheme::Named(padding::SAME)
        } else {
            Scheme::Explicit(Padding { top, left, bottom: after_rows, right: after_columns })
        }
    }

    /// Elements that `SAME` has before the image along `axis`, and those after it that windows reach when
    /// there are `before` before it.
    fn around(&self, axis: usize, before: usize) -> (usize, usize) {
        let reach = (self.extents[axis] - 1) * self.dilation[axis] + 1;
        let spanned = (self.positions[axis] - 1) * self.stride[axis] + reach;
        let same = spanned.saturating_sub(self.image[axis]);
        (same / 2, spanned.saturating_sub(self.image[axis] + before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(image: usize, extent: usize, stride: usize, before: usize, after: usize) -> Scheme {
        let positions = (image + before + after - extent) / stride + 1;
        Window {
            image: [image; 2],
            positions: [positions; 2],
            extents: [extent; 2],
            stride: [stride; 2],
            dilation: [1; 2],
            padding: Padding { top: before, left: before, bottom: after, right: after },
        }
        .scheme()
    }

    #[test]
    fn the_formats_own_paddings_are_named() {
        assert!(matches!(scheme(8, 3, 1, 0, 0), Scheme::Named(padding::VALID)));
        assert!(matches!(scheme(8, 3, 1, 1, 1), Scheme::Named(padding::SAME)));
        assert!(matches!(scheme(8, 3, 2, 0, 1), Scheme::Named(padding::SAME)));
        assert!(matches!(scheme(7, 3, 2, 1, 1), Scheme::Named(padding::SAME)));
    }

    #[test]
    fn padding_that_no_window_reaches_is_none() {
        assert!(matches!(scheme(7, 3, 2, 0, 1), Scheme::Named(padding::VALID)));
    }

    #[test]
    fn all_others_are_explicit() {
        let Scheme::Explicit(padding) = scheme(8, 3, 2, 1, 1) else { panic!("not SAME's") };
        assert_eq!(padding, Padding { top: 1, left: 1, bottom: 0, right: 0 });
        assert!(matches!(scheme(8, 3, 1, 2, 2), Scheme::Explicit(_)));
    }
}
