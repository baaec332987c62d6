//! Two slopes that meet at the zero point.

use core::cell::Cell;

use edgepkg_format::plan::LeakyRelu16;

use crate::element::Element;
use crate::fixed_point::multiply_by_signed_scale;
use crate::view::View;

/// `(q - input_zero_point) * slope + output_zero_point`, clamped, the slope being `op.identity` from the zero point
/// up and `op.alpha` below it.
#[inline(never)]
pub fn leaky_relu_i16(op: &LeakyRelu16, input: View<'_, i16>, output: &[[Cell<i8>; 2]]) {
    input.for_each_with(output, |x, output| {
        let x = i32::from(x).wrapping_sub(op.input_zero_point);
        let value = multiply_by_signed_scale(x, if x >= 0 { op.identity } else { op.alpha });
        let value = value.wrapping_add(op.output_zero_point).max(op.clamp.min).min(op.clamp.max);
        i16::set(output, value as i16);
    });
}
