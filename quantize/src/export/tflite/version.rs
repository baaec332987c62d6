//! Which version of an operator computes what is asked of it: the first one that does, so that old
//! interpreters read what they can execute.

use edgepkg_format::DType;

use crate::graph::QuantizedTensor;
use crate::tflite_schema::Builtin;

/// The version of `builtin` for an int8 input, or one of 16 bits where there is such, like `x`.
pub(super) fn of(builtin: Builtin, x: &QuantizedTensor) -> i32 {
    let rank = x.shape.len();
    match builtin {
        Builtin::Conv2d | Builtin::DepthwiseConv2d => 3,
        Builtin::FullyConnected => 4,
        Builtin::Sub => 3,
        Builtin::CumSum | Builtin::ArgMin | Builtin::PRelu => 1,
        Builtin::Pad | Builtin::PadV2 if rank > 4 => 4,
        Builtin::Slice if rank > 4 => 5,
        Builtin::Transpose if rank > 5 => 6,
        Builtin::Transpose if rank > 4 => 4,
        Builtin::Maximum | Builtin::Minimum if rank > 4 => 3,
        Builtin::Reshape | Builtin::Squeeze | Builtin::ExpandDims => 1,
        Builtin::LeakyRelu | Builtin::Elu | Builtin::HardSwish => 1,
        _ => 2,
    }
}

/// Of gathering whose indices belong to batches.
pub(super) const GATHER_IN_BATCHES: i32 = 5;
/// Of convolutions of several groups.
pub(super) const GROUPED_CONV_2D: i32 = 6;
/// Of transposed convolutions with a bias.
pub(super) const TRANSPOSE_CONV_WITH_BIAS: i32 = 3;
/// Of fully connected layers that keep their input's dimensions but the last.
pub(super) const FULLY_CONNECTED_KEEPING_DIMENSIONS: i32 = 5;
/// Of fully connected layers without a bias.
pub(super) const FULLY_CONNECTED_WITHOUT_BIAS: i32 = 6;
/// Of multiplications that scale their product up.
pub(super) const MUL_SCALING_UP: i32 = 3;

/// Of quantization to the type of `y`.
pub(super) fn of_quantize(y: &QuantizedTensor) -> i32 {
    if y.dtype == DType::Int16 { 2 } else { 1 }
}
