//! Operators that move bytes and compute nothing.

use core::cell::Cell;

use edgepkg_format::plan::{Dims, Fill, Select, StridedCopy, Strides};

use super::walk::Walk;
use crate::view::View;

/// Sets every byte of `output` to `op.value`.
#[inline(never)]
pub fn fill_i8(op: &Fill, output: &[Cell<i8>]) {
    for cell in output {
        cell.set(op.value as i8);
    }
}

/// Copies bytes from strided to strided places. `input` and `output` are all that the strides reach,
/// from the least address on.
#[inline(never)]
pub fn strided_copy(op: &StridedCopy, input: View<'_>, output: &[Cell<i8>]) {
    let (input_strides, output_strides) = (modular(&op.input_strides), modular(&op.output_strides));
    let start = [below(&op.dims, &op.input_strides), below(&op.dims, &op.output_strides)];
    let walk = Walk::new(&op.dims, [&input_strides, &output_strides]);
    let length = walk.run_length();
    match walk.run_strides() {
        [1, 1] => walk.for_each_run(start, |[from, to]| {
            let cells = &output[to as usize..][..length];
            input.run(from as usize, length).for_each_with(cells, |x, cell| cell.set(x));
        }),
        _ => walk.for_each(start, |[from, to]| output[to as usize].set(input.get(from as usize))),
    }
}

/// Bytes of `a` where `condition` is not 0, else of `b`, each laid out by `op`'s strides. `output`: dense, `op.dims`.
#[inline(never)]
pub fn select(op: &Select, condition: View<'_>, a: View<'_>, b: View<'_>, output: &[Cell<i8>]) {
    let mut outputs = output.iter();
    Walk::new(&op.dims, [&op.condition_strides, &op.a_strides, &op.b_strides]).for_each(
        [0; 3],
        |[at, of_a, of_b]| {
            if let Some(output) = outputs.next() {
                let taken = if condition.get(at as usize) != 0 { (a, of_a) } else { (b, of_b) };
                output.set(taken.0.get(taken.1 as usize));
            }
        },
    );
}

/// Strides modulo 2^32.
fn modular(strides: &Strides) -> Dims {
    strides.map(|stride| stride as u32)
}

/// Bytes below the first one that negative strides reach.
fn below(dims: &Dims, strides: &Strides) -> u32 {
    dims.iter().zip(strides).filter(|&(_, &stride)| stride < 0).fold(0, |below, (&extent, &stride)| {
        below.wrapping_add(extent.wrapping_sub(1).wrapping_mul(stride.unsigned_abs()))
    })
}
