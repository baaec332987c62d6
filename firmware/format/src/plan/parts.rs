//! Fields of several words.

use super::field::{Field, WordReader, WordWriter};
use crate::tensor::{MAX_RANK, TensorRef};

/// Bytes before a record's fields.
pub const RECORD_HEADER_BYTES: usize = 8;

/// Extents, or strides in bytes, of up to [`MAX_RANK`] dimensions, outermost first. Unused leading
/// dimensions have extent 1 and stride 0.
pub type Dims = [u32; MAX_RANK];
/// Strides of up to [`MAX_RANK`] dimensions, outermost first. They may be negative.
pub type Strides = [i32; MAX_RANK];

structure! {
    /// A batch of images, NHWC.
    Image {
        /// Images.
        batches: u32,
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
        /// Channels, innermost.
        channels: u32,
    }
}

structure! {
    /// A window that slides over an image. Padding below and to the right follows from the output.
    Window {
        /// Rows of the kernel.
        height: u32,
        /// Columns of the kernel.
        width: u32,
        /// Rows the window moves by.
        stride_height: u32,
        /// Columns the window moves by.
        stride_width: u32,
        /// Rows between taps; 1 is dense.
        dilation_height: u32,
        /// Columns between taps; 1 is dense.
        dilation_width: u32,
        /// Rows of padding above the image.
        pad_top: u32,
        /// Columns of padding left of the image.
        pad_left: u32,
    }
}

structure! {
    /// A fixed-point factor `multiplier * 2^(shift - 31)`: `multiplier` is 0 or in `[2^30, 2^31)`
    /// (a mean's, which its count divides, from `2^29` on), a positive `shift` is to the left.
    Scale {
        /// The mantissa, Q31.
        multiplier: i32,
        /// The exponent, -31 to 30.
        shift: i32,
    }
}

structure! {
    /// The range an output is clamped to, inclusive.
    Clamp {
        /// Least value.
        min: i32,
        /// Greatest value.
        max: i32,
    }
}

structure! {
    /// The scales of a gate's two sums, in steps of `2^-12`.
    GateScales {
        /// Of the input's.
        input: Scale,
        /// Of the hidden state's.
        hidden: Scale,
    }
}
