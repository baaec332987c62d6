//! Sums of two tensors: what an input becomes in the common scale is looked up.

use core::array;
use core::cell::Cell;

use edgepkg_format::plan::{Add, Scale};

use super::outputs::{LANES, Outputs};
use crate::fixed_point::multiply_by_scale;
use crate::overlap::is_dense;
use crate::reference;
use crate::view::View;

/// Values of int8.
const VALUES: usize = 256;

/// As [`reference::elementwise::add_i8`].
#[inline(never)]
pub fn add_i8(op: &Add, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    let is_even = is_dense(&op.dims, &op.a_strides) && is_dense(&op.dims, &op.b_strides);
    if !is_even || output.len() < VALUES {
        return reference::elementwise::add_i8(op, a, b, output);
    }
    let [a_table, b_table] = [(op.a_zero_point, op.a_scale), (op.b_zero_point, op.b_scale)]
        .map(|(zero_point, scale)| table(op, zero_point, scale));
    let range = Outputs::new(op.rounding, op.output_zero_point, op.clamp);
    for (block, outputs) in output.chunks(LANES).enumerate() {
        let [a, b] = [a, b].map(|input| input.run(block * LANES, outputs.len()));
        let mut values = [0i32; LANES];
        a.for_each_with(&mut values, |a, value| *value = a_table[usize::from(a as u8)]);
        b.for_each_with(&mut values, |b, value| *value = value.wrapping_add(b_table[usize::from(b as u8)]));
        for value in &mut values {
            *value = range.scaled(*value, op.output_scale);
        }
        for (output, value) in outputs.iter().zip(range.clamped(values)) {
            output.set(value);
        }
    }
}

/// What each value, by its bits, is in the common scale.
fn table(op: &Add, zero_point: i32, scale: Scale) -> [i32; VALUES] {
    array::from_fn(|bits| {
        let x = i32::from(bits as u8 as i8).wrapping_sub(zero_point).wrapping_shl(op.left_shift);
        multiply_by_scale(x, scale, op.rounding)
    })
}
