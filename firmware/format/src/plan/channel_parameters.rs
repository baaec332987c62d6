//! Tables of what layers with weights hold for each output channel.

use super::Scale;
use super::field::{Field, WordReader, WordWriter};
use crate::tensor::TensorRef;

structure! {
    /// What a convolution or a fully connected layer holds for each output channel, in the constant
    /// section: 12 bytes, one after the other.
    ChannelParameters {
        /// Bias in the accumulator's scale, with `-input_zero_point * sum of weights` folded in,
        /// wrapping.
        bias: i32,
        /// `input scale * weight scale` in the output's.
        scale: Scale,
    }
}

impl ChannelParameters {
    /// Bytes of one entry.
    pub const BYTES: usize = 4 * <Self as Field>::WORDS;

    /// The entries of a table; a shorter rest at the end is left out.
    pub fn table(bytes: &[u8]) -> impl ExactSizeIterator<Item = Self> + '_ {
        let (entries, _) = bytes.as_chunks::<{ Self::BYTES }>();
        entries.iter().map(|entry| {
            let word = |i: usize| i32::from_le_bytes([entry[i], entry[i + 1], entry[i + 2], entry[i + 3]]);
            Self { bias: word(0), scale: Scale { multiplier: word(4), shift: word(8) } }
        })
    }

    /// The entry's bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        self.write(&mut WordWriter::new(&mut bytes));
        bytes
    }
}

/// What [`Conv2d16`](super::Conv2d16) holds for each output channel, in the constant section: 16 bytes, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideChannelParameters {
    /// Bias in the accumulator's scale, zero points folded in.
    pub bias: i64,
    /// `input scale * weight scale` in the output's.
    pub scale: Scale,
}

impl WideChannelParameters {
    /// Bytes of one entry.
    pub const BYTES: usize = 16;

    /// The entries of a table; a shorter rest at the end is left out.
    pub fn table(bytes: &[u8]) -> impl ExactSizeIterator<Item = Self> + '_ {
        let (entries, _) = bytes.as_chunks::<{ Self::BYTES }>();
        entries.iter().map(|entry| {
            let word = |i: usize| u32::from_le_bytes([entry[i], entry[i + 1], entry[i + 2], entry[i + 3]]);
            Self {
                bias: (u64::from(word(0)) | u64::from(word(4)) << 32) as i64,
                scale: Scale { multiplier: word(8) as i32, shift: word(12) as i32 },
            }
        })
    }

    /// The entry's bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.bias.to_le_bytes());
        self.scale.write(&mut WordWriter::new(&mut bytes[8..]));
        bytes
    }
}
