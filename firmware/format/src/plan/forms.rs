//! The loops by which packed records are computed.

use super::{OperatorKind, PackedConv2d, PackedDepthwiseConv2d, PackedRounding, Record};

/// A set of loops, each for some records of a packed kind. A program that links the operators of one model links of these,
/// too, only what its records take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forms(u32);

impl Forms {
    /// None of them: what records of other kinds take.
    pub const NONE: Self = Self(0);
    /// Every one.
    pub const ALL: Self = Self(0xfff);

    /// Of [`PackedConv2d`](super::PackedConv2d).
    pub const fn of_conv2d(rounding: PackedRounding) -> Self {
        Self(1 << rounding as u32)
    }

    /// Of [`PackedConv2d`](super::PackedConv2d): windows over an edge, of pixels that are whole words.
    pub const EDGES_OF_WORDS: Self = Self(1 << 10);
    /// Of [`PackedConv2d`](super::PackedConv2d): windows over an edge, of other pixels.
    pub const EDGES_OF_BYTES: Self = Self(1 << 11);

    /// What [`PackedConv2d`](super::PackedConv2d) takes for windows over the image's edges.
    const fn of_edges(channels: u32, by_pixel: bool) -> Self {
        match (channels % 4, by_pixel) {
            (0, true) => Self::NONE,
            (0, false) => Self::EDGES_OF_WORDS,
            _ => Self::EDGES_OF_BYTES,
        }
    }

    /// Of [`PackedFullyConnected`](super::PackedFullyConnected).
    pub const fn of_fully_connected(rounding: PackedRounding) -> Self {
        Self(1 << (2 + rounding as u32))
    }

    /// Of [`PackedDepthwiseConv2d`] with a window of these extents, which moves by these strides.
    pub const fn of_depthwise_conv2d(extents: [u32; 2], strides: [u32; 2], rounding: PackedRounding) -> Self {
        let first = match (PackedDepthwiseConv2d::is_window_3_by_3(extents, strides), strides[1]) {
            (true, 1) => 4,
            (true, _) => 6,
            (false, _) => 8,
        };
        Self(1 << (first + rounding as u32))
    }

    /// Those of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in it.
    pub const fn contain(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// What a record takes, from its fields as they stand in the plan, in constants. None where they are too short.
    pub(crate) const fn of_fields(code: u16, fields: &[u8]) -> Self {
        const CONV2D: u16 = OperatorKind::PackedConv2d as u16;
        const DEPTHWISE_CONV2D: u16 = OperatorKind::PackedDepthwiseConv2d as u16;
        const FULLY_CONNECTED: u16 = OperatorKind::PackedFullyConnected as u16;
        match code {
            // Tensors, images, window, zero point; then the rounding.
            CONV2D => {
                let images = [word(fields, 9), word(fields, 10), word(fields, 13), word(fields, 14)];
                let extents = [word(fields, 16), word(fields, 17)];
                let strides = [word(fields, 18), word(fields, 19)];
                let padding = [word(fields, 22), word(fields, 23)];
                let by_pixel = PackedConv2d::are_windows_pixels(images, extents, strides, padding);
                Self::of_conv2d(rounding(word(fields, 25))).or(Self::of_edges(word(fields, 11), by_pixel))
            }
            DEPTHWISE_CONV2D => Self::of_depthwise_conv2d(
                [word(fields, 16), word(fields, 17)],
                [word(fields, 18), word(fields, 19)],
                rounding(word(fields, 25)),
            ),
            // Tensors, rows, depths; then the rounding.
            FULLY_CONNECTED => Self::of_fully_connected(rounding(word(fields, 9))),
            _ => Self::NONE,
        }
    }
}

/// 0 past the end: `parse` refuses such a record.
const fn word(fields: &[u8], index: usize) -> u32 {
    if fields.len() < 4 * index + 4 { 0 } else { crate::artifact::u32_at(fields, 4 * index) }
}

const fn rounding(word: u32) -> PackedRounding {
    match word {
        0 => PackedRounding::Twice,
        _ => PackedRounding::Fused,
    }
}

impl Record {
    /// The loops that it takes.
    pub fn forms(&self) -> Forms {
        match self {
            Record::PackedConv2d(op) => {
                let edges = Forms::of_edges(op.input_image.channels, op.is_by_pixel());
                Forms::of_conv2d(op.rounding).or(edges)
            }
            Record::PackedDepthwiseConv2d(op) => {
                let window = &op.window;
                Forms::of_depthwise_conv2d(
                    [window.height, window.width],
                    [window.stride_height, window.stride_width],
                    op.rounding,
                )
            }
            Record::PackedFullyConnected(op) => Forms::of_fully_connected(op.rounding),
            _ => Forms::NONE,
        }
    }
}
