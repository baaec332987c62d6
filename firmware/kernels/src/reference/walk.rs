//! Loops over several tensors of one shape and different strides.

use edgepkg_format::plan::Dims;
use edgepkg_format::tensor::MAX_RANK;

/// The elements of `N` strided tensors, in the order of their shape. Neighbouring dimensions that all
/// tensors step through evenly are one. Offsets and strides are modulo 2^32.
pub(super) struct Walk<const N: usize> {
    /// Innermost first; 1 where unused.
    extents: Dims,
    strides: [Dims; N],
}

impl<const N: usize> Walk<N> {
    /// Strides stand in `dims`' order, outermost first. No extent is 0.
    pub(super) fn new(dims: &Dims, strides: [&Dims; N]) -> Self {
        let mut walk = Self { extents: [1; MAX_RANK], strides: [[0; MAX_RANK]; N] };
        let mut rank = 0usize;
        for (axis, &extent) in dims.iter().enumerate().rev() {
            if extent == 1 {
                continue;
            }
            let inner = rank.wrapping_sub(1);
            let extends = |tensor: usize| {
                strides[tensor][axis] == walk.strides[tensor][inner].wrapping_mul(walk.extents[inner])
            };
            if rank > 0 && (0..N).all(extends) {
                walk.extents[inner] = walk.extents[inner].wrapping_mul(extent);
                continue;
            }
            walk.extents[rank] = extent;
            for (of_walk, strides) in walk.strides.iter_mut().zip(strides) {
                of_walk[rank] = strides[axis];
            }
            rank += 1;
        }
        walk
    }

    /// Elements of a run.
    pub(super) fn run_length(&self) -> usize {
        self.extents[0] as usize
    }

    /// Strides from an element of a run to the next.
    pub(super) fn run_strides(&self) -> [u32; N] {
        core::array::from_fn(|tensor| self.strides[tensor][0])
    }

    /// Calls `visit` with each run's offsets, from `start` on.
    #[inline(always)]
    pub(super) fn for_each_run(&self, start: [u32; N], mut visit: impl FnMut([u32; N])) {
        let mut offsets = start;
        let mut counters = [0; MAX_RANK];
        'runs: loop {
            visit(offsets);
            for axis in 1..MAX_RANK {
                counters[axis] += 1;
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset = offset.wrapping_add(strides[axis]);
                }
                if counters[axis] < self.extents[axis] {
                    continue 'runs;
                }
                counters[axis] = 0;
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset = offset.wrapping_sub(strides[axis].wrapping_mul(self.extents[axis]));
                }
            }
            return;
        }
    }

    /// Calls `visit` with each element's offsets, from `start` on.
    #[inline(always)]
    pub(super) fn for_each(&self, start: [u32; N], mut visit: impl FnMut([u32; N])) {
        let strides = self.run_strides();
        self.for_each_run(start, |mut offsets| {
            for _ in 0..self.run_length() {
                visit(offsets);
                for (offset, stride) in offsets.iter_mut().zip(strides) {
                    *offset = offset.wrapping_add(stride);
                }
            }
        });
    }
}
