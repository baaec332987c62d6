//! Quotients of two tensors, with broadcasting.

use core::cell::Cell;

use edgepkg_format::plan::Mul;

use super::elementwise::combine;
use crate::fixed_point::{
    one_over_one_plus, rounding_divide_by_power_of_two, saturating_rounding_doubling_high_multiply,
};
use crate::view::View;

/// `a / b` in the output's scale; a divisor of 0 counts as 1. `a` and `b` are laid out by `op`'s strides; `output`: dense,
/// `op.dims`.
#[inline(never)]
pub fn div_i8(op: &Mul, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    combine(&op.dims, [&op.a_strides, &op.b_strides], [a, b], output, |a, b| {
        let (mut x, mut y) = (a.wrapping_sub(op.a_zero_point), b.wrapping_sub(op.b_zero_point));
        if y < 0 {
            (x, y) = (x.wrapping_neg(), y.wrapping_neg());
        }
        // The divisor's inverse in 31 bits, and the dividend in as many as it has room for.
        let divisor = (y as u32).max(1);
        let leading = divisor.leading_zeros();
        let inverse = one_over_one_plus((divisor << leading).wrapping_sub(1 << 31) as i32);
        let sign_bits = (x ^ (x >> 31)).leading_zeros() - 1;
        let quotient = saturating_rounding_doubling_high_multiply(x << sign_bits, inverse);
        let scaled = saturating_rounding_doubling_high_multiply(quotient, op.output_scale.multiplier);
        let exponent = ((31 - leading + sign_bits) as i32).wrapping_sub(op.output_scale.shift);
        let value = match exponent {
            32.. => 0,
            _ => rounding_divide_by_power_of_two(scaled, exponent.max(0) as u32),
        };
        value.wrapping_add(op.output_zero_point).max(op.clamp.min).min(op.clamp.max)
    });
}
