//! Kinds of int16, and the one that divides: fields of another kind, under a code of their own.

use edgepkg_format::Record;
use edgepkg_format::plan::{
    Accumulation, Conv2d16, Interpolate16, LeakyRelu16, Sigmoid, Sigmoid16, Softmax16,
};

use crate::int8::{numbered_add, numbered_average_pool2d, numbered_max_pool2d, numbered_mean, numbered_mul};
use crate::numbered::{
    Choice, check, check_with_choices, check_with_rounding, clamp, image, scale, tensor, window,
};

#[test]
fn conv2d_of_int16() {
    let record = Conv2d16 {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        spread: [24, 25],
        groups: 26,
        accumulation: Accumulation::Wide,
        output_zero_point: 28,
        clamp: clamp(29),
    };
    check_with_choices(record, 40, 31, &[0, 2, 4, 6], &[Choice { at: 27, value: 1, count: 2 }]);
}

#[test]
fn functions_of_int16() {
    let (input, output, table) = (tensor(0), tensor(2), tensor(4));
    check(Softmax16 { input, output, tables: table, rows: 6, depth: 7, scale: scale(8) }, 41, 10, &[0, 2, 4]);
    let function = Sigmoid::Tanh;
    let sigmoid = Sigmoid16 { input, output, table, length: 6, function, multiplier: 8, shift: 9 };
    check_with_choices(sigmoid, 42, 10, &[0, 2, 4], &[Choice { at: 7, value: 1, count: 2 }]);
    let leaky_relu = LeakyRelu16 {
        input,
        output,
        length: 4,
        input_zero_point: 5,
        identity: scale(6),
        alpha: scale(8),
        output_zero_point: 10,
        clamp: clamp(11),
    };
    check(leaky_relu, 43, 13, &[0, 2]);
    check(Interpolate16 { input, output, table, length: 6 }, 44, 7, &[0, 2, 4]);
}

#[test]
fn kinds_of_int16_have_the_fields_of_those_of_int8() {
    let (add, mul) = (numbered_add(), numbered_mul());
    check_with_rounding(Record::Add16(add), 45, 36, &[0, 2, 4]);
    check_with_rounding(Record::Sub16(add), 46, 36, &[0, 2, 4]);
    check_with_rounding(Record::SquaredDifference16(add), 47, 36, &[0, 2, 4]);
    check_with_rounding(Record::Mul16(mul), 48, 31, &[0, 2, 4]);
    check_with_rounding(Record::Div(mul), 27, 31, &[0, 2, 4]);
    check_with_rounding(Record::AveragePool2d16(numbered_average_pool2d()), 49, 23, &[0, 2]);
    check(Record::MaxPool2d16(numbered_max_pool2d()), 50, 22, &[0, 2]);
    check_with_rounding(Record::Mean16(numbered_mean()), 51, 32, &[0, 2]);
}
