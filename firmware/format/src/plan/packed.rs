//! What packed records hold beyond their shapes: the layout of their streams and of their scratch.
//!
//! Counts saturate, so that a shape beyond every limit is refused and never wraps.

use super::{
    Image, PackedConv2d, PackedDepthwiseConv2d, PackedFullyConnected, PackedRounding, Traversal, Window,
};

/// A product, or the greatest number there is. In fewer instructions than `saturating_mul`.
#[inline(always)]
fn product(a: u32, b: u32) -> u32 {
    let product = u64::from(a) * u64::from(b);
    if product >> u32::BITS == 0 { product as u32 } else { u32::MAX }
}

impl PackedRounding {
    /// Bits that the fused product of the sum of an even channel of lanes is shifted by.
    pub const EVEN_LANE_SHIFT: u32 = 3;
    /// Those of an odd channel, whose sum comes 256 times as large.
    pub const ODD_LANE_SHIFT: u32 = Self::EVEN_LANE_SHIFT + 8;
    /// Those of a depthwise channel.
    pub const DEPTHWISE_SHIFT: u32 = 8;

    /// Words of a channel's parameters in lanes: multiplier, addend and, where it is not fixed, shift.
    fn lane_words(self) -> u32 {
        match self {
            PackedRounding::Twice => 3,
            PackedRounding::Fused => 2,
        }
    }

    /// Words of a depthwise channel's parameters: fused, its first sum is the addend as well.
    fn depthwise_words(self) -> u32 {
        match self {
            PackedRounding::Twice => 3,
            PackedRounding::Fused => 1,
        }
    }
}

impl PackedConv2d {
    /// Output channels of a block.
    pub const BLOCK_CHANNELS: u32 = 4;
    /// Pixels of the output that are computed together.
    pub const BLOCK_PIXELS: u32 = 2;

    /// Bytes under a row of the window.
    #[inline(always)]
    pub fn row_bytes(&self) -> u32 {
        product(self.window.width, self.input_image.channels)
    }

    /// Whether each of 3 rows of a window is some words and a byte, and the 3 bytes make a unit of their own.
    #[inline(always)]
    pub fn has_tails(&self) -> bool {
        self.window.height == 3 && self.row_bytes() > 4 && self.row_bytes() % 4 == 1
    }

    /// Units of 4 inputs in a row of the window; without tails, the last one may reach past the row.
    #[inline(always)]
    pub fn row_units(&self) -> u32 {
        if self.has_tails() { self.row_bytes() / 4 } else { self.row_bytes().div_ceil(4) }
    }

    /// Units of 4 inputs in a window.
    #[inline(always)]
    pub fn units(&self) -> u32 {
        product(self.window.height, self.row_units()).saturating_add(self.has_tails().into())
    }

    /// Words of a block's stream: 4 sums to begin with, the weights of 4 channels, their parameters.
    #[inline(always)]
    pub fn block_words(&self) -> u32 {
        let weights = product(self.units(), Self::BLOCK_CHANNELS);
        weights.saturating_add(Self::BLOCK_CHANNELS * (1 + self.rounding.lane_words()))
    }

    /// Words of the stream.
    #[inline(always)]
    pub fn stream_words(&self) -> u32 {
        product(self.output_image.channels.div_ceil(Self::BLOCK_CHANNELS), self.block_words())
    }

    /// Whether windows are pixels, so that images may be taken as a single row.
    #[inline]
    pub fn is_by_pixel(&self) -> bool {
        let Window { height, width, stride_height, stride_width, pad_top, pad_left, .. } = self.window;
        let (from, to) = (&self.input_image, &self.output_image);
        let images = [from.height, from.width, to.height, to.width];
        Self::are_windows_pixels(images, [height, width], [stride_height, stride_width], [pad_top, pad_left])
    }

    #[inline(always)]
    pub(super) const fn are_windows_pixels(
        [from_height, from_width, to_height, to_width]: [u32; 4],
        [height, width]: [u32; 2],
        [down, right]: [u32; 2],
        [pad_top, pad_left]: [u32; 2],
    ) -> bool {
        let is_one_tap = height == 1 && width == 1 && down == 1 && right == 1;
        is_one_tap && pad_top == 0 && pad_left == 0 && from_height == to_height && from_width == to_width
    }

    /// Whether pixels are whole words, so that every window is widened where it lies. Otherwise those at the
    /// image's edges are gathered first, byte by byte.
    #[inline(always)]
    pub fn reads_words(&self) -> bool {
        self.input_image.channels.is_multiple_of(4)
    }

    /// Words of a window's bytes where they are gathered, each row from a word on; 0 where they never are.
    #[inline(always)]
    pub fn gathered_words(&self) -> u32 {
        if self.reads_words() { 0 } else { product(self.window.height, self.row_bytes().div_ceil(4)) }
    }

    /// Words of the scratch: two windows widened to 16 bits, and before them, where one may have to be
    /// gathered, its bytes.
    #[inline(always)]
    pub fn scratch_words(&self) -> u32 {
        product(self.units(), 2 * Self::BLOCK_PIXELS).saturating_add(self.gathered_words())
    }
}

/// One direction of a plane: what is next to each other in the scratch, or what lies in rows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Pixels of the input.
    pub input: u32,
    /// Pixels of the output.
    pub output: u32,
    /// Pixels of padding before the first one.
    pub padding: u32,
    /// Taps of the window.
    pub taps: u32,
    /// Pixels the window moves by.
    pub stride: u32,
}

impl Axis {
    /// Pairs of pixels under the taps of two neighbouring outputs.
    #[inline(always)]
    fn tap_pairs(&self) -> u32 {
        self.taps.saturating_add(self.stride).div_ceil(2)
    }

    /// Pairs of pixels under the taps of all outputs.
    #[inline(always)]
    fn row_pairs(&self) -> u32 {
        let moves = self.output.div_ceil(2).saturating_sub(1);
        product(moves, self.stride).saturating_add(self.tap_pairs())
    }

    /// Pixels under the taps of `strip` outputs, or of all if they are fewer.
    #[inline(always)]
    fn strip_rows(&self, strip: u32) -> u32 {
        product(strip.min(self.output).saturating_sub(1), self.stride).saturating_add(self.taps)
    }
}

impl PackedDepthwiseConv2d {
    /// Channels that are widened together, and the fewest that an image may have.
    pub const GROUP_CHANNELS: u32 = 4;

    /// The most pairs of pixels in a row of the window as it covers two neighbouring outputs.
    pub const MOST_TAP_PAIRS: u32 = 8;

    /// Words of a channel's stream: the weights in pairs, the sum to begin with, its parameters.
    #[inline(always)]
    pub fn channel_words(&self) -> u32 {
        self.weight_words().saturating_add(1 + self.rounding.depthwise_words())
    }

    /// Words of a channel's weights.
    #[inline(always)]
    pub fn weight_words(&self) -> u32 {
        if self.is_3_by_3() { 6 } else { product(product(self.outer().taps, self.tap_pairs()), 2) }
    }

    /// Pairs of pixels in a row of the window as it covers two neighbouring outputs.
    #[inline(always)]
    pub fn tap_pairs(&self) -> u32 {
        self.inner().tap_pairs()
    }

    /// Whether the window is one of 3 by 3 that moves by 1 or by 2 in both directions, for which there is a
    /// stream of its own.
    #[inline(always)]
    pub fn is_3_by_3(&self) -> bool {
        let Window { height, width, stride_height, stride_width, .. } = self.window;
        Self::is_window_3_by_3([height, width], [stride_height, stride_width])
    }

    #[inline(always)]
    pub(super) const fn is_window_3_by_3([height, width]: [u32; 2], [down, right]: [u32; 2]) -> bool {
        height == 3 && width == 3 && down == right && down <= 2
    }

    #[inline(always)]
    fn rows(&self) -> Axis {
        Axis {
            input: self.input_image.height,
            output: self.output_image.height,
            padding: self.window.pad_top,
            taps: self.window.height,
            stride: self.window.stride_height,
        }
    }

    #[inline(always)]
    fn columns(&self) -> Axis {
        Axis {
            input: self.input_image.width,
            output: self.output_image.width,
            padding: self.window.pad_left,
            taps: self.window.width,
            stride: self.window.stride_width,
        }
    }

    /// The direction in which pixels are neighbours in the scratch.
    #[inline(always)]
    pub fn inner(&self) -> Axis {
        match self.traversal {
            Traversal::Rows => self.columns(),
            Traversal::Columns => self.rows(),
        }
    }

    /// The other one.
    #[inline(always)]
    pub fn outer(&self) -> Axis {
        match self.traversal {
            Traversal::Rows => self.rows(),
            Traversal::Columns => self.columns(),
        }
    }

    /// Pairs of padded pixels in a row of the scratch.
    #[inline]
    pub fn row_pairs(&self) -> u32 {
        self.inner().row_pairs()
    }

    /// Rows of the scratch.
    #[inline]
    pub fn scratch_rows(&self) -> u32 {
        self.outer().strip_rows(self.strip)
    }

    /// Words of the scratch: of each pair of pixels a word for each of 4 channels.
    #[inline(always)]
    pub fn scratch_words(&self) -> u32 {
        let words = |inner: Axis, outer: Axis| {
            product(product(outer.strip_rows(self.strip), inner.row_pairs()), Self::GROUP_CHANNELS)
        };
        match self.traversal {
            Traversal::Rows => words(self.columns(), self.rows()),
            Traversal::Columns => words(self.rows(), self.columns()),
        }
    }

    /// Words of the stream.
    #[inline(always)]
    pub fn stream_words(&self) -> u32 {
        product(self.input_image.channels, self.channel_words())
    }

    /// Whether the shapes are those that the record is for.
    #[inline(always)]
    pub(super) fn is_supported(&self) -> bool {
        let Window { dilation_height, dilation_width, .. } = self.window;
        let Image { batches, channels, .. } = self.input_image;
        (dilation_height, dilation_width) == (1, 1)
            && self.tap_pairs() <= Self::MOST_TAP_PAIRS
            && batches == self.output_image.batches
            && channels == self.output_image.channels
            && channels >= Self::GROUP_CHANNELS
            && self.strip != 0
    }
}

impl PackedFullyConnected {
    /// Output columns of a block.
    pub const BLOCK_COLUMNS: u32 = 8;

    /// Words of a block's stream: 8 sums to begin with, the weights of 8 columns, their parameters.
    #[inline(always)]
    pub fn block_words(&self) -> u32 {
        let weights = self.input_depth.saturating_mul(Self::BLOCK_COLUMNS / 4);
        weights.saturating_add(Self::BLOCK_COLUMNS * (1 + self.rounding.lane_words()))
    }

    /// Words of the stream.
    #[inline(always)]
    pub fn stream_words(&self) -> u32 {
        self.output_depth.div_ceil(Self::BLOCK_COLUMNS).saturating_mul(self.block_words())
    }
}
