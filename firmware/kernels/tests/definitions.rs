//! Operators against their definitions, written plainly, on random shapes.

mod harness;

use edgepkg_format::plan::*;
use edgepkg_format::{DType, Record};
use harness::{INT8, Random, arena, constant, dense, lengths, run_arena, run_const};

/// Requantization in its own words: gemmlowp's two rounding steps, which are TensorFlow Lite Micro's, or the
/// exact product rounded.
fn requantize(x: i64, scale: Scale, rounding: Rounding, zero_point: i32, clamp: Clamp) -> i64 {
    let product = (x << scale.shift.max(0)) * i64::from(scale.multiplier);
    let divisor = 1i64 << (-scale.shift).max(0);
    let rounded = match rounding {
        Rounding::Twice => {
            let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
            let high = (product + nudge) / (1 << 31);
            (high.abs() + divisor / 2) / divisor * high.signum()
        }
        Rounding::Once => (product + (divisor << 30)).div_euclid(divisor << 31),
    };
    (rounded + i64::from(zero_point)).max(clamp.min.into()).min(clamp.max.into())
}

/// The pixel under a tap of a window; `None` outside of the image.
fn pixel(image: &Image, window: &Window, at: [u32; 3], tap: [u32; 2]) -> Option<usize> {
    let y =
        i64::from(at[1] * window.stride_height + tap[0] * window.dilation_height) - i64::from(window.pad_top);
    let x =
        i64::from(at[2] * window.stride_width + tap[1] * window.dilation_width) - i64::from(window.pad_left);
    let inside = (0..image.height.into()).contains(&y) && (0..image.width.into()).contains(&x);
    inside.then(|| {
        let row = i64::from(at[0]) * i64::from(image.height) + y;
        ((row * i64::from(image.width) + x) * i64::from(image.channels)) as usize
    })
}

/// Calls `value` with each position of an image and channel.
fn each(image: &Image, mut value: impl FnMut([u32; 3], usize) -> i64) -> Vec<i8> {
    let mut output = Vec::new();
    for batch in 0..image.batches {
        for y in 0..image.height {
            for x in 0..image.width {
                for channel in 0..image.channels as usize {
                    output.push(value([batch, y, x], channel) as i8);
                }
            }
        }
    }
    output
}

fn each_tap(window: &Window) -> impl Iterator<Item = [u32; 2]> {
    let (height, width) = (window.height, window.width);
    (0..height).flat_map(move |row| (0..width).map(move |column| [row, column]))
}

fn check(record: &Record, inputs: &[Vec<i8>], expected: &[i8]) {
    assert_eq!(run_arena(record, inputs), expected, "{record:?}");
    assert_eq!(run_const(record, inputs), expected, "{record:?} of constants");
}

/// A channel table, and the biases without input zero points: `weight_sums` are those of each channel.
fn channel_table(random: &mut Random, weight_sums: &[i64], zero_point: i32) -> (Vec<i8>, Vec<(i64, Scale)>) {
    let mut table = Vec::new();
    let mut channels = Vec::new();
    for sum in weight_sums {
        let (bias, scale) = (random.between(-2000, 2000), random.scale());
        let folded = (bias - i64::from(zero_point) * sum) as i32;
        let bytes = ChannelParameters { bias: folded, scale }.to_bytes();
        table.extend(bytes.map(|byte| byte as i8));
        channels.push((bias, scale));
    }
    (table, channels)
}

#[test]
fn gather() {
    let mut random = Random(17);
    for _ in 0..100 {
        let [batches, outer, extent, count, inner] = [2, 3, 5, 4, 6].map(|greatest| random.extent(greatest));
        let op = Gather {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            indices: arena(DType::Int32),
            batches,
            outer,
            extent,
            count,
            inner,
        };
        let record = Record::from(op);
        let input = random.bytes(lengths(&record).0[0]);
        let ends = [i64::from(i32::MIN), -1, i64::from(extent), i64::from(i32::MAX)];
        let list: Vec<i32> = (0..batches * count)
            .map(|_| {
                let (inside, end) = (random.between(0, i64::from(extent) - 1), random.one_of(&ends));
                random.one_of(&[inside, inside, inside, end]) as i32
            })
            .collect();
        let mut expected = Vec::new();
        for batch in 0..batches {
            for block in 0..outer {
                for at in 0..count {
                    let index = list[(batch * count + at) as usize].clamp(0, extent as i32 - 1) as u32;
                    let from = (((batch * outer + block) * extent + index) * inner) as usize;
                    expected.extend_from_slice(&input[from..from + inner as usize]);
                }
            }
        }
        let indices = list.iter().flat_map(|index| index.to_le_bytes()).map(|byte| byte as i8).collect();
        check(&record, &[input, indices], &expected);
    }
}

#[test]
fn convolutions_sum_over_the_taps_inside_the_image() {
    let mut random = Random(1);
    for _ in 0..400 {
        let groups = random.extent(3);
        let mut input_image = random.image();
        input_image.channels = groups * random.extent(11);
        let output_image =
            Image { batches: input_image.batches, channels: groups * random.extent(4), ..random.image() };
        let rounding = random.one_of(&Rounding::ALL);
        let op = Conv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            input_image,
            output_image,
            window: random.window(),
            groups,
            input_zero_point: random.zero_point(),
            output_zero_point: random.zero_point(),
            clamp: Clamp { min: -100, max: 110 },
            rounding,
        };
        let record = Record::Conv2d(op);
        let (bytes, _) = lengths(&record);
        let (input, weights) = (random.bytes(bytes[0]), random.bytes(bytes[1]));
        let filters: Vec<&[i8]> = weights.chunks(bytes[1] / output_image.channels as usize).collect();
        let sums: Vec<i64> =
            filters.iter().map(|filter| filter.iter().map(|&w| i64::from(w)).sum()).collect();
        let (table, channels) = channel_table(&mut random, &sums, op.input_zero_point);

        let group_inputs = (input_image.channels / groups) as usize;
        let group_outputs = (output_image.channels / groups) as usize;
        let expected = each(&output_image, |at, channel| {
            let (mut sum, scale) = channels[channel];
            for (tap, weights) in each_tap(&op.window).zip(filters[channel].chunks(group_inputs)) {
                if let Some(pixel) = pixel(&input_image, &op.window, at, tap) {
                    let start = pixel + channel / group_outputs * group_inputs;
                    for (&x, &weight) in input[start..].iter().zip(weights) {
                        sum += i64::from(weight) * (i64::from(x) - i64::from(op.input_zero_point));
                    }
                }
            }
            requantize(sum, scale, rounding, op.output_zero_point, op.clamp)
        });
        check(&record, &[input, weights, table], &expected);
    }
}

#[test]
fn depthwise_convolutions_keep_channels_apart() {
    let mut random = Random(2);
    for _ in 0..400 {
        let multiplier = random.one_of(&[1, 1, 2, 3, 8]);
        let mut input_image = random.image();
        input_image.channels = random.one_of(&[1, 2, 31, 32, 33, 70]);
        let channels = input_image.channels * multiplier;
        let output_image = Image { batches: input_image.batches, channels, ..random.image() };
        let rounding = random.one_of(&Rounding::ALL);
        let op = DepthwiseConv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            input_image,
            output_image,
            window: random.window(),
            input_zero_point: random.zero_point(),
            output_zero_point: random.zero_point(),
            clamp: INT8,
            rounding,
        };
        let record = Record::DepthwiseConv2d(op);
        let (bytes, _) = lengths(&record);
        let (input, weights) = (random.bytes(bytes[0]), random.bytes(bytes[1]));
        let taps: Vec<&[i8]> = weights.chunks(output_image.channels as usize).collect();
        let weight = |tap: usize, channel: usize| i64::from(taps[tap][channel]);
        let sums: Vec<i64> = (0..output_image.channels as usize)
            .map(|channel| (0..taps.len()).map(|tap| weight(tap, channel)).sum())
            .collect();
        let (table, channels) = channel_table(&mut random, &sums, op.input_zero_point);

        let expected = each(&output_image, |at, channel| {
            let (mut sum, scale) = channels[channel];
            for (index, tap) in each_tap(&op.window).enumerate() {
                if let Some(pixel) = pixel(&input_image, &op.window, at, tap) {
                    let x = i64::from(input[pixel + channel / multiplier as usize]);
                    sum += weight(index, channel) * (x - i64::from(op.input_zero_point));
                }
            }
            requantize(sum, scale, rounding, op.output_zero_point, op.clamp)
        });
        check(&record, &[input, weights, table], &expected);
    }
}

#[test]
fn fully_connected_layers_multiply_each_row() {
    let mut random = Random(3);
    for _ in 0..100 {
        let rounding = random.one_of(&Rounding::ALL);
        let op = FullyConnected {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            weights: constant(DType::Int8),
            channels: constant(DType::Int32),
            rows: random.extent(3),
            input_depth: random.extent(40),
            output_depth: random.extent(9),
            output_zero_point: random.zero_point(),
            clamp: INT8,
            rounding,
        };
        let record = Record::FullyConnected(op);
        let (bytes, _) = lengths(&record);
        let (input, weights) = (random.bytes(bytes[0]), random.bytes(bytes[1]));
        let (table, channels) = channel_table(&mut random, &vec![0; op.output_depth as usize], 0);
        let mut expected = Vec::new();
        for row in input.chunks(op.input_depth as usize) {
            for (filter, &(bias, scale)) in weights.chunks(op.input_depth as usize).zip(&channels) {
                let sum: i64 = row.iter().zip(filter).map(|(&x, &w)| i64::from(x) * i64::from(w)).sum();
                expected.push(requantize(bias + sum, scale, rounding, op.output_zero_point, op.clamp) as i8);
            }
        }
        check(&record, &[input, weights, table], &expected);
    }
}

#[test]
fn pools_take_the_pixels_inside_the_image() {
    let mut random = Random(4);
    for _ in 0..400 {
        let mut input_image = random.image();
        input_image.channels = random.one_of(&[1, 3, 32, 33]);
        let output_image =
            Image { batches: input_image.batches, channels: input_image.channels, ..random.image() };
        let window = Window { dilation_height: 1, dilation_width: 1, ..random.window() };
        let (input, output, clamp) = (arena(DType::Int8), arena(DType::Int8), Clamp { min: -90, max: 90 });
        let (zero_point, rounding) = (random.zero_point(), random.one_of(&Rounding::ALL));
        let average = Record::AveragePool2d(AveragePool2d {
            input,
            output,
            input_image,
            output_image,
            window,
            clamp,
            zero_point,
            rounding,
        });
        let greatest =
            Record::MaxPool2d(MaxPool2d { input, output, input_image, output_image, window, clamp });
        let data = random.bytes(lengths(&average).0[0]);

        let values = |at: [u32; 3], channel: usize| -> Vec<i64> {
            each_tap(&window)
                .filter_map(|tap| pixel(&input_image, &window, at, tap))
                .map(|pixel| data[pixel + channel].into())
                .collect()
        };
        let averages = each(&output_image, |at, channel| {
            let values = values(at, channel);
            let (sum, count) = (values.iter().sum::<i64>(), values.len().max(1) as i64);
            let mean = match rounding {
                Rounding::Twice => (sum.abs() + count / 2) / count * sum.signum(),
                Rounding::Once => {
                    let zero_point = if values.is_empty() { 0 } else { i64::from(zero_point) };
                    let mean = (sum - count * zero_point) as f64 / count as f64;
                    mean.round_ties_even() as i64 + zero_point
                }
            };
            mean.clamp(-90, 90)
        });
        check(&average, std::slice::from_ref(&data), &averages);
        let maxima = each(&output_image, |at, channel| {
            values(at, channel).into_iter().max().unwrap_or(-128).clamp(-90, 90)
        });
        check(&greatest, std::slice::from_ref(&data), &maxima);
    }
}

/// Index of each element of a strided tensor, in the order of its shape.
fn walk(dims: &Dims, strides: &Strides) -> Vec<i64> {
    let mut offsets = vec![0i64];
    for (&extent, &stride) in dims.iter().zip(strides) {
        let steps = |&offset: &i64| (0..i64::from(extent)).map(move |step| offset + step * i64::from(stride));
        offsets = offsets.iter().flat_map(steps).collect();
    }
    offsets
}

/// A view of a dense tensor of which some dimensions are broadcast.
fn broadcast(random: &mut Random, dims: &Dims) -> Dims {
    let own = dims.map(|extent| random.one_of(&[1, extent]));
    let mut strides = dense(&own);
    for (stride, (&own, &extent)) in strides.iter_mut().zip(own.iter().zip(dims)) {
        if own != extent {
            *stride = 0;
        }
    }
    strides
}

fn signed(strides: &Dims) -> Strides {
    strides.map(|stride| stride as i32)
}

#[test]
fn products_broadcast() {
    let mut random = Random(5);
    for _ in 0..300 {
        let dims = random.dims();
        let rounding = random.one_of(&Rounding::ALL);
        let op = Mul {
            a: arena(DType::Int8),
            b: arena(DType::Int8),
            output: arena(DType::Int8),
            dims,
            a_strides: broadcast(&mut random, &dims),
            b_strides: broadcast(&mut random, &dims),
            a_zero_point: random.zero_point(),
            b_zero_point: random.zero_point(),
            output_scale: random.scale(),
            output_zero_point: random.zero_point(),
            clamp: INT8,
            rounding,
        };
        let record = Record::Mul(op);
        let (bytes, _) = lengths(&record);
        let (a, b) = (random.bytes(bytes[0]), random.bytes(bytes[1]));
        let offsets =
            walk(&dims, &signed(&op.a_strides)).into_iter().zip(walk(&dims, &signed(&op.b_strides)));
        let expected: Vec<i8> = offsets
            .map(|(at_a, at_b)| {
                let a = i64::from(a[at_a as usize]) - i64::from(op.a_zero_point);
                let b = i64::from(b[at_b as usize]) - i64::from(op.b_zero_point);
                requantize(a * b, op.output_scale, rounding, op.output_zero_point, op.clamp) as i8
            })
            .collect();
        check(&record, &[a, b], &expected);
    }
}

#[test]
fn means_reduce_any_dimensions() {
    let mut random = Random(6);
    for _ in 0..300 {
        let dims = random.dims();
        let strides = dense(&dims);
        let (mut kept, mut reduced) = (dims, dims);
        for (kept, reduced) in kept.iter_mut().zip(&mut reduced) {
            *(if random.one_of(&[true, false]) { kept } else { reduced }) = 1;
        }
        let count: u32 = reduced.iter().product();
        let rounding = random.one_of(&Rounding::ALL);
        let op = Mean {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            kept,
            kept_strides: strides,
            reduced,
            reduced_strides: strides,
            bias: random.zero_point() * count as i32,
            scale: random.scale(),
            output_zero_point: random.zero_point(),
            rounding,
        };
        let record = Record::Mean(op);
        let input = random.bytes(lengths(&record).0[0]);
        let expected: Vec<i8> = walk(&kept, &signed(&strides))
            .into_iter()
            .map(|start| {
                let offsets = walk(&reduced, &signed(&strides)).into_iter();
                let sum: i64 = offsets.map(|offset| i64::from(input[(start + offset) as usize])).sum();
                requantize(sum - i64::from(op.bias), op.scale, rounding, op.output_zero_point, INT8) as i8
            })
            .collect();
        check(&record, &[input], &expected);
    }
}

#[test]
fn copies_go_in_either_direction() {
    let mut random = Random(7);
    for _ in 0..500 {
        let dims = random.dims();
        // The order of the output's dimensions in memory, with gaps between the elements of one.
        let mut output_strides = [0i32; 6];
        let mut stride = 1;
        let first_axis = random.between(0, 5) as usize;
        for axis in (0..6).map(|axis| (axis + first_axis) % 6) {
            output_strides[axis] = random.one_of(&[stride, -stride]);
            stride *= dims[axis] as i32 + i32::from(random.one_of(&[0, 0, 1]) == 1);
        }
        let input_strides = dense(&dims).map(|stride| random.one_of(&[1, -1, 1, 0]) * stride as i32);
        let below = |strides: &Strides| -> i64 { -walk(&dims, strides).into_iter().min().unwrap() };
        let mut op = StridedCopy {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            dims,
            input_strides,
            output_strides,
        };
        op.input.offset = below(&input_strides) as u32;
        op.output.offset = below(&output_strides) as u32;
        let record = Record::StridedCopy(op);
        let (bytes, length) = lengths(&record);
        let input = random.bytes(bytes[0]);
        let before = random.bytes(length);
        let mut expected = before.clone();
        for (from, to) in walk(&dims, &input_strides).into_iter().zip(walk(&dims, &output_strides)) {
            let to = to + i64::from(op.output.offset);
            expected[to as usize] = input[(from + i64::from(op.input.offset)) as usize];
        }
        assert_eq!(harness::run_over(&record, &[input], before), expected, "{record:?}");
    }
}

#[test]
fn lookups_index_from_minus_128() {
    let op = Lookup {
        input: arena(DType::Int8),
        output: arena(DType::Int8),
        table: constant(DType::Int8),
        length: 256,
    };
    let input: Vec<i8> = (-128..=127).collect();
    let table: Vec<i8> = (-128..=127).rev().collect();
    check(&Record::Lookup(op), &[input, table.clone()], &table);
}

#[test]
fn fills_set_every_byte() {
    let op = Fill { output: arena(DType::Int8), length: 5, value: -7 };
    check(&Record::Fill(op), &[], &[-7; 5]);
}

#[test]
fn requantizing_changes_widths() {
    let bytes = |values: &[i16]| -> Vec<i8> {
        values.iter().flat_map(|v| v.to_le_bytes().map(|b| b as i8)).collect()
    };
    let op = |input, output, scale, rounding| {
        let (input, output) = (arena(input), arena(output));
        Record::Requantize(Requantize {
            input,
            output,
            length: 4,
            input_zero_point: 3,
            scale,
            output_zero_point: -2,
            rounding,
        })
    };
    let times_256 = Scale { multiplier: 1 << 30, shift: 9 };
    let widened = bytes(&[i16::MIN, -770, 254, 31742]);
    check(&op(DType::Int8, DType::Int16, times_256, Rounding::Twice), &[vec![-128, 0, 4, 127]], &widened);
    let by_256 = Scale { multiplier: 1 << 30, shift: -7 };
    let wide = bytes(&[i16::MIN, 3 + 128, 3 - 128, i16::MAX]);
    for (rounding, expected) in
        [(Rounding::Twice, [-128, -1, -3, 126]), (Rounding::Once, [-128, -1, -2, 126])]
    {
        check(&op(DType::Int16, DType::Int8, by_256, rounding), std::slice::from_ref(&wide), &expected);
    }
}

fn softmax(output: DType, depth: u32, input: &[i8]) -> Vec<i8> {
    // Input scale 1/16, beta 1: 2^26 / 16 = 2^22 = 0.5 * 2^23.
    let scale = Scale { multiplier: 1 << 30, shift: 23 };
    let rows = input.len() as u32 / depth;
    let diff_min = -((31 << 26) >> 23);
    let record = Record::Softmax(Softmax {
        input: arena(DType::Int8),
        output: arena(output),
        rows,
        depth,
        scale,
        diff_min,
    });
    run_const(&record, &[input.to_vec()])
}

#[test]
fn softmax_is_close_to_its_real_value() {
    let mut random = Random(8);
    for _ in 0..200 {
        let depth = random.extent(20);
        let input = random.bytes(depth as usize * 3);
        let wide = softmax(DType::Int16, depth, &input);
        let narrow = softmax(DType::Int8, depth, &input);
        for (row, input) in input.chunks(depth as usize).enumerate() {
            let exponentials: Vec<f64> = input.iter().map(|&q| (f64::from(q) / 16.0).exp()).collect();
            let sum: f64 = exponentials.iter().sum();
            for (column, exponential) in exponentials.iter().enumerate() {
                let index = row * depth as usize + column;
                let ratio = exponential / sum;
                let narrow = f64::from(narrow[index]) + 128.0;
                assert!((narrow - (ratio * 256.0).min(255.0)).abs() < 0.52, "{narrow} for {ratio}");
                let wide = i16::from_le_bytes([wide[2 * index] as u8, wide[2 * index + 1] as u8]);
                let wide = f64::from(wide) + 32768.0;
                assert!((wide - (ratio * 65536.0).min(65535.0)).abs() < 4.0, "{wide} for {ratio}");
            }
        }
    }
}

#[test]
fn softmax_of_many_equal_values_is_at_its_least() {
    assert_eq!(softmax(DType::Int8, 511, &[9; 511]), [-127; 511]);
    assert_eq!(softmax(DType::Int8, 512, &[9; 512]), [-128; 512]);
    assert_eq!(softmax(DType::Int8, 5000, &[9; 5000]), [-128; 5000]);
}
