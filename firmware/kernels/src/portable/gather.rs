//! Inputs brought together, as int16.

use edgepkg_format::plan::{Image, Window};

use crate::reference::window::Patch;
use crate::view::View;

/// Copies `inputs` to the beginning of `target`.
#[inline(always)]
pub(super) fn widen(inputs: View<'_>, target: &mut [i16]) {
    inputs.for_each_with(target, |input, target| *target = i16::from(input));
}

/// Copies what lies under `window` at `patch` of `image` to `target`: `[row][column][channel]`, with `zero_point`
/// for what lies outside.
#[inline(always)]
pub(super) fn widen_patch(
    image: &Image,
    window: &Window,
    zero_point: i16,
    patch: &Patch<'_>,
    input: View<'_>,
    target: &mut [i16],
) {
    let channels = image.channels as usize;
    let (columns, row_length) = (&patch.columns, window.width as usize * channels);
    for (row, target) in (0..window.height).zip(target.chunks_exact_mut(row_length)) {
        let Some(y) = patch.rows.at(row) else {
            target.fill(zero_point);
            continue;
        };
        let (before, rest) = target.split_at_mut(columns.start as usize * channels);
        let (inside, after) = rest.split_at_mut(columns.count() as usize * channels);
        before.fill(zero_point);
        after.fill(zero_point);
        if columns.dilation == 1 {
            widen(input.run(patch.index(y, columns.position), inside.len()), inside);
        } else {
            for (x, pixel) in columns.positions().zip(inside.chunks_exact_mut(channels)) {
                widen(input.run(patch.index(y, x), channels), pixel);
            }
        }
    }
}
