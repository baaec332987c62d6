//! Any unary int8 function, by its table.

use core::cell::Cell;

use edgepkg_format::plan::Lookup;

use crate::view::View;

/// `output[i] = table[input[i] + 128]`; `table` has 256 entries.
#[inline(never)]
pub fn lookup_i8(_op: &Lookup, input: View<'_>, table: &[i8], output: &[Cell<i8>]) {
    let Some(table) = table.first_chunk::<256>() else { return };
    input.for_each_with(output, |x, output| output.set(table[usize::from(x as u8 ^ 0x80)]));
}
