//! The operators as constants that a program names: those of a model stand in the table that `edgepkg build --emit c` writes.

use edgepkg_runtime::format::OperatorKind;
use edgepkg_runtime::format::info::OperatorSet;
use edgepkg_runtime::format::linked::Only;
use edgepkg_runtime::operator::Operator;

use crate::edgepkg_operator;

macro_rules! operators {
    ($($name:ident = $kind:ident,)*) => {
        $(
            #[doc = concat!("The code of ", stringify!($kind), ".")]
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals, reason = "a name that C sees")]
            pub static $name: edgepkg_operator = {
                const BITS: u64 = OperatorSet::EMPTY.with(OperatorKind::$kind).bits();
                edgepkg_operator(Operator::of::<Only<BITS>>(OperatorKind::$kind))
            };
        )*

        // Each kind of the format has one.
        const _: () = assert!([$(OperatorKind::$kind),*].len() == OperatorKind::ALL.len());
    };
}

operators! {
    edgepkg_operator_Conv2d = Conv2d,
    edgepkg_operator_DepthwiseConv2d = DepthwiseConv2d,
    edgepkg_operator_FullyConnected = FullyConnected,
    edgepkg_operator_Add = Add,
    edgepkg_operator_Mul = Mul,
    edgepkg_operator_AveragePool2d = AveragePool2d,
    edgepkg_operator_MaxPool2d = MaxPool2d,
    edgepkg_operator_Mean = Mean,
    edgepkg_operator_Softmax = Softmax,
    edgepkg_operator_Lookup = Lookup,
    edgepkg_operator_Fill = Fill,
    edgepkg_operator_StridedCopy = StridedCopy,
    edgepkg_operator_Requantize = Requantize,
    edgepkg_operator_PackedConv2d = PackedConv2d,
    edgepkg_operator_PackedDepthwiseConv2d = PackedDepthwiseConv2d,
    edgepkg_operator_PackedFullyConnected = PackedFullyConnected,
    edgepkg_operator_Gather = Gather,
    edgepkg_operator_Binary = Binary,
    edgepkg_operator_LogSoftmax = LogSoftmax,
    edgepkg_operator_ResizeBilinear = ResizeBilinear,
    edgepkg_operator_TransposeConv2d = TransposeConv2d,
    edgepkg_operator_BatchMatMul = BatchMatMul,
    edgepkg_operator_CumulativeSum = CumulativeSum,
    edgepkg_operator_ArgExtreme = ArgExtreme,
    edgepkg_operator_Select = Select,
    edgepkg_operator_TopIndices = TopIndices,
    edgepkg_operator_Div = Div,
    edgepkg_operator_NonMaxSuppression = NonMaxSuppression,
    edgepkg_operator_Conv2d16 = Conv2d16,
    edgepkg_operator_Softmax16 = Softmax16,
    edgepkg_operator_Sigmoid16 = Sigmoid16,
    edgepkg_operator_LeakyRelu16 = LeakyRelu16,
    edgepkg_operator_Interpolate16 = Interpolate16,
    edgepkg_operator_Add16 = Add16,
    edgepkg_operator_Sub16 = Sub16,
    edgepkg_operator_SquaredDifference16 = SquaredDifference16,
    edgepkg_operator_Mul16 = Mul16,
    edgepkg_operator_AveragePool2d16 = AveragePool2d16,
    edgepkg_operator_MaxPool2d16 = MaxPool2d16,
    edgepkg_operator_Mean16 = Mean16,
    edgepkg_operator_Svdf = Svdf,
    edgepkg_operator_Lstm = Lstm,
    edgepkg_operator_BatchMatMul16 = BatchMatMul16,
    edgepkg_operator_Binary16 = Binary16,
    edgepkg_operator_Recurrent = Recurrent,
}
