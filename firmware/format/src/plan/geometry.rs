//! Which bytes an operator reads and writes, from its record alone.

use super::{ChannelParameters, Dims, Image, Record, Strides, Window};
use crate::tensor::{DType, Space, TensorRef};

/// What an operator does with a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads it.
    Read,
    /// It writes all of it, or scattered bytes of it, and nothing outside.
    Write,
}

/// A region an operator touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Where it starts, and its type.
    pub tensor: TensorRef,
    /// Bytes from there on.
    pub bytes: u32,
    /// Read or written.
    pub access: Access,
}

impl Operand {
    /// The byte after the last one; the geometry check shows that it fits 32 bits.
    pub fn end(&self) -> u64 {
        u64::from(self.tensor.offset) + u64::from(self.bytes)
    }

    /// Whether the two share a byte.
    pub fn overlaps(&self, other: &Operand) -> bool {
        self.tensor.space == other.tensor.space
            && self.bytes != 0
            && other.bytes != 0
            && u64::from(self.tensor.offset) < other.end()
            && u64::from(other.tensor.offset) < self.end()
    }
}

/// An operator's regions: inputs first, in the record's order, the output last.
pub type Operands = heapless::Vec<Operand, 4>;

/// A record whose shapes contradict each other, or do not fit 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// A tensor is larger than 32 bits can count.
    TooLarge,
    /// A tensor has a type the operator does not take.
    WrongType,
    /// Constant data lies in another space, or an output in the constant one.
    WrongSpace,
    /// Shapes, groups or strides contradict each other.
    Inconsistent,
    /// A table of words is not aligned to 4 bytes, or a tensor not to its element.
    Misaligned,
}

use GeometryError::{Inconsistent, Misaligned, TooLarge, WrongSpace, WrongType};

/// The greatest extent of a dimension and the greatest number of elements: index arithmetic on
/// 32-bit machines stays below 2^31.
const LIMIT: u32 = 1 << 28;

/// The greatest extent of a window and of an output's rows and columns, and the greatest stride,
/// dilation and padding: a tap's row and column stay below 2^31.
const WINDOW_LIMIT: u32 = 1 << 15;

/// The number of elements of a shape; no record has an empty tensor.
fn product(extents: &[u32]) -> Result<u32, GeometryError> {
    let mut product = 1u32;
    for &extent in extents {
        ensure(extent != 0, Inconsistent)?;
        product = product.checked_mul(extent).filter(|&n| n <= LIMIT).ok_or(TooLarge)?;
    }
    Ok(product)
}

fn elements(image: &Image) -> Result<u32, GeometryError> {
    product(&[image.batches, image.height, image.width, image.channels])
}

fn ensure(condition: bool, error: GeometryError) -> Result<(), GeometryError> {
    if condition { Ok(()) } else { Err(error) }
}

/// Elements from a view's first to its last one, both counted.
fn span(dims: &Dims, strides: &Dims) -> Result<u32, GeometryError> {
    product(dims)?;
    let mut last = 0u64;
    for (&extent, &stride) in dims.iter().zip(strides) {
        last += u64::from(extent - 1) * u64::from(stride);
    }
    u32::try_from(last + 1).ok().filter(|&n| n <= LIMIT).ok_or(TooLarge)
}

/// Bytes below and from a strided view's start on that it touches.
fn signed_span(dims: &Dims, strides: &Strides) -> Result<(u32, u32), GeometryError> {
    product(dims)?;
    let (mut below, mut above) = (0u64, 0u64);
    for (&extent, &stride) in dims.iter().zip(strides) {
        let reach = u64::from(extent - 1) * u64::from(stride.unsigned_abs());
        *if stride < 0 { &mut below } else { &mut above } += reach;
    }
    ensure(below <= u64::from(LIMIT) && above < u64::from(LIMIT), TooLarge)?;
    Ok((below as u32, above as u32 + 1))
}

fn operand(tensor: TensorRef, elements: u32, access: Access) -> Result<Operand, GeometryError> {
    let bytes = tensor.dtype.bytes(elements).ok_or(TooLarge)?;
    let alignment = tensor.dtype.bytes(1).unwrap_or(1);
    ensure(tensor.offset.is_multiple_of(alignment), Misaligned)?;
    ensure(tensor.offset.checked_add(bytes).is_some(), TooLarge)?;
    Ok(Operand { tensor, bytes, access })
}

fn int8(tensor: TensorRef, elements: u32, access: Access) -> Result<Operand, GeometryError> {
    ensure(tensor.dtype == DType::Int8, WrongType)?;
    operand(tensor, elements, access)
}

fn constant(tensor: TensorRef, elements: u32) -> Result<Operand, GeometryError> {
    ensure(tensor.space == Space::Const, WrongSpace)?;
    int8(tensor, elements, Access::Read)
}

fn channel_table(tensor: TensorRef, channels: u32) -> Result<Operand, GeometryError> {
    ensure(tensor.space == Space::Const, WrongSpace)?;
    ensure(tensor.dtype == DType::Int32, WrongType)?;
    let words = product(&[channels, (ChannelParameters::BYTES / 4) as u32])?;
    operand(tensor, words, Access::Read)
}

fn taps(window: &Window) -> Result<u32, GeometryError> {
    let steps = [window.stride_height, window.stride_width, window.dilation_height, window.dilation_width];
    ensure(steps.iter().all(|&step| step != 0), Inconsistent)?;
    let extents = [window.height, window.width, window.pad_top, window.pad_left];
    ensure(steps.iter().chain(&extents).all(|&value| value <= WINDOW_LIMIT), TooLarge)?;
    product(&[window.height, window.width])
}

fn output_positions(image: &Image) -> Result<(), GeometryError> {
    ensure(image.height <= WINDOW_LIMIT && image.width <= WINDOW_LIMIT, TooLarge)
}

fn pool(
    input: TensorRef,
    output: TensorRef,
    from: &Image,
    to: &Image,
    window: &Window,
) -> Result<Operands, GeometryError> {
    taps(window)?;
    output_positions(to)?;
    ensure(from.batches == to.batches && from.channels == to.channels, Inconsistent)?;
    ensure(window.dilation_height == 1 && window.dilation_width == 1, Inconsistent)?;
    list([int8(input, elements(from)?, Access::Read)?, int8(output, elements(to)?, Access::Write)?])
}

fn list<const N: usize>(operands: [Operand; N]) -> Result<Operands, GeometryError> {
    let output = &operands[N - 1];
    ensure(output.tensor.space != Space::Const, WrongSpace)?;
    Ok(operands.into_iter().collect())
}

impl Record {
    /// The regions the operator touches: inputs in the record's order, the output last.
    ///
    /// # Errors
    ///
    /// When the record's own shapes contradict each other. Whether the regions lie inside their
    /// spaces is for the caller to compare.
    pub fn operands(&self) -> Result<Operands, GeometryError> {
        match self {
            Record::Conv2d(op) => {
                let taps = taps(&op.window)?;
                output_positions(&op.output_image)?;
                let (from, to) = (&op.input_image, &op.output_image);
                ensure(from.batches == to.batches, Inconsistent)?;
                ensure(
                    op.groups != 0
                        && from.channels.is_multiple_of(op.groups)
                        && to.channels.is_multiple_of(op.groups),
                    Inconsistent,
                )?;
                list([
                    int8(op.input, elements(from)?, Access::Read)?,
                    constant(op.weights, product(&[to.channels, taps, from.channels / op.groups])?)?,
                    channel_table(op.channels, to.channels)?,
                    int8(op.output, elements(to)?, Access::Write)?,
                ])
            }
            Record::DepthwiseConv2d(op) => {
                let taps = taps(&op.window)?;
                output_positions(&op.output_image)?;
                let (from, to) = (&op.input_image, &op.output_image);
                ensure(from.batches == to.batches, Inconsistent)?;
                ensure(from.channels != 0 && to.channels.is_multiple_of(from.channels), Inconsistent)?;
                list([
                    int8(op.input, elements(from)?, Access::Read)?,
                    constant(op.weights, product(&[taps, to.channels])?)?,
                    channel_table(op.channels, to.channels)?,
                    int8(op.output, elements(to)?, Access::Write)?,
                ])
            }
            Record::FullyConnected(op) => list([
                int8(op.input, product(&[op.rows, op.input_depth])?, Access::Read)?,
                constant(op.weights, product(&[op.output_depth, op.input_depth])?)?,
                channel_table(op.channels, op.output_depth)?,
                int8(op.output, product(&[op.rows, op.output_depth])?, Access::Write)?,
            ]),
            Record::Add(op) => list([
                int8(op.a, span(&op.dims, &op.a_strides)?, Access::Read)?,
                int8(op.b, span(&op.dims, &op.b_strides)?, Access::Read)?,
                int8(op.output, product(&op.dims)?, Access::Write)?,
            ]),
            Record::Mul(op) => list([
                int8(op.a, span(&op.dims, &op.a_strides)?, Access::Read)?,
                int8(op.b, span(&op.dims, &op.b_strides)?, Access::Read)?,
                int8(op.output, product(&op.dims)?, Access::Write)?,
            ]),
            Record::AveragePool2d(op) => {
                pool(op.input, op.output, &op.input_image, &op.output_image, &op.window)
            }
            Record::MaxPool2d(op) => pool(op.input, op.output, &op.input_image, &op.output_image, &op.window),
            Record::Mean(op) => {
                let input = span(&op.kept, &op.kept_strides)? + span(&op.reduced, &op.reduced_strides)? - 1;
                let kept = product(&op.kept)?;
                // No element is read twice, so a run takes no longer than the input is large.
                ensure(product(&[kept, product(&op.reduced)?])? <= input, Inconsistent)?;
                list([int8(op.input, input, Access::Read)?, int8(op.output, kept, Access::Write)?])
            }
            Record::Softmax(op) => {
                ensure(matches!(op.output.dtype, DType::Int8 | DType::Int16), WrongType)?;
                let elements = product(&[op.rows, op.depth])?;
                list([int8(op.input, elements, Access::Read)?, operand(op.output, elements, Access::Write)?])
            }
            Record::Lookup(op) => {
                let length = product(&[op.length])?;
                list([
                    int8(op.input, length, Access::Read)?,
                    constant(op.table, 256)?,
                    int8(op.output, length, Access::Write)?,
                ])
            }
            Record::Fill(op) => list([int8(op.output, product(&[op.length])?, Access::Write)?]),
            Record::StridedCopy(op) => {
                let view = |tensor: TensorRef, strides: &Strides, access| {
                    let (below, from_start) = signed_span(&op.dims, strides)?;
                    let offset = tensor.offset.checked_sub(below).ok_or(Inconsistent)?;
                    int8(TensorRef { offset, ..tensor }, below + from_start, access)
                };
                let output = view(op.output, &op.output_strides, Access::Write)?;
                // No byte is written twice, so a run takes no longer than the output is large.
                ensure(product(&op.dims)? <= output.bytes, Inconsistent)?;
                list([view(op.input, &op.input_strides, Access::Read)?, output])
            }
            Record::Requantize(op) => {
                for tensor in [op.input, op.output] {
                    ensure(matches!(tensor.dtype, DType::Int8 | DType::Int16), WrongType)?;
                }
                let length = product(&[op.length])?;
                list([operand(op.input, length, Access::Read)?, operand(op.output, length, Access::Write)?])
            }
        }
    }
}
