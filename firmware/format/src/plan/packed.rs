//! What packed records hold beyond their shapes: the layout of their streams and of their scratch.
//!
//! Counts saturate, so that a shape beyond every limit is refused and never wraps.

use super::{Image, PackedConv2d, PackedDepthwiseConv2d, PackedFullyConnected, Traversal, Window};

/// Multiplier, addend and shift of a channel, in words.
const PARAMETER_WORDS: u32 = 3;

impl PackedConv2d {
    /// Output channels of a block.
    pub const BLOCK_CHANNELS: u32 = 4;
    /// Pixels of the output that are computed together.
    pub const BLOCK_PIXELS: u32 = 2;

    /// Inputs under a row of the window, in units of 4; the last one may reach past the row.
    #[inline]
    pub fn row_units(&self) -> u32 {
        self.window.width.saturating_mul(self.input_image.channels).div_ceil(4)
    }

    /// Inputs of a window, in units of 4.
    #[inline]
    pub fn units(&self) -> u32 {
        self.window.height.saturating_mul(self.row_units())
    }

    /// Words of a block's stream: 4 sums to begin with, the weights of 4 channels, their parameters.
    #[inline]
    pub fn block_words(&self) -> u32 {
        let weights = self.units().saturating_mul(Self::BLOCK_CHANNELS);
        weights.saturating_add(Self::BLOCK_CHANNELS * (1 + PARAMETER_WORDS))
    }

    /// Words of the stream.
    #[inline]
    pub fn stream_words(&self) -> u32 {
        self.output_image.channels.div_ceil(Self::BLOCK_CHANNELS).saturating_mul(self.block_words())
    }

    /// Whether pixels are whole words, so that every window is widened where it lies. Otherwise those at the
    /// image's edges are gathered first, byte by byte.
    #[inline]
    pub fn reads_words(&self) -> bool {
        self.input_image.channels.is_multiple_of(4)
    }

    /// Words of the scratch: two windows widened to 16 bits, and before them, where one may have to be
    /// gathered, its bytes.
    #[inline]
    pub fn scratch_words(&self) -> u32 {
        let gathered = if self.reads_words() { 0 } else { 1 };
        self.units().saturating_mul(2 * Self::BLOCK_PIXELS + gathered)
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
}

impl PackedDepthwiseConv2d {
    /// Channels that are widened together, and the fewest that an image may have.
    pub const GROUP_CHANNELS: u32 = 4;
    /// Words of a channel's stream: 9 weights in 6 words of pairs, the sum to begin with, its parameters.
    pub const CHANNEL_WORDS: u32 = 6 + 1 + PARAMETER_WORDS;

    /// Pixels the window moves by, in both directions.
    #[inline]
    pub fn stride(&self) -> u32 {
        self.window.stride_height
    }

    fn rows(&self) -> Axis {
        Axis {
            input: self.input_image.height,
            output: self.output_image.height,
            padding: self.window.pad_top,
        }
    }

    fn columns(&self) -> Axis {
        Axis { input: self.input_image.width, output: self.output_image.width, padding: self.window.pad_left }
    }

    /// The direction in which pixels are neighbours in the scratch.
    #[inline]
    pub fn inner(&self) -> Axis {
        match self.traversal {
            Traversal::Rows => self.columns(),
            Traversal::Columns => self.rows(),
        }
    }

    /// The other one.
    #[inline]
    pub fn outer(&self) -> Axis {
        match self.traversal {
            Traversal::Rows => self.rows(),
            Traversal::Columns => self.columns(),
        }
    }

    /// Pairs of padded pixels in a row of the scratch.
    #[inline]
    pub fn row_pairs(&self) -> u32 {
        let pairs = self.inner().output.div_ceil(2);
        if self.stride() == 1 { pairs.saturating_add(1) } else { pairs.saturating_mul(2).saturating_add(1) }
    }

    /// Rows of the scratch.
    #[inline]
    pub fn scratch_rows(&self) -> u32 {
        let rows = self.strip.min(self.outer().output);
        rows.saturating_sub(1).saturating_mul(self.stride()).saturating_add(3)
    }

    /// Words of the scratch: of each pair of pixels a word for each of 4 channels.
    #[inline]
    pub fn scratch_words(&self) -> u32 {
        self.scratch_rows().saturating_mul(self.row_pairs()).saturating_mul(Self::GROUP_CHANNELS)
    }

    /// Words of the stream.
    #[inline]
    pub fn stream_words(&self) -> u32 {
        self.input_image.channels.saturating_mul(Self::CHANNEL_WORDS)
    }

    /// Whether the shapes are those that the record is for.
    pub(super) fn is_supported(&self) -> bool {
        let Window { height, width, stride_height, stride_width, dilation_height, dilation_width, .. } =
            self.window;
        let Image { batches, channels, .. } = self.input_image;
        (height, width, dilation_height, dilation_width) == (3, 3, 1, 1)
            && stride_height == stride_width
            && stride_height <= 2
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
    #[inline]
    pub fn block_words(&self) -> u32 {
        let weights = self.input_depth.saturating_mul(Self::BLOCK_COLUMNS / 4);
        weights.saturating_add(Self::BLOCK_COLUMNS * (1 + PARAMETER_WORDS))
    }

    /// Words of the stream.
    #[inline]
    pub fn stream_words(&self) -> u32 {
        self.output_depth.div_ceil(Self::BLOCK_COLUMNS).saturating_mul(self.block_words())
    }
}
