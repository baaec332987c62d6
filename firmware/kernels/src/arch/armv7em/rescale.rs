//! From sums to outputs, as assembly.
//!
//! r3 points at a channel's multiplier `m`, addend `c` and shift `s`. A register holds twice the sum;
//! `smmulr` gives the rounded upper word of its product with `m`, `smmul` the plain one. See
//! [`PackedRounding`](edgepkg_format::plan::PackedRounding).

/// Twice each sum of two channels in lanes: `high` holds `256 * odd + even`, `low` holds `even`.
macro_rules! sums_of_lanes {
    ($high:literal, $low:literal) => {
        concat!(
            "sub ", $high, ", ", $high, ", ", $low, "\n", "asr ", $high, ", ", $high, ", #7\n", "lsl ", $low,
            ", ", $low, ", #1\n",
        )
    };
}

/// Rescales the sums in `$sum` and stores each at its pointer, which moves on by a byte. Takes the parameters
/// at r3 into r0, r1 and r2.
macro_rules! rescale_and_store {
    ($multiply:literal, $adjust:literal, $(($sum:literal, $pointer:literal)),*) => {
        concat!(
            "ldm r3!, {{r0, r1, r2}}\n",
            $($multiply, " ", $sum, ", ", $sum, ", r0\n",)*
            ".if ", $adjust, "\n",
            $("add ", $sum, ", ", $sum, ", ", $sum, ", asr #31\n",)*
            ".endif\n",
            $("add ", $sum, ", ", $sum, ", r1\n",)*
            $("asr ", $sum, ", ", $sum, ", r2\n",)*
            $("ssat ", $sum, ", #8, ", $sum, "\n",)*
            $("strb ", $sum, ", [", $pointer, "], #1\n",)*
        )
    };
}

pub(super) use {rescale_and_store, sums_of_lanes};
