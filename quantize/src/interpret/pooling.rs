//! Pools and means.

use super::elementwise::Clamp;
use super::layout::strides;
use crate::graph::Pool;

/// Averages of the pixels in each window; padding does not count.
pub(super) fn average(
    pool: &Pool,
    in_shape: &[usize],
    input: &[f32],
    out_shape: &[usize],
    output: &mut [f32],
) {
    let channels = in_shape[3];
    let clamp = Clamp::new(pool.activation);
    let mut sums = vec![0.0_f64; channels];
    for_each_window(pool, in_shape, out_shape, |pixels, to| {
        sums.fill(0.0);
        for pixel in pixels {
            for (sum, &x) in sums.iter_mut().zip(&input[pixel * channels..]) {
                *sum += f64::from(x);
            }
        }
        for (y, sum) in output[to * channels..][..channels].iter_mut().zip(&sums) {
            *y = clamp.apply((sum / pixels.len() as f64) as f32);
        }
    });
}

/// The greatest pixel of each window.
pub(super) fn max(pool: &Pool, in_shape: &[usize], input: &[f32], out_shape: &[usize], output: &mut [f32]) {
    let channels = in_shape[3];
    let clamp = Clamp::new(pool.activation);
    for_each_window(pool, in_shape, out_shape, |pixels, to| {
        let output = &mut output[to * channels..][..channels];
        output.fill(f32::NEG_INFINITY);
        for pixel in pixels {
            for (y, &x) in output.iter_mut().zip(&input[pixel * channels..]) {
                *y = if x > *y || x.is_nan() { x } else { *y };
            }
        }
        for y in output {
            *y = clamp.apply(*y);
        }
    });
}

/// Calls `visit` with the pixels in each window that lie in the image, and the pixel that it makes.
fn for_each_window(
    pool: &Pool,
    in_shape: &[usize],
    out_shape: &[usize],
    mut visit: impl FnMut(&[usize], usize),
) {
    let &[batches, rows, columns, _] = in_shape else { panic!("an image has four dimensions") };
    let span = |out: usize, axis: usize, before: usize, extent: usize| {
        let start = out * pool.stride[axis];
        let end = (start + pool.window[axis]).saturating_sub(before).min(extent);
        start.saturating_sub(before)..end
    };
    let mut pixels = Vec::with_capacity(pool.window[0] * pool.window[1]);
    let mut to = 0;
    for batch in 0..batches {
        for out_y in 0..out_shape[1] {
            for out_x in 0..out_shape[2] {
                pixels.clear();
                for y in span(out_y, 0, pool.padding.top, rows) {
                    for x in span(out_x, 1, pool.padding.left, columns) {
                        pixels.push((batch * rows + y) * columns + x);
                    }
                }
                visit(&pixels, to);
                to += 1;
            }
        }
    }
}

/// Averages over `axes`.
pub(super) fn mean(axes: &[usize], in_shape: &[usize], input: &[f32], output: &mut [f32]) {
    let count: usize = axes.iter().map(|&axis| in_shape[axis]).product();
    for (y, sum) in output.iter_mut().zip(sums(axes, in_shape, input)) {
        *y = (sum / count as f64) as f32;
    }
}

/// Sums over `axes`.
pub(super) fn sum(axes: &[usize], in_shape: &[usize], input: &[f32], output: &mut [f32]) {
    for (y, sum) in output.iter_mut().zip(sums(axes, in_shape, input)) {
        *y = sum as f32;
    }
}

fn sums(axes: &[usize], in_shape: &[usize], input: &[f32]) -> Vec<f64> {
    let kept: Vec<usize> = in_shape
        .iter()
        .enumerate()
        .map(|(axis, &extent)| if axes.contains(&axis) { 1 } else { extent })
        .collect();
    let mut to_strides = strides(&kept);
    for &axis in axes {
        to_strides[axis] = 0;
    }
    let mut sums = vec![0.0_f64; kept.iter().product()];
    super::layout::for_each_offset(in_shape, (0, &strides(in_shape)), (0, &to_strides), |from, to| {
        sums[to] += f64::from(input[from]);
    });
    sums
}
