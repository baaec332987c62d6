//! The logistic function and the hyperbolic tangent of int16.

use core::cell::Cell;

use edgepkg_format::plan::{Sigmoid, Sigmoid16};

use crate::element::Element;
use crate::view::View;

/// `table`: the logistic function of 0, 1/24 and so on, 256 values of 16 bits, unsigned.
#[inline(never)]
pub fn sigmoid_i16(op: &Sigmoid16, input: View<'_, i16>, table: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    input.for_each_with(output, |x, output| {
        let x = in_steps(x.into(), op.multiplier, op.shift);
        i16::set(output, sigmoid(op.function, table, x));
    });
}

/// `x * multiplier / 2^shift`, halves up.
#[inline]
pub(super) fn in_steps(x: i32, multiplier: i32, shift: u32) -> i32 {
    let half = if shift == 0 { 0 } else { 1i32.wrapping_shl(shift.wrapping_sub(1)) };
    x.wrapping_mul(multiplier).wrapping_add(half).wrapping_shr(shift)
}

/// The function of `x`, which is in steps of `1 / (3 * 2^12)`, in steps of `2^-15`.
#[inline(never)]
pub(super) fn sigmoid(function: Sigmoid, table: View<'_, i16>, x: i32) -> i16 {
    // Of twice the magnitude the logistic function is half of the tangent and a half.
    let (bits, step) = match function {
        Sigmoid::Logistic => (9, 10),
        Sigmoid::Tanh => (8, 8),
    };
    let magnitude = x.unsigned_abs();
    let index = magnitude >> bits;
    let point = |index: u32| i32::from(table.get(index as usize) as u16);
    let of_magnitude = match (index, function) {
        (255.., Sigmoid::Logistic) => 0x7fff << 10,
        (255.., Sigmoid::Tanh) => 0xffff << 8,
        _ => {
            let rest = (magnitude & ((1 << bits) - 1)) as i32;
            (point(index) << bits) + rest * (point(index + 1) - point(index))
        }
    };
    let half = 1 << (step - 1);
    let value = match function {
        Sigmoid::Logistic if x >= 0 => of_magnitude + half,
        Sigmoid::Logistic => (1 << 25) - of_magnitude + half - 1,
        Sigmoid::Tanh if x >= 0 => of_magnitude - (1 << 23) + half,
        Sigmoid::Tanh => (1 << 23) - of_magnitude + half - 1,
    };
    (value >> step) as i16
}
