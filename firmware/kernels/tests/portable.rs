//! What hosts compute with is what the reference computes, bit for bit, on shapes that fill vectors and
//! shapes that do not.

mod harness;

use std::cell::Cell;

use bytemuck::cast_slice;
use edgepkg_format::plan::*;
use edgepkg_format::{DType, Record};
use edgepkg_kernels::{View, portable, reference};
use harness::{Random, arena, constant, dense, lengths};

const RECORDS: usize = 600;

/// A kernel of layers with weights.
type Kernel<T> = fn(&T, View<'_>, &[i8], &[u8], &[Cell<i8>]);

/// Runs `own` and `reference` on the same random operands.
fn check<T: Copy + Into<Record>>(random: &mut Random, op: T, own: Kernel<T>, reference: Kernel<T>) {
    let record = op.into();
    let (bytes, length) = lengths(&record);
    let [mut input, mut weights] = [bytes[0], bytes[1]].map(|bytes| random.bytes(bytes));
    if random.extent(4) > 1 {
        // As most files have them, and often at the ends of their range.
        weights.iter_mut().for_each(|weight| *weight = (*weight).max(-127));
        input.iter_mut().step_by(3).for_each(|input| *input = -128);
    }
    let table: Vec<i8> = (0..bytes[2] / ChannelParameters::BYTES)
        .flat_map(|_| ChannelParameters { bias: random.word(), scale: random.scale() }.to_bytes())
        .map(|byte| byte as i8)
        .collect();
    let run = |kernel: Kernel<T>, input: View<'_>| {
        let mut output = vec![0x55i8; length];
        let cells = Cell::from_mut(&mut output[..]).as_slice_of_cells();
        kernel(&op, input, &weights, cast_slice(&table), cells);
        output
    };
    let expected = run(reference, View::Const(&input));
    assert_eq!(run(own, View::Const(&input)), expected, "{record:?} of constants");
    let arena = View::Arena(Cell::from_mut(&mut input[..]).as_slice_of_cells());
    assert_eq!(run(own, arena), expected, "{record:?}");
}

fn channels(random: &mut Random) -> u32 {
    random.one_of(&[1, 3, 8, 15, 16, 17, 32, 33, 48])
}

/// Mostly of int8.
fn zero_point(random: &mut Random) -> i32 {
    if random.extent(8) == 1 { random.word() } else { random.zero_point() }
}

#[test]
fn convolutions() {
    let mut random = Random(1);
    for _ in 0..RECORDS {
        let (mut input_image, mut output_image) = (random.image(), random.image());
        output_image.batches = input_image.batches;
        let groups = random.one_of(&[1, 1, 1, 2]);
        input_image.channels = groups * channels(&mut random);
        output_image.channels = groups * channels(&mut random);
        let op = Conv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            input_image,
            output_image,
            window: random.window(),
            groups,
            input_zero_point: zero_point(&mut random),
            output_zero_point: random.zero_point(),
            clamp: Clamp { min: -100, max: 110 },
            rounding: random.one_of(&Rounding::ALL),
        };
        check(&mut random, op, portable::conv2d::conv2d_i8, reference::conv2d::conv2d_i8);
    }
}

#[test]
fn long_filters() {
    let mut random = Random(2);
    for input_channels in [85, 86, 900, 911, 1000] {
        let image = |channels| Image { batches: 1, height: 3, width: 3, channels };
        let window = Window { height: 3, width: 3, pad_top: 1, pad_left: 1, ..random.window() };
        let op = Conv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            input_image: image(input_channels),
            output_image: image(3),
            window,
            groups: 1,
            input_zero_point: random.zero_point(),
            output_zero_point: random.zero_point(),
            clamp: harness::INT8,
            rounding: random.one_of(&Rounding::ALL),
        };
        check(&mut random, op, portable::conv2d::conv2d_i8, reference::conv2d::conv2d_i8);
    }
}

#[test]
fn depthwise_convolutions() {
    let mut random = Random(3);
    for _ in 0..RECORDS {
        let (mut input_image, mut output_image) = (random.image(), random.image());
        output_image.batches = input_image.batches;
        input_image.channels = channels(&mut random);
        output_image.channels = input_image.channels * random.one_of(&[1, 1, 1, 2]);
        let op = DepthwiseConv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            input_image,
            output_image,
            window: random.window(),
            input_zero_point: zero_point(&mut random),
            output_zero_point: random.zero_point(),
            clamp: Clamp { min: -100, max: 110 },
            rounding: random.one_of(&Rounding::ALL),
        };
        let [own, reference] = [
            portable::depthwise_conv2d::depthwise_conv2d_i8,
            reference::depthwise_conv2d::depthwise_conv2d_i8,
        ];
        check(&mut random, op, own, reference);
    }
}

#[test]
fn sums() {
    let mut random = Random(5);
    for _ in 0..RECORDS {
        let dims = random.dims().map(|extent| extent * random.one_of(&[1, 1, 2, 3]));
        let strides = dense(&dims);
        let scales = [random.scale(), random.scale(), random.scale()];
        let op = Add {
            a: arena(DType::Int8),
            b: arena(DType::Int8),
            output: arena(DType::Int8),
            dims,
            a_strides: strides,
            b_strides: random.one_of(&[strides, [0, 0, 0, 0, 0, 1], [0; 6]]),
            a_zero_point: zero_point(&mut random),
            b_zero_point: zero_point(&mut random),
            left_shift: random.one_of(&[20, 20, 31]),
            a_scale: scales[0],
            b_scale: scales[1],
            output_scale: scales[2],
            output_zero_point: random.zero_point(),
            clamp: Clamp { min: -100, max: 110 },
            rounding: random.one_of(&Rounding::ALL),
        };
        let (bytes, length) = lengths(&Record::Add(op));
        let inputs = [bytes[0], bytes[1]].map(|bytes| random.bytes(bytes));
        let [a, b] = inputs.each_ref().map(|input| View::Const(input));
        let [own, expected] = [portable::elementwise::add_i8, reference::elementwise::add_i8].map(|kernel| {
            let mut output = vec![0x55i8; length];
            kernel(&op, a, b, Cell::from_mut(&mut output[..]).as_slice_of_cells());
            output
        });
        assert_eq!(own, expected, "{op:?}");
    }
}

#[test]
fn fully_connected_layers() {
    let mut random = Random(4);
    for _ in 0..RECORDS {
        let op = FullyConnected {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            rows: random.extent(3),
            input_depth: random.one_of(&[1, 15, 16, 17, 64, 200, 1023, 1024, 1025, 33_000]),
            output_depth: random.extent(11),
            output_zero_point: random.zero_point(),
            clamp: Clamp { min: -100, max: 110 },
            rounding: random.one_of(&Rounding::ALL),
        };
        let [own, reference] =
            [portable::fully_connected::fully_connected_i8, reference::fully_connected::fully_connected_i8];
        check(&mut random, op, own, reference);
    }
}
