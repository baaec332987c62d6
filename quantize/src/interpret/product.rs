//! Products of matrices that are both computed.

use super::elementwise::broadcast;
use super::layout::for_each_offset;
use crate::graph::MatrixLayout;

/// The product of each matrix of `a` with one of `b`, which are given by their layout, shape and elements.
pub(super) fn batch_mat_mul(
    (a_layout, a_shape, a): (MatrixLayout, &[usize], &[f32]),
    (b_layout, b_shape, b): (MatrixLayout, &[usize], &[f32]),
    (shape, output): (&[usize], &mut [f32]),
) {
    let outer = &shape[..shape.len() - 2];
    let (rows, columns) = (shape[outer.len()], shape[outer.len() + 1]);
    let depth = a.len() / a_shape[..a_shape.len() - 2].iter().product::<usize>() / rows;
    let [a_row, a_depth] = match a_layout {
        MatrixLayout::RowsFirst => [depth, 1],
        MatrixLayout::ColumnsFirst => [1, rows],
    };
    let [b_depth, b_column] = match b_layout {
        MatrixLayout::RowsFirst => [columns, 1],
        MatrixLayout::ColumnsFirst => [1, depth],
    };
    let matrices = |shape: &[usize], elements: usize| -> Vec<usize> {
        broadcast(&shape[..shape.len() - 2], outer).iter().map(|stride| stride * elements).collect()
    };
    let (a_strides, b_strides) = (matrices(a_shape, rows * depth), matrices(b_shape, depth * columns));
    let mut outputs = output.iter_mut();
    for_each_offset(outer, (0, &a_strides), (0, &b_strides), |a_matrix, b_matrix| {
        for row in 0..rows {
            for column in 0..columns {
                let product = |at: usize| {
                    a[a_matrix + row * a_row + at * a_depth] * b[b_matrix + at * b_depth + column * b_column]
                };
                *outputs.next().expect("one element for each row and column") = (0..depth).map(product).sum();
            }
        }
    });
}
