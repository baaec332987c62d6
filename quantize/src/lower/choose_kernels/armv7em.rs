//! Armv7E-M: records whose weights are laid out as the DSP extension's kernels read them.

use edgepkg_format::Record;
use edgepkg_format::plan::{
    ChannelParameters, Conv2d, DepthwiseConv2d, FullyConnected, Image, PackedConv2d, PackedDepthwiseConv2d,
    PackedFullyConnected, Traversal, Window,
};
use edgepkg_format::{DType, Space, TensorRef};

use super::Choosing;
use super::channel::{Channel, Lanes, Outputs, unit_pairs};
use crate::lower::NodeError;
use crate::optimize::Optimize;

/// A place that is set later.
const NOWHERE: TensorRef = TensorRef { space: Space::Arena, dtype: DType::Int32, offset: 0 };

/// The record to compute instead of `record`; `None` where the reference kernel stays.
pub(super) fn replace(choosing: &mut Choosing<'_>, record: &Record) -> Result<Option<Record>, NodeError> {
    match record {
        Record::Conv2d(op) => conv2d(choosing, op),
        Record::DepthwiseConv2d(op) => depthwise_conv2d(choosing, op),
        Record::FullyConnected(op) => fully_connected(choosing, op),
        _ => Ok(None),
    }
}

fn conv2d(choosing: &mut Choosing<'_>, op: &Conv2d) -> Result<Option<Record>, NodeError> {
    if op.groups != 1 {
        return Ok(None);
    }
    let outputs = Outputs { rounding: op.rounding, zero_point: op.output_zero_point, clamp: op.clamp };
    let mut packed = PackedConv2d {
        input: op.input,
        output: op.output,
        stream: NOWHERE,
        scratch: NOWHERE,
        input_image: op.input_image,
        output_image: op.output_image,
        window: op.window,
        input_zero_point: op.input_zero_point,
        rounding: outputs.packed(),
        clamp: op.clamp,
    };
    let inputs = op.window.height as usize * op.window.width as usize * op.input_image.channels as usize;
    let Some(mut channels) =
        rows(choosing, op.weights, op.channels, op.output_image.channels, inputs, outputs)
    else {
        return Ok(None);
    };
    let row_inputs = inputs / op.window.height as usize;
    for channel in &mut channels {
        channel.pad_rows(row_inputs, 4 * packed.row_units() as usize);
    }
    let block = PackedConv2d::BLOCK_CHANNELS as usize;
    let Some(words) = lane_stream(channels, block, packed.units() as usize) else {
        return Ok(None);
    };
    debug_assert_eq!(words.len(), packed.stream_words() as usize);
    packed.stream = choosing.stream(&words)?;
    packed.scratch = choosing.scratch(packed.scratch_words())?;
    Ok(Some(packed.into()))
}

fn fully_connected(choosing: &mut Choosing<'_>, op: &FullyConnected) -> Result<Option<Record>, NodeError> {
    if !op.input_depth.is_multiple_of(4) {
        return Ok(None);
    }
    let outputs = Outputs { rounding: op.rounding, zero_point: op.output_zero_point, clamp: op.clamp };
    let mut packed = PackedFullyConnected {
        input: op.input,
        output: op.output,
        stream: NOWHERE,
        rows: op.rows,
        input_depth: op.input_depth,
        output_depth: op.output_depth,
        rounding: outputs.packed(),
        clamp: op.clamp,
    };
    let inputs = op.input_depth as usize;
    let Some(columns) = rows(choosing, op.weights, op.channels, op.output_depth, inputs, outputs) else {
        return Ok(None);
    };
    let block = PackedFullyConnected::BLOCK_COLUMNS as usize;
    let Some(words) = lane_stream(columns, block, inputs / 4) else {
        return Ok(None);
    };
    debug_assert_eq!(words.len(), packed.stream_words() as usize);
    packed.stream = choosing.stream(&words)?;
    Ok(Some(packed.into()))
}

fn depthwise_conv2d(choosing: &mut Choosing<'_>, op: &DepthwiseConv2d) -> Result<Option<Record>, NodeError> {
    let Window { height, width, stride_height, stride_width, dilation_height, dilation_width, .. } =
        op.window;
    let channels = op.input_image.channels;
    let is_supported = [height, width, dilation_height, dilation_width] == [3, 3, 1, 1]
        && stride_height == stride_width
        && stride_height <= 2
        && channels == op.output_image.channels
        && channels >= PackedDepthwiseConv2d::GROUP_CHANNELS;
    if !is_supported {
        return Ok(None);
    }
    let outputs = Outputs { rounding: op.rounding, zero_point: op.output_zero_point, clamp: op.clamp };
    let by_rows = PackedDepthwiseConv2d {
        input: op.input,
        output: op.output,
        stream: NOWHERE,
        scratch: NOWHERE,
        input_image: op.input_image,
        output_image: op.output_image,
        window: op.window,
        input_zero_point: op.input_zero_point,
        rounding: outputs.packed(),
        traversal: Traversal::Rows,
        strip: op.output_image.height,
        clamp: op.clamp,
    };
    let by_columns =
        PackedDepthwiseConv2d { traversal: Traversal::Columns, strip: op.output_image.width, ..by_rows };
    let fastest = if instructions(&by_columns) < instructions(&by_rows) { by_columns } else { by_rows };
    let mut packed = match choosing.optimize {
        Optimize::Ram if takes_much(&fastest) => {
            PackedDepthwiseConv2d { strip: LEAST_STRIP.min(by_rows.strip), ..by_rows }
        }
        _ => fastest,
    };

    let table = choosing.bytes(op.channels, channels as usize * ChannelParameters::BYTES).to_vec();
    let weights = choosing.bytes(op.weights, 9 * channels as usize).to_vec();
    let mut words = Vec::with_capacity(packed.stream_words() as usize);
    for (index, parameters) in ChannelParameters::table(&table).enumerate() {
        let taps = weights.iter().skip(index).step_by(channels as usize).map(|&weight| weight as i8);
        let Some(channel) = Channel::new(taps.collect(), parameters, outputs) else {
            return Ok(None);
        };
        let tap = |row: usize, column: usize| {
            let index = match packed.traversal {
                Traversal::Rows => 3 * row + column,
                Traversal::Columns => 3 * column + row,
            };
            2 * i32::from(channel.weights[index])
        };
        let pair = |low: i32, high: i32| low as u32 & 0xffff | (high as u32) << 16;
        for row in 0..3 {
            words.extend([pair(tap(row, 0), tap(row, 1)), pair(tap(row, 1), tap(row, 2))]);
        }
        words.push(channel.bias.wrapping_mul(2) as u32);
        words.extend(channel.parameters());
    }
    debug_assert_eq!(words.len(), packed.stream_words() as usize);
    packed.stream = choosing.stream(&words)?;
    packed.scratch = choosing.scratch(packed.scratch_words())?;
    Ok(Some(packed.into()))
}

/// Rows of a strip where memory counts most.
const LEAST_STRIP: u32 = 2;

/// Whether the scratch is large beside the input. Strips take less, but their output begins below the input; with
/// whole planes it lies exactly on it.
fn takes_much(op: &PackedDepthwiseConv2d) -> bool {
    let Image { batches, height, width, channels } = op.input_image;
    let input_bytes = [batches, height, width, channels].map(u64::from).iter().product::<u64>();
    2 * 4 * u64::from(op.scratch_words()) > input_bytes
}

/// About as many for a channel: 38 for a pair of outputs and 25 for a row of them; to widen 4 channels, 14
/// for a pair of pixels and 40 for a row.
fn instructions(op: &PackedDepthwiseConv2d) -> u64 {
    let [pairs, rows, filled_pairs, filled_rows] =
        [op.inner().output.div_ceil(2), op.outer().output, op.row_pairs(), op.scratch_rows()].map(u64::from);
    rows * (25 + 38 * pairs) + filled_rows * (40 + 14 * filled_pairs) / 4
}

/// The channels of a matrix of weights, `[channel][input]`.
fn rows(
    choosing: &Choosing<'_>,
    weights: TensorRef,
    table: TensorRef,
    channels: u32,
    inputs: usize,
    outputs: Outputs,
) -> Option<Vec<Channel>> {
    let channels = channels as usize;
    let table = choosing.bytes(table, channels * ChannelParameters::BYTES);
    let weights = choosing.bytes(weights, channels * inputs);
    ChannelParameters::table(table)
        .zip(weights.chunks_exact(inputs))
        .map(|(parameters, weights)| {
            Channel::new(weights.iter().map(|&weight| weight as i8).collect(), parameters, outputs)
        })
        .collect()
}

/// Blocks of `block` channels: the first sums of each two of them in lanes, the lanes' weights of all
/// inputs, the parameters of each. The last block is filled up with channels that give 0.
fn lane_stream(mut channels: Vec<Channel>, block: usize, units: usize) -> Option<Vec<u32>> {
    channels.resize(channels.len().next_multiple_of(block), Channel::constant(0, 0));
    let mut words = Vec::new();
    for channels in channels.chunks_exact(block) {
        let pairs = channels.chunks_exact(2).map(|pair| Lanes::new(&pair[0], &pair[1]));
        let lanes = pairs.collect::<Option<Vec<_>>>()?;
        words.extend(lanes.iter().flat_map(Lanes::first_sums));
        for pair in (0..units).flat_map(unit_pairs) {
            words.extend(lanes.iter().map(|lanes| lanes.pair(pair)));
        }
        words.extend(channels.iter().flat_map(Channel::parameters));
    }
    Some(words)
}
