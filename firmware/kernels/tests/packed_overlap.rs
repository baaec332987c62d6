//! What [`safe_distances`] allows of packed records, against the order in which their kernels read and write. Hosts
//! do not compute those records, so the order is written down here.

mod harness;

use edgepkg_format::Record;
use edgepkg_format::plan::*;
use edgepkg_format::{DType, Space, TensorRef};
use edgepkg_kernels::{Distances, safe_distances};
use harness::{INT8, Random, arena, lengths};

/// A part of a kernel's work: the input's bytes that are read, then the output's that are written.
struct Step {
    read: Vec<usize>,
    written: Vec<usize>,
}

/// Whether no byte is read after it was written, with the output `distance` bytes after the input.
fn is_safe(steps: &[Step], distance: i64) -> bool {
    let mut written = std::collections::HashSet::new();
    steps.iter().all(|step| {
        let is_intact = step.read.iter().all(|&byte| !written.contains(&(byte as i64)));
        written.extend(step.written.iter().map(|&byte| byte as i64 + distance));
        is_intact
    })
}

/// Checks the safe distances at which input and output share bytes, and says whether there are some.
fn check(record: Record, steps: &[Step]) -> bool {
    let safe = safe_distances(&record, 0);
    let (inputs, output) = lengths(&record);
    let sharing = (1 - output as i64..inputs[0] as i64).filter(|&distance| safe.contain(distance));
    let tried: Vec<i64> = sharing.rev().take(40).collect();
    for &distance in &tried {
        assert!(is_safe(steps, distance), "{distance} of {record:?}");
    }
    !tried.is_empty()
}

/// Offsets of a pixel's channels from `first` to before `end`.
fn pixel(image: &Image, at: [u32; 3], channels: std::ops::Range<u32>) -> impl Iterator<Item = usize> {
    let start = ((at[0] * image.height + at[1]) * image.width + at[2]) * image.channels;
    channels.map(move |channel| (start + channel) as usize)
}

fn outputs(extent: u32, kernel: u32, stride: u32, padding: u32) -> u32 {
    (extent + 2 * padding).saturating_sub(kernel) / stride + 1
}

/// The input under a tap, where it lies inside of the image.
fn under(extent: u32, position: u32, stride: u32, tap: u32, padding: u32) -> Option<u32> {
    (position * stride + tap).checked_sub(padding).filter(|&at| at < extent)
}

fn stream() -> TensorRef {
    TensorRef::new(Space::Const, DType::Int32, 0)
}

/// Both windows of two pixels are read before either pixel is written.
fn steps_of_conv2d(op: &PackedConv2d) -> Vec<Step> {
    let (from, to, window) = (&op.input_image, &op.output_image, &op.window);
    let pixels: Vec<[u32; 3]> = (0..to.batches)
        .flat_map(|n| (0..to.height).flat_map(move |y| (0..to.width).map(move |x| [n, y, x])))
        .collect();
    let step = |pair: &[[u32; 3]]| {
        let mut step = Step { read: vec![], written: vec![] };
        for &[n, y, x] in pair {
            for row in (0..window.height).filter_map(|tap| {
                under(from.height, y, window.stride_height, tap * window.dilation_height, window.pad_top)
            }) {
                for column in (0..window.width).filter_map(|tap| {
                    under(from.width, x, window.stride_width, tap * window.dilation_width, window.pad_left)
                }) {
                    step.read.extend(pixel(from, [n, row, column], 0..from.channels));
                }
            }
            step.written.extend(pixel(to, [n, y, x], 0..to.channels));
        }
        step
    };
    pixels.chunks(2).map(step).collect()
}

#[test]
fn convolutions_read_two_windows_before_they_write_two_pixels() {
    let mut random = Random(21);
    let mut sharing = 0;
    for index in 0..300 {
        let (input_image, mut window) = (random.image(), random.window());
        if index % 3 == 0 {
            window = Window { height: 1, width: 1, pad_top: 0, pad_left: 0, ..window };
        }
        let output_image = Image {
            height: outputs(input_image.height, window.height, window.stride_height, window.pad_top),
            width: outputs(input_image.width, window.width, window.stride_width, window.pad_left),
            channels: random.extent(6),
            ..input_image
        };
        let op = PackedConv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            stream: stream(),
            scratch: arena(DType::Int32),
            input_image,
            output_image,
            window,
            input_zero_point: 0,
            rounding: PackedRounding::Twice,
            clamp: INT8,
        };
        sharing += usize::from(check(op.into(), &steps_of_conv2d(&op)));
    }
    assert!(sharing > 150, "{sharing}");
}

/// A strip of 4 channels is read before an output of them is written.
fn steps_of_depthwise_conv2d(op: &PackedDepthwiseConv2d) -> Vec<Step> {
    let (from, to) = (&op.input_image, &op.output_image);
    let (inner, outer) = (op.inner(), op.outer());
    let at = |n: u32, row: u32, column: u32| match op.traversal {
        Traversal::Rows => [n, row, column],
        Traversal::Columns => [n, column, row],
    };
    let mut steps = Vec::new();
    for n in 0..to.batches {
        for start in (0..outer.output).step_by(op.strip as usize) {
            let strip = start..(start + op.strip).min(outer.output);
            for channel in (0..from.channels).step_by(PackedDepthwiseConv2d::GROUP_CHANNELS as usize) {
                let channels = channel..(channel + PackedDepthwiseConv2d::GROUP_CHANNELS).min(from.channels);
                let mut step = Step { read: vec![], written: vec![] };
                let last = (strip.len() as u32 - 1) * outer.stride + outer.taps - 1;
                for row in
                    (0..=last).filter_map(|tap| under(outer.input, start, outer.stride, tap, outer.padding))
                {
                    for column in 0..inner.input {
                        step.read.extend(pixel(from, at(n, row, column), channels.clone()));
                    }
                }
                for row in strip.clone() {
                    for column in 0..inner.output {
                        step.written.extend(pixel(to, at(n, row, column), channels.clone()));
                    }
                }
                steps.push(step);
            }
        }
    }
    steps
}

#[test]
fn depthwise_convolutions_read_strips_before_they_write_them() {
    let mut random = Random(22);
    let [mut in_place, mut forward, mut apart] = [0; 3];
    for _ in 0..300 {
        let [height, width] = random.one_of(&[[3, 3], [3, 3], [2, 5], [4, 1]]);
        let [stride_height, stride_width] = random.one_of(&[[1, 1], [2, 2], [2, 1]]);
        let [pad_top, pad_left] =
            [height, width].map(|extent| random.between(0, i64::from(extent) - 1) as u32);
        let input_image = Image {
            batches: random.extent(2),
            height: random.extent(9),
            width: random.extent(7),
            channels: 3 + random.extent(6),
        };
        let output_image = Image {
            height: outputs(input_image.height, height, stride_height, pad_top),
            width: outputs(input_image.width, width, stride_width, pad_left),
            ..input_image
        };
        let op = PackedDepthwiseConv2d {
            input: arena(DType::Int8),
            output: arena(DType::Int8),
            stream: stream(),
            scratch: arena(DType::Int32),
            input_image,
            output_image,
            window: Window {
                height,
                width,
                stride_height,
                stride_width,
                dilation_height: 1,
                dilation_width: 1,
                pad_top,
                pad_left,
            },
            input_zero_point: 0,
            rounding: PackedRounding::Twice,
            traversal: random.one_of(&[Traversal::Rows, Traversal::Rows, Traversal::Columns]),
            strip: random.extent(9),
            clamp: INT8,
        };
        let shares = check(op.into(), &steps_of_depthwise_conv2d(&op));
        *match safe_distances(&op.into(), 0) {
            Distances::NONE => &mut apart,
            Distances::IN_PLACE => &mut in_place,
            _ => &mut forward,
        } += usize::from(shares);
    }
    assert!(in_place > 50 && forward > 40 && apart == 0, "{in_place}, {forward}");
}

#[test]
fn a_byte_beyond_the_greatest_distance_is_not_safe() {
    let image = |height, width, channels| Image { batches: 1, height, width, channels };
    let window = Window {
        height: 1,
        width: 1,
        stride_height: 1,
        stride_width: 1,
        dilation_height: 1,
        dilation_width: 1,
        pad_top: 0,
        pad_left: 0,
    };
    let op = PackedConv2d {
        input: arena(DType::Int8),
        output: arena(DType::Int8),
        stream: stream(),
        scratch: arena(DType::Int32),
        input_image: image(4, 4, 8),
        output_image: image(4, 4, 8),
        window,
        input_zero_point: 0,
        rounding: PackedRounding::Twice,
        clamp: INT8,
    };
    let steps = steps_of_conv2d(&op);
    assert_eq!(safe_distances(&op.into(), 0), Distances::at_most(0));
    assert!(is_safe(&steps, 0) && !is_safe(&steps, 1));
}
