//! The operators as constants that a program names: those of a model stand in the table that `edgepkg build --emit c` writes.
#![allow(non_upper_case_globals, reason = "names as C has them")]

use edgepkg_runtime::format::OperatorKind;
use edgepkg_runtime::operator::Operator;

use crate::edgepkg_operator;

/// The set of one kind.
const fn bits(kind: OperatorKind) -> u64 {
    1 << kind as u16
}

const fn operator<const BITS: u64>() -> edgepkg_operator {
    edgepkg_operator(Operator::of::<BITS>())
}

/// The code of Conv2d.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Conv2d: edgepkg_operator = operator::<{ bits(OperatorKind::Conv2d) }>();
/// The code of DepthwiseConv2d.
#[unsafe(no_mangle)]
pub static edgepkg_operator_DepthwiseConv2d: edgepkg_operator = operator::<{ bits(OperatorKind::DepthwiseConv2d) }>();
/// The code of FullyConnected.
#[unsafe(no_mangle)]
pub static edgepkg_operator_FullyConnected: edgepkg_operator = operator::<{ bits(OperatorKind::FullyConnected) }>();
/// The code of Add.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Add: edgepkg_operator = operator::<{ bits(OperatorKind::Add) }>();
/// The code of Mul.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Mul: edgepkg_operator = operator::<{ bits(OperatorKind::Mul) }>();
/// The code of AveragePool2d.
#[unsafe(no_mangle)]
pub static edgepkg_operator_AveragePool2d: edgepkg_operator = operator::<{ bits(OperatorKind::AveragePool2d) }>();
/// The code of MaxPool2d.
#[unsafe(no_mangle)]
pub static edgepkg_operator_MaxPool2d: edgepkg_operator = operator::<{ bits(OperatorKind::MaxPool2d) }>();
/// The code of Mean.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Mean: edgepkg_operator = operator::<{ bits(OperatorKind::Mean) }>();
/// The code of Softmax.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Softmax: edgepkg_operator = operator::<{ bits(OperatorKind::Softmax) }>();
/// The code of Lookup.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Lookup: edgepkg_operator = operator::<{ bits(OperatorKind::Lookup) }>();
/// The code of Fill.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Fill: edgepkg_operator = operator::<{ bits(OperatorKind::Fill) }>();
/// The code of StridedCopy.
#[unsafe(no_mangle)]
pub static edgepkg_operator_StridedCopy: edgepkg_operator = operator::<{ bits(OperatorKind::StridedCopy) }>();
/// The code of Requantize.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Requantize: edgepkg_operator = operator::<{ bits(OperatorKind::Requantize) }>();
/// The code of PackedConv2d.
#[unsafe(no_mangle)]
pub static edgepkg_operator_PackedConv2d: edgepkg_operator = operator::<{ bits(OperatorKind::PackedConv2d) }>();
/// The code of PackedDepthwiseConv2d.
#[unsafe(no_mangle)]
pub static edgepkg_operator_PackedDepthwiseConv2d: edgepkg_operator = operator::<{ bits(OperatorKind::PackedDepthwiseConv2d) }>();
/// The code of PackedFullyConnected.
#[unsafe(no_mangle)]
pub static edgepkg_operator_PackedFullyConnected: edgepkg_operator = operator::<{ bits(OperatorKind::PackedFullyConnected) }>();
/// The code of Gather.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Gather: edgepkg_operator = operator::<{ bits(OperatorKind::Gather) }>();
/// The code of Binary.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Binary: edgepkg_operator = operator::<{ bits(OperatorKind::Binary) }>();
/// The code of LogSoftmax.
#[unsafe(no_mangle)]
pub static edgepkg_operator_LogSoftmax: edgepkg_operator = operator::<{ bits(OperatorKind::LogSoftmax) }>();
/// The code of ResizeBilinear.
#[unsafe(no_mangle)]
pub static edgepkg_operator_ResizeBilinear: edgepkg_operator = operator::<{ bits(OperatorKind::ResizeBilinear) }>();
/// The code of TransposeConv2d.
#[unsafe(no_mangle)]
pub static edgepkg_operator_TransposeConv2d: edgepkg_operator = operator::<{ bits(OperatorKind::TransposeConv2d) }>();
/// The code of BatchMatMul.
#[unsafe(no_mangle)]
pub static edgepkg_operator_BatchMatMul: edgepkg_operator = operator::<{ bits(OperatorKind::BatchMatMul) }>();
/// The code of CumulativeSum.
#[unsafe(no_mangle)]
pub static edgepkg_operator_CumulativeSum: edgepkg_operator = operator::<{ bits(OperatorKind::CumulativeSum) }>();
/// The code of ArgExtreme.
#[unsafe(no_mangle)]
pub static edgepkg_operator_ArgExtreme: edgepkg_operator = operator::<{ bits(OperatorKind::ArgExtreme) }>();
/// The code of Conv2d16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Conv2d16: edgepkg_operator = operator::<{ bits(OperatorKind::Conv2d16) }>();
/// The code of Softmax16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Softmax16: edgepkg_operator = operator::<{ bits(OperatorKind::Softmax16) }>();
/// The code of Sigmoid16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Sigmoid16: edgepkg_operator = operator::<{ bits(OperatorKind::Sigmoid16) }>();
/// The code of LeakyRelu16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_LeakyRelu16: edgepkg_operator = operator::<{ bits(OperatorKind::LeakyRelu16) }>();
/// The code of Interpolate16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Interpolate16: edgepkg_operator = operator::<{ bits(OperatorKind::Interpolate16) }>();
/// The code of Add16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Add16: edgepkg_operator = operator::<{ bits(OperatorKind::Add16) }>();
/// The code of Sub16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Sub16: edgepkg_operator = operator::<{ bits(OperatorKind::Sub16) }>();
/// The code of SquaredDifference16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_SquaredDifference16: edgepkg_operator = operator::<{ bits(OperatorKind::SquaredDifference16) }>();
/// The code of Mul16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Mul16: edgepkg_operator = operator::<{ bits(OperatorKind::Mul16) }>();
/// The code of AveragePool2d16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_AveragePool2d16: edgepkg_operator = operator::<{ bits(OperatorKind::AveragePool2d16) }>();
/// The code of MaxPool2d16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_MaxPool2d16: edgepkg_operator = operator::<{ bits(OperatorKind::MaxPool2d16) }>();
/// The code of Mean16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Mean16: edgepkg_operator = operator::<{ bits(OperatorKind::Mean16) }>();
/// The code of Svdf.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Svdf: edgepkg_operator = operator::<{ bits(OperatorKind::Svdf) }>();
/// The code of Lstm.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Lstm: edgepkg_operator = operator::<{ bits(OperatorKind::Lstm) }>();
/// The code of BatchMatMul16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_BatchMatMul16: edgepkg_operator = operator::<{ bits(OperatorKind::BatchMatMul16) }>();
/// The code of Binary16.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Binary16: edgepkg_operator = operator::<{ bits(OperatorKind::Binary16) }>();
/// The code of Recurrent.
#[unsafe(no_mangle)]
pub static edgepkg_operator_Recurrent: edgepkg_operator = operator::<{ bits(OperatorKind::Recurrent) }>();
