//! Running sums, and where the greatest or least elements are.

use std::cmp::Ordering;

use crate::graph::{Direction, Extreme, Running};

/// The lines of `shape` along `axis`: their first elements, and elements from one of a line to the next.
fn lines(axis: usize, shape: &[usize]) -> (impl Iterator<Item = usize> + use<>, usize) {
    let product = |extents: &[usize]| extents.iter().product::<usize>();
    let (outer, count, inner) = (product(&shape[..axis]), shape[axis], product(&shape[axis + 1..]));
    ((0..outer * inner).map(move |line| line / inner * count * inner + line % inner), inner)
}

/// Sums along `axis`.
pub(super) fn cumulative_sum(
    axis: usize,
    (direction, running): (Direction, Running),
    shape: &[usize],
    input: &[f32],
    output: &mut [f32],
) {
    let (firsts, stride) = lines(axis, shape);
    for first in firsts {
        let mut sum = 0.0_f64;
        for at in 0..shape[axis] {
            let at = if direction == Direction::Backward { shape[axis] - 1 - at } else { at };
            let index = first + at * stride;
            let before = sum;
            sum += f64::from(input[index]);
            output[index] = if running == Running::Excluding { before } else { sum } as f32;
        }
    }
}

/// The index along `axis` of the greatest or least element, the first of equal ones.
pub(super) fn arg_extreme(axis: usize, extreme: Extreme, shape: &[usize], input: &[f32], output: &mut [f32]) {
    let (firsts, stride) = lines(axis, shape);
    for (first, y) in firsts.zip(output) {
        let mut found = 0;
        for at in 1..shape[axis] {
            let (value, best) = (input[first + at * stride], input[first + found * stride]);
            let is_better = match extreme {
                Extreme::Greatest => value > best,
                Extreme::Least => value < best,
                Extreme::LastGreatest => value >= best,
                Extreme::LastLeast => value <= best,
            };
            if is_better {
                found = at;
            }
        }
        *y = found as f32;
    }
}

/// The indices of the greatest or least elements of each row, as many as a row of `y` has, in their order.
pub(super) fn top_indices(extreme: Extreme, (from, x): (&[usize], &[f32]), (to, y): (&[usize], &mut [f32])) {
    let last = |shape: &[usize]| *shape.last().expect("checked to have a dimension to order");
    for (row, y) in x.chunks_exact(last(from)).zip(y.chunks_exact_mut(last(to))) {
        let mut indices: Vec<usize> = (0..row.len()).collect();
        if matches!(extreme, Extreme::LastGreatest | Extreme::LastLeast) {
            indices.reverse();
        }
        // Equal ones stay in their order.
        let order = |&a: &usize, &b: &usize| row[a].partial_cmp(&row[b]).unwrap_or(Ordering::Equal);
        match extreme {
            Extreme::Greatest | Extreme::LastGreatest => indices.sort_by(|a, b| order(b, a)),
            Extreme::Least | Extreme::LastLeast => indices.sort_by(order),
        }
        y.iter_mut().zip(indices).for_each(|(y, index)| *y = index as f32);
    }
}
