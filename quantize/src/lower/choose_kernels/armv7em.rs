//! Armv7E-M, and Armv8-M with its DSP extension: records whose weights are laid out as the DSP extension's kernels read them.

use edgepkg_format::Record;
use edgepkg_format::plan::{
    Axis, ChannelParameters, Conv2d, DepthwiseConv2d, FullyConnected, Image, PackedConv2d,
    PackedDepthwiseConv2d, PackedFullyConnected, PackedRounding, Traversal, Window,
};
use edgepkg_format::{DType, Space, TensorRef};

use super::Choosing;
use super::channel::{Channel, Lanes, Outputs, Values, unit_pairs};
use crate::lower::NodeError;
use crate::optimize::Optimize;

/// A place that is set later.
const NOWHERE: TensorRef = TensorRef { space: Space::Arena, dtype: DType::Int32, offset: 0 };

/// The cheapest arithmetic first.
const ROUNDINGS: [PackedRounding; 2] = [PackedRounding::Fused, PackedRounding::Twice];

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
        rounding: PackedRounding::Fused,
        clamp: op.clamp,
    };
    let inputs = op.window.height as usize * op.window.width as usize * op.input_image.channels as usize;
    let Some(mut channels) =
        rows(choosing, op.weights, op.channels, op.output_image.channels, inputs, outputs)
    else {
        return Ok(None);
    };
    let order = input_order(&packed);
    for channel in &mut channels {
        channel.reorder(&order);
    }
    let block = PackedConv2d::BLOCK_CHANNELS as usize;
    let blocks = overlapping_blocks(channels.len(), block);
    let stream = lane_stream(&channels, outputs, &blocks, block, packed.units() as usize);
    let Some((rounding, words)) = stream else {
        return Ok(None);
    };
    packed.rounding = rounding;
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
        rounding: PackedRounding::Fused,
        clamp: op.clamp,
    };
    let inputs = op.input_depth as usize;
    let Some(columns) = rows(choosing, op.weights, op.channels, op.output_depth, inputs, outputs) else {
        return Ok(None);
    };
    let block = PackedFullyConnected::BLOCK_COLUMNS as usize;
    let blocks: Vec<usize> = (0..columns.len()).step_by(block).collect();
    let Some((rounding, words)) = lane_stream(&columns, outputs, &blocks, block, inputs / 4) else {
        return Ok(None);
    };
    packed.rounding = rounding;
    debug_assert_eq!(words.len(), packed.stream_words() as usize);
    packed.stream = choosing.stream(&words)?;
    Ok(Some(packed.into()))
}

fn depthwise_conv2d(choosing: &mut Choosing<'_>, op: &DepthwiseConv2d) -> Result<Option<Record>, NodeError> {
    let Window { height, width, dilation_height, dilation_width, .. } = op.window;
    let channels = op.input_image.channels;
    let is_supported = [dilation_height, dilation_width] == [1, 1]
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
        rounding: PackedRounding::Fused,
        traversal: Traversal::Rows,
        strip: op.output_image.height,
        clamp: op.clamp,
    };
    let by_columns =
        PackedDepthwiseConv2d { traversal: Traversal::Columns, strip: op.output_image.width, ..by_rows };
    let fits = |op: &PackedDepthwiseConv2d| op.tap_pairs() <= PackedDepthwiseConv2d::MOST_TAP_PAIRS;
    let Some(fastest) = [by_rows, by_columns].into_iter().filter(fits).min_by_key(instructions) else {
        return Ok(None);
    };
    let mut packed = match choosing.optimize {
        Optimize::Ram if takes_much(&fastest) && fits(&by_rows) => {
            PackedDepthwiseConv2d { strip: LEAST_STRIP.min(by_rows.strip), ..by_rows }
        }
        _ => fastest,
    };

    let table = choosing.bytes(op.channels, channels as usize * ChannelParameters::BYTES).to_vec();
    let weights = choosing.bytes(op.weights, (height * width * channels) as usize).to_vec();
    let channels: Option<Vec<Channel>> = ChannelParameters::table(&table)
        .enumerate()
        .map(|(index, parameters)| {
            let taps = weights.iter().skip(index).step_by(channels as usize).map(|&weight| weight as i8);
            Channel::new(taps.collect(), parameters, outputs)
        })
        .collect();
    let Some(mut channels) = channels else {
        return Ok(None);
    };
    if packed.traversal == Traversal::Columns {
        let [height, width] = [height, width].map(|extent| extent as usize);
        let order: Vec<usize> = (0..width).flat_map(|x| (0..height).map(move |y| y * width + x)).collect();
        channels.iter_mut().for_each(|channel| channel.reorder(&order));
    }
    let stream = ROUNDINGS.into_iter().find_map(|rounding| {
        let streams = channels.iter().map(|channel| depthwise_stream(&packed, channel, rounding));
        Some((rounding, streams.collect::<Option<Vec<_>>>()?.concat()))
    });
    let Some((rounding, words)) = stream else {
        return Ok(None);
    };
    packed.rounding = rounding;
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

/// About as many for a channel: 31 for a pair of outputs and 22 for a row of them, with other windows than 3 by 3 more
/// for each pair of pixels; to widen 4 channels, 12 for a pair of pixels and 40 for a row.
fn instructions(op: &PackedDepthwiseConv2d) -> u64 {
    let [pairs, rows, filled_pairs, filled_rows, tap_rows, tap_pairs] = [
        op.inner().output.div_ceil(2),
        op.outer().output,
        op.row_pairs(),
        op.scratch_rows(),
        op.outer().taps,
        op.tap_pairs(),
    ]
    .map(u64::from);
    let pair = if op.is_3_by_3() { 31 } else { 20 + tap_rows * (5 + 5 * tap_pairs) };
    rows * (22 + pair * pairs) + filled_rows * (40 + 12 * filled_pairs) / 4
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

/// The inputs of a window in the order of its units; `usize::MAX` where a unit has none.
fn input_order(op: &PackedConv2d) -> Vec<usize> {
    let (row_bytes, units) = (op.row_bytes() as usize, op.row_units() as usize);
    let rows = (0..op.window.height as usize).map(|row| row * row_bytes);
    let in_row = |at: usize| if at < row_bytes { at } else { usize::MAX };
    let mut order: Vec<usize> =
        rows.clone().flat_map(|row| (0..4 * units).map(move |at| in_row(at).saturating_add(row))).collect();
    if op.has_tails() {
        order.extend(rows.map(|row| row + row_bytes - 1).chain([usize::MAX]));
    }
    order
}

/// The first channels of blocks of `block`: from the second one on they end with the last channel, so that only
/// an image of fewer channels has an incomplete one.
fn overlapping_blocks(channels: usize, block: usize) -> Vec<usize> {
    let rest = channels % block;
    let lead = if rest == 0 || channels < block { None } else { Some(0) };
    lead.into_iter().chain((if lead.is_some() { rest } else { 0 }..channels).step_by(block)).collect()
}

/// Blocks of `block` channels: the first sums of each two of them in lanes, the lanes' weights of all
/// inputs, the parameters of each. A block that passes the last channel is filled up with channels that give 0.
fn lane_stream(
    channels: &[Channel],
    outputs: Outputs,
    blocks: &[usize],
    block: usize,
    units: usize,
) -> Option<(PackedRounding, Vec<u32>)> {
    let none = Channel::constant(0, 0, outputs);
    let channel = |index: usize| channels.get(index).unwrap_or(&none);
    ROUNDINGS.into_iter().find_map(|rounding| {
        let mut words = Vec::new();
        for &start in blocks {
            let pairs = (start..start + block).step_by(2);
            let lanes = pairs.map(|even| Lanes::new(channel(even), channel(even + 1), rounding));
            let lanes = lanes.collect::<Option<Vec<_>>>()?;
            words.extend(lanes.iter().flat_map(Lanes::first_sums));
            for pair in (0..units).flat_map(unit_pairs) {
                words.extend(lanes.iter().map(|lanes| lanes.pair(pair)));
            }
            words.extend(lanes.iter().flat_map(|lanes| &lanes.values).flat_map(|values| &values.parameters));
        }
        Some((rounding, words))
    })
}

/// A channel's weights in pairs, scaled, its first sum and its parameters.
fn depthwise_stream(
    op: &PackedDepthwiseConv2d,
    channel: &Channel,
    rounding: PackedRounding,
) -> Option<Vec<u32>> {
    let Values { sum_scale, first, parameters } = channel.depthwise(rounding)?;
    let Axis { taps, stride, .. } = op.inner();
    let [taps, stride] = [taps, stride].map(|pixels| pixels as usize);
    let mut words = Vec::new();
    for row in channel.weights.chunks_exact(taps) {
        // Those past the ends are 0.
        let weight = |tap: usize, behind: usize| {
            let weight = tap.checked_sub(behind).and_then(|tap| row.get(tap)).copied().unwrap_or(0);
            (sum_scale * i32::from(weight)) as u32 & 0xffff
        };
        let pair = |tap: usize, behind: usize| weight(tap, behind) | weight(tap + 1, behind) << 16;
        if op.is_3_by_3() {
            words.extend([pair(0, 0), pair(1, 0)]);
        } else {
            words.extend((0..op.tap_pairs() as usize).flat_map(|p| [pair(2 * p, 0), pair(2 * p, stride)]));
        }
    }
    words.push(first as u32);
    words.extend(parameters);
    Some(words)
}
