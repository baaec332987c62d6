//! Sum of two tensors of one shape, 4 elements at a time.

use core::arch::naked_asm;
use core::cell::Cell;

use edgepkg_format::plan::{Add, Rounding, Scale};

use super::{clamp_in_place, first_byte};
use crate::overlap::is_dense;
use crate::reference;
use crate::view::View;

/// Whole words of both inputs, and how they become outputs.
///
/// `plain` counts in half steps of the common scale: its scale there is 1/2, as that of the input with the greater
/// scale is. The other one is rescaled.
#[repr(C)]
struct Words {
    plain: *const i8,
    rescaled: *const i8,
    output: *mut i8,
    output_end: *mut i8,
    /// Zero point of `rescaled`, shifted as its elements are.
    rescaled_zero_point: i32,
    rescaled_multiplier: i32,
    rescaled_shift: u32,
    /// Zero point of `plain`, shifted as its elements are, twice.
    plain_zero_point: i32,
    output_multiplier: i32,
    output_shift: u32,
    output_zero_point: i32,
}

/// Halves are rounded by the carry: the last bit that a shift to the right has put out.
macro_rules! add_words {
    ($name:ident, $multiply:literal, $adjust:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(words: *const Words) {
            naked_asm!(
                with_dsp!(),
                "push {{r4-r11, lr}}",
                "sub sp, #4",
                "mov lr, r0",
                "ldm lr!, {{r0, r1, r2, r3}}",
                "str r3, [sp]",
                "ldm lr, {{r5-r11}}",
                "1:",
                "ldr r3, [r0], #4",
                "ldr r4, [r1], #4",
                add_element!($multiply, $adjust, "0"),
                add_element!($multiply, $adjust, "8"),
                add_element!($multiply, $adjust, "16"),
                add_element!($multiply, $adjust, "24"),
                "ldr lr, [sp]",
                "cmp r2, lr",
                "bne 1b",
                "add sp, #4",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

macro_rules! add_element {
    ($multiply:literal, $adjust:literal, $bit:literal) => {
        concat!(
            "sxtb r12, r3, ror #",
            $bit,
            "\n",
            "sxtb lr, r4, ror #",
            $bit,
            "\n",
            "rsb lr, r5, lr, lsl #21\n",
            $multiply,
            " lr, lr, r6\n",
            ".if ",
            $adjust,
            "\n add lr, lr, lr, asr #31\n.endif\n",
            "asrs lr, lr, r7\n",
            "adc lr, lr, r12, lsl #19\n",
            "rsb lr, r8, lr, lsl #1\n",
            $multiply,
            " lr, lr, r9\n",
            ".if ",
            $adjust,
            "\n add lr, lr, lr, asr #31\n.endif\n",
            "asrs lr, lr, r10\n",
            "adc lr, lr, r11\n",
            "ssat lr, #8, lr\n",
            "strb lr, [r2], #1\n",
        )
    };
}

add_words!(add_words_twice, "smmulr", "1");
add_words!(add_words_once, "smmul", "0");

/// A scale of 1/2.
const HALF: Scale = Scale { multiplier: 1 << 30, shift: 0 };

/// Shapes as those of [`reference::elementwise::add_i8`], which computes what is not a sum of two tensors of one
/// shape whose common scale is the greater one's.
pub fn add_i8(op: &Add, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    if !add_residual(op, a, b, output) {
        reference::elementwise::add_i8(op, a, b, output);
    }
}

/// Computes `op` where its shapes and scales are those that residual sums have; otherwise it does nothing.
/// Tells which.
#[inline(never)]
fn add_residual(op: &Add, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) -> bool {
    let is_dense = is_dense(&op.dims, &op.a_strides) && is_dense(&op.dims, &op.b_strides);
    let (plain, rescaled) = if op.a_scale == HALF {
        ((a, op.a_zero_point), (b, op.b_zero_point, op.b_scale))
    } else {
        ((b, op.b_zero_point), (a, op.a_zero_point, op.a_scale))
    };
    let is_in = |scale: Scale, range: core::ops::RangeInclusive<i32>| {
        range.contains(&scale.shift) && scale.multiplier >= 0
    };
    let are_scales_supported = (op.a_scale == HALF || op.b_scale == HALF)
        && is_in(rescaled.2, -31..=-1)
        && is_in(op.output_scale, -31..=-1);
    let are_int8 = |zero_point: i32| i8::try_from(zero_point).is_ok();
    let are_zero_points = are_int8(plain.1) && are_int8(rescaled.1) && are_int8(op.output_zero_point);
    let is_whole = output.len().is_multiple_of(4) && !output.is_empty();
    if !(is_dense && is_whole && op.left_shift == 20 && are_scales_supported && are_zero_points) {
        return false;
    }
    let output_pointer = output.as_ptr().cast::<i8>().cast_mut();
    let words = Words {
        plain: first_byte(plain.0),
        rescaled: first_byte(rescaled.0),
        output: output_pointer,
        output_end: output_pointer.wrapping_add(output.len()),
        rescaled_zero_point: rescaled.1 << 21,
        rescaled_multiplier: rescaled.2.multiplier,
        rescaled_shift: rescaled.2.shift.unsigned_abs(),
        plain_zero_point: plain.1 << 20,
        output_multiplier: op.output_scale.multiplier,
        output_shift: op.output_scale.shift.unsigned_abs(),
        output_zero_point: op.output_zero_point,
    };
    // SAFETY: both inputs are as long as the output, whole words that are not 0.
    unsafe {
        match op.rounding {
            Rounding::Once => add_words_once(&words),
            Rounding::Twice => add_words_twice(&words),
        }
    }
    clamp_in_place(output, op.clamp);
    true
}
