//! Operators of version 1, in the order of their codes. Frozen.

use serde::{Deserialize, Serialize};

use super::{UnaryFunction, narrow, widen};
use crate::graph;

macro_rules! choices {
    ($($name:ident { $($variant:ident),* })*) => {
        $(
            #[doc = concat!("As `graph::", stringify!($name), "`.")]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[allow(missing_docs, reason = "the names say it")]
            pub enum $name {
                $($variant,)*
            }

            impl $name {
                fn from_graph(value: graph::$name) -> Self {
                    match value {
                        $(graph::$name::$variant => Self::$variant,)*
                    }
                }

                fn into_graph(self) -> graph::$name {
                    match self {
                        $(Self::$variant => graph::$name::$variant,)*
                    }
                }
            }
        )*
    };
}

/// What a node computes: `graph::Op` as it was when version 1 was fixed, and what has been appended since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "variants and fields are those of `graph::Op`")]
pub enum Op {
    Conv2d(Conv),
    DepthwiseConv2d(Conv),
    FullyConnected { activation: Activation },
    Add { activation: Activation },
    Mul { activation: Activation },
    AveragePool2d(Pool),
    MaxPool2d(Pool),
    Mean { axes: Vec<u32> },
    Softmax { beta: f32 },
    Logistic,
    Tanh,
    Relu,
    Relu6,
    Clamp(Activation),
    LeakyRelu { alpha: f32 },
    Pad { before: Vec<u32>, after: Vec<u32>, value: f32 },
    Concat { axis: u32 },
    Reshape,
    Transpose { perm: Vec<u32> },
    Slice { begin: Vec<u32> },
    Requantize,
    Unary(UnaryFunction),
    Take { axis: u32, indices: Vec<u32> },
    Binary { function: BinaryFunction, activation: Activation },
    Sum { axes: Vec<u32> },
    LogSoftmax,
    ResizeBilinear(Sampling),
    TransposeConv2d(Conv),
    BatchMatMul { a: MatrixLayout, b: MatrixLayout },
    CumulativeSum { axis: u32, direction: Direction, running: Running },
    ArgExtreme { axis: u32, extreme: Extreme },
    Gather { axis: u32, batch_dimensions: u32 },
    Stateful(Stateful),
    Recurrent(Recurrent),
    NonMaxSuppression(Suppression),
    Compare { comparison: Comparison, precision: Precision },
    Select,
    TopIndices { extreme: Extreme },
    Div { activation: Activation },
}

/// Boxes that are chosen by their scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `graph::Suppression`")]
pub struct Suppression {
    pub form: BoxForm,
    pub most: u32,
    pub overlap: f32,
    pub score: Option<f32>,
}

impl Suppression {
    fn from_graph(op: &graph::Suppression) -> Self {
        let graph::Suppression { form, most, overlap, score } = *op;
        Self { form: BoxForm::from_graph(form), most: narrow(most), overlap, score }
    }

    fn into_graph(self) -> graph::Suppression {
        let Self { form, most, overlap, score } = self;
        graph::Suppression { form: form.into_graph(), most: widen(most), overlap, score }
    }
}

/// What keeps something from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "variants and fields are those of `graph::Stateful`")]
pub enum Stateful {
    ReadVariable,
    AssignVariable,
    Svdf { rank: u32 },
    Lstm { order: SequenceOrder, cell_clip: f32 },
}

/// A recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `graph::Recurrent`")]
pub struct Recurrent {
    pub cell: RecurrentCell,
    pub order: SequenceOrder,
    pub direction: Direction,
    pub shown: Shown,
    pub start: Start,
}

choices! {
    BinaryFunction { Subtract, SquaredDifference, Maximum, Minimum, ParametricRelu }
    Comparison { Equal, NotEqual, Greater, GreaterOrEqual }
    Precision { Exact, In256ths }
    Sampling { Edges, Corners, Centers }
    MatrixLayout { RowsFirst, ColumnsFirst }
    Direction { Forward, Backward }
    Running { Including, Excluding }
    Extreme { Greatest, Least, LastGreatest, LastLeast }
    SequenceOrder { BatchMajor, TimeMajor }
    RecurrentCell { Lstm, GruResetAfter, GruResetBefore, Tanh, Relu }
    Shown { EveryStep, LastStep, LastCells }
    Start { Anew, Kept }
    BoxForm { Corners, Center }
}

/// Parameters of a convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `graph::Conv`")]
pub struct Conv {
    pub stride: [u32; 2],
    pub dilation: [u32; 2],
    pub padding: Padding,
    pub activation: Activation,
}

/// Parameters of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `graph::Pool`")]
pub struct Pool {
    pub window: [u32; 2],
    pub stride: [u32; 2],
    pub padding: Padding,
    pub activation: Activation,
}

/// Rows and columns around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Padding {
    pub top: u32,
    pub left: u32,
    pub bottom: u32,
    pub right: u32,
}

/// A range of reals; `None` is unbounded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Activation {
    pub min: Option<f32>,
    pub max: Option<f32>,
}

impl Op {
    pub(in crate::wire) fn from_graph(op: &graph::Op) -> Self {
        match op {
            graph::Op::Conv2d(conv) => Op::Conv2d(Conv::from_graph(conv)),
            graph::Op::DepthwiseConv2d(conv) => Op::DepthwiseConv2d(Conv::from_graph(conv)),
            graph::Op::FullyConnected { activation } => {
                Op::FullyConnected { activation: Activation::from_graph(activation) }
            }
            graph::Op::Add { activation } => Op::Add { activation: Activation::from_graph(activation) },
            graph::Op::Div { activation } => Op::Div { activation: Activation::from_graph(activation) },
            graph::Op::Mul { activation } => Op::Mul { activation: Activation::from_graph(activation) },
            graph::Op::AveragePool2d(pool) => Op::AveragePool2d(Pool::from_graph(pool)),
            graph::Op::MaxPool2d(pool) => Op::MaxPool2d(Pool::from_graph(pool)),
            graph::Op::Mean { axes } => Op::Mean { axes: narrow_all(axes) },
            graph::Op::Softmax { beta } => Op::Softmax { beta: *beta },
            graph::Op::Logistic => Op::Logistic,
            graph::Op::Tanh => Op::Tanh,
            graph::Op::Relu => Op::Relu,
            graph::Op::Relu6 => Op::Relu6,
            graph::Op::Clamp(activation) => Op::Clamp(Activation::from_graph(activation)),
            graph::Op::LeakyRelu { alpha } => Op::LeakyRelu { alpha: *alpha },
            graph::Op::Pad { before, after, value } => {
                Op::Pad { before: narrow_all(before), after: narrow_all(after), value: *value }
            }
            graph::Op::Concat { axis } => Op::Concat { axis: narrow(*axis) },
            graph::Op::Reshape => Op::Reshape,
            graph::Op::Transpose { perm } => Op::Transpose { perm: narrow_all(perm) },
            graph::Op::Slice { begin } => Op::Slice { begin: narrow_all(begin) },
            graph::Op::Requantize => Op::Requantize,
            graph::Op::Unary(function) => Op::Unary(UnaryFunction::from_graph(*function)),
            graph::Op::Compare { comparison, precision } => Op::Compare {
                comparison: Comparison::from_graph(*comparison),
                precision: Precision::from_graph(*precision),
            },
            graph::Op::Select => Op::Select,
            graph::Op::TopIndices { extreme } => Op::TopIndices { extreme: Extreme::from_graph(*extreme) },
            graph::Op::Binary { function, activation } => Op::Binary {
                function: BinaryFunction::from_graph(*function),
                activation: Activation::from_graph(activation),
            },
            graph::Op::Sum { axes } => Op::Sum { axes: narrow_all(axes) },
            graph::Op::LogSoftmax => Op::LogSoftmax,
            graph::Op::ResizeBilinear(sampling) => Op::ResizeBilinear(Sampling::from_graph(*sampling)),
            graph::Op::TransposeConv2d(conv) => Op::TransposeConv2d(Conv::from_graph(conv)),
            graph::Op::BatchMatMul { a, b } => {
                Op::BatchMatMul { a: MatrixLayout::from_graph(*a), b: MatrixLayout::from_graph(*b) }
            }
            graph::Op::CumulativeSum { axis, direction, running } => Op::CumulativeSum {
                axis: narrow(*axis),
                direction: Direction::from_graph(*direction),
                running: Running::from_graph(*running),
            },
            graph::Op::ArgExtreme { axis, extreme } => {
                Op::ArgExtreme { axis: narrow(*axis), extreme: Extreme::from_graph(*extreme) }
            }
            graph::Op::Gather { axis, batch_dimensions } => {
                Op::Gather { axis: narrow(*axis), batch_dimensions: narrow(*batch_dimensions) }
            }
            graph::Op::Stateful(op) => Op::Stateful(Stateful::from_graph(*op)),
            graph::Op::Recurrent(op) => Op::Recurrent(Recurrent::from_graph(*op)),
            graph::Op::NonMaxSuppression(op) => Op::NonMaxSuppression(Suppression::from_graph(op)),
            graph::Op::Take { axis, indices } => {
                Op::Take { axis: narrow(*axis), indices: narrow_all(indices) }
            }
        }
    }

    pub(in crate::wire) fn into_graph(self) -> graph::Op {
        match self {
            Op::Conv2d(conv) => graph::Op::Conv2d(conv.into_graph()),
            Op::DepthwiseConv2d(conv) => graph::Op::DepthwiseConv2d(conv.into_graph()),
            Op::FullyConnected { activation } => {
                graph::Op::FullyConnected { activation: activation.into_graph() }
            }
            Op::Add { activation } => graph::Op::Add { activation: activation.into_graph() },
            Op::Div { activation } => graph::Op::Div { activation: activation.into_graph() },
            Op::Mul { activation } => graph::Op::Mul { activation: activation.into_graph() },
            Op::AveragePool2d(pool) => graph::Op::AveragePool2d(pool.into_graph()),
            Op::MaxPool2d(pool) => graph::Op::MaxPool2d(pool.into_graph()),
            Op::Mean { axes } => graph::Op::Mean { axes: widen_all(axes) },
            Op::Softmax { beta } => graph::Op::Softmax { beta },
            Op::Logistic => graph::Op::Logistic,
            Op::Tanh => graph::Op::Tanh,
            Op::Relu => graph::Op::Relu,
            Op::Relu6 => graph::Op::Relu6,
            Op::Clamp(activation) => graph::Op::Clamp(activation.into_graph()),
            Op::LeakyRelu { alpha } => graph::Op::LeakyRelu { alpha },
            Op::Pad { before, after, value } => {
                graph::Op::Pad { before: widen_all(before), after: widen_all(after), value }
            }
            Op::Concat { axis } => graph::Op::Concat { axis: widen(axis) },
            Op::Reshape => graph::Op::Reshape,
            Op::Transpose { perm } => graph::Op::Transpose { perm: widen_all(perm) },
            Op::Slice { begin } => graph::Op::Slice { begin: widen_all(begin) },
            Op::Requantize => graph::Op::Requantize,
            Op::Unary(function) => graph::Op::Unary(function.into_graph()),
            Op::Compare { comparison, precision } => {
                graph::Op::Compare { comparison: comparison.into_graph(), precision: precision.into_graph() }
            }
            Op::Select => graph::Op::Select,
            Op::TopIndices { extreme } => graph::Op::TopIndices { extreme: extreme.into_graph() },
            Op::Binary { function, activation } => {
                graph::Op::Binary { function: function.into_graph(), activation: activation.into_graph() }
            }
            Op::Sum { axes } => graph::Op::Sum { axes: widen_all(axes) },
            Op::LogSoftmax => graph::Op::LogSoftmax,
            Op::ResizeBilinear(sampling) => graph::Op::ResizeBilinear(sampling.into_graph()),
            Op::TransposeConv2d(conv) => graph::Op::TransposeConv2d(conv.into_graph()),
            Op::BatchMatMul { a, b } => graph::Op::BatchMatMul { a: a.into_graph(), b: b.into_graph() },
            Op::CumulativeSum { axis, direction, running } => graph::Op::CumulativeSum {
                axis: widen(axis),
                direction: direction.into_graph(),
                running: running.into_graph(),
            },
            Op::ArgExtreme { axis, extreme } => {
                graph::Op::ArgExtreme { axis: widen(axis), extreme: extreme.into_graph() }
            }
            Op::Gather { axis, batch_dimensions } => {
                graph::Op::Gather { axis: widen(axis), batch_dimensions: widen(batch_dimensions) }
            }
            Op::Stateful(op) => graph::Op::Stateful(op.into_graph()),
            Op::Recurrent(op) => graph::Op::Recurrent(op.into_graph()),
            Op::NonMaxSuppression(op) => graph::Op::NonMaxSuppression(op.into_graph()),
            Op::Take { axis, indices } => graph::Op::Take { axis: widen(axis), indices: widen_all(indices) },
        }
    }
}

impl Stateful {
    fn from_graph(op: graph::Stateful) -> Self {
        match op {
            graph::Stateful::ReadVariable => Stateful::ReadVariable,
            graph::Stateful::AssignVariable => Stateful::AssignVariable,
            graph::Stateful::Svdf { rank } => Stateful::Svdf { rank: narrow(rank) },
            graph::Stateful::Lstm { order, cell_clip } => {
                Stateful::Lstm { order: SequenceOrder::from_graph(order), cell_clip }
            }
        }
    }

    fn into_graph(self) -> graph::Stateful {
        match self {
            Stateful::ReadVariable => graph::Stateful::ReadVariable,
            Stateful::AssignVariable => graph::Stateful::AssignVariable,
            Stateful::Svdf { rank } => graph::Stateful::Svdf { rank: widen(rank) },
            Stateful::Lstm { order, cell_clip } => {
                graph::Stateful::Lstm { order: order.into_graph(), cell_clip }
            }
        }
    }
}

impl Recurrent {
    fn from_graph(op: graph::Recurrent) -> Self {
        Self {
            cell: RecurrentCell::from_graph(op.cell),
            order: SequenceOrder::from_graph(op.order),
            direction: Direction::from_graph(op.direction),
            shown: Shown::from_graph(op.shown),
            start: Start::from_graph(op.start),
        }
    }

    fn into_graph(self) -> graph::Recurrent {
        graph::Recurrent {
            cell: self.cell.into_graph(),
            order: self.order.into_graph(),
            direction: self.direction.into_graph(),
            shown: self.shown.into_graph(),
            start: self.start.into_graph(),
        }
    }
}

impl Conv {
    fn from_graph(conv: &graph::Conv) -> Self {
        Self {
            stride: conv.stride.map(narrow),
            dilation: conv.dilation.map(narrow),
            padding: Padding::from_graph(&conv.padding),
            activation: Activation::from_graph(&conv.activation),
        }
    }

    fn into_graph(self) -> graph::Conv {
        graph::Conv {
            stride: self.stride.map(widen),
            dilation: self.dilation.map(widen),
            padding: self.padding.into_graph(),
            activation: self.activation.into_graph(),
        }
    }
}

impl Pool {
    fn from_graph(pool: &graph::Pool) -> Self {
        Self {
            window: pool.window.map(narrow),
            stride: pool.stride.map(narrow),
            padding: Padding::from_graph(&pool.padding),
            activation: Activation::from_graph(&pool.activation),
        }
    }

    fn into_graph(self) -> graph::Pool {
        graph::Pool {
            window: self.window.map(widen),
            stride: self.stride.map(widen),
            padding: self.padding.into_graph(),
            activation: self.activation.into_graph(),
        }
    }
}

impl Padding {
    fn from_graph(padding: &graph::Padding) -> Self {
        let graph::Padding { top, left, bottom, right } = *padding;
        Self { top: narrow(top), left: narrow(left), bottom: narrow(bottom), right: narrow(right) }
    }

    fn into_graph(self) -> graph::Padding {
        let Self { top, left, bottom, right } = self;
        graph::Padding { top: widen(top), left: widen(left), bottom: widen(bottom), right: widen(right) }
    }
}

impl Activation {
    fn from_graph(activation: &graph::Activation) -> Self {
        Self { min: activation.min, max: activation.max }
    }

    fn into_graph(self) -> graph::Activation {
        graph::Activation { min: self.min, max: self.max }
    }
}

fn narrow_all(values: &[usize]) -> Vec<u32> {
    values.iter().map(|&value| narrow(value)).collect()
}

fn widen_all(values: Vec<u32>) -> Vec<usize> {
    values.into_iter().map(widen).collect()
}
