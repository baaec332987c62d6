//! The same reals in another scale, zero point or width.

use core::cell::Cell;

use edgepkg_format::DType;
use edgepkg_format::plan::{Clamp, Requantize};

use crate::fixed_point;
use crate::view::{View, element, set_element};

/// `(q - input_zero_point) * scale + output_zero_point`, clamped to the output's type. `input` and
/// `output`: `op.length` elements of int8 or int16.
#[inline(never)]
pub fn requantize(op: &Requantize, input: View<'_>, output: &[Cell<i8>]) {
    let clamp = match op.output.dtype {
        DType::Int16 => Clamp { min: i16::MIN.into(), max: i16::MAX.into() },
        _ => Clamp { min: i8::MIN.into(), max: i8::MAX.into() },
    };
    for index in 0..op.length as usize {
        let x = element(input, op.input.dtype, index).wrapping_sub(op.input_zero_point);
        let value = fixed_point::requantize(x, op.scale, op.rounding, op.output_zero_point, clamp);
        set_element(output, op.output.dtype, index, value);
    }
}
