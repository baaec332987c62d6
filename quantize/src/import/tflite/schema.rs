//! The tables of a TensorFlow Lite file, as far as they are read.

use super::flatbuffer::{Fields, FromTable, Result};
use super::flexbuffer;
use crate::tflite_schema::{field, options_type};

/// The file.
pub(super) struct Model<'b> {
    pub(super) version: u32,
    pub(super) operator_codes: Vec<OperatorCode>,
    pub(super) subgraphs: Vec<SubGraph>,
    pub(super) buffers: Vec<Buffer<'b>>,
    pub(super) description: String,
    pub(super) metadata: Vec<NamedBuffer>,
}

impl<'b> FromTable<'b> for Model<'b> {
    fn from_table(fields: &mut Fields<'_, '_, 'b>) -> Result<Self> {
        Ok(Self {
            version: fields.scalar(field::model::VERSION, 0)?,
            operator_codes: fields.tables(field::model::OPERATOR_CODES)?,
            subgraphs: fields.tables(field::model::SUBGRAPHS)?,
            buffers: fields.tables(field::model::BUFFERS)?,
            description: fields.text(field::model::DESCRIPTION)?,
            metadata: fields.tables(field::model::METADATA)?,
        })
    }
}

/// A buffer that is no tensor's.
pub(super) struct NamedBuffer {
    pub(super) name: String,
    pub(super) buffer: u32,
}

impl FromTable<'_> for NamedBuffer {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            name: fields.text(field::named_buffer::NAME)?,
            buffer: fields.scalar(field::named_buffer::BUFFER, 0)?,
        })
    }
}

/// An operator that operators of the graphs refer to.
pub(super) struct OperatorCode {
    /// A builtin operator's number.
    pub(super) builtin: i32,
    /// A custom operator's name.
    pub(super) custom: String,
    pub(super) version: i32,
}

impl FromTable<'_> for OperatorCode {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        let deprecated = i32::from(fields.scalar(field::operator_code::DEPRECATED_BUILTIN, 0i8)?);
        Ok(Self {
            builtin: deprecated.max(fields.scalar(field::operator_code::BUILTIN, 0)?),
            custom: fields.text(field::operator_code::CUSTOM)?,
            version: fields.scalar(field::operator_code::VERSION, 1)?,
        })
    }
}

/// A graph.
pub(super) struct SubGraph {
    pub(super) tensors: Vec<Tensor>,
    pub(super) inputs: Vec<i32>,
    pub(super) outputs: Vec<i32>,
    pub(super) operators: Vec<Operator>,
    pub(super) name: String,
}

impl FromTable<'_> for SubGraph {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            tensors: fields.tables(field::subgraph::TENSORS)?,
            inputs: fields.vector(field::subgraph::INPUTS)?,
            outputs: fields.vector(field::subgraph::OUTPUTS)?,
            operators: fields.tables(field::subgraph::OPERATORS)?,
            name: fields.text(field::subgraph::NAME)?,
        })
    }
}

/// A tensor.
pub(super) struct Tensor {
    pub(super) shape: Vec<i32>,
    pub(super) kind: i8,
    pub(super) buffer: u32,
    pub(super) name: String,
    pub(super) quantization: Option<Quantization>,
    /// State kept between runs.
    pub(super) is_variable: bool,
    pub(super) is_sparse: bool,
    /// Data in a file of its own.
    pub(super) external_buffer: u32,
}

impl FromTable<'_> for Tensor {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            shape: fields.vector(field::tensor::SHAPE)?,
            kind: fields.scalar(field::tensor::TYPE, 0)?,
            buffer: fields.scalar(field::tensor::BUFFER, 0)?,
            name: fields.text(field::tensor::NAME)?,
            quantization: fields.table(field::tensor::QUANTIZATION)?,
            is_variable: fields.scalar(field::tensor::IS_VARIABLE, 0u8)? != 0,
            is_sparse: fields.is_present(field::tensor::SPARSITY)?,
            external_buffer: fields.scalar(field::tensor::EXTERNAL_BUFFER, 0)?,
        })
    }
}

/// A tensor's scales and zero points.
pub(super) struct Quantization {
    pub(super) scales: Vec<f32>,
    pub(super) zero_points: Vec<i64>,
    /// Which other technique than scales and zero points; 0 is none.
    pub(super) details: u8,
    pub(super) dimension: i32,
}

impl FromTable<'_> for Quantization {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            scales: fields.vector(field::quantization::SCALE)?,
            zero_points: fields.vector(field::quantization::ZERO_POINT)?,
            details: fields.scalar(field::quantization::DETAILS_TYPE, 0)?,
            dimension: fields.scalar(field::quantization::DIMENSION, 0)?,
        })
    }
}

/// Bytes of a constant tensor: in the table, or, in files larger than 2 GiB, after the flatbuffer.
pub(super) struct Buffer<'b> {
    pub(super) data: &'b [u8],
    /// From the start of the file.
    pub(super) offset: u64,
    pub(super) size: u64,
}

impl<'b> FromTable<'b> for Buffer<'b> {
    fn from_table(fields: &mut Fields<'_, '_, 'b>) -> Result<Self> {
        Ok(Self {
            data: fields.byte_vector(field::buffer::DATA)?,
            offset: fields.scalar(field::buffer::OFFSET, 0)?,
            size: fields.scalar(field::buffer::SIZE, 0)?,
        })
    }
}

/// An operator of a graph.
pub(super) struct Operator {
    pub(super) code: u32,
    /// Indices of tensors; -1 is none.
    pub(super) inputs: Vec<i32>,
    pub(super) outputs: Vec<i32>,
    pub(super) options: Options,
}

impl FromTable<'_> for Operator {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            code: fields.scalar(field::operator::CODE, 0)?,
            inputs: fields.vector(field::operator::INPUTS)?,
            outputs: fields.vector(field::operator::OUTPUTS)?,
            options: match fields.scalar(field::operator::OPTIONS_TYPE, 0u8)? {
                options_type::CONV_2D => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::Conv2d)
                }
                options_type::DEPTHWISE_CONV_2D => fields
                    .table::<DepthwiseConv2d>(field::operator::OPTIONS)?
                    .map_or(Options::None, |options| Options::Conv2d(options.0)),
                options_type::POOL_2D => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::Pool2d)
                }
                options_type::FULLY_CONNECTED => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::FullyConnected)
                }
                options_type::SOFTMAX => fields
                    .table::<Number>(field::operator::OPTIONS)?
                    .map_or(Options::None, |beta| Options::Softmax { beta: beta.0 }),
                options_type::CONCATENATION => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::Concatenation)
                }
                options_type::ADD | options_type::MUL | options_type::SUB | options_type::DIV => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::Elementwise)
                }
                options_type::STRIDED_SLICE => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::StridedSlice)
                }
                options_type::PACK | options_type::UNPACK => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::Pack)
                }
                options_type::GATHER => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::Gather)
                }
                options_type::DEPTH_TO_SPACE | options_type::SPACE_TO_DEPTH => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::Block)
                }
                options_type::MIRROR_PAD => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::MirrorPad)
                }
                options_type::RESIZE_BILINEAR => fields
                    .table::<ResizeBilinear>(field::operator::OPTIONS)?
                    .map_or(Options::None, |options| Options::Resize(options.0)),
                options_type::TRANSPOSE_CONV => fields
                    .table::<TransposeConv>(field::operator::OPTIONS)?
                    .map_or(Options::None, |options| Options::Conv2d(options.0)),
                options_type::BATCH_MATMUL => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::BatchMatMul)
                }
                options_type::CUMSUM => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::CumulativeSum)
                }
                options_type::RESIZE_NEAREST_NEIGHBOR => fields
                    .table::<ResizeNearest>(field::operator::OPTIONS)?
                    .map_or(Options::None, |options| Options::Resize(options.0)),
                options_type::SVDF => Options::Svdf {
                    rank: fields.table::<Rank>(field::operator::OPTIONS)?.map_or(0, |rank| rank.0),
                },
                options_type::UNIDIRECTIONAL_SEQUENCE_LSTM => {
                    fields.table(field::operator::OPTIONS)?.map_or(Options::None, Options::Lstm)
                }
                options_type::BIDIRECTIONAL_SEQUENCE_LSTM => fields
                    .table::<BidirectionalLstm>(field::operator::OPTIONS)?
                    .map_or(Options::None, |options| Options::Sequence(options.0)),
                options_type::SEQUENCE_RNN => fields
                    .table::<Rnn>(field::operator::OPTIONS)?
                    .map_or(Options::None, |options| Options::Sequence(options.0)),
                options_type::BIDIRECTIONAL_SEQUENCE_RNN => fields
                    .table::<BidirectionalRnn>(field::operator::OPTIONS)?
                    .map_or(Options::None, |options| Options::Sequence(options.0)),
                options_type::CALL_ONCE => Options::CallOnce {
                    graph: fields.table::<CalledGraph>(field::operator::OPTIONS)?.map_or(0, |graph| graph.0),
                },
                options_type::VAR_HANDLE => {
                    fields.table::<Variable>(field::operator::OPTIONS)?.map_or(Options::None, |variable| {
                        Options::VarHandle { container: variable.container, name: variable.name }
                    })
                }
                options_type::GELU => {
                    let gelu = fields.table::<Gelu>(field::operator::OPTIONS)?;
                    gelu.map_or(Options::None, |gelu| Options::Gelu { is_approximate: gelu.0 })
                }
                options_type::LEAKY_RELU => fields
                    .table::<Number>(field::operator::OPTIONS)?
                    .map_or(Options::None, |alpha| Options::LeakyRelu { alpha: alpha.0 }),
                _ => flexbuffer::numbers(fields.byte_vector(field::operator::CUSTOM_OPTIONS)?)
                    .map_or(Options::None, Options::Custom),
            },
        })
    }
}

/// The options of operators that have ones we read.
pub(super) enum Options {
    None,
    Conv2d(Conv2d),
    Pool2d(Pool2d),
    FullyConnected(FullyConnected),
    Softmax {
        beta: f32,
    },
    Concatenation(Concatenation),
    Elementwise(Elementwise),
    LeakyRelu {
        alpha: f32,
    },
    Gelu {
        is_approximate: bool,
    },
    Svdf {
        rank: i32,
    },
    Lstm(Lstm),
    Sequence(Sequence),
    CallOnce {
        graph: i32,
    },
    VarHandle {
        container: String,
        name: String,
    },
    StridedSlice(StridedSlice),
    Pack(Pack),
    Gather(Gather),
    Block(Block),
    MirrorPad(MirrorPad),
    Resize(Resize),
    BatchMatMul(BatchMatMul),
    CumulativeSum(CumulativeSum),
    /// A custom operator's numbers, by their names.
    Custom(Vec<(String, f64)>),
}

/// Of convolutions, depthwise or not. Rows first.
pub(super) struct Conv2d {
    pub(super) padding: i8,
    pub(super) stride: [i32; 2],
    pub(super) dilation: [i32; 2],
    pub(super) activation: i8,
    /// Type of a bias that is not given.
    pub(super) bias_type: i8,
}

impl FromTable<'_> for Conv2d {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            padding: fields.scalar(field::conv_2d::PADDING, 0)?,
            stride: [
                fields.scalar(field::conv_2d::STRIDE_HEIGHT, 0)?,
                fields.scalar(field::conv_2d::STRIDE_WIDTH, 0)?,
            ],
            activation: fields.scalar(field::conv_2d::ACTIVATION, 0)?,
            dilation: [
                fields.scalar(field::conv_2d::DILATION_HEIGHT, 1)?,
                fields.scalar(field::conv_2d::DILATION_WIDTH, 1)?,
            ],
            bias_type: fields.scalar(field::conv_2d::BIAS_TYPE, 0)?,
        })
    }
}

/// The same, with other field numbers. The multiplier (field 3) follows from the shapes.
struct DepthwiseConv2d(Conv2d);

impl FromTable<'_> for DepthwiseConv2d {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self(Conv2d {
            padding: fields.scalar(field::depthwise_conv_2d::PADDING, 0)?,
            stride: [
                fields.scalar(field::depthwise_conv_2d::STRIDE_HEIGHT, 0)?,
                fields.scalar(field::depthwise_conv_2d::STRIDE_WIDTH, 0)?,
            ],
            activation: fields.scalar(field::depthwise_conv_2d::ACTIVATION, 0)?,
            dilation: [
                fields.scalar(field::depthwise_conv_2d::DILATION_HEIGHT, 1)?,
                fields.scalar(field::depthwise_conv_2d::DILATION_WIDTH, 1)?,
            ],
            bias_type: 0,
        }))
    }
}

/// Of pools. Rows first.
pub(super) struct Pool2d {
    pub(super) padding: i8,
    pub(super) stride: [i32; 2],
    pub(super) window: [i32; 2],
    pub(super) activation: i8,
}

impl FromTable<'_> for Pool2d {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            padding: fields.scalar(field::pool_2d::PADDING, 0)?,
            stride: [
                fields.scalar(field::pool_2d::STRIDE_HEIGHT, 0)?,
                fields.scalar(field::pool_2d::STRIDE_WIDTH, 0)?,
            ],
            window: [
                fields.scalar(field::pool_2d::WINDOW_HEIGHT, 0)?,
                fields.scalar(field::pool_2d::WINDOW_WIDTH, 0)?,
            ],
            activation: fields.scalar(field::pool_2d::ACTIVATION, 0)?,
        })
    }
}

/// Of fully connected layers.
pub(super) struct FullyConnected {
    pub(super) activation: i8,
    /// How weights are laid out; 0 is row by row.
    pub(super) weights_format: i8,
    /// Type of a bias that is not given.
    pub(super) bias_type: i8,
}

impl FromTable<'_> for FullyConnected {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            activation: fields.scalar(field::fully_connected::ACTIVATION, 0)?,
            weights_format: fields.scalar(field::fully_connected::WEIGHTS_FORMAT, 0)?,
            bias_type: fields.scalar(field::fully_connected::BIAS_TYPE, 0)?,
        })
    }
}

/// Of concatenations.
pub(super) struct Concatenation {
    pub(super) axis: i32,
    pub(super) activation: i8,
}

impl FromTable<'_> for Concatenation {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            axis: fields.scalar(field::concatenation::AXIS, 0)?,
            activation: fields.scalar(field::concatenation::ACTIVATION, 0)?,
        })
    }
}

/// Of additions, subtractions, multiplications and divisions.
pub(super) struct Elementwise {
    pub(super) activation: i8,
}

impl FromTable<'_> for Elementwise {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self { activation: fields.scalar(field::elementwise::ACTIVATION, 0)? })
    }
}

/// Of slices. Bit `i` of a mask is the slice's dimension `i`.
pub(super) struct StridedSlice {
    /// Where the begin given does not count.
    pub(super) begin_mask: u32,
    /// Where the end given does not count.
    pub(super) end_mask: u32,
    pub(super) has_ellipsis: bool,
    pub(super) adds_dimensions: bool,
    /// Dimensions that are left out after one element is taken.
    pub(super) shrink_mask: u32,
    /// Whether ends count from the begins.
    pub(super) has_offsets: bool,
}

impl FromTable<'_> for StridedSlice {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        use field::strided_slice as field;
        Ok(Self {
            begin_mask: fields.scalar(field::BEGIN_MASK, 0)?,
            end_mask: fields.scalar(field::END_MASK, 0)?,
            has_ellipsis: fields.scalar(field::ELLIPSIS_MASK, 0u32)? != 0,
            adds_dimensions: fields.scalar(field::NEW_AXIS_MASK, 0u32)? != 0,
            shrink_mask: fields.scalar(field::SHRINK_AXIS_MASK, 0)?,
            has_offsets: fields.scalar(field::OFFSET, 0u8)? != 0,
        })
    }
}

/// Of packing and unpacking.
pub(super) struct Pack {
    /// The dimension that is added or left out.
    pub(super) axis: i32,
}

impl FromTable<'_> for Pack {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self { axis: fields.scalar(field::pack::AXIS, 0)? })
    }
}

/// Of gathering.
pub(super) struct Gather {
    pub(super) axis: i32,
    /// Leading dimensions that elements and indices share.
    pub(super) batch_dimensions: i32,
}

impl FromTable<'_> for Gather {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            axis: fields.scalar(field::gather::AXIS, 0)?,
            batch_dimensions: fields.scalar(field::gather::BATCH_DIMENSIONS, 0)?,
        })
    }
}

/// Of moving between depth and space.
pub(super) struct Block {
    /// Rows and columns that become channels, or come of them.
    pub(super) size: i32,
}

impl FromTable<'_> for Block {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self { size: fields.scalar(field::block::SIZE, 0)? })
    }
}

/// Of padding with mirrored elements.
pub(super) struct MirrorPad {
    pub(super) mode: i8,
}

impl FromTable<'_> for MirrorPad {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self { mode: fields.scalar(field::mirror_pad::MODE, 0)? })
    }
}

/// Of resizing.
pub(super) struct Resize {
    pub(super) aligns_corners: bool,
    pub(super) has_half_pixel_centers: bool,
}

/// Under the field numbers of the bilinear one's.
struct ResizeBilinear(Resize);

impl FromTable<'_> for ResizeBilinear {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        use field::resize_bilinear as field;
        Ok(Self(Resize {
            aligns_corners: fields.scalar(field::ALIGN_CORNERS, 0u8)? != 0,
            has_half_pixel_centers: fields.scalar(field::HALF_PIXEL_CENTERS, 0u8)? != 0,
        }))
    }
}

/// The options of a convolution, with other field numbers and without a dilation.
struct TransposeConv(Conv2d);

impl FromTable<'_> for TransposeConv {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        use field::transpose_conv as field;
        Ok(Self(Conv2d {
            padding: fields.scalar(field::PADDING, 0)?,
            stride: [fields.scalar(field::STRIDE_HEIGHT, 0)?, fields.scalar(field::STRIDE_WIDTH, 0)?],
            dilation: [1, 1],
            activation: fields.scalar(field::ACTIVATION, 0)?,
            bias_type: 0,
        }))
    }
}

/// Of products of matrices.
pub(super) struct BatchMatMul {
    pub(super) is_x_transposed: bool,
    pub(super) is_y_transposed: bool,
}

impl FromTable<'_> for BatchMatMul {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            is_x_transposed: fields.scalar(field::batch_mat_mul::ADJOINT_X, 0u8)? != 0,
            is_y_transposed: fields.scalar(field::batch_mat_mul::ADJOINT_Y, 0u8)? != 0,
        })
    }
}

/// Whether the function is taken by its approximation.
struct Gelu(bool);

impl FromTable<'_> for Gelu {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self(fields.scalar(field::gelu::APPROXIMATE, 0u8)? != 0))
    }
}

/// Of running sums.
pub(super) struct CumulativeSum {
    /// Whether an element's sum leaves it out.
    pub(super) is_exclusive: bool,
    /// Whether sums run from the last element on.
    pub(super) is_reverse: bool,
}

impl FromTable<'_> for CumulativeSum {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            is_exclusive: fields.scalar(field::cumulative_sum::EXCLUSIVE, 0u8)? != 0,
            is_reverse: fields.scalar(field::cumulative_sum::REVERSE, 0u8)? != 0,
        })
    }
}

/// Under the field numbers of the nearest neighbour's.
struct ResizeNearest(Resize);

impl FromTable<'_> for ResizeNearest {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        use field::resize_nearest as field;
        Ok(Self(Resize {
            aligns_corners: fields.scalar(field::ALIGN_CORNERS, 0u8)? != 0,
            has_half_pixel_centers: fields.scalar(field::HALF_PIXEL_CENTERS, 0u8)? != 0,
        }))
    }
}

/// Of long short-term memories.
pub(super) struct Lstm {
    pub(super) activation: i8,
    /// Cells stay within this distance from 0; 0 is any.
    pub(super) cell_clip: f32,
    pub(super) is_time_major: bool,
}

impl FromTable<'_> for Lstm {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        use field::unidirectional_sequence_lstm as field;
        Ok(Self {
            activation: fields.scalar(field::ACTIVATION, 0)?,
            cell_clip: fields.scalar(field::CELL_CLIP, 0.0)?,
            is_time_major: fields.scalar(field::TIME_MAJOR, 0u8)? != 0,
        })
    }
}

/// Of layers that go along sequences, but for long short-term memories that go one way.
pub(super) struct Sequence {
    pub(super) activation: i8,
    /// Cells stay within this distance from 0; 0 is any.
    pub(super) cell_clip: f32,
    pub(super) is_time_major: bool,
    /// Whether what both directions put out is one tensor.
    pub(super) merges_outputs: bool,
}

struct BidirectionalLstm(Sequence);

impl FromTable<'_> for BidirectionalLstm {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        use field::bidirectional_sequence_lstm as field;
        Ok(Self(Sequence {
            activation: fields.scalar(field::ACTIVATION, 0)?,
            cell_clip: fields.scalar(field::CELL_CLIP, 0.0)?,
            is_time_major: fields.scalar(field::TIME_MAJOR, 1u8)? != 0,
            merges_outputs: fields.scalar(field::MERGE_OUTPUTS, 0u8)? != 0,
        }))
    }
}

struct Rnn(Sequence);

impl FromTable<'_> for Rnn {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        use field::sequence_rnn as field;
        Ok(Self(Sequence {
            activation: fields.scalar(field::ACTIVATION, 0)?,
            cell_clip: 0.0,
            is_time_major: fields.scalar(field::TIME_MAJOR, 0u8)? != 0,
            merges_outputs: false,
        }))
    }
}

struct BidirectionalRnn(Sequence);

impl FromTable<'_> for BidirectionalRnn {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        use field::bidirectional_sequence_rnn as field;
        Ok(Self(Sequence {
            activation: fields.scalar(field::ACTIVATION, 0)?,
            cell_clip: 0.0,
            is_time_major: fields.scalar(field::TIME_MAJOR, 0u8)? != 0,
            merges_outputs: fields.scalar(field::MERGE_OUTPUTS, 0u8)? != 0,
        }))
    }
}

/// Filters of a unit.
struct Rank(i32);

impl FromTable<'_> for Rank {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        fields.scalar(field::svdf::RANK, 0).map(Self)
    }
}

/// The graph that runs before the first run.
struct CalledGraph(i32);

impl FromTable<'_> for CalledGraph {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        fields.scalar(field::call_once::GRAPH, 0).map(Self)
    }
}

/// What a variable is called.
struct Variable {
    container: String,
    name: String,
}

impl FromTable<'_> for Variable {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            container: fields.text(field::var_handle::CONTAINER)?,
            name: fields.text(field::var_handle::NAME)?,
        })
    }
}

/// Options that are one float.
struct Number(f32);

impl FromTable<'_> for Number {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        fields.scalar(field::number::VALUE, 0.0).map(Self)
    }
}
