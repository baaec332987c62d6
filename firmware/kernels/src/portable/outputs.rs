//! From sums to outputs, without branches on what a sum is: those are as good as random.

use core::cell::Cell;

use edgepkg_format::plan::{
    ChannelParameters, Clamp, Conv2d, DepthwiseConv2d, FullyConnected, Rounding, Scale,
};
use wide::{i16x8, i32x8};

use crate::fixed_point::multiply_by_scale;

/// Outputs that are clamped together.
pub(super) const LANES: usize = 8;

/// What all channels of a layer share.
#[derive(Clone, Copy)]
pub(super) struct Outputs {
    rounding: Rounding,
    zero_point: i32,
    clamp: Clamp,
}

impl Outputs {
    pub(super) fn new(rounding: Rounding, zero_point: i32, clamp: Clamp) -> Self {
        Self { rounding, zero_point, clamp }
    }

    /// What a sum, its bias included, is in the output's scale; not clamped yet.
    #[inline(always)]
    pub(super) fn scaled(&self, sum: i32, scale: Scale) -> i32 {
        multiply_by_scale(sum, scale, self.rounding).wrapping_add(self.zero_point)
    }

    /// The outputs for what [`scaled`](Self::scaled) gave.
    #[inline(always)]
    pub(super) fn clamped(&self, values: [i32; LANES]) -> [i8; LANES] {
        let Clamp { min, max } = self.clamp;
        let (Ok(least), Ok(greatest)) = (i8::try_from(min), i8::try_from(max)) else {
            return values.map(|value| value.max(min).min(max) as i8);
        };
        let [least, greatest] = [least, greatest].map(|end| i16x8::splat(end.into()));
        let values = i16x8::from_i32x8_saturate(i32x8::new(values));
        values.max(least).min(greatest).to_array().map(|value| value as i8)
    }

    /// Sets the outputs of neighbouring channels, to whose sums no bias is added yet.
    #[inline(always)]
    pub(super) fn set(&self, outputs: &[Cell<i8>], sums: &[i32], channels: &[u8]) {
        let mut parameters = ChannelParameters::table(channels);
        for (outputs, sums) in outputs.chunks(LANES).zip(sums.chunks(LANES)) {
            let mut values = [0; LANES];
            for ((value, &sum), parameters) in values.iter_mut().zip(sums).zip(&mut parameters) {
                *value = self.scaled(sum.wrapping_add(parameters.bias), parameters.scale);
            }
            for (output, value) in outputs.iter().zip(self.clamped(values)) {
                output.set(value);
            }
        }
    }
}

macro_rules! outputs_of {
    ($($record:ty),*) => {
        $(impl From<&$record> for Outputs {
            fn from(op: &$record) -> Self {
                Self::new(op.rounding, op.output_zero_point, op.clamp)
            }
        })*
    };
}

outputs_of!(Conv2d, DepthwiseConv2d, FullyConnected);
