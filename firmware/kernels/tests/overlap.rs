//! What [`safe_distances`] allows gives the same bytes in shared memory as apart.

mod harness;

use std::cell::Cell;

use bytemuck::cast_slice;
use edgepkg_format::plan::*;
use edgepkg_format::{DType, Record};
use edgepkg_kernels::{Distances, View, reference, run, safe_distances};
use harness::{INT8, Random, arena, constant, dense, lengths, run_const};

/// What computes a record.
type Run = fn(&Record, &[View<'_>], &[Cell<i8>]);

/// Computes a layer with weights as boards do, where hosts have kernels of their own.
fn run_reference(record: &Record, inputs: &[View<'_>], output: &[Cell<i8>]) {
    match (record, inputs) {
        (Record::Conv2d(op), &[input, View::Const(weights), View::Const(channels)]) => {
            reference::conv2d::conv2d_i8(op, input, weights, cast_slice(channels), output);
        }
        (Record::DepthwiseConv2d(op), &[input, View::Const(weights), View::Const(channels)]) => {
            reference::depthwise_conv2d::depthwise_conv2d_i8(
                op,
                input,
                weights,
                cast_slice(channels),
                output,
            );
        }
        (Record::FullyConnected(op), &[input, View::Const(weights), View::Const(channels)]) => {
            reference::fully_connected::fully_connected_i8(op, input, weights, cast_slice(channels), output);
        }
        _ => run(record, inputs, output),
    }
}

/// The output of `record` when it begins `distance` bytes after its input at `index` in the same memory.
fn run_sharing(run: Run, record: &Record, inputs: &[Vec<i8>], index: usize, distance: i64) -> Vec<i8> {
    let (bytes, length) = lengths(record);
    let (input_start, output_start) = (distance.min(0).unsigned_abs() as usize, distance.max(0) as usize);
    let mut memory = vec![0x33; (input_start + bytes[index]).max(output_start + length)];
    memory[input_start..][..bytes[index]].copy_from_slice(&inputs[index]);
    let cells = Cell::from_mut(&mut memory[..]).as_slice_of_cells();
    let mut views: Vec<_> = inputs.iter().map(|input| View::Const(input)).collect();
    views[index] = View::Arena(&cells[input_start..][..bytes[index]]);
    run(record, &views, &cells[output_start..][..length]);
    memory[output_start..][..length].to_vec()
}

/// Runs `record` at safe distances at which an input and the output share bytes: the greatest ones, and
/// some of the others.
#[track_caller]
fn check_shared(record: &Record) {
    let mut random = Random(9);
    let (bytes, length) = lengths(record);
    let inputs: Vec<_> = bytes.iter().map(|&bytes| random.bytes(bytes)).collect();
    let apart = run_const(record, &inputs);
    for (index, &bytes) in bytes.iter().enumerate() {
        let safe = safe_distances(record, index);
        let sharing = 1 - length as i64..bytes as i64;
        let is_tried = |distance: i64| i64::from(safe.greatest) - distance < 20 || distance % 13 == 0;
        for distance in sharing.filter(|&distance| safe.contain(distance) && is_tried(distance)) {
            for run in [run as Run, run_reference] {
                let shared = run_sharing(run, record, &inputs, index, distance);
                assert_eq!(shared, apart, "input {index} at {distance} of {record:?}");
            }
        }
    }
}

/// [`check_shared`], and that the inputs that may lie over the output are `expected`.
#[track_caller]
fn check(record: impl Into<Record>, expected: &[usize]) {
    let record = record.into();
    for index in 0..8 {
        let in_place = safe_distances(&record, index).contain(0);
        assert_eq!(in_place, expected.contains(&index), "input {index} of {record:?}");
    }
    check_shared(&record);
}

fn add(dims: Dims, a_strides: Dims, b_strides: Dims) -> Add {
    let scale = Scale { multiplier: 1 << 30, shift: -1 };
    Add {
        a: arena(DType::Int8),
        b: arena(DType::Int8),
        output: arena(DType::Int8),
        dims,
        a_strides,
        b_strides,
        a_zero_point: 3,
        b_zero_point: -4,
        left_shift: 20,
        a_scale: scale,
        b_scale: scale,
        output_scale: Scale { multiplier: 1 << 30, shift: -17 },
        output_zero_point: 5,
        clamp: INT8,
        rounding: Rounding::Twice,
    }
}

fn mul(add: Add) -> Mul {
    Mul {
        a: add.a,
        b: add.b,
        output: add.output,
        dims: add.dims,
        a_strides: add.a_strides,
        b_strides: add.b_strides,
        a_zero_point: add.a_zero_point,
        b_zero_point: add.b_zero_point,
        output_scale: Scale { multiplier: 1 << 30, shift: -5 },
        output_zero_point: add.output_zero_point,
        clamp: add.clamp,
        rounding: add.rounding,
    }
}

#[test]
fn dense_inputs_of_sums_and_products() {
    let dims = [1, 1, 2, 3, 4, 5];
    let of_channels = [0, 0, 0, 0, 0, 1];
    for (a, b, expected) in [
        (dense(&dims), dense(&dims), &[0, 1][..]),
        (dense(&dims), of_channels, &[0]),
        (of_channels, dense(&dims), &[1]),
        ([7, 7, 60, 20, 5, 1], [0; 6], &[0]),
        ([0, 0, 60, 20, 1, 4], [0; 6], &[]),
    ] {
        check(add(dims, a, b), expected);
        check(mul(add(dims, a, b)), expected);
        check(of_int16(add(dims, a, b)), expected);
        check(of_int16(mul(add(dims, a, b))), expected);
    }
    let many = [1, 2, 3, 5, 7, 9];
    check(add(many, dense(&many), dense(&many)), &[0, 1]);
}

/// The same of int16.
fn of_int16(record: impl Into<Record>) -> Record {
    let mut record = match record.into() {
        Record::Add(op) => Record::Add16(op),
        Record::Mul(op) => Record::Mul16(op),
        Record::AveragePool2d(op) => Record::AveragePool2d16(op),
        Record::MaxPool2d(op) => Record::MaxPool2d16(op),
        other => panic!("{} has no kind of int16", other.kind().name()),
    };
    record.for_each_tensor(&mut |tensor| tensor.dtype = DType::Int16);
    record
}

#[test]
fn functions_of_int16() {
    let [input, output, table] = [arena(DType::Int16), arena(DType::Int16), constant(DType::Int16)];
    let (length, scale) = (50, Scale { multiplier: 3 << 29, shift: -1 });
    check(Softmax16 { input, output, tables: table, rows: 4, depth: 9, scale }, &[0]);
    let function = Sigmoid::Logistic;
    check(Sigmoid16 { input, output, table, length, function, multiplier: 20_000, shift: 3 }, &[0]);
    check(Interpolate16 { input, output, table, length }, &[0]);
    let slopes = LeakyRelu16 {
        input,
        output,
        length,
        input_zero_point: 3,
        identity: scale,
        alpha: scale,
        output_zero_point: -5,
        clamp: Clamp { min: -32768, max: 32767 },
    };
    check(slopes, &[0]);
}

#[test]
fn convolutions_of_int16_go_forward() {
    let mut random = Random(15);
    let records = (0..200).map(|index| {
        let (mut input_image, mut output_image, window) = windowed(&mut random);
        let groups = 1 + index % 2;
        input_image.channels *= groups;
        output_image.channels = groups * random.extent(5);
        Conv2d16 {
            input: arena(DType::Int16),
            output: arena(DType::Int16),
            weights: constant(DType::Int8),
            channels: constant(DType::Int64),
            input_image,
            output_image,
            window: if index % 3 == 0 { POINTWISE } else { window },
            spread: if index % 5 == 0 { [2, 1] } else { [1, 1] },
            groups,
            accumulation: Accumulation::Wide,
            output_zero_point: 0,
            clamp: Clamp { min: -32768, max: 32767 },
        }
        .into()
    });
    assert!(count_sharing(records) > 100);
}

#[test]
fn operators_of_one_input() {
    let [input, output, table] = [arena(DType::Int8), arena(DType::Int8), constant(DType::Int8)];
    check(Lookup { input, output, table, length: 300 }, &[0]);

    let scale = Scale { multiplier: 1 << 30, shift: 23 };
    let softmax = Softmax { input, output, rows: 4, depth: 9, scale, diff_min: -248 };
    check(softmax, &[0]);
    check(Softmax { output: arena(DType::Int16), ..softmax }, &[]);

    let scale = Scale { multiplier: 3 << 29, shift: -1 };
    let requantize = Requantize {
        input,
        output,
        length: 50,
        input_zero_point: 3,
        scale,
        output_zero_point: 4,
        rounding: Rounding::Once,
    };
    let wide = arena(DType::Int16);
    check(requantize, &[0]);
    check(Requantize { input: wide, output: wide, ..requantize }, &[0]);
    check(Requantize { input: wide, ..requantize }, &[]);
    check(Requantize { output: wide, ..requantize }, &[]);
}

/// Images and a window that goes over them.
fn windowed(random: &mut Random) -> (Image, Image, Window) {
    let from = random.image();
    let window = random.window();
    let positions = |image: u32, kernel: u32, stride: u32, padding: u32| {
        (image + 2 * padding).saturating_sub(kernel) / stride + 1
    };
    let to = Image {
        batches: from.batches,
        height: positions(from.height, window.height, window.stride_height, window.pad_top),
        width: positions(from.width, window.width, window.stride_width, window.pad_left),
        channels: from.channels,
    };
    (from, to, window)
}

/// How many of the records share a byte of input and output at some safe distance.
fn count_sharing(records: impl IntoIterator<Item = Record>) -> usize {
    let mut sharing = 0;
    for record in records {
        check_shared(&record);
        let (_, length) = lengths(&record);
        sharing += usize::from(safe_distances(&record, 0).greatest > -(length as i32));
    }
    sharing
}

#[test]
fn pools_go_forward() {
    let mut random = Random(11);
    let records = (0..200).map(|index| {
        let (input_image, output_image, window) = windowed(&mut random);
        let window = Window { dilation_height: 1, dilation_width: 1, ..window };
        let [input, output] = [arena(DType::Int8), arena(DType::Int8)];
        let record: Record = match index % 2 {
            0 => AveragePool2d {
                input,
                output,
                input_image,
                output_image,
                window,
                clamp: INT8,
                zero_point: random.zero_point(),
                rounding: random.one_of(&Rounding::ALL),
            }
            .into(),
            _ => MaxPool2d { input, output, input_image, output_image, window, clamp: INT8 }.into(),
        };
        if index % 4 < 2 { record } else { of_int16(record) }
    });
    assert!(count_sharing(records) > 100);
}

#[test]
fn convolutions_go_forward() {
    let mut random = Random(12);
    let records = (0..300).map(|index| {
        let (mut input_image, mut output_image, window) = windowed(&mut random);
        let groups = 1 + index % 2;
        input_image.channels *= groups;
        output_image.channels = groups * random.extent(5);
        let (height, width) = (window.height % 3 + 1, window.width % 3 + 1);
        Conv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            input_image,
            output_image,
            window: if index % 3 == 0 { POINTWISE } else { Window { height, width, ..window } },
            groups,
            input_zero_point: 3,
            output_zero_point: -5,
            clamp: INT8,
            rounding: Rounding::Twice,
        }
        .into()
    });
    assert!(count_sharing(records) > 150);
}

const POINTWISE: Window = Window {
    height: 1,
    width: 1,
    stride_height: 1,
    stride_width: 1,
    dilation_height: 1,
    dilation_width: 1,
    pad_top: 0,
    pad_left: 0,
};

#[test]
fn depthwise_convolutions_go_forward() {
    let mut random = Random(13);
    let records = (0..200).map(|_| {
        let (mut input_image, mut output_image, window) = windowed(&mut random);
        // Sums are kept for blocks of channels, so some images have more than one block.
        input_image.channels = random.one_of(&[input_image.channels, 16, 32, 40]);
        output_image.channels = input_image.channels * random.one_of(&[1, 1, 2]);
        DepthwiseConv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            input_image,
            output_image,
            window,
            input_zero_point: 3,
            output_zero_point: -5,
            clamp: INT8,
            rounding: Rounding::Twice,
        }
        .into()
    });
    assert!(count_sharing(records) > 100);
}

#[test]
fn fully_connected_layers_go_forward() {
    let mut random = Random(14);
    let records = (0..100).map(|_| {
        FullyConnected {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            rows: random.extent(9),
            input_depth: random.extent(12),
            output_depth: random.extent(12),
            output_zero_point: 4,
            clamp: INT8,
            rounding: Rounding::Twice,
        }
        .into()
    });
    assert!(count_sharing(records) > 50);
}

#[test]
fn distances_of_known_shapes() {
    let image = |height, width, channels| Image { batches: 1, height, width, channels };
    let pool = |input_image, output_image, size, stride, padding| {
        let pool = MaxPool2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            input_image,
            output_image,
            window: Window {
                height: size,
                width: size,
                stride_height: stride,
                stride_width: stride,
                pad_top: padding,
                pad_left: padding,
                ..POINTWISE
            },
            clamp: INT8,
        };
        let Distances { least, greatest } = safe_distances(&pool.into(), 0);
        assert_eq!(least, i32::MIN);
        greatest
    };
    assert_eq!(pool(image(8, 8, 16), image(4, 4, 16), 2, 2, 0), -16, "half of each row is over");
    assert_eq!(pool(image(8, 8, 16), image(8, 8, 16), 1, 1, 0), -16, "a pixel");
    assert_eq!(pool(image(8, 8, 16), image(8, 8, 16), 3, 1, 1), -16 * (8 + 1 + 1), "a row and two pixels");
}

#[test]
fn no_input_of_the_others() {
    let [input, output] = [arena(DType::Int8), arena(DType::Int8)];
    let strides = [20, 20, 20, 20, 5, 1];
    let copy = StridedCopy {
        input,
        output,
        dims: [1, 1, 1, 1, 4, 5],
        input_strides: strides,
        output_strides: strides,
    };
    assert_eq!(safe_distances(&copy.into(), 0), Distances::NONE);
}
