//! The model as a graph: one set of operators for floats and for int8.
//!
//! Operators mean what TensorFlow Lite's mean: images are NHWC, one node a step, nodes in an order in
//! which they can run. What is known before the first inference (shapes, axes, paddings) stands in
//! the operator, never in a tensor.

mod indices;
mod of_two;
mod recurrent;
mod stateful;
mod suppression;
mod unary_function;

use std::fmt::Debug;
use std::sync::Arc;

use edgepkg_format::DType;
pub use edgepkg_format::plan::{Direction, Extreme, Rounding, Running};
pub use indices::MAX_INDEXED_ELEMENTS;
pub use of_two::{BinaryFunction, Comparison, Precision};
pub use recurrent::{Recurrent, RecurrentCell, Shown, Start};
use serde::{Deserialize, Serialize};
pub use stateful::{LSTM_GATES, SequenceOrder, Stateful};
pub use suppression::{BoxForm, Suppression};
pub use unary_function::UnaryFunction;

/// A model whose tensors are `T`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graph<T: Tensor> {
    /// What the model file calls it; may be empty.
    pub name: String,
    /// Every tensor: inputs, constants, and one for each node's output.
    pub tensors: Vec<T>,
    /// Operators, each after those it reads from.
    pub nodes: Vec<Node>,
    /// What goes in, in the file's order.
    pub inputs: Vec<TensorId>,
    /// What comes out, in the file's order.
    pub outputs: Vec<TensorId>,
    /// How its operators round: a [`Rounding`] where tensors are quantized, nothing where they are floats.
    pub rounding: T::Rounding,
}

/// A model before quantization.
pub type FloatGraph = Graph<FloatTensor>;
/// A model after quantization: what a package holds.
pub type QuantizedGraph = Graph<QuantizedTensor>;

/// Index of a tensor in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TensorId(pub usize);

/// One operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The layer's name in the model file, kept through every fusion.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What it reads, in the order that [`Op`] gives.
    pub inputs: Vec<TensorId>,
    /// What it writes.
    pub outputs: Vec<TensorId>,
}

impl Node {
    /// The output of an operator that has one.
    pub fn output(&self) -> TensorId {
        self.outputs[0]
    }
}

/// A float tensor. Constants have data; indices are floats here, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FloatTensor {
    /// Its name in the model file.
    pub name: String,
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in row-major order, for a constant.
    pub data: Option<Arc<[f32]>>,
}

/// A quantized tensor: `real = scale * (q - zero_point)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedTensor {
    /// Its name in the model file.
    pub name: String,
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Type of the elements.
    pub dtype: DType,
    /// Scale and zero point.
    pub quantization: Quantization,
    /// Little-endian elements in row-major order, for a constant.
    pub data: Option<Arc<[u8]>>,
}

/// How integers stand for reals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantization {
    /// One scale, or one for each index of `axis`.
    pub scales: Vec<f32>,
    /// As many as scales.
    pub zero_points: Vec<i32>,
    /// The dimension the scales belong to; 0 when there is one scale.
    pub axis: usize,
}

impl Quantization {
    /// One scale and zero point for the whole tensor.
    pub fn per_tensor(scale: f32, zero_point: i32) -> Self {
        Self { scales: vec![scale], zero_points: vec![zero_point], axis: 0 }
    }

    /// A scale for each index of `axis`, zero points 0.
    pub fn per_channel(scales: Vec<f32>, axis: usize) -> Self {
        let zero_points = vec![0; scales.len()];
        Self { scales, zero_points, axis }
    }

    /// The scale of a tensor that has one.
    pub fn scale(&self) -> f32 {
        self.scales[0]
    }

    /// The zero point of a tensor that has one.
    pub fn zero_point(&self) -> i32 {
        self.zero_points[0]
    }
}

/// What the stages ask of a tensor, whatever its type.
pub trait Tensor {
    /// What there is to know of how operators on such tensors round.
    type Rounding: Copy + Debug + Default + PartialEq;

    /// Its name in the model file.
    fn name(&self) -> &str;
    /// Extents, outermost first.
    fn shape(&self) -> &[usize];
    /// Whether its values are known.
    fn is_constant(&self) -> bool;

    /// Elements.
    fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Whether it has no element.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Tensor for FloatTensor {
    type Rounding = ();

    fn name(&self) -> &str {
        &self.name
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn is_constant(&self) -> bool {
        self.data.is_some()
    }
}

impl Tensor for QuantizedTensor {
    type Rounding = Rounding;

    fn name(&self) -> &str {
        &self.name
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn is_constant(&self) -> bool {
        self.data.is_some()
    }
}

impl QuantizedTensor {
    /// A constant's int8 elements.
    ///
    /// # Panics
    ///
    /// When it is not an int8 constant.
    pub fn int8(&self) -> &[i8] {
        assert_eq!(self.dtype, DType::Int8, "{} is not int8", self.name);
        bytemuck::cast_slice(self.data.as_deref().expect("a constant has data"))
    }

    /// The elements of an int16, int32 or int64 constant.
    ///
    /// # Panics
    ///
    /// When it is none of these.
    pub fn int64(&self) -> Vec<i64> {
        match self.dtype {
            DType::Int64 => {
                let data = self.data.as_deref().expect("a constant has data");
                data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
            }
            DType::Int16 => {
                let data = self.data.as_deref().expect("a constant has data");
                data.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes).into()).collect()
            }
            _ => self.int32().into_iter().map(i64::from).collect(),
        }
    }

    /// A constant's int32 elements.
    ///
    /// # Panics
    ///
    /// When it is not an int32 constant.
    pub fn int32(&self) -> Vec<i32> {
        assert_eq!(self.dtype, DType::Int32, "{} is not int32", self.name);
        let data = self.data.as_deref().expect("a constant has data");
        data.chunks_exact(4).map(|word| i32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
    }
}

impl<T: Tensor> Graph<T> {
    /// The tensor with this id.
    pub fn tensor(&self, id: TensorId) -> &T {
        &self.tensors[id.0]
    }

    /// Adds a tensor.
    pub fn add_tensor(&mut self, tensor: T) -> TensorId {
        self.tensors.push(tensor);
        TensorId(self.tensors.len() - 1)
    }

    /// The node that writes `id`; `None` for inputs and constants.
    pub fn producer(&self, id: TensorId) -> Option<usize> {
        self.nodes.iter().position(|node| node.outputs.contains(&id))
    }

    /// The nodes that read `id`, in order.
    pub fn consumers(&self, id: TensorId) -> impl Iterator<Item = usize> + '_ {
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(_, node)| node.inputs.contains(&id))
            .map(|(index, _)| index)
    }

    /// Whether `id` leaves the model.
    pub fn is_output(&self, id: TensorId) -> bool {
        self.outputs.contains(&id)
    }
}

/// What a node computes. Shapes of inputs and outputs are those of the tensors.
///
/// Inputs are listed in brackets; `?` marks one that may be absent (always the last).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// `[x: NHWC, weights: [out, kh, kw, in / groups], bias: [out]?]`. Groups follow from the shapes.
    Conv2d(Conv),
    /// `[x: NHWC, weights: [1, kh, kw, out], bias: [out]?]`, output channel `c * multiplier + m`; the
    /// multiplier follows from the shapes.
    DepthwiseConv2d(Conv),
    /// `[x, weights: [out, in], bias: [out]?]`: x is taken as rows of `in`.
    FullyConnected {
        /// Fused into it.
        activation: Activation,
    },
    /// `[a, b]`, broadcast as NumPy does.
    Add {
        /// Fused into it.
        activation: Activation,
    },
    /// `[a, b]`, broadcast as NumPy does.
    Mul {
        /// Fused into it.
        activation: Activation,
    },
    /// `[a, b]`, broadcast as NumPy does: `a / b`. In int graphs a divisor of 0 counts as the least above it.
    Div {
        /// Fused into it.
        activation: Activation,
    },
    /// `[x: NHWC]`; padding does not count.
    AveragePool2d(Pool),
    /// `[x: NHWC]`.
    MaxPool2d(Pool),
    /// `[x]`, over `axes` (ascending, each once). Whether they stay as 1 follows from the shapes.
    Mean {
        /// Dimensions averaged over.
        axes: Vec<usize>,
    },
    /// `[x]`, along the last dimension.
    Softmax {
        /// Factor on the inputs.
        beta: f32,
    },
    /// `[x]`: `1 / (1 + exp(-x))`.
    Logistic,
    /// `[x]`.
    Tanh,
    /// `[x]`: `max(x, 0)`.
    Relu,
    /// `[x]`: `min(max(x, 0), 6)`.
    Relu6,
    /// `[x]`: clamped to any range.
    Clamp(Activation),
    /// `[x]`: `x < 0 ? alpha * x : x`.
    LeakyRelu {
        /// Slope below 0.
        alpha: f32,
    },
    /// `[x]`: any other function of single elements.
    Unary(UnaryFunction),
    /// `[x]`: elements added around it.
    Pad {
        /// Elements before, for each dimension.
        before: Vec<usize>,
        /// Elements after, for each dimension.
        after: Vec<usize>,
        /// Their real value.
        value: f32,
    },
    /// `[x...]`, joined along `axis`.
    Concat {
        /// The dimension that grows.
        axis: usize,
    },
    /// `[x]`: the same elements in another shape. Squeeze, Flatten, ExpandDims too.
    Reshape,
    /// `[x]`: output dimension `i` is input dimension `perm[i]`.
    Transpose {
        /// A permutation.
        perm: Vec<usize>,
    },
    /// `[x]`: the block of the output's shape that starts at `begin`.
    Slice {
        /// First element taken, for each dimension.
        begin: Vec<usize>,
    },
    /// `[x]`: along `axis`, the elements at `indices`, one after the other.
    Take {
        /// The dimension.
        axis: usize,
        /// Of the input's elements; any of them, in any order.
        indices: Vec<usize>,
    },
    /// `[a, b]`, broadcast as NumPy does: any other function of two elements. The slopes of a parametric
    /// relu are `b`.
    Binary {
        /// What is computed.
        function: BinaryFunction,
        /// Fused into it.
        activation: Activation,
    },
    /// `[a, b]`, broadcast as NumPy does: 1 where they compare so, else 0.
    Compare {
        /// How they compare.
        comparison: Comparison,
        /// How finely.
        precision: Precision,
    },
    /// `[condition, a, b]`, broadcast as NumPy does: `b`'s element where the condition is 0, else `a`'s.
    Select,
    /// `[x]`, over `axes` (ascending, each once), as [`Op::Mean`].
    Sum {
        /// Dimensions summed over.
        axes: Vec<usize>,
    },
    /// `[x]`, along the last dimension.
    LogSoftmax,
    /// `[x: NHWC]`: an image of another height and width, linear between pixels.
    ResizeBilinear(Sampling),
    /// `[x: NHWC, weights: [out, kh, kw, in], bias: [out]?]`: each pixel adds its multiple of the kernel to the
    /// output, a stride from its neighbour's. The padding's top and left are cut off; its others are 0, for
    /// what is cut or added there follows from the shapes.
    TransposeConv2d(Conv),
    /// `[a: [.., rows, depth], b: [.., depth, columns]]`, the dimensions before the last two broadcast.
    BatchMatMul {
        /// How `a` lies.
        a: MatrixLayout,
        /// How `b` lies.
        b: MatrixLayout,
    },
    /// `[x]`: sums along `axis`.
    CumulativeSum {
        /// The dimension.
        axis: usize,
        /// Which way they run.
        direction: Direction,
        /// What they are sums of.
        running: Running,
    },
    /// `[x]`: the index along `axis` of the greatest or least element, the first or last of equal
    /// ones; int32 in int graphs. Whether the dimension stays as 1 follows from the shapes.
    ArgExtreme {
        /// The dimension.
        axis: usize,
        /// Of which element.
        extreme: Extreme,
    },
    /// `[x]`: along the last dimension, the indices of the greatest or least elements, as many as the output has, in their
    /// order; int32 in int graphs. Of equal elements the first or last come first.
    TopIndices {
        /// Of which elements.
        extreme: Extreme,
    },
    /// `[x, indices]`: along `axis`, the elements at `indices`, int32 in int graphs, whose dimensions take the
    /// place of `axis`. The first `batch_dimensions` of both are the same.
    Gather {
        /// The dimension.
        axis: usize,
        /// Leading dimensions that indices belong to; at most `axis`.
        batch_dimensions: usize,
    },
    /// `[x]`: the same reals with another scale, zero point or width. Int graphs only.
    Requantize,
    /// What keeps something from run to run. Floats have variables alone.
    Stateful(Stateful),
    /// A recurrent layer: see [`Recurrent`].
    Recurrent(Recurrent),
    /// Boxes that are chosen by their scores: see [`Suppression`].
    NonMaxSuppression(Suppression),
}

/// Parameters of a convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv {
    /// Rows and columns the kernel moves by.
    pub stride: [usize; 2],
    /// Rows and columns between taps.
    pub dilation: [usize; 2],
    /// Around the image.
    pub padding: Padding,
    /// Fused into it.
    pub activation: Activation,
}

/// Parameters of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Rows and columns of the window.
    pub window: [usize; 2],
    /// Rows and columns the window moves by.
    pub stride: [usize; 2],
    /// Around the image.
    pub padding: Padding,
    /// Fused into it.
    pub activation: Activation,
}

/// Where pixels of a resized image lie in the image it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sampling {
    /// Pixel `i` at `i * from / to`.
    Edges,
    /// The last one at the last one: pixel `i` at `i * (from - 1) / (to - 1)`.
    Corners,
    /// Centres at centres: pixel `i` at `(i + 1/2) * from / to - 1/2`.
    Centers,
}

/// How a matrix lies in a tensor's last two dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatrixLayout {
    /// Rows, then columns.
    RowsFirst,
    /// Columns, then rows.
    ColumnsFirst,
}

/// Rows and columns around an image, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Padding {
    pub top: usize,
    pub left: usize,
    pub bottom: usize,
    pub right: usize,
}

/// A range of reals that a result is clamped to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// Least value; `None` is unbounded.
    pub min: Option<f32>,
    /// Greatest value; `None` is unbounded.
    pub max: Option<f32>,
}

impl Activation {
    /// No clamp.
    pub const NONE: Self = Self { min: None, max: None };
    /// `[0, inf)`.
    pub const RELU: Self = Self { min: Some(0.0), max: None };
    /// `[0, 6]`.
    pub const RELU6: Self = Self { min: Some(0.0), max: Some(6.0) };
    /// `[-1, 1]`.
    pub const RELU_N1_TO_1: Self = Self { min: Some(-1.0), max: Some(1.0) };

    /// Whether it changes nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// `x` clamped to the range.
    pub fn apply(&self, x: f32) -> f32 {
        let x = self.min.map_or(x, |min| x.max(min));
        self.max.map_or(x, |max| x.min(max))
    }

    /// The range of what passes first through `self`, then through `next`.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let bound = |value: Option<f32>| value.map(|value| next.apply(value));
        Self { min: bound(self.min).or(next.min), max: bound(self.max).or(next.max) }
    }
}

impl Op {
    /// Whether inputs 1 and 2 are weights and a bias.
    pub fn is_weighted(&self) -> bool {
        matches!(
            self,
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::TransposeConv2d(_) | Op::FullyConnected { .. }
        )
    }

    /// The variables among `inputs`, which stand for what a node with this operator keeps from run to run and changes.
    pub fn variables<'a>(&self, inputs: &'a [TensorId]) -> &'a [TensorId] {
        match self {
            Op::Stateful(op) => op.variables(inputs),
            Op::Recurrent(Recurrent { start: Start::Kept, .. }) => &inputs[Recurrent::HIDDEN..],
            _ => &[],
        }
    }

    /// A mean or sum, over other dimensions; any other operator as it is.
    #[must_use]
    pub fn with_axes(&self, axes: Vec<usize>) -> Self {
        match self {
            Op::Mean { .. } => Op::Mean { axes },
            Op::Sum { .. } => Op::Sum { axes },
            other => other.clone(),
        }
    }

    /// Whether the input at `position` holds indices.
    pub fn reads_indices(&self, position: usize) -> bool {
        matches!(self, Op::Gather { .. }) && position == 1
    }

    /// Whether its output holds indices.
    pub fn writes_indices(&self) -> bool {
        matches!(self, Op::ArgExtreme { .. } | Op::TopIndices { .. } | Op::NonMaxSuppression(_))
    }

    /// Whether its output is 0 or 1 throughout.
    pub fn writes_truths(&self) -> bool {
        matches!(self, Op::Compare { .. })
    }

    /// Whether it is computed of int16, too.
    pub fn has_int16(&self) -> bool {
        matches!(
            self,
            Op::Conv2d(_)
                | Op::DepthwiseConv2d(_)
                | Op::FullyConnected { .. }
                | Op::Add { .. }
                | Op::Mul { .. }
                | Op::AveragePool2d(_)
                | Op::MaxPool2d(_)
                | Op::Mean { .. }
                | Op::Sum { .. }
                | Op::Binary { .. }
                | Op::Compare { .. }
                | Op::Select
                | Op::BatchMatMul { .. }
                | Op::TransposeConv2d(_)
                | Op::Softmax { .. }
                | Op::Logistic
                | Op::Tanh
                | Op::Relu
                | Op::Relu6
                | Op::Clamp(_)
                | Op::LeakyRelu { .. }
                | Op::Unary(_)
                | Op::Pad { .. }
                | Op::Concat { .. }
                | Op::Reshape
                | Op::Transpose { .. }
                | Op::Slice { .. }
                | Op::Take { .. }
                | Op::Gather { .. }
                | Op::Requantize
                | Op::Stateful(_)
                | Op::Recurrent(_)
                | Op::TopIndices { .. }
                | Op::NonMaxSuppression(_)
        )
    }

    /// The operator's name in TensorFlow Lite's words, for reports and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Conv2d(_) => "Conv2D",
            Op::DepthwiseConv2d(_) => "DepthwiseConv2D",
            Op::FullyConnected { .. } => "FullyConnected",
            Op::Add { .. } => "Add",
            Op::Mul { .. } => "Mul",
            Op::Div { .. } => "Div",
            Op::AveragePool2d(_) => "AveragePool2D",
            Op::MaxPool2d(_) => "MaxPool2D",
            Op::Mean { .. } => "Mean",
            Op::Softmax { .. } => "Softmax",
            Op::Logistic => "Logistic",
            Op::Tanh => "Tanh",
            Op::Relu => "Relu",
            Op::Relu6 => "Relu6",
            Op::Clamp(_) => "Clamp",
            Op::LeakyRelu { .. } => "LeakyRelu",
            Op::Unary(function) => function.name(),
            Op::Pad { .. } => "Pad",
            Op::Concat { .. } => "Concat",
            Op::Reshape => "Reshape",
            Op::Transpose { .. } => "Transpose",
            Op::Slice { .. } => "Slice",
            Op::Take { .. } => "Take",
            Op::Binary { function, .. } => function.name(),
            Op::Compare { comparison, .. } => comparison.name(),
            Op::Select => "Select",
            Op::Sum { .. } => "Sum",
            Op::LogSoftmax => "LogSoftmax",
            Op::ResizeBilinear(_) => "ResizeBilinear",
            Op::TransposeConv2d(_) => "TransposeConv2D",
            Op::BatchMatMul { .. } => "BatchMatMul",
            Op::CumulativeSum { .. } => "CumSum",
            Op::ArgExtreme { extreme: Extreme::Greatest | Extreme::LastGreatest, .. } => "ArgMax",
            Op::ArgExtreme { extreme: Extreme::Least | Extreme::LastLeast, .. } => "ArgMin",
            Op::TopIndices { .. } => "TopK",
            Op::Gather { .. } => "Gather",
            Op::Requantize => "Requantize",
            Op::Stateful(op) => op.name(),
            Op::Recurrent(op) => op.name(),
            Op::NonMaxSuppression(_) => "NonMaxSuppression",
        }
    }
}
