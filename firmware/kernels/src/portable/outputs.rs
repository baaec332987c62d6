//! From sums to outputs.

use core::cell::Cell;

use edgepkg_format::plan::{ChannelParameters, Clamp, Conv2d, DepthwiseConv2d, FullyConnected, Rounding};

use crate::fixed_point::requantize;

/// What all channels of a layer share.
#[derive(Clone, Copy)]
pub(super) struct Outputs {
    rounding: Rounding,
    zero_point: i32,
    clamp: Clamp,
}

impl Outputs {
    /// The output of a channel with these parameters for `sum`, to which no bias is added yet.
    #[inline(always)]
    pub(super) fn value(&self, sum: i32, parameters: &ChannelParameters) -> i8 {
        let sum = sum.wrapping_add(parameters.bias);
        requantize(sum, parameters.scale, self.rounding, self.zero_point, self.clamp) as i8
    }

    /// Sets the outputs of neighbouring channels.
    #[inline(always)]
    pub(super) fn set(&self, outputs: &[Cell<i8>], sums: &[i32], channels: &[u8]) {
        let parameters = ChannelParameters::table(channels);
        for ((output, &sum), parameters) in outputs.iter().zip(sums).zip(parameters) {
            output.set(self.value(sum, &parameters));
        }
    }
}

macro_rules! outputs_of {
    ($($record:ty),*) => {
        $(impl From<&$record> for Outputs {
            fn from(op: &$record) -> Self {
                Self { rounding: op.rounding, zero_point: op.output_zero_point, clamp: op.clamp }
            }
        })*
    };
}

outputs_of!(Conv2d, DepthwiseConv2d, FullyConnected);
