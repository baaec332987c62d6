//! Operators that only move values: strided copies.

/// Elements between neighbours along each dimension of a row-major tensor.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Calls `visit` with the offsets in two strided tensors of every element of `shape`, row-major.
pub(super) fn for_each_offset(
    shape: &[usize],
    first: (usize, &[usize]),
    second: (usize, &[usize]),
    mut visit: impl FnMut(usize, usize),
) {
    if shape.contains(&0) {
        return;
    }
    let Some((&inner, outer)) = shape.split_last() else {
        visit(first.0, second.0);
        return;
    };
    let rank = shape.len();
    let mut index = vec![0; rank - 1];
    loop {
        let mut a = first.0 + offset(&index, first.1);
        let mut b = second.0 + offset(&index, second.1);
        for _ in 0..inner {
            visit(a, b);
            a += first.1[rank - 1];
            b += second.1[rank - 1];
        }
        let Some(axis) = (0..rank - 1).rev().find(|&axis| index[axis] + 1 < outer[axis]) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

/// Offset of the element at `index`.
fn offset(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(i, stride)| i * stride).sum()
}

/// Copies all of `input` into the block of `output` that starts at `begin`.
pub(super) fn copy_into(
    input: &[f32],
    in_shape: &[usize],
    output: &mut [f32],
    out_shape: &[usize],
    begin: &[usize],
) {
    let out_strides = strides(out_shape);
    let base = offset(begin, &out_strides);
    for_each_offset(in_shape, (0, &strides(in_shape)), (base, &out_strides), |from, to| {
        output[to] = input[from];
    });
}

/// Copies the block of `input` that starts at `begin` into all of `output`.
pub(super) fn slice(
    begin: &[usize],
    input: &[f32],
    in_shape: &[usize],
    output: &mut [f32],
    out_shape: &[usize],
) {
    let in_strides = strides(in_shape);
    let base = offset(begin, &in_strides);
    for_each_offset(out_shape, (base, &in_strides), (0, &strides(out_shape)), |from, to| {
        output[to] = input[from];
    });
}

/// Output dimension `i` is input dimension `perm[i]`.
pub(super) fn transpose(perm: &[usize], input: &[f32], in_shape: &[usize], output: &mut [f32]) {
    let in_strides = strides(in_shape);
    let shape: Vec<usize> = perm.iter().map(|&axis| in_shape[axis]).collect();
    let from: Vec<usize> = perm.iter().map(|&axis| in_strides[axis]).collect();
    for_each_offset(&shape, (0, &from), (0, &strides(&shape)), |from, to| output[to] = input[from]);
}

/// Along `axis`, the elements at `indices`.
pub(super) fn take(axis: usize, indices: &[usize], input: &[f32], in_shape: &[usize], output: &mut [f32]) {
    let inner: usize = in_shape[axis + 1..].iter().product();
    let blocks = input.chunks_exact(in_shape[axis] * inner);
    for (from, to) in blocks.zip(output.chunks_exact_mut(indices.len() * inner)) {
        for (&index, to) in indices.iter().zip(to.chunks_exact_mut(inner)) {
            to.copy_from_slice(&from[index * inner..][..inner]);
        }
    }
}

/// Along `axis`, the elements at `indices`, which belong to the first `batch_dimensions`. Those outside are
/// taken for the nearest end.
pub(super) fn gather(
    (axis, batch_dimensions): (usize, usize),
    (in_shape, input): (&[usize], &[f32]),
    indices: &[f32],
    output: &mut [f32],
) {
    let product = |extents: &[usize]| extents.iter().product::<usize>();
    let (batches, outer) =
        (product(&in_shape[..batch_dimensions]), product(&in_shape[batch_dimensions..axis]));
    let (extent, inner) = (in_shape[axis], product(&in_shape[axis + 1..]));
    let count = indices.len() / batches;
    for (block, to) in output.chunks_exact_mut(count * inner).enumerate() {
        let list = &indices[block / outer * count..][..count];
        for (&index, to) in list.iter().zip(to.chunks_exact_mut(inner)) {
            let index = (index as usize).min(extent - 1);
            to.copy_from_slice(&input[(block * extent + index) * inner..][..inner]);
        }
    }
}
