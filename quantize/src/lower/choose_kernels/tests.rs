//! Packed records, interpreted here from their streams alone, give what the records they stand for give.

use std::cell::Cell;

use edgepkg_format::plan::{
    ChannelParameters, Clamp, Conv2d, DepthwiseConv2d, FullyConnected, Image, PackedConv2d,
    PackedDepthwiseConv2d, PackedFullyConnected, PackedRounding, Rounding, Scale, Traversal, Window,
};
use edgepkg_format::{DType, Record, Space, TensorRef};
use edgepkg_kernels::{View, run};

use super::super::constants::ConstantPool;
use super::{Choosing, armv7em};
use crate::optimize::Optimize;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn between(&mut self, least: i64, greatest: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        least + (z % (greatest - least + 1) as u64) as i64
    }

    fn extent(&mut self, greatest: i64) -> u32 {
        self.between(1, greatest) as u32
    }

    fn below(&mut self, end: u32) -> u32 {
        self.between(0, i64::from(end) - 1) as u32
    }

    fn bytes(&mut self, count: usize, least: i64) -> Vec<i8> {
        (0..count).map(|_| self.between(least, 127) as i8).collect()
    }

    fn zero_point(&mut self) -> i32 {
        self.between(-128, 127) as i32
    }

    fn rounding(&mut self) -> Rounding {
        Rounding::ALL[self.below(2) as usize]
    }

    fn clamp(&mut self, zero_point: i32) -> Clamp {
        let clamps = [(-128, 127), (zero_point, 127), (-100, 90), (zero_point, zero_point.max(50))];
        let (min, max) = clamps[self.below(4) as usize];
        Clamp { min, max }
    }

    fn image(&mut self, channels: u32) -> Image {
        Image { batches: self.extent(2), height: self.extent(7), width: self.extent(7), channels }
    }

    /// An image that a window gives of another.
    fn output(&mut self, from: &Image, channels: u32) -> Image {
        Image { batches: from.batches, height: self.extent(6), width: self.extent(6), channels }
    }

    /// Biases and scales of `channels`.
    fn table(&mut self, channels: u32) -> Vec<u8> {
        let parameters = (0..channels).map(|_| ChannelParameters {
            bias: self.between(-30_000, 30_000) as i32,
            scale: Scale {
                multiplier: self.between(1 << 30, i64::from(i32::MAX)) as i32,
                shift: self.between(-11, -6) as i32,
            },
        });
        parameters.collect::<Vec<_>>().iter().flat_map(ChannelParameters::to_bytes).collect()
    }
}

fn arena() -> TensorRef {
    TensorRef::new(Space::Arena, DType::Int8, 0)
}

/// Weights and, behind them, channels' parameters.
struct Layer {
    constants: Vec<u8>,
    weights: TensorRef,
    channels: TensorRef,
}

impl Layer {
    fn new(weights: &[i8], table: &[u8]) -> Self {
        let mut constants = table.to_vec();
        constants.extend(weights.iter().map(|&weight| weight as u8));
        Self {
            constants,
            weights: TensorRef::new(Space::Const, DType::Int8, table.len() as u32),
            channels: TensorRef::new(Space::Const, DType::Int32, 0),
        }
    }

    /// What stands for `record`, with its stream.
    fn packed(&self, record: &Record, optimize: Optimize) -> Option<(Record, Vec<u32>)> {
        let mut choosing = Choosing {
            given: &self.constants,
            constants: ConstantPool::default(),
            buffers: Vec::new(),
            optimize,
        };
        let Ok(packed) = armv7em::replace(&mut choosing, record) else { panic!("{record:?} is refused") };
        let packed = packed?;
        let operands = packed.operands().expect("it is sound");
        let stream = operands[1];
        let bytes = choosing.constants.into_bytes();
        let bytes = &bytes[stream.tensor.offset as usize..][..stream.bytes as usize];
        let words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        Some((packed, words.collect()))
    }

    /// The bytes that the kernels of this machine give.
    fn expected(&self, record: &Record, input: &[i8]) -> Vec<i8> {
        let operands = record.operands().expect("it is sound");
        let constants: Vec<i8> = self.constants.iter().map(|&byte| byte as i8).collect();
        let views: Vec<_> = operands[1..operands.len() - 1]
            .iter()
            .map(|operand| {
                View::Const(&constants[operand.tensor.offset as usize..][..operand.bytes as usize])
            })
            .collect();
        let mut output = vec![0; operands.last().unwrap().bytes as usize];
        let views = [&[View::Const(input)], &views[..]].concat();
        run(record, &views, Cell::from_mut(&mut output[..]).as_slice_of_cells());
        output
    }
}

/// How large a channel's sum comes, and by how many bits its fused product is shifted.
#[derive(Clone, Copy)]
struct Arithmetic {
    sum_scale: i32,
    shift: u32,
}

const EVEN: Arithmetic = Arithmetic { sum_scale: 1, shift: 3 };
const ODD: Arithmetic = Arithmetic { sum_scale: 256, shift: 11 };
const DEPTHWISE: Arithmetic = Arithmetic { sum_scale: 2, shift: 8 };

/// A channel's output from its sum as it comes, as the format has it.
fn output(
    sum: i32,
    parameters: &[u32],
    arithmetic: Arithmetic,
    rounding: PackedRounding,
    clamp: Clamp,
) -> i8 {
    let multiplier = i64::from(parameters[0] as i32);
    let word = |index: usize| parameters.get(index).map_or(0, |&word| word as i32);
    let output = match rounding {
        PackedRounding::Twice => {
            let sum = (sum / arithmetic.sum_scale).checked_mul(2).expect("it fits a word");
            let x = ((i64::from(sum) * multiplier + (1 << 31)) >> 32) as i32;
            (x - i32::from(x < 0)).checked_add(word(1)).expect("it fits a word") >> word(2)
        }
        PackedRounding::Fused => {
            let high = ((i64::from(sum) * multiplier) >> 32) as i32;
            high.checked_add(word(1)).expect("it fits a word") >> arithmetic.shift
        }
    };
    output.clamp(-128, 127).max(clamp.min).min(clamp.max) as i8
}

/// Words of a channel's parameters in lanes.
fn parameter_words(rounding: PackedRounding) -> usize {
    match rounding {
        PackedRounding::Twice => 3,
        PackedRounding::Fused => 2,
    }
}

/// What a kernel may read behind a row of a window: its weights are 0.
const PAST_THE_END: i8 = 77;

fn half(word: u32, index: usize) -> i32 {
    i32::from((word >> (16 * index)) as i16)
}

/// The outputs of blocks of `block` channels from the same inputs.
fn of_lanes(
    stream: &[u32],
    block: usize,
    inputs: &[i8],
    channels: usize,
    is_overlapping: bool,
    rounding: PackedRounding,
    clamp: Clamp,
) -> Vec<i8> {
    let units = inputs.len() / 4;
    let parameter_words = parameter_words(rounding);
    let mut outputs = vec![0; channels];
    let rest = if channels < block { 0 } else { channels % block };
    let starts = |index: usize| match index {
        0 => 0,
        _ if is_overlapping && rest != 0 => block * (index - 1) + rest,
        _ => block * index,
    };
    for (index, words) in stream.chunks_exact(block + units * block + parameter_words * block).enumerate() {
        let (first, others) = words.split_at(block);
        let (weights, parameters) = others.split_at(units * block);
        let mut sums: Vec<i32> = first.iter().map(|&sum| sum as i32).collect();
        for (pair, lanes) in weights.chunks_exact(block / 2).enumerate() {
            for (index, &word) in lanes.iter().enumerate() {
                for side in 0..2 {
                    let at = 4 * (pair / 2) + pair % 2 + 2 * side;
                    let input = i32::from(inputs[at]);
                    let lane = half(word, side);
                    sums[2 * index] = sums[2 * index].wrapping_add(lane * input);
                    sums[2 * index + 1] += i32::from(lane as i8) * input;
                }
            }
        }
        for (channel, parameters) in parameters.chunks_exact(parameter_words).enumerate() {
            let [lanes, even] = [sums[channel & !1], sums[channel | 1]];
            let (sum, arithmetic) =
                if channel % 2 == 0 { (even, EVEN) } else { (lanes.wrapping_sub(even), ODD) };
            if let Some(place) = outputs.get_mut(starts(index) + channel) {
                *place = output(sum, parameters, arithmetic, rounding, clamp);
            }
        }
    }
    outputs
}

/// The bytes of a pixel, or of padding.
fn pixel(image: &Image, input: &[i8], batch: u32, at: [i64; 2], zero_point: i32) -> Vec<i8> {
    let channels = image.channels as usize;
    let is_inside = (0..image.height.into()).contains(&at[0]) && (0..image.width.into()).contains(&at[1]);
    if !is_inside {
        return vec![zero_point as i8; channels];
    }
    let row = u64::from(batch * image.height) + at[0] as u64;
    let start = (row * u64::from(image.width) + at[1] as u64) as usize * channels;
    input[start..][..channels].to_vec()
}

fn each_pixel(image: Image) -> impl Iterator<Item = [u32; 3]> {
    (0..image.batches)
        .flat_map(move |n| (0..image.height).flat_map(move |y| (0..image.width).map(move |x| [n, y, x])))
}

/// Every pixel under a window, padding as such, row by row.
fn window_pixels(
    image: &Image,
    window: &Window,
    input: &[i8],
    [n, y, x]: [u32; 3],
    zero_point: i32,
) -> Vec<Vec<i8>> {
    let taps = (0..window.height).flat_map(|row| (0..window.width).map(move |column| (row, column)));
    taps.map(|(row, column)| {
        let row = y * window.stride_height + row * window.dilation_height;
        let column = x * window.stride_width + column * window.dilation_width;
        let at = [i64::from(row) - i64::from(window.pad_top), i64::from(column) - i64::from(window.pad_left)];
        pixel(image, input, n, at, zero_point)
    })
    .collect()
}

fn packed_conv2d(op: &PackedConv2d, stream: &[u32], input: &[i8]) -> Vec<i8> {
    let pixels = each_pixel(op.output_image).flat_map(|at| {
        let pixels = window_pixels(&op.input_image, &op.window, input, at, op.input_zero_point);
        let rows = pixels.chunks_exact(op.window.width as usize).map(<[_]>::concat);
        let inputs = match rows.collect::<Vec<_>>() {
            rows if rows.len() == 3 && rows[0].len() > 4 && rows[0].len() % 4 == 1 => {
                let (words, tails): (Vec<_>, Vec<_>) =
                    rows.iter().map(|row| row.split_at(row.len() - 1)).unzip();
                [words.concat(), tails.concat(), vec![PAST_THE_END]].concat()
            }
            mut rows => {
                rows.iter_mut().for_each(|row| row.resize(row.len().next_multiple_of(4), PAST_THE_END));
                rows.concat()
            }
        };
        of_lanes(stream, 4, &inputs, op.output_image.channels as usize, true, op.rounding, op.clamp)
    });
    pixels.collect()
}

fn packed_fully_connected(op: &PackedFullyConnected, stream: &[u32], input: &[i8]) -> Vec<i8> {
    let rows = input.chunks_exact(op.input_depth as usize);
    rows.flat_map(|row| of_lanes(stream, 8, row, op.output_depth as usize, false, op.rounding, op.clamp))
        .collect()
}

/// A channel's weights, `[row][column]` of the window.
fn depthwise_weights(op: &PackedDepthwiseConv2d, words: &[u32]) -> Vec<i32> {
    let (rows, columns, stride) =
        (op.outer().taps as usize, op.inner().taps as usize, op.inner().stride as usize);
    let mut weights = vec![0; rows * columns];
    for row in 0..rows {
        // What pixel `at` under two neighbouring outputs is multiplied by, for the first and for the second one.
        let of_pixel = |at: usize| {
            if op.is_3_by_3() {
                let words = &words[2 * row..2 * row + 2];
                let weights = [half(words[0], 0), half(words[0], 1), half(words[1], 1), 0];
                assert_eq!(half(words[0], 1), half(words[1], 0));
                let weight = |at: usize| weights.get(at).copied().unwrap_or(0);
                return [weight(at), at.checked_sub(stride).map_or(0, weight)];
            }
            let pairs = op.tap_pairs() as usize;
            let words = &words[2 * (row * pairs + at / 2)..][..2];
            [half(words[0], at % 2), half(words[1], at % 2)]
        };
        for column in 0..columns {
            let place = match op.traversal {
                Traversal::Rows => columns * row + column,
                Traversal::Columns => rows * column + row,
            };
            weights[place] = of_pixel(column)[0];
        }
        for at in 0..columns + stride {
            let [first, second] = of_pixel(at);
            let expected =
                |tap: Option<usize>| tap.filter(|&tap| tap < columns).map_or(0, |tap| of_pixel(tap)[0]);
            assert_eq!((first, second), (expected(Some(at)), expected(at.checked_sub(stride))), "pixel {at}");
        }
    }
    weights
}

fn packed_depthwise_conv2d(op: &PackedDepthwiseConv2d, stream: &[u32], input: &[i8]) -> Vec<i8> {
    let mut outputs = Vec::new();
    for at in each_pixel(op.output_image) {
        let taps = window_pixels(&op.input_image, &op.window, input, at, op.input_zero_point);
        for (channel, words) in stream.chunks_exact(op.channel_words() as usize).enumerate() {
            let weights = depthwise_weights(op, words);
            let (first, parameters) = words[op.weight_words() as usize..].split_at(1);
            let sum = weights.iter().zip(&taps).fold(first[0] as i32, |sum, (&weight, pixel)| {
                sum.wrapping_add(weight * i32::from(pixel[channel]))
            });
            outputs.push(output(sum, parameters, DEPTHWISE, op.rounding, op.clamp));
        }
    }
    outputs
}

#[test]
fn streams_of_convolutions_give_their_outputs() {
    let mut random = Random(1);
    let mut packed_layers = 0;
    for _ in 0..200 {
        let [from, to] = [(); 2].map(|()| random.extent(9));
        let input_image = random.image(from);
        let output_image = random.output(&input_image, to);
        let [height, width, stride_height, stride_width] = [(); 4].map(|()| random.extent(3));
        let [dilation_height, dilation_width, pad_top, pad_left] = [(); 4].map(|()| random.extent(3));
        let window = Window {
            height,
            width,
            stride_height,
            stride_width,
            dilation_height,
            dilation_width,
            pad_top: pad_top - 1,
            pad_left: pad_left - 1,
        };
        let inputs = (height * width * from) as usize;
        let weights = random.bytes(to as usize * inputs, -127);
        let layer = Layer::new(&weights, &random.table(to));
        let (input_zero_point, output_zero_point) = (random.zero_point(), random.zero_point());
        let op = Conv2d {
            input: arena(),
            output: arena(),
            weights: layer.weights,
            channels: layer.channels,
            input_image,
            output_image,
            window,
            groups: 1,
            input_zero_point,
            output_zero_point,
            clamp: random.clamp(output_zero_point),
            rounding: random.rounding(),
        };
        let count = input_image.batches * input_image.height * input_image.width * from;
        let input = random.bytes(count as usize, -128);
        let Some((Record::PackedConv2d(packed), stream)) = layer.packed(&op.into(), Optimize::Speed) else {
            continue;
        };
        assert_eq!(packed_conv2d(&packed, &stream, &input), layer.expected(&op.into(), &input), "{op:?}");
        packed_layers += 1;
    }
    assert!(packed_layers > 190, "{packed_layers}");
}

#[test]
fn streams_of_depthwise_convolutions_give_their_outputs() {
    let mut random = Random(2);
    let mut traversals = [0; 2];
    for index in 0..200 {
        let channels = 3 + random.extent(6);
        let input_image = random.image(channels);
        let output_image = random.output(&input_image, channels);
        let is_3_by_3 = random.below(2) == 0;
        let stride = random.extent(2);
        let [height, width] = [(); 2].map(|()| if is_3_by_3 { 3 } else { random.extent(9) });
        let [stride_height, stride_width] =
            [(); 2].map(|()| if is_3_by_3 { stride } else { random.extent(3) });
        let window = Window {
            height,
            width,
            stride_height,
            stride_width,
            dilation_height: 1,
            dilation_width: 1,
            pad_top: random.below(height + 1),
            pad_left: random.below(width + 1),
        };
        let weights = random.bytes((height * width * channels) as usize, -128);
        let layer = Layer::new(&weights, &random.table(channels));
        let (input_zero_point, output_zero_point) = (random.zero_point(), random.zero_point());
        let op = DepthwiseConv2d {
            input: arena(),
            output: arena(),
            weights: layer.weights,
            channels: layer.channels,
            input_image,
            output_image,
            window,
            input_zero_point,
            output_zero_point,
            clamp: random.clamp(output_zero_point),
            rounding: random.rounding(),
        };
        let count = input_image.batches * input_image.height * input_image.width * channels;
        let input = random.bytes(count as usize, -128);
        let optimize = Optimize::ALL[index % 3];
        let Some((Record::PackedDepthwiseConv2d(packed), stream)) = layer.packed(&op.into(), optimize) else {
            continue;
        };
        let found = packed_depthwise_conv2d(&packed, &stream, &input);
        assert_eq!(found, layer.expected(&op.into(), &input), "{op:?}");
        traversals[packed.traversal as usize] += 1;
    }
    // Of many taps, sums may reach further than the parameters of a fused product are exact.
    assert!(traversals.iter().all(|&count| count > 30), "{traversals:?}");
    assert!(traversals.iter().sum::<u32>() > 190, "{traversals:?}");
}

#[test]
fn streams_of_fully_connected_layers_give_their_outputs() {
    let mut random = Random(3);
    for _ in 0..200 {
        let (rows, input_depth, output_depth) = (random.extent(3), 4 * random.extent(9), random.extent(20));
        let weights = random.bytes((input_depth * output_depth) as usize, -127);
        let layer = Layer::new(&weights, &random.table(output_depth));
        let output_zero_point = random.zero_point();
        let op = FullyConnected {
            input: arena(),
            output: arena(),
            weights: layer.weights,
            channels: layer.channels,
            rows,
            input_depth,
            output_depth,
            output_zero_point,
            clamp: random.clamp(output_zero_point),
            rounding: random.rounding(),
        };
        let input = random.bytes((rows * input_depth) as usize, -128);
        let Some((Record::PackedFullyConnected(packed), stream)) = layer.packed(&op.into(), Optimize::Speed)
        else {
            panic!("{op:?} is not packed");
        };
        let found = packed_fully_connected(&packed, &stream, &input);
        assert_eq!(found, layer.expected(&op.into(), &input), "{op:?}");
        let odd = FullyConnected { input_depth: input_depth - 1, ..op };
        assert_eq!(layer.packed(&odd.into(), Optimize::Speed), None);
    }
}
