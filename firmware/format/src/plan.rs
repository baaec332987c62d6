//! The plan: one record an operator, in the order in which they run.
//!
//! A record is `kind: u16, length: u16, layer: u32`, then its fields as 32-bit little-endian words.
//! `length` counts the whole record in bytes and is a multiple of 4, so a reader can name a record it
//! does not know and say where the next one starts. `layer` is the index of the quantized graph's
//! node that the record computes (a part of); reports are made by layer.
//!
//! Data movement has one operator, [`StridedCopy`]: concat, slice, transpose and their like are
//! copies whose strides the host computes. Unary int8 functions are one operator too, [`Lookup`]: a
//! table of 256 bytes, filled on the host by the function's own arithmetic.

#[macro_use]
mod macros;

mod channel_parameters;
mod choices;
mod entry;
mod field;
mod forms;
mod geometry;
mod geometry_error;
mod operands;
mod packed;
mod parts;
mod rounding;
mod selections;
mod sequences;

pub use channel_parameters::{ChannelParameters, WideChannelParameters};
pub use choices::{
    Accumulation, BinaryFunction, BoxForm, Direction, Extreme, PackedRounding, RecurrentCell, Running,
    SequenceOrder, Shown, Sigmoid, Traversal,
};
pub use entry::{PlanEntry, PlanError, PlanReader};
pub use forms::Forms;
pub use geometry_error::GeometryError;
pub use operands::{Access, Operand, Operands};
pub use packed::Axis;
pub use parts::{Clamp, Dims, GateScales, Image, RECORD_HEADER_BYTES, Scale, Strides, Window};
pub use rounding::Rounding;
pub use selections::{NonMaxSuppression, TopIndices};
pub use sequences::{Lstm, Recurrent, Svdf};

use self::field::{Field, WordReader, WordWriter};
use crate::info::OperatorSet;
use crate::linked::Linked;
use crate::tensor::TensorRef;

records! {
    /// Convolution, grouped or not. `weights`: `[output channel][row][column][input channel of the
    /// group]` int8. `channels`: one [`ChannelParameters`] an output channel.
    Conv2d = 1 {
        /// int8, shape `input_image`.
        input: TensorRef,
        /// int8, shape `output_image`.
        output: TensorRef,
        /// int8, constant.
        weights: TensorRef,
        /// [`ChannelParameters`], constant, 4-aligned.
        channels: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output.
        output_image: Image,
        /// The kernel.
        window: Window,
        /// Groups; divides the channels of input and output.
        groups: u32,
        /// The value of padding.
        input_zero_point: i32,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// Depthwise convolution: output channel `input channel * multiplier + m`. `weights`: `[row]
    /// [column][output channel]` int8. `channels`: one [`ChannelParameters`] an output channel.
    DepthwiseConv2d = 2 {
        /// int8, shape `input_image`.
        input: TensorRef,
        /// int8, shape `output_image`; its channels are a multiple of the input's.
        output: TensorRef,
        /// int8, constant.
        weights: TensorRef,
        /// [`ChannelParameters`], constant, 4-aligned.
        channels: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output.
        output_image: Image,
        /// The kernel.
        window: Window,
        /// The value of padding.
        input_zero_point: i32,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// Matrix of weights `[output][input]` int8 times each row of the input.
    FullyConnected = 3 {
        /// int8, `[rows, input_depth]`.
        input: TensorRef,
        /// int8, `[rows, output_depth]`.
        output: TensorRef,
        /// int8, constant.
        weights: TensorRef,
        /// [`ChannelParameters`], constant, 4-aligned.
        channels: TensorRef,
        /// Rows of input and output.
        rows: u32,
        /// Elements of an input row.
        input_depth: u32,
        /// Elements of an output row.
        output_depth: u32,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// `a + b` with broadcasting, rescaled: each input is shifted left by `left_shift` and scaled to
    /// a common scale before the sum.
    Add = 4 {
        /// int8.
        a: TensorRef,
        /// int8.
        b: TensorRef,
        /// int8, dense, shape `dims`.
        output: TensorRef,
        /// Shape of the output.
        dims: Dims,
        /// Strides of `a` in elements; 0 where it is broadcast.
        a_strides: Dims,
        /// Strides of `b` in elements; 0 where it is broadcast.
        b_strides: Dims,
        /// Zero point of `a`.
        a_zero_point: i32,
        /// Zero point of `b`.
        b_zero_point: i32,
        /// Bits each input is shifted by first: 20 for int8.
        left_shift: u32,
        /// `a`'s scale in the common one.
        a_scale: Scale,
        /// `b`'s scale in the common one.
        b_scale: Scale,
        /// The common scale in the output's.
        output_scale: Scale,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// `a * b` with broadcasting, rescaled.
    Mul = 5 {
        /// int8.
        a: TensorRef,
        /// int8.
        b: TensorRef,
        /// int8, dense, shape `dims`.
        output: TensorRef,
        /// Shape of the output.
        dims: Dims,
        /// Strides of `a` in elements; 0 where it is broadcast.
        a_strides: Dims,
        /// Strides of `b` in elements; 0 where it is broadcast.
        b_strides: Dims,
        /// Zero point of `a`.
        a_zero_point: i32,
        /// Zero point of `b`.
        b_zero_point: i32,
        /// Product of the input scales in the output's.
        output_scale: Scale,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// Mean of the window's values inside the image, rounded to the nearest.
    AveragePool2d = 6 {
        /// int8, shape `input_image`.
        input: TensorRef,
        /// int8, shape `output_image`.
        output: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output: as many batches and channels as the input.
        output_image: Image,
        /// The window; its dilation is 1.
        window: Window,
        /// Range of the output.
        clamp: Clamp,
        /// Of input and output; means of distances to it are rounded where `rounding` is once.
        zero_point: i32,
        /// Whether halves go away from 0 (twice) or to the even distance from the zero point (once).
        rounding: Rounding,
    }

    /// Greatest of the window's values inside the image.
    MaxPool2d = 7 {
        /// int8, shape `input_image`.
        input: TensorRef,
        /// int8, shape `output_image`.
        output: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output: as many batches and channels as the input.
        output_image: Image,
        /// The window; its dilation is 1.
        window: Window,
        /// Range of the output.
        clamp: Clamp,
    }

    /// Mean over some dimensions: `(sum - bias) * scale + output_zero_point`.
    Mean = 8 {
        /// int8.
        input: TensorRef,
        /// int8, dense, shape `kept`.
        output: TensorRef,
        /// Extents of the dimensions that stay.
        kept: Dims,
        /// Their strides in the input, in elements.
        kept_strides: Dims,
        /// Extents of the dimensions that are averaged.
        reduced: Dims,
        /// Their strides in the input, in elements.
        reduced_strides: Dims,
        /// Input zero point times the number of averaged elements, wrapping.
        bias: i32,
        /// Input scale in the output's, divided by the number of averaged elements.
        scale: Scale,
        /// Added after requantization.
        output_zero_point: i32,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// Softmax of each row. The output's scale is 1/256 with zero point -128 for int8, 1/65536 with
    /// zero point -32768 for int16.
    Softmax = 9 {
        /// int8, `[rows, depth]`.
        input: TensorRef,
        /// int8 or int16, `[rows, depth]`.
        output: TensorRef,
        /// Rows.
        rows: u32,
        /// Elements of a row.
        depth: u32,
        /// `beta * input scale * 2^26`; its shift is not negative.
        scale: Scale,
        /// Differences from the row's greatest value below this count as exp = 0.
        diff_min: i32,
    }

    /// `output[i] = table[input[i] + 128]`: any unary int8 function.
    Lookup = 10 {
        /// int8.
        input: TensorRef,
        /// int8.
        output: TensorRef,
        /// 256 int8 values, constant, for inputs -128 to 127.
        table: TensorRef,
        /// Elements.
        length: u32,
    }

    /// Sets bytes to one value (padding).
    Fill = 11 {
        /// int8.
        output: TensorRef,
        /// Elements.
        length: u32,
        /// The value, -128 to 127.
        value: i32,
    }

    /// Copies bytes from strided places to strided places: concat, slice, transpose, pad, split.
    /// Elements wider than a byte are a dimension of their own.
    StridedCopy = 12 {
        /// The first byte read.
        input: TensorRef,
        /// The first byte written.
        output: TensorRef,
        /// Extents in bytes.
        dims: Dims,
        /// Bytes between neighbours in the input.
        input_strides: Strides,
        /// Bytes between neighbours in the output.
        output_strides: Strides,
    }

    /// `(q - input_zero_point) * scale + output_zero_point`, between int8 and int16 as the references
    /// say; clamped to the output's type.
    Requantize = 13 {
        /// int8 or int16.
        input: TensorRef,
        /// int8 or int16.
        output: TensorRef,
        /// Elements.
        length: u32,
        /// Zero point of the input.
        input_zero_point: i32,
        /// Input scale in the output's.
        scale: Scale,
        /// Added after requantization.
        output_zero_point: i32,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// [`Conv2d`] with one group, for cores that multiply pairs of 16-bit values. `stream`: blocks of 4
    /// output channels, their weights in lanes; FORMAT.md has the layout.
    PackedConv2d = 14 {
        /// int8, shape `input_image`.
        input: TensorRef,
        /// int8, shape `output_image`.
        output: TensorRef,
        /// int32 words, constant: weights and parameters in the order in which they are read.
        stream: TensorRef,
        /// int32 words of the arena: what two windows cover, widened.
        scratch: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output.
        output_image: Image,
        /// The kernel.
        window: Window,
        /// The value of padding.
        input_zero_point: i32,
        /// How sums become outputs.
        rounding: PackedRounding,
        /// Range of the output.
        clamp: Clamp,
    }

    /// [`DepthwiseConv2d`] with a dense window and as many output channels as input channels, at
    /// least 4, for cores that multiply pairs of 16-bit values. `stream`: FORMAT.md has the layout.
    PackedDepthwiseConv2d = 15 {
        /// int8, shape `input_image`.
        input: TensorRef,
        /// int8, shape `output_image`.
        output: TensorRef,
        /// int32 words, constant: weights and parameters, channel by channel.
        stream: TensorRef,
        /// int32 words of the arena: 4 channels of the padded input under a strip, widened.
        scratch: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output.
        output_image: Image,
        /// The kernel: its dilation is 1.
        window: Window,
        /// The value of padding.
        input_zero_point: i32,
        /// How sums become outputs.
        rounding: PackedRounding,
        /// What neighbours in the scratch are.
        traversal: Traversal,
        /// Rows (of a traversal by columns: columns) of the output that are computed from one filling of
        /// the scratch.
        strip: u32,
        /// Range of the output.
        clamp: Clamp,
    }

    /// [`FullyConnected`] with an input depth that is a multiple of 4, for cores that multiply pairs of
    /// 16-bit values. `stream`: blocks of 8 output columns; FORMAT.md has the layout.
    PackedFullyConnected = 16 {
        /// int8, `[rows, input_depth]`.
        input: TensorRef,
        /// int8, `[rows, output_depth]`.
        output: TensorRef,
        /// int32 words, constant: weights and parameters in the order in which they are read.
        stream: TensorRef,
        /// Rows of input and output.
        rows: u32,
        /// Elements of an input row.
        input_depth: u32,
        /// Elements of an output row.
        output_depth: u32,
        /// How sums become outputs.
        rounding: PackedRounding,
        /// Range of the output.
        clamp: Clamp,
    }

    /// Elements at indices, along one dimension. An element is `inner` bytes. An index outside of the
    /// dimension is taken for its nearest end.
    Gather = 17 {
        /// int8, `[batches, outer, extent, inner]`.
        input: TensorRef,
        /// int8, `[batches, outer, count, inner]`.
        output: TensorRef,
        /// int32, `[batches, count]`.
        indices: TensorRef,
        /// Lists of indices.
        batches: u32,
        /// Blocks that one list is for.
        outer: u32,
        /// Elements of a block of the input.
        extent: u32,
        /// Elements of a block of the output.
        count: u32,
        /// Bytes of an element.
        inner: u32,
    }

    /// A function of two tensors' elements, with broadcasting. Each input is shifted left by `left_shift`
    /// and scaled, then the function's value is; of a parametric relu, `x` is scaled by `a_scale` from 0
    /// on, else `x * y` by `b_scale`, and that is the value.
    Binary = 18 {
        /// int8.
        a: TensorRef,
        /// int8.
        b: TensorRef,
        /// int8, dense, shape `dims`.
        output: TensorRef,
        /// Shape of the output.
        dims: Dims,
        /// Strides of `a` in elements; 0 where it is broadcast.
        a_strides: Dims,
        /// Strides of `b` in elements; 0 where it is broadcast.
        b_strides: Dims,
        /// What is computed.
        function: BinaryFunction,
        /// Zero point of `a`.
        a_zero_point: i32,
        /// Zero point of `b`.
        b_zero_point: i32,
        /// Bits each input is shifted by first.
        left_shift: u32,
        /// `a`'s scale in the common one.
        a_scale: Scale,
        /// `b`'s scale in the common one.
        b_scale: Scale,
        /// The value's scale in the output's.
        output_scale: Scale,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// The logarithm of the softmax of each row. The output's scale is 1/16 with zero point 127.
    LogSoftmax = 19 {
        /// int8, `[rows, depth]`.
        input: TensorRef,
        /// int8, `[rows, depth]`.
        output: TensorRef,
        /// Rows.
        rows: u32,
        /// Elements of a row.
        depth: u32,
        /// `input scale * 2^26`; its shift is not negative.
        scale: Scale,
        /// From there back to differences.
        inverse_scale: Scale,
        /// Differences from the row's greatest value below this count as exp = 0.
        diff_min: i32,
    }

    /// An image of another size, each pixel between four of the input. Rows and columns are counted in
    /// 1024ths: that of the output's pixel `i` is `offset + i * step`.
    ResizeBilinear = 20 {
        /// int8, shape `input_image`.
        input: TensorRef,
        /// int8, shape `output_image`.
        output: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output: as many batches and channels as the input.
        output_image: Image,
        /// From an output's row to the next.
        row_step: i32,
        /// Of the output's first row.
        row_offset: i32,
        /// From an output's column to the next.
        column_step: i32,
        /// Of the output's first column.
        column_offset: i32,
    }

    /// Transposed convolution. `weights`: `[output channel][row][column][input channel]` int8. `channels`: one
    /// [`ChannelParameters`] an output channel, their biases as they are, nothing folded in.
    TransposeConv2d = 21 {
        /// int8, shape `input_image`.
        input: TensorRef,
        /// int8, shape `output_image`.
        output: TensorRef,
        /// int8, constant.
        weights: TensorRef,
        /// [`ChannelParameters`], constant, 4-aligned.
        channels: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output.
        output_image: Image,
        /// The kernel, that moves over the output from one pixel of the input to the next.
        window: Window,
        /// Subtracted from the input.
        input_zero_point: i32,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// Products of matrices, `[rows, depth]` times `[depth, columns]`, one for each index of `batches`.
    BatchMatMul = 22 {
        /// int8.
        a: TensorRef,
        /// int8.
        b: TensorRef,
        /// int8, dense, `[batches, rows, columns]`.
        output: TensorRef,
        /// Extents of the dimensions before the matrices.
        batches: Dims,
        /// Strides from matrix to matrix of `a`; 0 where it is broadcast.
        a_strides: Dims,
        /// Strides from matrix to matrix of `b`; 0 where it is broadcast.
        b_strides: Dims,
        /// Rows of `a` and of the output.
        rows: u32,
        /// Columns of `a` and rows of `b`.
        depth: u32,
        /// Columns of `b` and of the output.
        columns: u32,
        /// Elements from a row of `a` to the next.
        a_row_stride: u32,
        /// Elements from a column of `a` to the next.
        a_depth_stride: u32,
        /// Elements from a row of `b` to the next.
        b_depth_stride: u32,
        /// Elements from a column of `b` to the next.
        b_column_stride: u32,
        /// Zero point of `a`.
        a_zero_point: i32,
        /// Zero point of `b`.
        b_zero_point: i32,
        /// Product of the input scales in the output's.
        scale: Scale,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// Running sums along one dimension. Each element is shifted left by `left_shift` and scaled before it
    /// is added.
    CumulativeSum = 23 {
        /// int8, `[outer, count, inner]`.
        input: TensorRef,
        /// int8, `[outer, count, inner]`.
        output: TensorRef,
        /// Before the dimension.
        outer: u32,
        /// The dimension's extent.
        count: u32,
        /// Behind the dimension.
        inner: u32,
        /// Which way the sums run.
        direction: Direction,
        /// What they are sums of.
        running: Running,
        /// Zero point of the input.
        input_zero_point: i32,
        /// Bits each element is shifted by first.
        left_shift: u32,
        /// Of an element in the sum.
        input_scale: Scale,
        /// Each sum before its first element.
        start: i32,
        /// Of the sum in the output.
        output_scale: Scale,
        /// Added after requantization.
        output_zero_point: i32,
        /// How often a product with a scale is rounded.
        rounding: Rounding,
    }

    /// The index of the greatest or least element along one dimension, the first or last of equal ones.
    ArgExtreme = 24 {
        /// int8, `[outer, count, inner]`.
        input: TensorRef,
        /// int32, `[outer, inner]`.
        output: TensorRef,
        /// Before the dimension.
        outer: u32,
        /// The dimension's extent.
        count: u32,
        /// Behind the dimension.
        inner: u32,
        /// Of which element.
        extreme: Extreme,
    }

    /// Elements of one tensor or the other, with broadcasting. Elements wider than a byte are a dimension of their own,
    /// along which the condition is broadcast.
    Select = 25 {
        /// The first byte of each condition counts: 0 takes `b`'s element, anything else `a`'s.
        condition: TensorRef,
        /// The first byte read.
        a: TensorRef,
        /// The first byte read.
        b: TensorRef,
        /// Dense, shape `dims`.
        output: TensorRef,
        /// Extents in bytes.
        dims: Dims,
        /// Bytes between conditions; 0 where they are broadcast.
        condition_strides: Dims,
        /// Bytes between neighbours in `a`; 0 where it is broadcast.
        a_strides: Dims,
        /// Bytes between neighbours in `b`; 0 where it is broadcast.
        b_strides: Dims,
    }

    /// Convolution of int16, grouped, depthwise or transposed; fully connected layers are windows of one pixel.
    /// `weights`: `[output channel][row][column][input channel of the group]` int8.
    Conv2d16 = 40 {
        /// int16, shape `input_image`.
        input: TensorRef,
        /// int16, shape `output_image`.
        output: TensorRef,
        /// int8, constant.
        weights: TensorRef,
        /// [`WideChannelParameters`], constant, 8-aligned.
        channels: TensorRef,
        /// Shape of the input.
        input_image: Image,
        /// Shape of the output.
        output_image: Image,
        /// The kernel, on the input with its pixels spread.
        window: Window,
        /// Rows and columns from one of the input's pixels to the next: a transposed convolution's stride; else 1.
        spread: [u32; 2],
        /// Groups; divides the channels of input and output.
        groups: u32,
        /// What is summed up in.
        accumulation: Accumulation,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
    }

    /// Softmax of each row of int16, the output's scale being 1/32768.
    Softmax16 = 41 {
        /// int16, `[rows, depth]`.
        input: TensorRef,
        /// int16, `[rows, depth]`.
        output: TensorRef,
        /// Two tables of 513 int16 values, constant: `exp` on [-10, 0], `1 / (1 + x)` on [0, 1].
        tables: TensorRef,
        /// Rows.
        rows: u32,
        /// Elements of a row.
        depth: u32,
        /// `beta * input scale`, in steps of 10/65535.
        scale: Scale,
    }

    /// A sigmoid of int16, its output in steps of `2^-15`.
    Sigmoid16 = 42 {
        /// int16.
        input: TensorRef,
        /// int16.
        output: TensorRef,
        /// 256 values of 16 bits, unsigned, constant: the logistic function.
        table: TensorRef,
        /// Elements.
        length: u32,
        /// Which one.
        function: Sigmoid,
        /// Inputs are multiplied by it,
        multiplier: i32,
        /// then divided by 2 to this power.
        shift: u32,
    }

    /// Two slopes that meet at the zero point, of int16.
    LeakyRelu16 = 43 {
        /// int16.
        input: TensorRef,
        /// int16.
        output: TensorRef,
        /// Elements.
        length: u32,
        /// Zero point of the input.
        input_zero_point: i32,
        /// From the zero point up: input scale in the output's.
        identity: Scale,
        /// Below it; a negative multiplier negates the product with its magnitude.
        alpha: Scale,
        /// Added after requantization.
        output_zero_point: i32,
        /// Range of the output.
        clamp: Clamp,
    }

    /// Any unary function of int16, by a table of 513 points and lines between them.
    Interpolate16 = 44 {
        /// int16.
        input: TensorRef,
        /// int16.
        output: TensorRef,
        /// 513 int16 values, constant, for inputs -32768, -32640 and so on.
        table: TensorRef,
        /// Elements.
        length: u32,
    }

    ;

    /// Where the greatest or least elements of each row are, in order.
    TopIndices(TopIndices) = 26,
    /// [`Mul`] with `a / b` for `a * b`.
    Div(Mul) = 27,
    /// Of each class the boxes with the best scores, without those that overlap a better one.
    NonMaxSuppression(NonMaxSuppression) = 30,
    /// [`Add`] of int16.
    Add16(Add) = 45,
    /// [`Add`] of int16 with `a - b` for `a + b`.
    Sub16(Add) = 46,
    /// [`Add`] of int16 with `(a - b) * (a - b)` for `a + b`.
    SquaredDifference16(Add) = 47,
    /// [`Mul`] of int16.
    Mul16(Mul) = 48,
    /// [`AveragePool2d`] of int16.
    AveragePool2d16(AveragePool2d) = 49,
    /// [`MaxPool2d`] of int16.
    MaxPool2d16(MaxPool2d) = 50,
    /// [`Mean`] of int16.
    Mean16(Mean) = 51,
    /// Singular value decomposition filters, `units * rank`: features of the last runs, weighed by time.
    Svdf(Svdf) = 52,
    /// Long short-term memory over a sequence, as TensorFlow Lite Micro computes it.
    Lstm(Lstm) = 53,
    /// [`BatchMatMul`] of int16, summed up in 64 bits and rounded once, with the scale's upper 16 bits.
    BatchMatMul16(BatchMatMul) = 54,
    /// [`Binary`] of int16.
    Binary16(Binary) = 55,
    /// A recurrent layer over a sequence, with a state of int16.
    Recurrent(Recurrent) = 60,
}
