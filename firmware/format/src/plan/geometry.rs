//! Which bytes an operator reads and writes, from its record alone.

use super::geometry_error::GeometryError::{self, Inconsistent, Misaligned, TooLarge, WrongSpace, WrongType};
use super::operands::{Access, Operands};
use super::{
    BatchMatMul, ChannelParameters, Dims, Image, Lstm, Mean, Record, Recurrent, RecurrentCell, Shown,
    Strides, Window,
};
use crate::linked::{EveryOperator, Linked};
use crate::tensor::{DType, Space, TensorRef};

/// The greatest number of elements: index arithmetic on 32-bit machines stays below 2^31.
const LIMIT: u32 = 1 << 28;

/// Values of a table between which lines are drawn.
const INTERPOLATION_POINTS: u32 = 513;

/// Gates of a long short-term memory.
const LSTM_GATES: u32 = 4;

/// Bits of the extents of a window and of an output's rows and columns, and of strides, dilations and
/// padding: a tap's row and column stay below 2^31.
const WINDOW_BITS: u32 = 15;

/// The number of elements of a shape; more than every limit where 32 bits do not count them, else 0 when an
/// extent is 0.
#[inline(always)]
fn product(extents: &[u32]) -> u32 {
    let mut product = 1u32;
    for &extent in extents {
        match product.checked_mul(extent) {
            Some(more) => product = more,
            None => return u32::MAX,
        }
    }
    product
}

#[inline(never)]
fn elements(image: &Image) -> u32 {
    let Image { batches, height, width, channels } = *image;
    let counted = || batches.checked_mul(height)?.checked_mul(width)?.checked_mul(channels);
    counted().unwrap_or(u32::MAX)
}

#[inline(always)]
fn ensure(condition: bool, error: GeometryError) -> Result<(), GeometryError> {
    if condition { Ok(()) } else { Err(error) }
}

/// Fails for counts of 0 and for those above the limit.
#[inline(always)]
fn counted(elements: u32) -> Result<u32, GeometryError> {
    ensure(elements != 0, Inconsistent)?;
    ensure(elements <= LIMIT, TooLarge)?;
    Ok(elements)
}

/// Elements from a view's first to its last one, both counted.
fn span(dims: &Dims, strides: &Dims) -> Result<u32, GeometryError> {
    counted(product(dims))?;
    let mut last = 0u64;
    for (&extent, &stride) in dims.iter().zip(strides) {
        last += u64::from(extent - 1) * u64::from(stride);
    }
    ensure(last < u64::from(LIMIT), TooLarge)?;
    Ok(last as u32 + 1)
}

/// Bytes below and from a strided view's start on that it touches.
fn signed_span(dims: &Dims, strides: &Strides) -> Result<(u32, u32), GeometryError> {
    counted(product(dims))?;
    let (mut below, mut above) = (0u64, 0u64);
    for (&extent, &stride) in dims.iter().zip(strides) {
        let reach = u64::from(extent - 1) * u64::from(stride.unsigned_abs());
        *if stride < 0 { &mut below } else { &mut above } += reach;
    }
    ensure(below + above < u64::from(LIMIT), TooLarge)?;
    Ok((below as u32, above as u32 + 1))
}

/// The number of a window's taps.
#[inline]
fn taps(window: &Window, output: &Image) -> Result<u32, GeometryError> {
    check_window(window, output)?;
    Ok(window.height * window.width)
}

#[inline(never)]
fn check_window(window: &Window, output: &Image) -> Result<(), GeometryError> {
    let Window { height, width, stride_height, stride_width, dilation_height, dilation_width, .. } = *window;
    let steps = stride_height | stride_width | dilation_height | dilation_width;
    let extents = height | width | window.pad_top | window.pad_left | output.height | output.width;
    ensure((steps | extents) >> WINDOW_BITS == 0, TooLarge)?;
    let no_step_is_0 = stride_height != 0 && stride_width != 0 && dilation_height != 0 && dilation_width != 0;
    ensure(no_step_is_0, Inconsistent)
}

/// Regions as they are found.
impl Operands {
    fn any_type(&mut self, tensor: TensorRef, elements: u32, access: Access) -> Result<(), GeometryError> {
        let bytes = tensor.dtype.bytes(counted(elements)?).ok_or(TooLarge)?;
        ensure(tensor.offset.is_multiple_of(tensor.dtype.alignment()), Misaligned)?;
        self.push(tensor, bytes, access);
        Ok(())
    }

    fn int8(&mut self, tensor: TensorRef, elements: u32, access: Access) -> Result<(), GeometryError> {
        ensure(tensor.dtype == DType::Int8, WrongType)?;
        self.push(tensor, counted(elements)?, access);
        Ok(())
    }

    fn read(&mut self, tensor: TensorRef, elements: u32) -> Result<(), GeometryError> {
        self.int8(tensor, elements, Access::Read)
    }

    fn write(&mut self, tensor: TensorRef, elements: u32) -> Result<(), GeometryError> {
        ensure(tensor.space != Space::Const, WrongSpace)?;
        self.int8(tensor, elements, Access::Write)
    }

    fn read_as(&mut self, dtype: DType, tensor: TensorRef, elements: u32) -> Result<(), GeometryError> {
        ensure(tensor.dtype == dtype, WrongType)?;
        self.any_type(tensor, elements, Access::Read)
    }

    fn write_as(&mut self, dtype: DType, tensor: TensorRef, elements: u32) -> Result<(), GeometryError> {
        ensure(tensor.space != Space::Const, WrongSpace)?;
        ensure(tensor.dtype == dtype, WrongType)?;
        self.any_type(tensor, elements, Access::Write)
    }

    fn constant(&mut self, tensor: TensorRef, elements: u32) -> Result<(), GeometryError> {
        self.constant_as(DType::Int8, tensor, elements)
    }

    fn constant_as(&mut self, dtype: DType, tensor: TensorRef, elements: u32) -> Result<(), GeometryError> {
        ensure(tensor.space == Space::Const, WrongSpace)?;
        self.read_as(dtype, tensor, elements)
    }

    fn channel_table(&mut self, tensor: TensorRef, channels: u32) -> Result<(), GeometryError> {
        ensure(tensor.space == Space::Const, WrongSpace)?;
        ensure(tensor.dtype == DType::Int32, WrongType)?;
        ensure(tensor.offset.is_multiple_of(4), Misaligned)?;
        let bytes = channels.saturating_mul(ChannelParameters::BYTES as u32);
        self.push(tensor, counted(bytes)?, Access::Read);
        Ok(())
    }

    /// Entries of a 64-bit bias and two words.
    fn wide_channel_table(&mut self, tensor: TensorRef, channels: u32) -> Result<(), GeometryError> {
        self.constant_as(DType::Int64, tensor, channels.saturating_mul(2))
    }

    /// Constant words.
    fn stream(&mut self, tensor: TensorRef, words: u32) -> Result<(), GeometryError> {
        ensure(tensor.space == Space::Const, WrongSpace)?;
        self.words(tensor, words, Access::Read)
    }

    /// What is kept from run to run.
    fn state(&mut self, tensor: TensorRef, elements: u32) -> Result<(), GeometryError> {
        ensure(tensor.space == Space::State, WrongSpace)?;
        self.any_type(tensor, elements, Access::Update)
    }

    fn words(&mut self, tensor: TensorRef, words: u32, access: Access) -> Result<(), GeometryError> {
        ensure(tensor.dtype == DType::Int32, WrongType)?;
        ensure(tensor.offset.is_multiple_of(4), Misaligned)?;
        self.push(tensor, 4 * counted(words)?, access);
        Ok(())
    }

    /// Of a packed image operator: input and output of int8, a stream of constant words, words of scratch; all at once, since models
    /// consist of them.
    #[inline(always)]
    fn packed(
        &mut self,
        [input, stream, scratch, output]: [&TensorRef; 4],
        [input_elements, stream_words, scratch_words, output_elements]: [u32; 4],
    ) -> Result<(), GeometryError> {
        ensure(stream.space == Space::Const && scratch.space == Space::Arena, WrongSpace)?;
        ensure(output.space != Space::Const, WrongSpace)?;
        ensure(input.dtype == DType::Int8 && output.dtype == DType::Int8, WrongType)?;
        ensure(stream.dtype == DType::Int32 && scratch.dtype == DType::Int32, WrongType)?;
        ensure((stream.offset | scratch.offset).is_multiple_of(4), Misaligned)?;
        let bytes = [
            counted(input_elements)?,
            4 * counted(stream_words)?,
            4 * counted(scratch_words)?,
            counted(output_elements)?,
        ];
        self.set(
            [*input, *stream, *scratch, *output],
            bytes,
            [Access::Read, Access::Read, Access::Scratch, Access::Write],
        );
        Ok(())
    }

    /// Of one that computes each element from one element.
    fn unary(
        &mut self,
        dtype: DType,
        [input, output]: [TensorRef; 2],
        length: u32,
    ) -> Result<(), GeometryError> {
        self.read_as(dtype, input, length)?;
        self.write_as(dtype, output, length)
    }

    fn binary(
        &mut self,
        dtype: DType,
        [a, b, output]: [TensorRef; 3],
        dims: &Dims,
        [a_strides, b_strides]: [&Dims; 2],
    ) -> Result<(), GeometryError> {
        self.read_as(dtype, a, span(dims, a_strides)?)?;
        self.read_as(dtype, b, span(dims, b_strides)?)?;
        self.write_as(dtype, output, product(dims))
    }

    fn batch_mat_mul(&mut self, dtype: DType, op: &BatchMatMul) -> Result<(), GeometryError> {
        let strides = [op.a_row_stride, op.a_depth_stride, op.b_depth_stride, op.b_column_stride];
        // The depth is no more than elements there are, so a run's time has a bound.
        ensure(!strides.contains(&0), Inconsistent)?;
        let matrix = |outer: u32, outer_stride, inner: u32, inner_stride| {
            ensure(outer != 0 && inner != 0, Inconsistent)?;
            let last = (outer - 1).saturating_mul(outer_stride);
            Ok(last.saturating_add((inner - 1).saturating_mul(inner_stride)))
        };
        let a = matrix(op.rows, op.a_row_stride, op.depth, op.a_depth_stride)?;
        let b = matrix(op.depth, op.b_depth_stride, op.columns, op.b_column_stride)?;
        self.read_as(dtype, op.a, span(&op.batches, &op.a_strides)?.saturating_add(a))?;
        self.read_as(dtype, op.b, span(&op.batches, &op.b_strides)?.saturating_add(b))?;
        self.write_as(dtype, op.output, product(&[product(&op.batches), op.rows, op.columns]))
    }

    fn mean(&mut self, dtype: DType, op: &Mean) -> Result<(), GeometryError> {
        let input = span(&op.kept, &op.kept_strides)? + span(&op.reduced, &op.reduced_strides)? - 1;
        let kept = product(&op.kept);
        // No element is read twice, so a run takes no longer than the input is large.
        ensure(counted(product(&[kept, product(&op.reduced)]))? <= input, Inconsistent)?;
        self.read_as(dtype, op.input, input)?;
        self.write_as(dtype, op.output, kept)
    }

    fn pool(
        &mut self,
        dtype: DType,
        tensors: [TensorRef; 2],
        from: &Image,
        to: &Image,
        window: &Window,
    ) -> Result<(), GeometryError> {
        check_window(window, to)?;
        ensure(from.batches == to.batches && from.channels == to.channels, Inconsistent)?;
        ensure(window.dilation_height == 1 && window.dilation_width == 1, Inconsistent)?;
        let [input, output] = tensors;
        self.read_as(dtype, input, elements(from))?;
        self.write_as(dtype, output, elements(to))
    }
}

impl Lstm {
    /// Elements of int16 that the hidden state takes, which the cells follow.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn hidden_words(&self) -> Result<u32, GeometryError> {
        let elements = counted(product(&[self.batches, self.units]))?;
        Ok(if self.input.dtype == DType::Int16 { elements } else { elements.div_ceil(2) })
    }
}

impl Recurrent {
    /// Elements of the hidden state; those of the cells are as many.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn hidden_elements(&self) -> Result<u32, GeometryError> {
        counted(product(&[self.batches, self.units]))
    }

    /// Elements of what is kept from step to step, and of what is set and read within one.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn state_elements(&self) -> Result<u32, GeometryError> {
        let kept = if self.cell.has_cells() { 2 } else { 1 };
        let within_a_step = if self.cell == RecurrentCell::GruResetBefore { 2 } else { 1 };
        counted(kept * self.hidden_elements()? + within_a_step * self.units)
    }
}

impl Record {
    /// The regions the operator touches: inputs in the record's order, then scratch, the output last.
    ///
    /// # Errors
    ///
    /// When the record's own shapes contradict each other. Whether the regions lie inside their
    /// spaces is for the caller to compare.
    #[inline]
    pub fn operands(&self) -> Result<Operands, GeometryError> {
        let mut operands = Operands::default();
        self.find_operands::<EveryOperator>(&mut operands)?;
        Ok(operands)
    }

    /// Makes `regions` the [`operands`](Self::operands); none where the operator is not linked.
    ///
    /// # Errors
    ///
    /// When the record's own shapes contradict each other.
    pub fn find_operands<L: Linked>(&self, regions: &mut Operands) -> Result<(), GeometryError> {
        regions.clear();
        let Some(record) = self.linked::<L>() else { return Ok(()) };
        match record {
            Record::Conv2d(op) => {
                let taps = taps(&op.window, &op.output_image)?;
                let (from, to) = (&op.input_image, &op.output_image);
                ensure(from.batches == to.batches, Inconsistent)?;
                ensure(op.groups != 0, Inconsistent)?;
                ensure(from.channels.is_multiple_of(op.groups), Inconsistent)?;
                ensure(to.channels.is_multiple_of(op.groups), Inconsistent)?;
                regions.read(op.input, elements(from))?;
                regions.constant(op.weights, product(&[to.channels, taps, from.channels / op.groups]))?;
                regions.channel_table(op.channels, to.channels)?;
                regions.write(op.output, elements(to))
            }
            Record::DepthwiseConv2d(op) => {
                let taps = taps(&op.window, &op.output_image)?;
                let (from, to) = (&op.input_image, &op.output_image);
                ensure(from.batches == to.batches, Inconsistent)?;
                ensure(from.channels != 0 && to.channels.is_multiple_of(from.channels), Inconsistent)?;
                regions.read(op.input, elements(from))?;
                regions.constant(op.weights, product(&[taps, to.channels]))?;
                regions.channel_table(op.channels, to.channels)?;
                regions.write(op.output, elements(to))
            }
            Record::FullyConnected(op) => {
                regions.read(op.input, product(&[op.rows, op.input_depth]))?;
                regions.constant(op.weights, product(&[op.output_depth, op.input_depth]))?;
                regions.channel_table(op.channels, op.output_depth)?;
                regions.write(op.output, product(&[op.rows, op.output_depth]))
            }
            Record::Add(op) => {
                regions.binary(DType::Int8, [op.a, op.b, op.output], &op.dims, [&op.a_strides, &op.b_strides])
            }
            Record::Mul(op) | Record::Div(op) => {
                regions.binary(DType::Int8, [op.a, op.b, op.output], &op.dims, [&op.a_strides, &op.b_strides])
            }
            Record::AveragePool2d(op) => regions.pool(
                DType::Int8,
                [op.input, op.output],
                &op.input_image,
                &op.output_image,
                &op.window,
            ),
            Record::MaxPool2d(op) => regions.pool(
                DType::Int8,
                [op.input, op.output],
                &op.input_image,
                &op.output_image,
                &op.window,
            ),
            Record::Mean(op) => regions.mean(DType::Int8, op),
            Record::Softmax(op) => {
                ensure(op.output.space != Space::Const, WrongSpace)?;
                ensure(matches!(op.output.dtype, DType::Int8 | DType::Int16), WrongType)?;
                let elements = product(&[op.rows, op.depth]);
                regions.read(op.input, elements)?;
                regions.any_type(op.output, elements, Access::Write)
            }
            Record::Lookup(op) => {
                regions.read(op.input, op.length)?;
                regions.constant(op.table, 256)?;
                regions.write(op.output, op.length)
            }
            Record::Fill(op) => regions.write(op.output, op.length),
            Record::StridedCopy(op) => {
                let (input_below, input_above) = signed_span(&op.dims, &op.input_strides)?;
                let (output_below, output_above) = signed_span(&op.dims, &op.output_strides)?;
                let from_lowest = |tensor: TensorRef, below| {
                    let offset = tensor.offset.checked_sub(below).ok_or(Inconsistent)?;
                    Ok(TensorRef { offset, ..tensor })
                };
                // No byte is written twice, so a run takes no longer than the output is large.
                ensure(product(&op.dims) <= output_below + output_above, Inconsistent)?;
                regions.read(from_lowest(op.input, input_below)?, input_below + input_above)?;
                regions.write(from_lowest(op.output, output_below)?, output_below + output_above)
            }
            Record::Requantize(op) => {
                ensure(op.output.space != Space::Const, WrongSpace)?;
                for tensor in [op.input, op.output] {
                    ensure(matches!(tensor.dtype, DType::Int8 | DType::Int16), WrongType)?;
                }
                regions.any_type(op.input, op.length, Access::Read)?;
                regions.any_type(op.output, op.length, Access::Write)
            }
            Record::PackedConv2d(op) => {
                check_window(&op.window, &op.output_image)?;
                let (from, to) = (&op.input_image, &op.output_image);
                ensure(from.batches == to.batches, Inconsistent)?;
                regions.packed(
                    [&op.input, &op.stream, &op.scratch, &op.output],
                    [elements(from), op.stream_words(), op.scratch_words(), elements(to)],
                )
            }
            Record::PackedDepthwiseConv2d(op) => {
                check_window(&op.window, &op.output_image)?;
                ensure(op.is_supported(), Inconsistent)?;
                let (from, to) = (&op.input_image, &op.output_image);
                regions.packed(
                    [&op.input, &op.stream, &op.scratch, &op.output],
                    [elements(from), op.stream_words(), op.scratch_words(), elements(to)],
                )
            }
            Record::PackedFullyConnected(op) => {
                ensure(op.input_depth.is_multiple_of(4), Inconsistent)?;
                regions.read(op.input, product(&[op.rows, op.input_depth]))?;
                regions.stream(op.stream, op.stream_words())?;
                regions.write(op.output, product(&[op.rows, op.output_depth]))
            }
            Record::Gather(op) => {
                let block = product(&[op.batches, op.outer, op.inner]);
                regions.read(op.input, block.saturating_mul(op.extent))?;
                regions.words(op.indices, product(&[op.batches, op.count]), Access::Read)?;
                regions.write(op.output, block.saturating_mul(op.count))
            }
            Record::Binary(op) => {
                regions.binary(DType::Int8, [op.a, op.b, op.output], &op.dims, [&op.a_strides, &op.b_strides])
            }
            Record::Binary16(op) => regions.binary(
                DType::Int16,
                [op.a, op.b, op.output],
                &op.dims,
                [&op.a_strides, &op.b_strides],
            ),
            Record::Select(op) => {
                regions.read(op.condition, span(&op.dims, &op.condition_strides)?)?;
                regions.read(op.a, span(&op.dims, &op.a_strides)?)?;
                regions.read(op.b, span(&op.dims, &op.b_strides)?)?;
                regions.write(op.output, product(&op.dims))
            }
            Record::LogSoftmax(op) => {
                let elements = product(&[op.rows, op.depth]);
                regions.read(op.input, elements)?;
                regions.write(op.output, elements)
            }
            Record::ResizeBilinear(op) => {
                let (from, to) = (&op.input_image, &op.output_image);
                ensure(from.batches == to.batches && from.channels == to.channels, Inconsistent)?;
                let extents = from.height | from.width | to.height | to.width;
                ensure(extents >> WINDOW_BITS == 0, TooLarge)?;
                regions.read(op.input, elements(from))?;
                regions.write(op.output, elements(to))
            }
            Record::TransposeConv2d(op) => {
                let taps = taps(&op.window, &op.output_image)?;
                let (from, to) = (&op.input_image, &op.output_image);
                ensure(from.batches == to.batches, Inconsistent)?;
                regions.read(op.input, elements(from))?;
                regions.constant(op.weights, product(&[to.channels, taps, from.channels]))?;
                regions.channel_table(op.channels, to.channels)?;
                regions.write(op.output, elements(to))
            }
            Record::BatchMatMul(op) => regions.batch_mat_mul(DType::Int8, op),
            Record::BatchMatMul16(op) => regions.batch_mat_mul(DType::Int16, op),
            Record::CumulativeSum(op) => {
                let elements = product(&[op.outer, op.count, op.inner]);
                regions.read(op.input, elements)?;
                regions.write(op.output, elements)
            }
            Record::ArgExtreme(op) => {
                ensure(op.output.space != Space::Const, WrongSpace)?;
                regions.read(op.input, product(&[op.outer, op.count, op.inner]))?;
                regions.words(op.output, product(&[op.outer, op.inner]), Access::Write)
            }
            Record::TopIndices(op) => {
                ensure(op.output.space != Space::Const, WrongSpace)?;
                ensure(matches!(op.input.dtype, DType::Int8 | DType::Int16), WrongType)?;
                ensure(op.count <= op.depth, Inconsistent)?;
                regions.any_type(op.input, product(&[op.rows, op.depth]), Access::Read)?;
                regions.words(op.output, product(&[op.rows, op.count]), Access::Write)
            }
            Record::NonMaxSuppression(op) => {
                ensure(op.output.space != Space::Const, WrongSpace)?;
                let is_narrow = |tensor: TensorRef| matches!(tensor.dtype, DType::Int8 | DType::Int16);
                ensure(is_narrow(op.boxes) && is_narrow(op.scores), WrongType)?;
                regions.any_type(op.boxes, product(&[op.batches, op.count, 4]), Access::Read)?;
                regions.any_type(op.scores, product(&[op.batches, op.classes, op.count]), Access::Read)?;
                regions.words(op.output, product(&[op.batches, op.classes, op.most, 3]), Access::Write)
            }
            Record::Conv2d16(op) => {
                let taps = taps(&op.window, &op.output_image)?;
                let (from, to) = (&op.input_image, &op.output_image);
                ensure(from.batches == to.batches, Inconsistent)?;
                ensure(op.groups != 0, Inconsistent)?;
                ensure(from.channels.is_multiple_of(op.groups), Inconsistent)?;
                ensure(to.channels.is_multiple_of(op.groups), Inconsistent)?;
                ensure(!op.spread.contains(&0), Inconsistent)?;
                ensure(op.spread.iter().all(|spread| spread >> WINDOW_BITS == 0), TooLarge)?;
                regions.read_as(DType::Int16, op.input, elements(from))?;
                regions.constant(op.weights, product(&[to.channels, taps, from.channels / op.groups]))?;
                regions.wide_channel_table(op.channels, to.channels)?;
                regions.write_as(DType::Int16, op.output, elements(to))
            }
            Record::Softmax16(op) => {
                let elements = product(&[op.rows, op.depth]);
                regions.read_as(DType::Int16, op.input, elements)?;
                regions.constant_as(DType::Int16, op.tables, 2 * INTERPOLATION_POINTS)?;
                regions.write_as(DType::Int16, op.output, elements)
            }
            Record::Sigmoid16(op) => {
                regions.read_as(DType::Int16, op.input, op.length)?;
                regions.constant_as(DType::Int16, op.table, 256)?;
                regions.write_as(DType::Int16, op.output, op.length)
            }
            Record::LeakyRelu16(op) => regions.unary(DType::Int16, [op.input, op.output], op.length),
            Record::Interpolate16(op) => {
                regions.read_as(DType::Int16, op.input, op.length)?;
                regions.constant_as(DType::Int16, op.table, INTERPOLATION_POINTS)?;
                regions.write_as(DType::Int16, op.output, op.length)
            }
            Record::Svdf(op) => {
                let filters = product(&[op.units, op.rank]);
                let dtype = op.time_weights.dtype;
                ensure(matches!(dtype, DType::Int8 | DType::Int16) && op.state.dtype == dtype, WrongType)?;
                regions.read(op.input, product(&[op.batches, op.inputs]))?;
                regions.constant(op.feature_weights, product(&[filters, op.inputs]))?;
                regions.constant_as(dtype, op.time_weights, product(&[filters, op.memory]))?;
                regions.constant_as(DType::Int32, op.bias, op.units)?;
                regions.state(op.state, product(&[op.batches, filters, op.memory]))?;
                regions.write(op.output, product(&[op.batches, op.units]))
            }
            Record::Lstm(op) => {
                let dtype = op.input.dtype;
                ensure(matches!(dtype, DType::Int8 | DType::Int16), WrongType)?;
                ensure(op.state.dtype == DType::Int16, WrongType)?;
                let row = op.inputs.saturating_add(op.units);
                regions.read_as(dtype, op.input, product(&[op.batches, op.steps, op.inputs]))?;
                regions.constant(op.weights, product(&[op.units, LSTM_GATES, row]))?;
                regions.constant_as(DType::Int64, op.biases, product(&[op.units, LSTM_GATES, 2]))?;
                regions.constant_as(DType::Int16, op.table, 256)?;
                regions
                    .state(op.state, op.hidden_words()?.saturating_add(product(&[op.batches, op.units])))?;
                regions.write_as(dtype, op.output, product(&[op.batches, op.steps, op.units]))
            }
            Record::Recurrent(op) => {
                let (dtype, rows) = (op.input.dtype, op.units.saturating_mul(op.cell.gates()));
                ensure(matches!(dtype, DType::Int8 | DType::Int16), WrongType)?;
                ensure(op.state.dtype == DType::Int16, WrongType)?;
                ensure(op.state.space != Space::Const, WrongSpace)?;
                ensure(op.shown != Shown::LastCells || op.cell.has_cells(), Inconsistent)?;
                let shown = if op.shown == Shown::EveryStep { op.steps } else { 1 };
                regions.read_as(dtype, op.input, product(&[op.batches, op.steps, op.inputs]))?;
                regions.constant(op.weights, product(&[rows, op.inputs.saturating_add(op.units)]))?;
                regions.channel_table(op.channels, rows.saturating_mul(2))?;
                regions.constant_as(DType::Int16, op.table, 256)?;
                regions.any_type(op.state, op.state_elements()?, Access::Update)?;
                regions.write_as(dtype, op.output, product(&[op.batches, shown, op.units]))
            }
            Record::Add16(op) | Record::Sub16(op) | Record::SquaredDifference16(op) => regions.binary(
                DType::Int16,
                [op.a, op.b, op.output],
                &op.dims,
                [&op.a_strides, &op.b_strides],
            ),
            Record::Mul16(op) => regions.binary(
                DType::Int16,
                [op.a, op.b, op.output],
                &op.dims,
                [&op.a_strides, &op.b_strides],
            ),
            Record::AveragePool2d16(op) => regions.pool(
                DType::Int16,
                [op.input, op.output],
                &op.input_image,
                &op.output_image,
                &op.window,
            ),
            Record::MaxPool2d16(op) => regions.pool(
                DType::Int16,
                [op.input, op.output],
                &op.input_image,
                &op.output_image,
                &op.window,
            ),
            Record::Mean16(op) => regions.mean(DType::Int16, op),
        }
    }
}
