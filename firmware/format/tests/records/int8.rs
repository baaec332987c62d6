//! Kinds of int8, and those that move values of any type.

use edgepkg_format::Record;
use edgepkg_format::plan::{
    Add, ArgExtreme, AveragePool2d, BatchMatMul, Binary, BinaryFunction, BoxForm, Conv2d, CumulativeSum,
    DepthwiseConv2d, Direction, Extreme, Fill, FullyConnected, Gather, LogSoftmax, Lookup, MaxPool2d, Mean,
    Mul, NonMaxSuppression, Requantize, ResizeBilinear, Rounding, Running, Select, Softmax, StridedCopy,
    TopIndices, TransposeConv2d,
};

use crate::numbered::{
    Choice, check, check_with_choices, check_with_rounding, clamp, dims, image, scale, strides, tensor,
    window,
};

#[test]
fn conv2d() {
    let record = Conv2d {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        groups: 24,
        input_zero_point: 25,
        output_zero_point: 26,
        clamp: clamp(27),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 1, 29, &[0, 2, 4, 6]);
}

#[test]
fn depthwise_conv2d() {
    let record = DepthwiseConv2d {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        input_zero_point: 24,
        output_zero_point: 25,
        clamp: clamp(26),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 2, 28, &[0, 2, 4, 6]);
}

#[test]
fn fully_connected() {
    let record = FullyConnected {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        rows: 8,
        input_depth: 9,
        output_depth: 10,
        output_zero_point: 11,
        clamp: clamp(12),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 3, 14, &[0, 2, 4, 6]);
}

pub fn numbered_add() -> Add {
    Add {
        a: tensor(0),
        b: tensor(2),
        output: tensor(4),
        dims: dims(6),
        a_strides: dims(12),
        b_strides: dims(18),
        a_zero_point: 24,
        b_zero_point: 25,
        left_shift: 26,
        a_scale: scale(27),
        b_scale: scale(29),
        output_scale: scale(31),
        output_zero_point: 33,
        clamp: clamp(34),
        rounding: Rounding::Once,
    }
}

#[test]
fn add() {
    check_with_rounding(numbered_add(), 4, 36, &[0, 2, 4]);
}

pub fn numbered_mul() -> Mul {
    Mul {
        a: tensor(0),
        b: tensor(2),
        output: tensor(4),
        dims: dims(6),
        a_strides: dims(12),
        b_strides: dims(18),
        a_zero_point: 24,
        b_zero_point: 25,
        output_scale: scale(26),
        output_zero_point: 28,
        clamp: clamp(29),
        rounding: Rounding::Once,
    }
}

#[test]
fn mul() {
    check_with_rounding(numbered_mul(), 5, 31, &[0, 2, 4]);
}

pub fn numbered_average_pool2d() -> AveragePool2d {
    AveragePool2d {
        input: tensor(0),
        output: tensor(2),
        input_image: image(4),
        output_image: image(8),
        window: window(12),
        clamp: clamp(20),
        zero_point: 22,
        rounding: Rounding::Once,
    }
}

#[test]
fn average_pool2d() {
    check_with_rounding(numbered_average_pool2d(), 6, 23, &[0, 2]);
}

pub fn numbered_max_pool2d() -> MaxPool2d {
    MaxPool2d {
        input: tensor(0),
        output: tensor(2),
        input_image: image(4),
        output_image: image(8),
        window: window(12),
        clamp: clamp(20),
    }
}

#[test]
fn max_pool2d() {
    check(numbered_max_pool2d(), 7, 22, &[0, 2]);
}

pub fn numbered_mean() -> Mean {
    Mean {
        input: tensor(0),
        output: tensor(2),
        kept: dims(4),
        kept_strides: dims(10),
        reduced: dims(16),
        reduced_strides: dims(22),
        bias: 28,
        scale: scale(29),
        output_zero_point: 31,
        rounding: Rounding::Once,
    }
}

#[test]
fn mean() {
    check_with_rounding(numbered_mean(), 8, 32, &[0, 2]);
}

#[test]
fn softmax() {
    let record =
        Softmax { input: tensor(0), output: tensor(2), rows: 4, depth: 5, scale: scale(6), diff_min: 8 };
    check(record, 9, 9, &[0, 2]);
}

#[test]
fn lookup() {
    check(Lookup { input: tensor(0), output: tensor(2), table: tensor(4), length: 6 }, 10, 7, &[0, 2, 4]);
}

#[test]
fn fill() {
    check(Fill { output: tensor(0), length: 2, value: 3 }, 11, 4, &[0]);
}

#[test]
fn strided_copy() {
    let record = StridedCopy {
        input: tensor(0),
        output: tensor(2),
        dims: dims(4),
        input_strides: strides(10),
        output_strides: strides(16),
    };
    check(record, 12, 22, &[0, 2]);
}

#[test]
fn requantize() {
    let record = Requantize {
        input: tensor(0),
        output: tensor(2),
        length: 4,
        input_zero_point: 5,
        scale: scale(6),
        output_zero_point: 8,
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 13, 9, &[0, 2]);
}

#[test]
fn gather() {
    let record = Gather {
        input: tensor(0),
        output: tensor(2),
        indices: tensor(4),
        batches: 6,
        outer: 7,
        extent: 8,
        count: 9,
        inner: 10,
    };
    check(record, 17, 11, &[0, 2, 4]);
}

#[test]
fn binary() {
    let record = Binary {
        a: tensor(0),
        b: tensor(2),
        output: tensor(4),
        dims: dims(6),
        a_strides: dims(12),
        b_strides: dims(18),
        function: BinaryFunction::Minimum,
        a_zero_point: 25,
        b_zero_point: 26,
        left_shift: 27,
        a_scale: scale(28),
        b_scale: scale(30),
        output_scale: scale(32),
        output_zero_point: 34,
        clamp: clamp(35),
        rounding: Rounding::Once,
    };
    let function = Choice { at: 24, value: 3, count: 9 };
    let rounding = Choice { at: 37, value: 1, count: 2 };
    check_with_choices(record, 18, 38, &[0, 2, 4], &[function, rounding]);
    let choices = [Choice { at: 24, value: 3, count: 9 }, Choice { at: 37, value: 1, count: 2 }];
    check_with_choices(Record::Binary16(record), 55, 38, &[0, 2, 4], &choices);
}

#[test]
fn log_softmax() {
    let record = LogSoftmax {
        input: tensor(0),
        output: tensor(2),
        rows: 4,
        depth: 5,
        scale: scale(6),
        inverse_scale: scale(8),
        diff_min: 10,
    };
    check(record, 19, 11, &[0, 2]);
}

#[test]
fn resize_bilinear() {
    let record = ResizeBilinear {
        input: tensor(0),
        output: tensor(2),
        input_image: image(4),
        output_image: image(8),
        row_step: 12,
        row_offset: 13,
        column_step: 14,
        column_offset: 15,
    };
    check(record, 20, 16, &[0, 2]);
}

#[test]
fn transpose_conv2d() {
    let record = TransposeConv2d {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        input_zero_point: 24,
        output_zero_point: 25,
        clamp: clamp(26),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 21, 28, &[0, 2, 4, 6]);
}

#[test]
fn batch_mat_mul() {
    let record = BatchMatMul {
        a: tensor(0),
        b: tensor(2),
        output: tensor(4),
        batches: dims(6),
        a_strides: dims(12),
        b_strides: dims(18),
        rows: 24,
        depth: 25,
        columns: 26,
        a_row_stride: 27,
        a_depth_stride: 28,
        b_depth_stride: 29,
        b_column_stride: 30,
        a_zero_point: 31,
        b_zero_point: 32,
        scale: scale(33),
        output_zero_point: 35,
        clamp: clamp(36),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 22, 38, &[0, 2, 4]);
    check_with_rounding(Record::BatchMatMul16(record), 54, 38, &[0, 2, 4]);
}

#[test]
fn cumulative_sum() {
    let record = CumulativeSum {
        input: tensor(0),
        output: tensor(2),
        outer: 4,
        count: 5,
        inner: 6,
        direction: Direction::Backward,
        running: Running::Excluding,
        input_zero_point: 9,
        left_shift: 10,
        input_scale: scale(11),
        start: 13,
        output_scale: scale(14),
        output_zero_point: 16,
        rounding: Rounding::Once,
    };
    let choices = [7, 8, 17].map(|at| Choice { at, value: 1, count: 2 });
    check_with_choices(record, 23, 18, &[0, 2], &choices);
}

#[test]
fn arg_extreme() {
    let (input, output, extreme) = (tensor(0), tensor(2), Extreme::Least);
    let record = ArgExtreme { input, output, outer: 4, count: 5, inner: 6, extreme };
    check_with_choices(record, 24, 8, &[0, 2], &[Choice { at: 7, value: 1, count: 4 }]);
}

#[test]
fn top_indices() {
    let (input, output, extreme) = (tensor(0), tensor(2), Extreme::Least);
    let record = TopIndices { input, output, rows: 4, depth: 5, count: 6, extreme };
    check_with_choices(record, 26, 8, &[0, 2], &[Choice { at: 7, value: 1, count: 4 }]);
}

#[test]
fn select() {
    let record = Select {
        condition: tensor(0),
        a: tensor(2),
        b: tensor(4),
        output: tensor(6),
        dims: dims(8),
        condition_strides: dims(14),
        a_strides: dims(20),
        b_strides: dims(26),
    };
    check(record, 25, 32, &[0, 2, 4, 6]);
}

#[test]
fn non_max_suppression() {
    let record = NonMaxSuppression {
        boxes: tensor(0),
        scores: tensor(2),
        output: tensor(4),
        batches: 6,
        classes: 7,
        count: 8,
        most: 9,
        form: BoxForm::Center,
        boxes_zero_point: 11,
        least_score: 12,
        overlap: 13,
    };
    check_with_choices(record, 30, 14, &[0, 2, 4], &[Choice { at: 10, value: 1, count: 2 }]);
}
