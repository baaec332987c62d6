//! From sums to outputs, as assembly.
//!
//! r3 points at a channel's parameters. See [`PackedRounding`](edgepkg_format::plan::PackedRounding).

use edgepkg_format::plan::PackedRounding;

const _: () = assert!(PackedRounding::EVEN_LANE_SHIFT == 3 && PackedRounding::ODD_LANE_SHIFT == 11);

/// Multiplier, addend and shift of a channel rounded twice: takes those at r3 into r0, r1 and r2, and rescales the
/// sums in `$sum`, each of which is twice the channel's.
macro_rules! rescale_twice {
    ($($sum:literal),*) => {
        concat!(
            "ldm r3!, {{r0, r1, r2}}\n",
            $("smmulr ", $sum, ", ", $sum, ", r0\n",)*
            $("add ", $sum, ", ", $sum, ", ", $sum, ", asr #31\n",)*
            $("add ", $sum, ", ", $sum, ", r1\n",)*
            $("asr ", $sum, ", ", $sum, ", r2\n",)*
            $("ssat ", $sum, ", #8, ", $sum, "\n",)*
        )
    };
}

/// Two channels in lanes rounded twice: each `$high` holds `256 * odd + even`, its `$low` holds `even`. They come out as
/// the outputs of the odd and of the even one.
macro_rules! rescale_lanes_twice {
    ($(($high:literal, $low:literal)),*) => {
        concat!(
            $("sub ", $high, ", ", $high, ", ", $low, "\n",)*
            $("asr ", $high, ", ", $high, ", #7\n",)*
            $("lsl ", $low, ", ", $low, ", #1\n",)*
            rescale_twice!($($low),*),
            rescale_twice!($($high),*),
        )
    };
}

/// As [`rescale_lanes_twice`], fused. Takes two multipliers and addends into r0, r1, r2 and r12.
macro_rules! rescale_lanes_fused {
    ($(($high:literal, $low:literal)),*) => {
        concat!(
            $("sub ", $high, ", ", $high, ", ", $low, "\n",)*
            "ldm r3!, {{r0, r1, r2, r12}}\n",
            $("smmla ", $low, ", ", $low, ", r0, r1\n",)*
            $("smmla ", $high, ", ", $high, ", r2, r12\n",)*
            $("ssat ", $low, ", #8, ", $low, ", asr #3\n",)*
            $("ssat ", $high, ", #8, ", $high, ", asr #11\n",)*
        )
    };
}

pub(super) use {rescale_lanes_fused, rescale_lanes_twice, rescale_twice};
