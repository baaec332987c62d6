//! Operators: which there are, and what their options and index tensors mean.

use super::arithmetic::Arithmetic;
use super::file::File;
use super::functions;
use super::number::{are_alike, value_like};
use super::schema::{Operator, OperatorCode, Options, Pool2d, Resize};
use crate::graph::{
    Activation, BinaryFunction, Conv, Direction, Extreme, MatrixLayout, Op, Padding, Pool, Running, Sampling,
};
use crate::tflite_schema::{ABSENT, Builtin, activation as code, padding as scheme};

impl Builtin {
    /// The operator with this code and these options.
    ///
    /// # Errors
    ///
    /// Why it is not supported; empty where the operator itself is not.
    pub(super) fn of(code: &OperatorCode, options: &Options) -> Result<Self, &'static str> {
        let is_it = |builtin: &Self| match builtin.custom_name() {
            Some(name) => code.custom == name,
            None => code.custom.is_empty() && *builtin as i32 == code.builtin,
        };
        let builtin = Self::ALL.iter().copied().find(is_it).ok_or("")?;
        let fused = match options {
            Options::Conv2d(conv) => conv.activation,
            Options::Pool2d(pool) => pool.activation,
            Options::FullyConnected(fully_connected) => {
                if fully_connected.weights_format != 0 {
                    return Err("its weights are shuffled");
                }
                fully_connected.activation
            }
            Options::Concatenation(concatenation) => {
                if concatenation.activation != 0 {
                    return Err("an activation is fused into it");
                }
                0
            }
            Options::Elementwise(elementwise) => elementwise.activation,
            Options::StridedSlice(slice) => {
                if slice.has_ellipsis || slice.adds_dimensions {
                    return Err("it has an ellipsis or adds dimensions");
                }
                0
            }
            _ => 0,
        };
        activation(fused).map(|_| builtin)
    }

    /// Whether it can be read with these operands.
    ///
    /// # Errors
    ///
    /// Why it is not supported.
    pub(super) fn check(
        self,
        arithmetic: Arithmetic,
        file: &File<'_>,
        operator: &Operator,
    ) -> Result<(), &'static str> {
        let is_constant =
            |position: usize| operator.inputs.get(position).is_some_and(|&input| file.is_constant(input));
        match self {
            // They write no values.
            Self::CallOnce | Self::VarHandle => Err(""),
            Self::Pow if arithmetic == Arithmetic::Float && !is_constant(1) => {
                Err("its exponent is not constant")
            }
            Self::Cast if operator.outputs.first().is_none_or(|&output| !file.holds_indices(output)) => {
                let is_read = |tensor: &i32| file.holds_truths(*tensor) || file.holds_floats(*tensor);
                let mut read = operator.inputs.iter().chain(&operator.outputs);
                if arithmetic == Arithmetic::Float && read.all(is_read) {
                    return Ok(());
                }
                Err("what it writes is no index, nor a float or truth in a float model")
            }
            _ => self.is_read(arithmetic),
        }
    }

    /// Whether it is read in models of this arithmetic at all.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub(super) fn is_read(self, arithmetic: Arithmetic) -> Result<(), &'static str> {
        match (self, arithmetic) {
            (Self::Pow | Self::AddN | Self::DetectionPostProcess, Arithmetic::Integer) => {
                Err("it is read in float models only")
            }
            (Self::Quantize, Arithmetic::Float) => Err("it writes floats"),
            (
                Self::BidirectionalSequenceLstm
                | Self::UnidirectionalSequenceRnn
                | Self::BidirectionalSequenceRnn,
                Arithmetic::Integer,
            ) => Err("it is read in float models only"),
            (
                Self::CallOnce
                | Self::CircularBuffer
                | Self::VarHandle
                | Self::ReadVariable
                | Self::AssignVariable
                | Self::Svdf,
                Arithmetic::Float,
            ) => Err("it is read in integer models only"),
            _ => Ok(()),
        }
    }

    /// Those of the operator's inputs that carry values; the others carry indices.
    pub(super) fn values(self, operator: &Operator) -> &[i32] {
        let (first, count) = match self {
            Self::AddN | Self::Concatenation | Self::Pack => (0, usize::MAX),
            Self::Conv2d | Self::DepthwiseConv2d | Self::FullyConnected => (0, 3),
            Self::TransposeConv => (1, 3),
            Self::Add | Self::Mul | Self::Sub | Self::Div | Self::Pow => (0, 2),
            Self::SquaredDifference | Self::Maximum | Self::Minimum | Self::PRelu => (0, 2),
            Self::BatchMatMul | Self::Gather | Self::EmbeddingLookup => (0, 2),
            Self::Equal | Self::NotEqual | Self::Greater | Self::GreaterEqual => (0, 2),
            Self::Less | Self::LessEqual | Self::LogicalAnd | Self::LogicalOr => (0, 2),
            Self::Select | Self::SelectV2 | Self::DetectionPostProcess => (0, 3),
            Self::Split | Self::AssignVariable => (1, 1),
            Self::ReadVariable | Self::CallOnce | Self::VarHandle => (0, 0),
            _ => (0, 1),
        };
        let values = operator.inputs.get(first..).unwrap_or_default();
        &values[..values.len().min(count)]
    }
}

fn activation(fused: i8) -> Result<Activation, &'static str> {
    match fused {
        code::NONE => Ok(Activation::NONE),
        code::RELU => Ok(Activation::RELU),
        code::RELU_N1_TO_1 => Ok(Activation::RELU_N1_TO_1),
        code::RELU6 => Ok(Activation::RELU6),
        code::TANH => Err("tanh is fused into it"),
        _ => Err("an unknown activation is fused into it"),
    }
}

/// What `operator` computes. Whether its shapes agree is left to the graph's validation.
///
/// # Errors
///
/// What is wrong, as the end of a sentence that begins with the operator.
pub(super) fn convert(file: &File<'_>, operator: &Operator, builtin: Builtin) -> Result<Op, &'static str> {
    let (inputs, output) = (&operator.inputs, operator.outputs[0]);
    let input =
        |index: usize| inputs.get(index).copied().filter(|&input| input != ABSENT).ok_or("lacks an input");
    let x = input(0)?;
    Ok(match builtin {
        Builtin::Conv2d => Op::Conv2d(conv(file, operator)?),
        Builtin::DepthwiseConv2d => Op::DepthwiseConv2d(conv(file, operator)?),
        Builtin::FullyConnected => Op::FullyConnected { activation: fused(&operator.options)? },
        Builtin::Add => Op::Add { activation: fused(&operator.options)? },
        Builtin::Div => Op::Div { activation: fused(&operator.options)? },
        Builtin::Mul => Op::Mul { activation: fused(&operator.options)? },
        Builtin::AveragePool2d => Op::AveragePool2d(pool(file, operator)?),
        Builtin::MaxPool2d => Op::MaxPool2d(pool(file, operator)?),
        Builtin::Mean => Op::Mean { axes: axes(file, x, input(1)?)? },
        Builtin::Softmax => match operator.options {
            Options::Softmax { beta } => Op::Softmax { beta },
            _ => return Err(NO_OPTIONS),
        },
        Builtin::Logistic => Op::Logistic,
        Builtin::Tanh => Op::Tanh,
        Builtin::Relu => Op::Relu,
        Builtin::ReluN1To1 => Op::Clamp(Activation::RELU_N1_TO_1),
        Builtin::Relu0To1 => Op::Clamp(Activation { min: Some(0.0), max: Some(1.0) }),
        Builtin::Relu6 => Op::Relu6,
        Builtin::LeakyRelu => match operator.options {
            Options::LeakyRelu { alpha } => Op::LeakyRelu { alpha },
            _ => return Err(NO_OPTIONS),
        },
        Builtin::Pad => pad(&file.indices(input(1)?)?, 0.0)?,
        Builtin::PadV2 => pad(&file.indices(input(1)?)?, value_like(file, input(2)?, output)?)?,
        Builtin::Concatenation => match &operator.options {
            Options::Concatenation(options) => {
                Op::Concat { axis: axis(i64::from(options.axis), file.shape(x)?.len())? }
            }
            _ => return Err(NO_OPTIONS),
        },
        Builtin::Reshape | Builtin::Squeeze | Builtin::ExpandDims => Op::Reshape,
        Builtin::Transpose => {
            let rank = file.shape(x)?.len();
            let perm = file.indices(input(1)?)?.into_iter().map(|index| axis(index, rank));
            Op::Transpose { perm: perm.collect::<Result<_, _>>()? }
        }
        Builtin::Slice => {
            let begin = file.indices(input(1)?)?;
            let begin = begin.into_iter().map(|begin| usize::try_from(begin).map_err(|_| "begins before 0"));
            let begin = begin.collect::<Result<Vec<_>, _>>()?;
            let taken = file.indices(input(2)?)?;
            check_taken(&file.shape(x)?, &begin, &taken, &file.shape(output)?)?;
            Op::Slice { begin }
        }
        Builtin::Quantize => Op::Requantize,
        Builtin::Sub => binary(BinaryFunction::Subtract, fused(&operator.options)?),
        Builtin::SquaredDifference => binary(BinaryFunction::SquaredDifference, Activation::NONE),
        Builtin::Maximum => binary(BinaryFunction::Maximum, Activation::NONE),
        Builtin::Minimum => binary(BinaryFunction::Minimum, Activation::NONE),
        Builtin::PRelu => binary(BinaryFunction::ParametricRelu, Activation::NONE),
        Builtin::LogicalAnd => binary(BinaryFunction::Minimum, Activation::NONE),
        Builtin::LogicalOr => binary(BinaryFunction::Maximum, Activation::NONE),
        Builtin::Select | Builtin::SelectV2 => Op::Select,
        Builtin::Sum => Op::Sum { axes: axes(file, x, input(1)?)? },
        Builtin::LogSoftmax => Op::LogSoftmax,
        Builtin::ArgMax => Op::ArgExtreme { axis: one_axis(file, x, input(1)?)?, extreme: Extreme::Greatest },
        Builtin::ArgMin => Op::ArgExtreme { axis: one_axis(file, x, input(1)?)?, extreme: Extreme::Least },
        Builtin::CumSum => match &operator.options {
            Options::CumulativeSum(options) => Op::CumulativeSum {
                axis: one_axis(file, x, input(1)?)?,
                direction: if options.is_reverse { Direction::Backward } else { Direction::Forward },
                running: if options.is_exclusive { Running::Excluding } else { Running::Including },
            },
            _ => return Err(NO_OPTIONS),
        },
        Builtin::ResizeBilinear => match &operator.options {
            Options::Resize(options) => Op::ResizeBilinear(sampling(options)?),
            _ => return Err(NO_OPTIONS),
        },
        Builtin::BatchMatMul => match &operator.options {
            Options::BatchMatMul(options) => {
                Op::BatchMatMul { a: layout(options.is_x_transposed), b: layout(options.is_y_transposed) }
            }
            _ => return Err(NO_OPTIONS),
        },
        _ => match functions::of(operator, builtin)? {
            Some(function) => Op::Unary(function),
            None => return Err("is made of several operators"),
        },
    })
}

fn binary(function: BinaryFunction, activation: Activation) -> Op {
    Op::Binary { function, activation }
}

fn layout(is_transposed: bool) -> MatrixLayout {
    if is_transposed { MatrixLayout::ColumnsFirst } else { MatrixLayout::RowsFirst }
}

fn sampling(options: &Resize) -> Result<Sampling, &'static str> {
    match (options.aligns_corners, options.has_half_pixel_centers) {
        (false, false) => Ok(Sampling::Edges),
        (true, false) => Ok(Sampling::Corners),
        (false, true) => Ok(Sampling::Centers),
        (true, true) => Err("aligns both corners and centres"),
    }
}

/// The clamp that a maximum or minimum is, where it compares with one number.
pub(super) fn clamp(file: &File<'_>, operator: &Operator, builtin: Builtin) -> Option<Op> {
    let bound = bound(file, operator).ok()?;
    let keeps_shape = file.shape(operator.inputs[0]).ok()? == file.shape(*operator.outputs.first()?).ok()?;
    let range = match builtin {
        Builtin::Maximum => Activation { min: Some(bound), max: None },
        _ => Activation { min: None, max: Some(bound) },
    };
    keeps_shape.then_some(Op::Clamp(range))
}

/// The constant that a minimum or maximum compares with. Raw values are compared, so that everything has one
/// scale and zero point.
fn bound(file: &File<'_>, operator: &Operator) -> Result<f32, &'static str> {
    let [x, bound] = operator.inputs[..] else {
        return Err("has not two inputs");
    };
    let output = operator.outputs[0];
    if !are_alike(file, x, output)? {
        return Err("has an input with another scale or zero point than its output");
    }
    value_like(file, bound, output)
}

pub(super) const NO_OPTIONS: &str = "lacks its options";

/// A dimension that may be counted from the last one.
pub(super) fn axis(index: i64, rank: usize) -> Result<usize, &'static str> {
    let from_first = if index < 0 { index.saturating_add(rank as i64) } else { index };
    usize::try_from(from_first).ok().filter(|&axis| axis < rank).ok_or("names a dimension that is not there")
}

/// Dimensions of `x`, ascending.
pub(super) fn axes(file: &File<'_>, x: i32, indices: i32) -> Result<Vec<usize>, &'static str> {
    let rank = file.shape(x)?.len();
    let axes = file.indices(indices)?.into_iter().map(|index| axis(index, rank));
    let mut axes = axes.collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(axes)
}

/// The only dimension of `x` that `indices` name.
fn one_axis(file: &File<'_>, x: i32, indices: i32) -> Result<usize, &'static str> {
    match axes(file, x, indices)?[..] {
        [axis] => Ok(axis),
        _ => Err("has not one axis"),
    }
}

/// The activation of operators that do the same without their options.
pub(super) fn fused(options: &Options) -> Result<Activation, &'static str> {
    match options {
        Options::FullyConnected(options) => activation(options.activation),
        Options::Elementwise(options) => activation(options.activation),
        _ => Ok(Activation::NONE),
    }
}

fn conv(file: &File<'_>, operator: &Operator) -> Result<Conv, &'static str> {
    let Options::Conv2d(options) = &operator.options else {
        return Err(NO_OPTIONS);
    };
    let [x, weights, ..] = operator.inputs[..] else {
        return Err("lacks an input");
    };
    let weights = file.shape(weights)?;
    let [_, height, width, _] = weights[..] else {
        return Err("has weights without 4 dimensions");
    };
    let (stride, dilation) = (counts(options.stride)?, counts(options.dilation)?);
    let window = Window { extents: [height, width], stride, dilation };
    let padding = padding(options.padding, &file.shape(x)?, &window)?;
    Ok(Conv { stride, dilation, padding, activation: activation(options.activation)? })
}

/// A transposed convolution: its window stands on the output.
pub(super) fn transpose_conv(file: &File<'_>, operator: &Operator) -> Result<Conv, &'static str> {
    let (Options::Conv2d(options), &[_, weights, ..], &[output]) =
        (&operator.options, &operator.inputs[..], &operator.outputs[..])
    else {
        return Err(NO_OPTIONS);
    };
    let [_, height, width, _] = file.shape(weights)?[..] else {
        return Err("has weights without 4 dimensions");
    };
    let stride = counts(options.stride)?;
    let window = Window { extents: [height, width], stride, dilation: [1, 1] };
    let around = padding(options.padding, &file.shape(output)?, &window)?;
    let padding = Padding { bottom: 0, right: 0, ..around };
    Ok(Conv { stride, dilation: [1, 1], padding, activation: activation(options.activation)? })
}

fn pool(file: &File<'_>, operator: &Operator) -> Result<Pool, &'static str> {
    let Options::Pool2d(Pool2d { padding: scheme, stride, window, activation: fused }) = operator.options
    else {
        return Err(NO_OPTIONS);
    };
    let (extents, stride) = (counts(window)?, counts(stride)?);
    let window = Window { extents, stride, dilation: [1, 1] };
    let padding = padding(scheme, &file.shape(operator.inputs[0])?, &window)?;
    Ok(Pool { window: extents, stride, padding, activation: activation(fused)? })
}

/// Rows and columns of each.
struct Window {
    extents: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
}

fn counts(values: [i32; 2]) -> Result<[usize; 2], &'static str> {
    let count = |value: i32| usize::try_from(value).ok().filter(|&value| value > 0);
    match values.map(count) {
        [Some(rows), Some(columns)] => Ok([rows, columns]),
        _ => Err("has a stride, dilation or window of 0"),
    }
}

/// What the scheme means for an image: `SAME` pads so that there are `ceil(extent / stride)`
/// positions, an odd element after the image; `VALID` does not pad.
fn padding(scheme: i8, image: &[usize], window: &Window) -> Result<Padding, &'static str> {
    let [_, rows, columns, _] = *image else {
        return Err("has an image without 4 dimensions");
    };
    match scheme {
        scheme::SAME => {
            let around = |extent: usize, axis: usize| {
                let positions = extent.div_ceil(window.stride[axis]).max(1);
                let reach = window.extents[axis].saturating_sub(1).saturating_mul(window.dilation[axis]);
                let total = ((positions - 1) * window.stride[axis])
                    .saturating_add(reach.saturating_add(1))
                    .saturating_sub(extent);
                (total / 2, total - total / 2)
            };
            let ((top, bottom), (left, right)) = (around(rows, 0), around(columns, 1));
            Ok(Padding { top, left, bottom, right })
        }
        scheme::VALID => Ok(Padding::default()),
        _ => Err("has an unknown padding"),
    }
}

/// `paddings`: before and after, for each dimension.
fn pad(paddings: &[i64], value: f32) -> Result<Op, &'static str> {
    let counts = paddings.iter().map(|&count| usize::try_from(count).map_err(|_| "pads by less than 0"));
    let counts = counts.collect::<Result<Vec<_>, _>>()?;
    let (pairs, _) = counts.as_chunks::<2>();
    Ok(Op::Pad {
        before: pairs.iter().map(|pair| pair[0]).collect(),
        after: pairs.iter().map(|pair| pair[1]).collect(),
        value,
    })
}

/// `taken` is the output's shape, where -1 is all that is left.
fn check_taken(from: &[usize], begin: &[usize], taken: &[i64], to: &[usize]) -> Result<(), &'static str> {
    let ranks_agree = [begin.len(), taken.len(), to.len()].iter().all(|&rank| rank == from.len());
    let agrees = |axis: usize| match taken[axis] {
        -1 => from[axis].checked_sub(begin[axis]) == Some(to[axis]),
        taken => usize::try_from(taken) == Ok(to[axis]),
    };
    if ranks_agree && (0..from.len()).all(agrees) {
        Ok(())
    } else {
        Err("takes another block than its output's shape")
    }
}
