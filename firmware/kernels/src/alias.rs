//! Which operators may write over what they read.

use edgepkg_format::plan::{Dims, Record};

/// The inputs of an operator that may lie exactly where its output lies: same first byte, same length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AliasRule(u8);

impl AliasRule {
    /// Every input lies apart from the output.
    pub const NONE: Self = Self(0);

    const fn with(self, input: usize) -> Self {
        Self(self.0 | 1 << input)
    }

    /// Whether the input at `index` may be in place with the output.
    pub const fn allows(self, index: usize) -> bool {
        index < 8 && self.0 & (1 << index) != 0
    }
}

const FIRST: AliasRule = AliasRule::NONE.with(0);

/// Which inputs of `record`, counted as in its operands, may be exactly in place with the output.
pub fn may_alias(record: &Record) -> AliasRule {
    match record {
        Record::Add(op) => dense_inputs(&op.dims, [&op.a_strides, &op.b_strides]),
        Record::Mul(op) => dense_inputs(&op.dims, [&op.a_strides, &op.b_strides]),
        Record::Softmax(op) if op.input.dtype == op.output.dtype => FIRST,
        Record::Requantize(op) if op.input.dtype == op.output.dtype => FIRST,
        Record::Lookup(_) => FIRST,
        _ => AliasRule::NONE,
    }
}

/// The inputs whose element `i` is the output's element `i`.
fn dense_inputs(dims: &Dims, strides: [&Dims; 2]) -> AliasRule {
    let mut rule = AliasRule::NONE;
    for (input, strides) in strides.into_iter().enumerate() {
        if is_dense(dims, strides) {
            rule = rule.with(input);
        }
    }
    rule
}

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
