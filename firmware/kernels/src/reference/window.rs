//! Where a window meets the image.

use edgepkg_format::plan::{Image, Window};

/// One axis of a window that slides over an image.
#[derive(Clone, Copy)]
struct Axis {
    image: u32,
    kernel: u32,
    stride: u32,
    dilation: u32,
    padding: u32,
}

/// The taps of an axis that lie inside the image at one position of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taps {
    /// The first one, counted in the kernel.
    pub(crate) start: u32,
    /// The one after the last; not below `start`.
    pub(crate) end: u32,
    /// Where the first one meets the image; 0 when there is none.
    pub(crate) position: u32,
    /// Pixels of the image from a tap to the next.
    pub(crate) dilation: u32,
}

impl Axis {
    fn rows(image: &Image, window: &Window) -> Self {
        Self {
            image: image.height,
            kernel: window.height,
            stride: window.stride_height,
            dilation: window.dilation_height,
            padding: window.pad_top,
        }
    }

    fn columns(image: &Image, window: &Window) -> Self {
        Self {
            image: image.width,
            kernel: window.width,
            stride: window.stride_width,
            dilation: window.dilation_width,
            padding: window.pad_left,
        }
    }

    #[inline]
    fn taps(&self, output: u32) -> Taps {
        let origin = output.wrapping_mul(self.stride);
        let outside = self.padding.saturating_sub(origin);
        let start = outside.div_ceil(self.dilation).min(self.kernel);
        let position = origin.wrapping_add(start.wrapping_mul(self.dilation)).wrapping_sub(self.padding);
        let inside = self.image.saturating_sub(position).div_ceil(self.dilation).min(self.kernel - start);
        let position = if inside == 0 { 0 } else { position };
        Taps { start, end: start + inside, position, dilation: self.dilation }
    }
}

impl Taps {
    pub(crate) fn count(&self) -> u32 {
        self.end - self.start
    }

    /// Where tap `tap` meets the image; `None` outside of it.
    #[inline]
    pub(crate) fn at(&self, tap: u32) -> Option<u32> {
        let inside = self.start <= tap && tap < self.end;
        inside.then(|| self.position + (tap - self.start) * self.dilation)
    }

    /// Positions in the image of the taps inside of it.
    #[inline]
    pub(crate) fn positions(&self) -> impl Iterator<Item = u32> {
        let Self { position, dilation, .. } = *self;
        (0..self.count()).map(move |tap| position + tap * dilation)
    }
}

/// The part of the image that one position of the output is computed from.
pub(crate) struct Patch<'a> {
    image: &'a Image,
    batch: u32,
    pub(crate) rows: Taps,
    pub(crate) columns: Taps,
}

impl Patch<'_> {
    /// Index in the image of the first channel at row `y` and column `x`.
    #[inline]
    pub(crate) fn index(&self, y: u32, x: u32) -> usize {
        (((self.batch * self.image.height + y) * self.image.width + x) * self.image.channels) as usize
    }

    /// Whether the window reaches outside of the image.
    #[inline]
    pub(crate) fn is_clipped(&self, window: &Window) -> bool {
        self.rows.count() != window.height || self.columns.count() != window.width
    }

    /// How many pixels are under the window.
    pub(crate) fn pixels(&self) -> u32 {
        self.rows.count().wrapping_mul(self.columns.count())
    }

    /// Calls `visit` with runs of pixels under the window that lie evenly: the index in the image of the first one's
    /// first channel, from there to the next one's, and how many there are.
    #[cfg(dsp)]
    #[inline(always)]
    pub(crate) fn for_each_run(&self, mut visit: impl FnMut(usize, usize, u32)) {
        let (rows, columns) = (self.rows.count(), self.columns.count());
        if rows == 0 || columns == 0 {
            return;
        }
        let is_dense = self.rows.dilation == 1 && self.columns.dilation == 1;
        let (runs, pixels) =
            if is_dense && columns == self.image.width { (1, self.pixels()) } else { (rows, columns) };
        for y in self.rows.positions().take(runs as usize) {
            let step = self.columns.dilation * self.image.channels;
            visit(self.index(y, self.columns.position), step as usize, pixels);
        }
    }

    /// Calls `visit` with the index in the image of the first channel of each pixel under the window.
    #[inline(always)]
    pub(crate) fn for_each_pixel(&self, mut visit: impl FnMut(usize)) {
        for y in self.rows.positions() {
            for x in self.columns.positions() {
                visit(self.index(y, x));
            }
        }
    }
}

/// Calls `visit` with each position's patch of `from` and its channels in `output`, an image `to`.
#[inline(always)]
pub(crate) fn for_each_patch<'a, T>(
    from: &Image,
    to: &Image,
    window: &Window,
    output: &'a [T],
    mut visit: impl FnMut(&Patch<'_>, &'a [T]),
) {
    let mut pixels = output.chunks_exact(to.channels as usize);
    let (vertical, horizontal) = (Axis::rows(from, window), Axis::columns(from, window));
    for batch in 0..to.batches {
        for y in 0..to.height {
            let rows = vertical.taps(y);
            for x in 0..to.width {
                let Some(pixel) = pixels.next() else { return };
                let columns = horizontal.taps(x);
                visit(&Patch { image: from, batch, rows, columns }, pixel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taps(
        image: u32,
        kernel: u32,
        stride: u32,
        dilation: u32,
        padding: u32,
        output: u32,
    ) -> (u32, u32, u32) {
        let taps = Axis { image, kernel, stride, dilation, padding }.taps(output);
        (taps.start, taps.end, taps.position)
    }

    #[test]
    fn taps_are_those_inside_the_image() {
        for image in 1..8 {
            for kernel in 1..6 {
                for stride in 0..4 {
                    for dilation in 1..4 {
                        for padding in 0..7 {
                            for output in 0..8 {
                                let axis = Axis { image, kernel, stride, dilation, padding };
                                let taps = axis.taps(output);
                                for tap in 0..kernel {
                                    let position =
                                        i64::from(output * stride + tap * dilation) - i64::from(padding);
                                    let inside = u32::try_from(position).ok().filter(|&p| p < image);
                                    assert_eq!(taps.at(tap), inside, "tap {tap} at {output} of {image}");
                                }
                                assert_eq!(taps.positions().count() as u32, taps.count());
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn extremes_leave_no_tap_outside() {
        let max = 1 << 15;
        assert_eq!(taps(1 << 28, max, max, max, max, 0), (1, 1 + (1 << 13), 0));
        assert_eq!(taps(1 << 28, max, max, max, max, max - 1).1, 0);
        assert_eq!(taps(1, max, 1, 1, max, 0), (max, max, 0));
        assert_eq!(taps(1, max, 1, 1, max, 1), (max - 1, max, 0));
    }
}
