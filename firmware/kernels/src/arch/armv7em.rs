//! Arm's DSP extension, which multiplies pairs of 16-bit values: Armv7E-M (Cortex-M4 and M7) has it, and Armv8-M Mainline
//! as an option (Cortex-M33).
//!
//! The loops are assembly, since stable Rust has no intrinsics for these instructions. What calls them
//! computes every address from a record's shapes, whose regions `Record::operands` has found inside their
//! spaces; the streams' layouts are in FORMAT.md.

/// The first line of each of them: LLVM parses a module's assembly once more when it links it, as for the target's least
/// core, which has no DSP extension in Armv8-M.
#[cfg(isa = "armv8m.main+dsp")]
macro_rules! with_dsp {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(not(isa = "armv8m.main+dsp"))]
macro_rules! with_dsp {
    () => {
        ""
    };
}

mod add;
mod average_pool2d;
mod conv2d;
mod depthwise_conv2d;
mod fully_connected;
mod rescale;
mod widen;

pub use add::add_i8;
pub use average_pool2d::average_pool2d_i8;
pub use conv2d::packed_conv2d_i8;
pub use depthwise_conv2d::packed_depthwise_conv2d_i8;
pub use fully_connected::packed_fully_connected_i8;

use core::cell::Cell;

use edgepkg_format::plan::Clamp;

use crate::view::View;

/// The first byte of an input.
fn first_byte(view: View<'_>) -> *const i8 {
    match view {
        View::Arena(cells) => cells.as_ptr().cast(),
        View::Const(bytes) => bytes.as_ptr(),
    }
}

/// Limits outputs that were saturated to int8 to a narrower range.
fn clamp_in_place(output: &[Cell<i8>], clamp: Clamp) {
    if clamp.min <= i8::MIN.into() && clamp.max >= i8::MAX.into() {
        return;
    }
    for cell in output {
        let value = i32::from(cell.get());
        cell.set(value.max(clamp.min).min(clamp.max) as i8);
    }
}
