//! The numbers of TensorFlow Lite's schema, version 3, as far as files are read or written: what stands
//! where in a table, and what codes mean.

/// What stands at byte 4 of every file.
pub(crate) const IDENTIFIER: &str = "TFL3";
/// The schema's version.
pub(crate) const VERSION: u32 = 3;
/// The index of an optional input that is not given.
pub(crate) const ABSENT: i32 = -1;

/// Where a table's directory has the field at `place`.
pub(crate) const fn slot(place: u16) -> u16 {
    4 + 2 * place
}

/// Fields of tables, by their places.
pub(crate) mod field {
    pub(crate) mod model {
        pub(crate) const VERSION: u16 = 0;
        pub(crate) const OPERATOR_CODES: u16 = 1;
        pub(crate) const SUBGRAPHS: u16 = 2;
        pub(crate) const DESCRIPTION: u16 = 3;
        pub(crate) const BUFFERS: u16 = 4;
        pub(crate) const METADATA: u16 = 6;
    }

    pub(crate) mod named_buffer {
        pub(crate) const NAME: u16 = 0;
        pub(crate) const BUFFER: u16 = 1;
    }

    pub(crate) mod operator_code {
        /// The builtin operator's number where it is less than 127, else 127.
        pub(crate) const DEPRECATED_BUILTIN: u16 = 0;
        pub(crate) const CUSTOM: u16 = 1;
        pub(crate) const VERSION: u16 = 2;
        pub(crate) const BUILTIN: u16 = 3;
    }

    pub(crate) mod subgraph {
        pub(crate) const TENSORS: u16 = 0;
        pub(crate) const INPUTS: u16 = 1;
        pub(crate) const OUTPUTS: u16 = 2;
        pub(crate) const OPERATORS: u16 = 3;
        pub(crate) const NAME: u16 = 4;
    }

    pub(crate) mod tensor {
        pub(crate) const SHAPE: u16 = 0;
        pub(crate) const TYPE: u16 = 1;
        pub(crate) const BUFFER: u16 = 2;
        pub(crate) const NAME: u16 = 3;
        pub(crate) const QUANTIZATION: u16 = 4;
        pub(crate) const IS_VARIABLE: u16 = 5;
        pub(crate) const SPARSITY: u16 = 6;
        pub(crate) const EXTERNAL_BUFFER: u16 = 10;
    }

    pub(crate) mod quantization {
        pub(crate) const SCALE: u16 = 2;
        pub(crate) const ZERO_POINT: u16 = 3;
        pub(crate) const DETAILS_TYPE: u16 = 4;
        pub(crate) const DIMENSION: u16 = 6;
    }

    pub(crate) mod buffer {
        pub(crate) const DATA: u16 = 0;
        pub(crate) const OFFSET: u16 = 1;
        pub(crate) const SIZE: u16 = 2;
    }

    pub(crate) mod operator {
        pub(crate) const CODE: u16 = 0;
        pub(crate) const INPUTS: u16 = 1;
        pub(crate) const OUTPUTS: u16 = 2;
        pub(crate) const OPTIONS_TYPE: u16 = 3;
        pub(crate) const OPTIONS: u16 = 4;
        pub(crate) const CUSTOM_OPTIONS: u16 = 5;
    }

    pub(crate) mod conv_2d {
        pub(crate) const PADDING: u16 = 0;
        pub(crate) const STRIDE_WIDTH: u16 = 1;
        pub(crate) const STRIDE_HEIGHT: u16 = 2;
        pub(crate) const ACTIVATION: u16 = 3;
        pub(crate) const DILATION_WIDTH: u16 = 4;
        pub(crate) const DILATION_HEIGHT: u16 = 5;
        /// Of a bias that is not given, where activations are int16.
        pub(crate) const BIAS_TYPE: u16 = 6;
    }

    pub(crate) mod depthwise_conv_2d {
        pub(crate) const PADDING: u16 = 0;
        pub(crate) const STRIDE_WIDTH: u16 = 1;
        pub(crate) const STRIDE_HEIGHT: u16 = 2;
        pub(crate) const MULTIPLIER: u16 = 3;
        pub(crate) const ACTIVATION: u16 = 4;
        pub(crate) const DILATION_WIDTH: u16 = 5;
        pub(crate) const DILATION_HEIGHT: u16 = 6;
    }

    pub(crate) mod pool_2d {
        pub(crate) const PADDING: u16 = 0;
        pub(crate) const STRIDE_WIDTH: u16 = 1;
        pub(crate) const STRIDE_HEIGHT: u16 = 2;
        pub(crate) const WINDOW_WIDTH: u16 = 3;
        pub(crate) const WINDOW_HEIGHT: u16 = 4;
        pub(crate) const ACTIVATION: u16 = 5;
    }

    pub(crate) mod fully_connected {
        pub(crate) const ACTIVATION: u16 = 0;
        /// How weights are laid out; 0 is row by row.
        pub(crate) const WEIGHTS_FORMAT: u16 = 1;
        pub(crate) const KEEP_DIMENSIONS: u16 = 2;
        /// Of a bias that is not given, where activations are int16.
        pub(crate) const BIAS_TYPE: u16 = 4;
    }

    pub(crate) mod svdf {
        pub(crate) const RANK: u16 = 0;
    }

    pub(crate) mod unidirectional_sequence_lstm {
        pub(crate) const ACTIVATION: u16 = 0;
        pub(crate) const CELL_CLIP: u16 = 1;
        pub(crate) const TIME_MAJOR: u16 = 3;
    }

    pub(crate) mod bidirectional_sequence_lstm {
        pub(crate) const ACTIVATION: u16 = 0;
        pub(crate) const CELL_CLIP: u16 = 1;
        pub(crate) const MERGE_OUTPUTS: u16 = 3;
        pub(crate) const TIME_MAJOR: u16 = 4;
    }

    pub(crate) mod sequence_rnn {
        pub(crate) const TIME_MAJOR: u16 = 0;
        pub(crate) const ACTIVATION: u16 = 1;
    }

    pub(crate) mod bidirectional_sequence_rnn {
        pub(crate) const TIME_MAJOR: u16 = 0;
        pub(crate) const ACTIVATION: u16 = 1;
        pub(crate) const MERGE_OUTPUTS: u16 = 2;
    }

    pub(crate) mod call_once {
        pub(crate) const GRAPH: u16 = 0;
    }

    pub(crate) mod var_handle {
        pub(crate) const CONTAINER: u16 = 0;
        pub(crate) const NAME: u16 = 1;
    }

    pub(crate) mod concatenation {
        pub(crate) const AXIS: u16 = 0;
        pub(crate) const ACTIVATION: u16 = 1;
    }

    /// Of additions, subtractions, multiplications and divisions.
    pub(crate) mod elementwise {
        pub(crate) const ACTIVATION: u16 = 0;
    }

    pub(crate) mod reducer {
        pub(crate) const KEEP_DIMENSIONS: u16 = 0;
    }

    pub(crate) mod reshape {
        pub(crate) const NEW_SHAPE: u16 = 0;
    }

    /// Of packing and unpacking.
    pub(crate) mod pack {
        pub(crate) const AXIS: u16 = 1;
    }

    pub(crate) mod gather {
        pub(crate) const AXIS: u16 = 0;
        pub(crate) const BATCH_DIMENSIONS: u16 = 1;
    }

    /// Of moving between depth and space.
    pub(crate) mod block {
        pub(crate) const SIZE: u16 = 0;
    }

    pub(crate) mod mirror_pad {
        pub(crate) const MODE: u16 = 0;
    }

    pub(crate) mod resize_bilinear {
        pub(crate) const ALIGN_CORNERS: u16 = 2;
        pub(crate) const HALF_PIXEL_CENTERS: u16 = 3;
    }

    pub(crate) mod transpose_conv {
        pub(crate) const PADDING: u16 = 0;
        pub(crate) const STRIDE_WIDTH: u16 = 1;
        pub(crate) const STRIDE_HEIGHT: u16 = 2;
        pub(crate) const ACTIVATION: u16 = 3;
    }

    pub(crate) mod batch_mat_mul {
        /// Whether the matrices of an operand lie transposed.
        pub(crate) const ADJOINT_X: u16 = 0;
        pub(crate) const ADJOINT_Y: u16 = 1;
    }

    pub(crate) mod gelu {
        pub(crate) const APPROXIMATE: u16 = 0;
    }

    pub(crate) mod cumulative_sum {
        pub(crate) const EXCLUSIVE: u16 = 0;
        pub(crate) const REVERSE: u16 = 1;
    }

    pub(crate) mod arg_extreme {
        /// The indices' type.
        pub(crate) const OUTPUT_TYPE: u16 = 0;
    }

    pub(crate) mod resize_nearest {
        pub(crate) const ALIGN_CORNERS: u16 = 0;
        pub(crate) const HALF_PIXEL_CENTERS: u16 = 1;
    }

    pub(crate) mod strided_slice {
        pub(crate) const BEGIN_MASK: u16 = 0;
        pub(crate) const END_MASK: u16 = 1;
        pub(crate) const ELLIPSIS_MASK: u16 = 2;
        pub(crate) const NEW_AXIS_MASK: u16 = 3;
        pub(crate) const SHRINK_AXIS_MASK: u16 = 4;
        /// Whether ends count from the begins.
        pub(crate) const OFFSET: u16 = 5;
    }

    /// Of options that are one float: softmax's beta, a leaky relu's slope.
    pub(crate) mod number {
        pub(crate) const VALUE: u16 = 0;
    }
}

/// Which table an operator's options are.
pub(crate) mod options_type {
    pub(crate) const CONV_2D: u8 = 1;
    pub(crate) const DEPTHWISE_CONV_2D: u8 = 2;
    pub(crate) const POOL_2D: u8 = 5;
    pub(crate) const FULLY_CONNECTED: u8 = 8;
    pub(crate) const SOFTMAX: u8 = 9;
    pub(crate) const CONCATENATION: u8 = 10;
    pub(crate) const ADD: u8 = 11;
    pub(crate) const RESIZE_BILINEAR: u8 = 15;
    pub(crate) const RESHAPE: u8 = 17;
    pub(crate) const SPACE_TO_DEPTH: u8 = 19;
    pub(crate) const MUL: u8 = 21;
    pub(crate) const GATHER: u8 = 23;
    pub(crate) const REDUCER: u8 = 27;
    pub(crate) const SUB: u8 = 28;
    pub(crate) const DIV: u8 = 29;
    pub(crate) const STRIDED_SLICE: u8 = 32;
    pub(crate) const LOG_SOFTMAX: u8 = 36;
    pub(crate) const MAXIMUM_MINIMUM: u8 = 39;
    pub(crate) const ARG_MAX: u8 = 40;
    pub(crate) const TRANSPOSE_CONV: u8 = 49;
    pub(crate) const ARG_MIN: u8 = 57;
    pub(crate) const PACK: u8 = 59;
    pub(crate) const UNPACK: u8 = 64;
    pub(crate) const RESIZE_NEAREST_NEIGHBOR: u8 = 74;
    pub(crate) const SVDF: u8 = 6;
    pub(crate) const SEQUENCE_RNN: u8 = 31;
    pub(crate) const BIDIRECTIONAL_SEQUENCE_LSTM: u8 = 69;
    pub(crate) const BIDIRECTIONAL_SEQUENCE_RNN: u8 = 70;
    pub(crate) const UNIDIRECTIONAL_SEQUENCE_LSTM: u8 = 71;
    pub(crate) const LEAKY_RELU: u8 = 75;
    pub(crate) const SQUARED_DIFFERENCE: u8 = 76;
    pub(crate) const CALL_ONCE: u8 = 103;
    pub(crate) const GELU: u8 = 116;
    pub(crate) const VAR_HANDLE: u8 = 111;
    pub(crate) const MIRROR_PAD: u8 = 77;
    pub(crate) const DEPTH_TO_SPACE: u8 = 94;
    pub(crate) const BATCH_MATMUL: u8 = 101;
    pub(crate) const CUMSUM: u8 = 102;
}

/// Types of elements.
pub(crate) mod tensor_type {
    pub(crate) const FLOAT32: i8 = 0;
    pub(crate) const FLOAT16: i8 = 1;
    pub(crate) const INT32: i8 = 2;
    pub(crate) const UINT8: i8 = 3;
    pub(crate) const INT64: i8 = 4;
    pub(crate) const BOOL: i8 = 6;
    pub(crate) const INT16: i8 = 7;
    pub(crate) const INT8: i8 = 9;
    pub(crate) const FLOAT64: i8 = 10;
    pub(crate) const INT4: i8 = 17;
}

/// How a window stands in its image.
pub(crate) mod padding {
    pub(crate) const SAME: i8 = 0;
    pub(crate) const VALID: i8 = 1;
}

/// What is fused into an operator.
pub(crate) mod activation {
    pub(crate) const NONE: i8 = 0;
    pub(crate) const RELU: i8 = 1;
    pub(crate) const RELU_N1_TO_1: i8 = 2;
    pub(crate) const RELU6: i8 = 3;
    pub(crate) const TANH: i8 = 4;
}

macro_rules! builtins {
    ($($name:ident = $code:literal,)*) => {
        /// The operators that are read or written, under the schema's names and numbers; custom ones, which are read by
        /// their names, under numbers above all of the schema's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Builtin {
            $($name = $code,)*
        }

        impl Builtin {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

builtins! {
    Add = 0,
    AveragePool2d = 1,
    Concatenation = 2,
    Conv2d = 3,
    DepthwiseConv2d = 4,
    DepthToSpace = 5,
    EmbeddingLookup = 7,
    Floor = 8,
    FullyConnected = 9,
    Logistic = 14,
    MaxPool2d = 17,
    Mul = 18,
    Relu = 19,
    ReluN1To1 = 20,
    Relu6 = 21,
    Reshape = 22,
    ResizeBilinear = 23,
    Softmax = 25,
    SpaceToDepth = 26,
    Svdf = 27,
    Tanh = 28,
    Pad = 34,
    UnidirectionalSequenceRnn = 35,
    Gather = 36,
    BatchToSpaceNd = 37,
    SpaceToBatchNd = 38,
    Transpose = 39,
    Mean = 40,
    Sub = 41,
    Div = 42,
    Squeeze = 43,
    UnidirectionalSequenceLstm = 44,
    StridedSlice = 45,
    BidirectionalSequenceRnn = 46,
    Exp = 47,
    TopKV2 = 48,
    Split = 49,
    LogSoftmax = 50,
    BidirectionalSequenceLstm = 52,
    Cast = 53,
    PRelu = 54,
    Maximum = 55,
    ArgMax = 56,
    Minimum = 57,
    Less = 58,
    Neg = 59,
    PadV2 = 60,
    Greater = 61,
    GreaterEqual = 62,
    LessEqual = 63,
    Select = 64,
    Slice = 65,
    Sin = 66,
    TransposeConv = 67,
    Tile = 69,
    ExpandDims = 70,
    Equal = 71,
    NotEqual = 72,
    Log = 73,
    Sum = 74,
    Sqrt = 75,
    Rsqrt = 76,
    Pow = 78,
    ArgMin = 79,
    ReduceMax = 82,
    Pack = 83,
    LogicalOr = 84,
    LogicalAnd = 86,
    LogicalNot = 87,
    Unpack = 88,
    ReduceMin = 89,
    Square = 92,
    ResizeNearestNeighbor = 97,
    LeakyRelu = 98,
    SquaredDifference = 99,
    MirrorPad = 100,
    Abs = 101,
    SplitV = 102,
    Ceil = 104,
    ReverseV2 = 105,
    AddN = 106,
    Cos = 108,
    Elu = 111,
    Quantize = 114,
    Round = 116,
    HardSwish = 117,
    SelectV2 = 123,
    BatchMatMul = 126,
    CumSum = 128,
    CallOnce = 129,
    BroadcastTo = 130,
    VarHandle = 142,
    ReadVariable = 143,
    AssignVariable = 144,
    Gelu = 150,
    Relu0To1 = 152,
    Sign = 158,
    CircularBuffer = 0x10000,
    DetectionPostProcess = 0x10001,
}

impl Builtin {
    /// The name of a custom operator.
    pub(crate) fn custom_name(self) -> Option<&'static str> {
        match self {
            Self::CircularBuffer => Some("CIRCULAR_BUFFER"),
            Self::DetectionPostProcess => Some("TFLite_Detection_PostProcess"),
            _ => None,
        }
    }
}
