//! Any unary int8 function, by its table.

use core::cell::Cell;

use edgepkg_format::plan::Lookup;

use crate::view::{Bytes, View};

/// `output[i] = table[input[i] + 128]`; `table` has 256 entries.
#[inline(never)]
pub fn lookup_i8(_op: &Lookup, input: View<'_>, table: &[i8], output: &[Cell<i8>]) {
    let Some(table) = table.first_chunk() else { return };
    match input {
        View::Arena(input) => look_up(input, table, output),
        View::Const(input) => look_up(input, table, output),
    }
}

#[inline(always)]
fn look_up(input: impl Bytes, table: &[i8; 256], output: &[Cell<i8>]) {
    for (x, output) in input.values().zip(output) {
        output.set(table[usize::from(x as u8 ^ 0x80)]);
    }
}
