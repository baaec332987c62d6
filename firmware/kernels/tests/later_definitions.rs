//! Operators that came with more of TensorFlow Lite's, against their definitions, written plainly.

mod harness;

use edgepkg_format::plan::*;
use edgepkg_format::{DType, Record};
use harness::{INT8, Random, arena, constant, dense, lengths, run_arena, run_const};

fn check(record: &Record, inputs: &[Vec<i8>], expected: &[i8]) {
    assert_eq!(run_arena(record, inputs), expected, "{record:?}");
    assert_eq!(run_const(record, inputs), expected, "{record:?} of constants");
}

/// The real value of a scale.
fn real(scale: Scale) -> f64 {
    f64::from(scale.multiplier) * f64::powi(2.0, scale.shift - 31)
}

/// Each of `found` is as near to its real value as the roundings of its way there leave it.
fn check_near(record: &Record, inputs: &[Vec<i8>], expected: &[f64], tolerance: f64) {
    let found = run_arena(record, inputs);
    assert_eq!(found, run_const(record, inputs), "{record:?} of constants");
    assert_eq!(found.len(), expected.len());
    for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let expected = expected.clamp(-128.0, 127.0);
        assert!(
            (f64::from(found) - expected).abs() <= tolerance,
            "{found}, not {expected} at {at}: {record:?}"
        );
    }
}

#[test]
fn functions_of_two() {
    let mut random = Random(18);
    let functions = [
        (BinaryFunction::Subtract, 20),
        (BinaryFunction::SquaredDifference, 7),
        (BinaryFunction::Maximum, 0),
        (BinaryFunction::Minimum, 0),
        (BinaryFunction::ParametricRelu, 0),
    ];
    for round in 0..200 {
        let (function, left_shift) = functions[round % functions.len()];
        let dims = random.dims();
        let half = Scale { multiplier: 1 << 30, shift: 0 };
        let output_scale = match function {
            // A square is of 15 bits twice; the others are of the bits that they are shifted by.
            BinaryFunction::SquaredDifference => Scale { multiplier: random.scale().multiplier, shift: -18 },
            BinaryFunction::Subtract => Scale { multiplier: random.scale().multiplier, shift: -20 },
            _ => Scale { multiplier: random.scale().multiplier, shift: 0 },
        };
        let op = Binary {
            a: arena(DType::Int8),
            b: arena(DType::Int8),
            output: arena(DType::Int8),
            dims,
            a_strides: dense(&dims),
            b_strides: if random.one_of(&[true, false]) { dense(&dims) } else { [0; 6] },
            function,
            a_zero_point: random.zero_point(),
            b_zero_point: random.zero_point(),
            left_shift,
            a_scale: random.one_of(&[half, random_below_half(round)]),
            b_scale: random_below_half(round + 7),
            output_scale,
            output_zero_point: random.zero_point(),
            clamp: INT8,
            rounding: random.one_of(&Rounding::ALL),
        };
        let record = Record::from(op);
        let (sizes, length) = lengths(&record);
        let [a, b] = [sizes[0], sizes[1]].map(|bytes| random.bytes(bytes));
        let expected: Vec<f64> = (0..length)
            .map(|at| {
                let distance = |q: i8, zero_point: i32| {
                    f64::from(i32::from(q) - zero_point) * f64::from(1 << left_shift)
                };
                let x = distance(a[at], op.a_zero_point);
                let y = distance(b[if b.len() == 1 { 0 } else { at }], op.b_zero_point);
                let (scaled_x, scaled_y) = (x * real(op.a_scale), y * real(op.b_scale));
                let value = match function {
                    BinaryFunction::Subtract => (scaled_x - scaled_y) * real(output_scale),
                    BinaryFunction::SquaredDifference => (scaled_x - scaled_y).powi(2) * real(output_scale),
                    BinaryFunction::Maximum => scaled_x.max(scaled_y) * real(output_scale),
                    BinaryFunction::Minimum => scaled_x.min(scaled_y) * real(output_scale),
                    BinaryFunction::ParametricRelu if x >= 0.0 => scaled_x,
                    BinaryFunction::ParametricRelu => x * y * real(op.b_scale),
                    _ => unreachable!("not one of these"),
                };
                value + f64::from(op.output_zero_point)
            })
            .collect();
        check_near(&record, &[a, b], &expected, 2.0);
    }
}

/// A function, and whether it holds of two reals.
type Comparison = (BinaryFunction, fn(f64, f64) -> bool);

#[test]
fn comparisons_are_of_the_reals_in_256ths() {
    let mut random = Random(19);
    let compared: [Comparison; 4] = [
        (BinaryFunction::Equal, |x, y| x == y),
        (BinaryFunction::NotEqual, |x, y| x != y),
        (BinaryFunction::Greater, |x, y| x > y),
        (BinaryFunction::GreaterOrEqual, |x, y| x >= y),
    ];
    for round in 0..100 {
        let (function, holds) = compared[round % compared.len()];
        let dims = random.dims();
        let one = Scale { multiplier: 1 << 30, shift: 1 };
        // Powers of two, of which no product is rounded.
        let scale =
            |random: &mut Random| Scale { multiplier: 1 << 30, shift: random.one_of(&[-3, -1, 0, 1]) };
        let op = Binary {
            a: arena(DType::Int8),
            b: arena(DType::Int8),
            output: arena(DType::Int8),
            dims,
            a_strides: dense(&dims),
            b_strides: dense(&dims),
            function,
            a_zero_point: random.zero_point(),
            b_zero_point: random.zero_point(),
            left_shift: 8,
            a_scale: scale(&mut random),
            b_scale: scale(&mut random),
            output_scale: one,
            output_zero_point: 0,
            clamp: INT8,
            rounding: random.one_of(&Rounding::ALL),
        };
        let record = Record::from(op);
        let (sizes, length) = lengths(&record);
        let [a, b] = [sizes[0], sizes[1]].map(|bytes| random.bytes(bytes));
        let real_of =
            |q: i8, zero_point: i32, scale: Scale| f64::from(i32::from(q) - zero_point) * real(scale);
        let expected: Vec<f64> = (0..length)
            .map(|at| {
                let x = real_of(a[at], op.a_zero_point, op.a_scale);
                let y = real_of(b[at], op.b_zero_point, op.b_scale);
                if holds(x, y) { 1.0 } else { 0.0 }
            })
            .collect();
        check_near(&record, &[a, b], &expected, 0.0);
    }
}

#[test]
fn selections_take_an_element_of_either() {
    let mut random = Random(20);
    for _ in 0..100 {
        let dims = random.dims();
        let strides = |random: &mut Random| if random.one_of(&[true, false]) { dense(&dims) } else { [0; 6] };
        let op = Select {
            condition: arena(DType::Int8),
            a: arena(DType::Int8),
            b: arena(DType::Int8),
            output: arena(DType::Int8),
            dims,
            condition_strides: strides(&mut random),
            a_strides: strides(&mut random),
            b_strides: strides(&mut random),
        };
        let record = Record::from(op);
        let (sizes, length) = lengths(&record);
        let condition: Vec<i8> = (0..sizes[0]).map(|_| random.one_of(&[0, 0, 1, 1, -128])).collect();
        let [a, b] = [sizes[1], sizes[2]].map(|bytes| random.bytes(bytes));
        let of = |values: &[i8], at: usize| values[if values.len() == 1 { 0 } else { at }];
        let taken = |at| if of(&condition, at) != 0 { of(&a, at) } else { of(&b, at) };
        let expected: Vec<f64> = (0..length).map(|at| taken(at).into()).collect();
        check_near(&record, &[condition.clone(), a.clone(), b.clone()], &expected, 0.0);
    }
}

/// A scale between a quarter and a half.
fn random_below_half(seed: usize) -> Scale {
    Scale { multiplier: Random(seed as u64).scale().multiplier, shift: -1 }
}

#[test]
fn products_of_matrices() {
    let mut random = Random(22);
    for _ in 0..100 {
        let [batches, rows, depth, columns] = [2, 4, 9, 4].map(|greatest| random.extent(greatest));
        let transposed = random.one_of(&[true, false]);
        let op = BatchMatMul {
            a: arena(DType::Int8),
            b: arena(DType::Int8),
            output: arena(DType::Int8),
            batches: [1, 1, 1, 1, 1, batches],
            a_strides: [0, 0, 0, 0, 0, rows * depth],
            b_strides: [0; 6],
            rows,
            depth,
            columns,
            a_row_stride: depth,
            a_depth_stride: 1,
            b_depth_stride: if transposed { 1 } else { columns },
            b_column_stride: if transposed { depth } else { 1 },
            a_zero_point: random.zero_point(),
            b_zero_point: random.zero_point(),
            scale: random.scale(),
            output_zero_point: random.zero_point(),
            clamp: INT8,
            rounding: Rounding::Once,
        };
        let record = Record::from(op);
        let (sizes, _) = lengths(&record);
        let [a, b] = [sizes[0], sizes[1]].map(|bytes| random.bytes(bytes));
        let mut expected = Vec::new();
        for row in 0..batches * rows {
            for column in 0..columns {
                let product = |at: u32| {
                    let y = if transposed { column * depth + at } else { at * columns + column };
                    (i32::from(a[(row * depth + at) as usize]) - op.a_zero_point)
                        * (i32::from(b[y as usize]) - op.b_zero_point)
                };
                let sum: i32 = (0..depth).map(product).sum();
                expected.push(f64::from(sum) * real(op.scale) + f64::from(op.output_zero_point));
            }
        }
        check_near(&record, &[a, b], &expected, 0.501);
    }
}

#[test]
fn transposed_convolutions_lay_their_kernel_on_the_output() {
    let mut random = Random(21);
    for _ in 0..100 {
        let (from, window) = (random.image(), Window { pad_top: random.extent(2) - 1, ..random.window() });
        let outputs = random.extent(3);
        let to = Image {
            batches: from.batches,
            height: random.extent(9),
            width: random.extent(9),
            channels: outputs,
        };
        let op = TransposeConv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            input_image: from,
            output_image: to,
            window,
            input_zero_point: random.zero_point(),
            output_zero_point: random.zero_point(),
            clamp: INT8,
            rounding: Rounding::Once,
        };
        let record = Record::from(op);
        let (sizes, length) = lengths(&record);
        let (input, weights) = (random.bytes(sizes[0]), random.bytes(sizes[1]));
        let parameters: Vec<ChannelParameters> = (0..outputs)
            .map(|_| ChannelParameters { bias: random.between(-2000, 2000) as i32, scale: random.scale() })
            .collect();
        let table = parameters.iter().flat_map(ChannelParameters::to_bytes).map(|byte| byte as i8).collect();
        let mut sums = vec![0i32; length];
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum = parameters[at % outputs as usize].bias;
        }
        for batch in 0..from.batches {
            for (y, x) in (0..from.height).flat_map(|y| (0..from.width).map(move |x| (y, x))) {
                for tap in 0..window.height * window.width {
                    let (i, j) = (tap / window.width, tap % window.width);
                    let row =
                        (y * window.stride_height + i * window.dilation_height).checked_sub(window.pad_top);
                    let column =
                        (x * window.stride_width + j * window.dilation_width).checked_sub(window.pad_left);
                    let (Some(row), Some(column)) = (row, column) else { continue };
                    if row >= to.height || column >= to.width {
                        continue;
                    }
                    for output in 0..outputs {
                        for channel in 0..from.channels {
                            let q = input[(((batch * from.height + y) * from.width + x) * from.channels
                                + channel) as usize];
                            let weight = weights[((output * window.height * window.width + tap)
                                * from.channels
                                + channel) as usize];
                            sums[(((batch * to.height + row) * to.width + column) * outputs + output)
                                as usize] += (i32::from(q) - op.input_zero_point) * i32::from(weight);
                        }
                    }
                }
            }
        }
        let expected: Vec<f64> = sums
            .iter()
            .enumerate()
            .map(|(at, &sum)| {
                f64::from(sum) * real(parameters[at % outputs as usize].scale)
                    + f64::from(op.output_zero_point)
            })
            .collect();
        check_near(&record, &[input, weights, table], &expected, 0.501);
    }
}

#[test]
fn running_sums() {
    let mut random = Random(23);
    for _ in 0..100 {
        let [outer, count, inner] = [3, 6, 3].map(|greatest| random.extent(greatest));
        let op = CumulativeSum {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            outer,
            count,
            inner,
            direction: random.one_of(&[Direction::Forward, Direction::Backward]),
            running: random.one_of(&[Running::Including, Running::Excluding]),
            input_zero_point: random.zero_point(),
            left_shift: 20,
            input_scale: Scale { multiplier: 1 << 30, shift: 0 },
            start: random.between(-1 << 20, 1 << 20) as i32,
            output_scale: Scale { multiplier: random.scale().multiplier, shift: -20 },
            output_zero_point: random.zero_point(),
            rounding: Rounding::Once,
        };
        let record = Record::from(op);
        let input = random.bytes(lengths(&record).0[0]);
        let index = |block: u32, at: u32, lane: u32| ((block * count + at) * inner + lane) as usize;
        let mut expected = vec![0.0; input.len()];
        for (block, lane) in (0..outer).flat_map(|block| (0..inner).map(move |lane| (block, lane))) {
            for at in 0..count {
                let is_summed = |other: u32| match (op.direction, op.running) {
                    (Direction::Forward, Running::Including) => other <= at,
                    (Direction::Forward, Running::Excluding) => other < at,
                    (Direction::Backward, Running::Including) => other >= at,
                    (Direction::Backward, Running::Excluding) => other > at,
                };
                let element =
                    |other: u32| f64::from(i32::from(input[index(block, other, lane)]) - op.input_zero_point);
                let sum: f64 = (0..count).filter(|&other| is_summed(other)).map(element).sum();
                let sum = sum * f64::from(1 << 19) + f64::from(op.start);
                expected[index(block, at, lane)] =
                    sum * real(op.output_scale) + f64::from(op.output_zero_point);
            }
        }
        check_near(&record, &[input], &expected, 0.501);
    }
}

#[test]
fn places_of_extremes() {
    let mut random = Random(24);
    for _ in 0..100 {
        let [outer, count, inner] = [3, 6, 3].map(|greatest| random.extent(greatest));
        let extreme =
            random.one_of(&[Extreme::Greatest, Extreme::Least, Extreme::LastGreatest, Extreme::LastLeast]);
        let (input, output) = (arena(DType::Int8), arena(DType::Int32));
        let record = Record::from(ArgExtreme { input, output, outer, count, inner, extreme });
        let values: Vec<i8> = random.bytes(lengths(&record).0[0]).iter().map(|value| value / 40).collect();
        let mut expected = Vec::new();
        for (block, lane) in (0..outer).flat_map(|block| (0..inner).map(move |lane| (block, lane))) {
            let value = |at: u32| i32::from(values[((block * count + at) * inner + lane) as usize]);
            let found = match extreme {
                Extreme::Greatest => (0..count).min_by_key(|&at| -value(at)),
                Extreme::Least => (0..count).min_by_key(|&at| value(at)),
                Extreme::LastGreatest => (0..count).rev().min_by_key(|&at| -value(at)),
                Extreme::LastLeast => (0..count).rev().min_by_key(|&at| value(at)),
            };
            let found = found.unwrap();
            expected.extend(found.to_le_bytes().map(|byte| byte as i8));
        }
        check(&record, &[values], &expected);
    }
}

#[test]
fn places_of_the_first_in_an_order() {
    let mut random = Random(26);
    for extreme in [Extreme::Greatest, Extreme::Least, Extreme::LastGreatest, Extreme::LastLeast] {
        for _ in 0..40 {
            let (rows, depth) = (random.extent(3), random.extent(9));
            let count = random.extent(depth);
            let (input, output) = (arena(DType::Int8), arena(DType::Int32));
            let record = Record::from(TopIndices { input, output, rows, depth, count, extreme });
            // Few values, so that many are equal.
            let x: Vec<i8> = (0..rows * depth).map(|_| random.one_of(&[-128, -3, 0, 127])).collect();
            let mut expected = Vec::new();
            for row in x.chunks(depth as usize) {
                let value = |&index: &u32| i32::from(row[index as usize]);
                let mut indices: Vec<u32> = (0..depth).collect();
                match extreme {
                    Extreme::Greatest => indices.sort_by_key(|index| (-value(index), *index)),
                    Extreme::Least => indices.sort_by_key(|index| (value(index), *index)),
                    Extreme::LastGreatest => indices.sort_by_key(|index| (-value(index), depth - index)),
                    Extreme::LastLeast => indices.sort_by_key(|index| (value(index), depth - index)),
                }
                let first = indices[..count as usize].iter();
                expected.extend(first.flat_map(|index| index.to_le_bytes()).map(|byte| byte as i8));
            }
            check(&record, &[x], &expected);
        }
    }
}

/// Whether two boxes, each from its first two values to its last two, have more in common than `overlap` of 2^30 of what they
/// cover together.
fn boxes_overlap(a: &[i64], b: &[i64], overlap: u32) -> bool {
    let area = |a: &[i64]| (a[2] - a[0]) * (a[3] - a[1]);
    let common = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    let is_there = common[2] > common[0] && common[3] > common[1];
    is_there && area(&common) << 30 > (area(a) + area(b) - area(&common)) * i64::from(overlap)
}

#[test]
fn boxes_with_the_best_scores() {
    let mut random = Random(30);
    for _ in 0..200 {
        let [batches, classes, count] = [2, 3, 12].map(|greatest| random.extent(greatest));
        let most = random.extent(count);
        let op = NonMaxSuppression {
            boxes: arena(DType::Int8),
            scores: arena(DType::Int8),
            output: arena(DType::Int32),
            batches,
            classes,
            count,
            most,
            form: BoxForm::Corners,
            boxes_zero_point: random.zero_point(),
            least_score: random.one_of(&[-128, -1, 0]),
            overlap: random.one_of(&[0, 1 << 28, 1 << 29, 1 << 30]),
        };
        let record = Record::from(op);
        let boxes: Vec<i8> = random.bytes(lengths(&record).0[0]).iter().map(|value| value / 10).collect();
        let scores: Vec<i8> = random.bytes(lengths(&record).0[1]).iter().map(|value| value / 20).collect();
        let bounds = |batch: u32, index: u32| -> Vec<i64> {
            let values: Vec<i64> =
                boxes[4 * (batch * count + index) as usize..][..4].iter().map(|&v| v.into()).collect();
            let (low, high) =
                (|at: usize| values[at].min(values[at + 2]), |at: usize| values[at].max(values[at + 2]));
            vec![low(0), low(1), high(0), high(1)]
        };
        let mut rows: Vec<[i32; 3]> = Vec::new();
        for (batch, class) in (0..batches).flat_map(|batch| (0..classes).map(move |class| (batch, class))) {
            let score = |index: u32| i32::from(scores[((batch * classes + class) * count + index) as usize]);
            let mut order: Vec<u32> = (0..count).filter(|&index| score(index) >= op.least_score).collect();
            order.sort_by_key(|&index| (-score(index), index));
            let mut taken: Vec<u32> = Vec::new();
            for index in order {
                let overlaps =
                    |&other: &u32| boxes_overlap(&bounds(batch, index), &bounds(batch, other), op.overlap);
                if taken.len() < most as usize && !taken.iter().any(overlaps) {
                    taken.push(index);
                    rows.push([batch, class, index].map(|value| value as i32));
                }
            }
        }
        rows.resize((batches * classes * most) as usize, [-1; 3]);
        let expected: Vec<i8> =
            rows.iter().flatten().flat_map(|value| value.to_le_bytes()).map(|byte| byte as i8).collect();
        check(&record, &[boxes, scores], &expected);
    }
}

#[test]
fn images_of_another_size() {
    let mut random = Random(20);
    for _ in 0..100 {
        let from = random.image();
        let to = Image { batches: from.batches, channels: from.channels, ..random.image() };
        let step = |from: u32, to: u32| (1024 * from / to) as i32;
        let op = ResizeBilinear {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            input_image: from,
            output_image: to,
            row_step: step(from.height, to.height),
            row_offset: random.one_of(&[0, -300, 200]),
            column_step: step(from.width, to.width),
            column_offset: random.one_of(&[0, -300, 200]),
        };
        let record = Record::from(op);
        let input = random.bytes(lengths(&record).0[0]);
        let mut expected = Vec::new();
        let place = |at: u32, step: i32, offset: i32, extent: u32| {
            let place = f64::from(at as i32 * step + offset) / 1024.0;
            let place = place.clamp(0.0, f64::from(extent - 1));
            let low = place.floor() as u32;
            (low, (low + 1).min(extent - 1), place - place.floor())
        };
        for batch in 0..to.batches {
            for (row, column) in (0..to.height).flat_map(|row| (0..to.width).map(move |column| (row, column)))
            {
                let (top, bottom, down) = place(row, op.row_step, op.row_offset, from.height);
                let (left, right, across) = place(column, op.column_step, op.column_offset, from.width);
                for channel in 0..from.channels {
                    let value = |row: u32, column: u32| {
                        let pixel = (batch * from.height + row) * from.width + column;
                        f64::from(input[(pixel * from.channels + channel) as usize])
                    };
                    let upper = value(top, left) * (1.0 - across) + value(top, right) * across;
                    let lower = value(bottom, left) * (1.0 - across) + value(bottom, right) * across;
                    expected.push(upper * (1.0 - down) + lower * down);
                }
            }
        }
        check_near(&record, &[input], &expected, 0.501);
    }
}

#[test]
fn logarithms_of_softmax() {
    let mut random = Random(19);
    for _ in 0..100 {
        let (rows, depth) = (random.extent(3), random.extent(40));
        let input_scale = f64::from(random.extent(200) as i32) / 1000.0;
        let (fraction, exponent) = frexp(input_scale * f64::from(1 << 26));
        let scale = Scale { multiplier: (fraction * f64::powi(2.0, 31)) as i32, shift: exponent };
        let (fraction, exponent) = frexp(1.0 / (input_scale * f64::from(1 << 26)));
        let inverse_scale = Scale { multiplier: (fraction * f64::powi(2.0, 31)) as i32, shift: exponent };
        let diff_min = -(31.0 * f64::from(1 << 26) / f64::powi(2.0, scale.shift)) as i32;
        let (input, output) = (arena(DType::Int8), arena(DType::Int8));
        let record = Record::from(LogSoftmax { input, output, rows, depth, scale, inverse_scale, diff_min });
        let values = random.bytes((rows * depth) as usize);
        let mut expected = Vec::new();
        for row in values.chunks_exact(depth as usize) {
            let greatest = row.iter().copied().max().map(f64::from).unwrap();
            let sum: f64 = row.iter().map(|&q| ((f64::from(q) - greatest) * input_scale).exp()).sum();
            expected.extend(
                row.iter().map(|&q| ((f64::from(q) - greatest) * input_scale - sum.ln()) * 16.0 + 127.0),
            );
        }
        check_near(&record, &[values], &expected, 0.6);
    }
}

/// `x = fraction * 2^exponent` with a fraction of at least a half and less than 1.
fn frexp(x: f64) -> (f64, i32) {
    let exponent = x.log2().floor() as i32 + 1;
    (x / f64::powi(2.0, exponent), exponent)
}
