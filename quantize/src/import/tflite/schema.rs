//! The tables of a TensorFlow Lite file, as far as they are read. Field numbers are those of schema
//! version 3.

use super::flatbuffer::{Fields, FromTable, Result};

/// The file.
pub(super) struct Model<'b> {
    pub(super) version: u32,
    pub(super) operator_codes: Vec<OperatorCode>,
    pub(super) subgraphs: Vec<SubGraph>,
    pub(super) buffers: Vec<Buffer<'b>>,
}

impl<'b> FromTable<'b> for Model<'b> {
    fn from_table(fields: &mut Fields<'_, '_, 'b>) -> Result<Self> {
        Ok(Self {
            version: fields.scalar(0, 0)?,
            operator_codes: fields.tables(1)?,
            subgraphs: fields.tables(2)?,
            buffers: fields.tables(4)?,
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
        let deprecated = i32::from(fields.scalar(0, 0i8)?);
        Ok(Self {
            builtin: deprecated.max(fields.scalar(3, 0)?),
            custom: fields.text(1)?,
            version: fields.scalar(2, 1)?,
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
            tensors: fields.tables(0)?,
            inputs: fields.vector(1)?,
            outputs: fields.vector(2)?,
            operators: fields.tables(3)?,
            name: fields.text(4)?,
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
            shape: fields.vector(0)?,
            kind: fields.scalar(1, 0)?,
            buffer: fields.scalar(2, 0)?,
            name: fields.text(3)?,
            quantization: fields.table(4)?,
            is_variable: fields.scalar(5, 0u8)? != 0,
            is_sparse: fields.is_present(6)?,
            external_buffer: fields.scalar(10, 0)?,
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
            scales: fields.vector(2)?,
            zero_points: fields.vector(3)?,
            details: fields.scalar(4, 0)?,
            dimension: fields.scalar(6, 0)?,
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
        Ok(Self { data: fields.byte_vector(0)?, offset: fields.scalar(1, 0)?, size: fields.scalar(2, 0)? })
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
            code: fields.scalar(0, 0)?,
            inputs: fields.vector(1)?,
            outputs: fields.vector(2)?,
            options: match fields.scalar(3, 0u8)? {
                1 => fields.table(4)?.map_or(Options::None, Options::Conv2d),
                2 => fields
                    .table::<DepthwiseConv2d>(4)?
                    .map_or(Options::None, |options| Options::Conv2d(options.0)),
                5 => fields.table(4)?.map_or(Options::None, Options::Pool2d),
                8 => fields.table(4)?.map_or(Options::None, Options::FullyConnected),
                9 => {
                    fields.table::<Number>(4)?.map_or(Options::None, |beta| Options::Softmax { beta: beta.0 })
                }
                10 => fields.table(4)?.map_or(Options::None, Options::Concatenation),
                11 | 21 => fields.table(4)?.map_or(Options::None, Options::Elementwise),
                75 => fields
                    .table::<Number>(4)?
                    .map_or(Options::None, |alpha| Options::LeakyRelu { alpha: alpha.0 }),
                _ => Options::None,
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
    Softmax { beta: f32 },
    Concatenation(Concatenation),
    Elementwise(Elementwise),
    LeakyRelu { alpha: f32 },
}

/// Of convolutions, depthwise or not. Rows first.
pub(super) struct Conv2d {
    pub(super) padding: i8,
    pub(super) stride: [i32; 2],
    pub(super) dilation: [i32; 2],
    pub(super) activation: i8,
}

impl FromTable<'_> for Conv2d {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            padding: fields.scalar(0, 0)?,
            stride: [fields.scalar(2, 0)?, fields.scalar(1, 0)?],
            activation: fields.scalar(3, 0)?,
            dilation: [fields.scalar(5, 1)?, fields.scalar(4, 1)?],
        })
    }
}

/// The same, with other field numbers. The multiplier (field 3) follows from the shapes.
struct DepthwiseConv2d(Conv2d);

impl FromTable<'_> for DepthwiseConv2d {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self(Conv2d {
            padding: fields.scalar(0, 0)?,
            stride: [fields.scalar(2, 0)?, fields.scalar(1, 0)?],
            activation: fields.scalar(4, 0)?,
            dilation: [fields.scalar(6, 1)?, fields.scalar(5, 1)?],
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
            padding: fields.scalar(0, 0)?,
            stride: [fields.scalar(2, 0)?, fields.scalar(1, 0)?],
            window: [fields.scalar(4, 0)?, fields.scalar(3, 0)?],
            activation: fields.scalar(5, 0)?,
        })
    }
}

/// Of fully connected layers.
pub(super) struct FullyConnected {
    pub(super) activation: i8,
    /// How weights are laid out; 0 is row by row.
    pub(super) weights_format: i8,
}

impl FromTable<'_> for FullyConnected {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self { activation: fields.scalar(0, 0)?, weights_format: fields.scalar(1, 0)? })
    }
}

/// Of concatenations.
pub(super) struct Concatenation {
    pub(super) axis: i32,
    pub(super) activation: i8,
}

impl FromTable<'_> for Concatenation {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self { axis: fields.scalar(0, 0)?, activation: fields.scalar(1, 0)? })
    }
}

/// Of additions and multiplications.
pub(super) struct Elementwise {
    pub(super) activation: i8,
}

impl FromTable<'_> for Elementwise {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        Ok(Self { activation: fields.scalar(0, 0)? })
    }
}

/// Options that are one float.
struct Number(f32);

impl FromTable<'_> for Number {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Result<Self> {
        fields.scalar(0, 0.0).map(Self)
    }
}
