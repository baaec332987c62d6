//! Which operators may write over what they read, and how far from it.

use edgepkg_format::plan::{Dims, Record};

/// Distances, in bytes from an input's first byte to the output's, at which the two may share bytes.
///
/// They follow from the order in which the kernel reads and writes. One that goes forward never passes
/// what it has yet to read when the output begins low enough ([`at_most`](Self::at_most)); one that goes
/// backward, when it begins high enough ([`at_least`](Self::at_least)); one that keeps a plane of
/// the input apart, when it begins exactly there ([`IN_PLACE`](Self::IN_PLACE)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distances {
    /// The least one.
    pub least: i32,
    /// The greatest one.
    pub greatest: i32,
}

impl Distances {
    /// No distance: input and output lie apart.
    pub const NONE: Self = Self { least: i32::MAX, greatest: i32::MIN };

    /// Same first byte.
    pub const IN_PLACE: Self = Self { least: 0, greatest: 0 };

    /// The output begins at least so far below the input: for operators that go forward.
    pub const fn at_most(greatest: i32) -> Self {
        Self { least: i32::MIN, greatest }
    }

    /// The output begins at least so far above the input: for operators that go backward.
    pub const fn at_least(least: i32) -> Self {
        Self { least, greatest: i32::MAX }
    }

    /// Whether `distance` is one of them.
    pub const fn contain(self, distance: i64) -> bool {
        self.least as i64 <= distance && distance <= self.greatest as i64
    }
}

/// Distances at which the output of `record` may share bytes with its input at `input`, counted as in its
/// operands. Whether other inputs share bytes with the output is no matter, nor whether inputs do
/// with each other. Scratch shares bytes with none of them.
pub fn safe_distances(record: &Record, input: usize) -> Distances {
    let is_element_wise = match (record, input) {
        (Record::Add(op), 0) => is_dense(&op.dims, &op.a_strides),
        (Record::Add(op), 1) => is_dense(&op.dims, &op.b_strides),
        (Record::Mul(op), 0) => is_dense(&op.dims, &op.a_strides),
        (Record::Mul(op), 1) => is_dense(&op.dims, &op.b_strides),
        (Record::Softmax(op), 0) => op.input.dtype == op.output.dtype,
        (Record::Requantize(op), 0) => op.input.dtype == op.output.dtype,
        (Record::Lookup(_), 0) => true,
        _ => false,
    };
    if is_element_wise { Distances::at_most(0) } else { Distances::NONE }
}

/// Whether the input's element `i` is the output's element `i`.
fn is_dense(dims: &Dims, strides: &Dims) -> bool {
    let mut dense_stride = 1u32;
    for (&extent, &stride) in dims.iter().zip(strides).rev() {
        if extent != 1 && stride != dense_stride {
            return false;
        }
        dense_stride = dense_stride.wrapping_mul(extent);
    }
    true
}
