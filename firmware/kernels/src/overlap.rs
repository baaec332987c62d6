//! Which operators may write over what they read, and how far from it.

use edgepkg_format::linked::{EveryOperator, Linked};
use edgepkg_format::plan::{Dims, Image, PackedDepthwiseConv2d, Record, Traversal, Window};

/// Distances, in bytes from an input's first byte to the output's, at which the two may share bytes.
///
/// They follow from the order in which the kernel reads and writes. One that goes forward never passes
/// what it has yet to read when the output begins low enough ([`at_most`](Self::at_most)); one that goes
/// backward, when it begins high enough ([`at_least`](Self::at_least)); one that keeps a plane of
/// the input apart, when it begins exactly there ([`IN_PLACE`](Self::IN_PLACE)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distances {
    /// The least one.
    pub least: i32,
    /// The greatest one.
    pub greatest: i32,
}

impl Distances {
    /// No distance: input and output lie apart.
    pub const NONE: Self = Self { least: i32::MAX, greatest: i32::MIN };

    /// Same first byte.
    pub const IN_PLACE: Self = Self { least: 0, greatest: 0 };

    /// The output begins at least so far below the input: for operators that go forward.
    pub const fn at_most(greatest: i32) -> Self {
        Self { least: i32::MIN, greatest }
    }

    /// The output begins at least so far above the input: for operators that go backward.
    pub const fn at_least(least: i32) -> Self {
        Self { least, greatest: i32::MAX }
    }

    /// These in bytes, if they count elements of int16, of an operator that goes forward.
    const fn of_int16(self) -> Self {
        Self::at_most(2 * self.greatest)
    }

    /// Whether `distance` is one of them.
    pub const fn contain(self, distance: i64) -> bool {
        self.least as i64 <= distance && distance <= self.greatest as i64
    }
}

/// Distances at which the output of `record` may share bytes with its input at `input`, counted as in its
/// operands. Whether other inputs share bytes with the output is no matter, nor whether inputs do
/// with each other. Scratch shares bytes with none of them.
pub fn safe_distances(record: &Record, input: usize) -> Distances {
    safe_distances_linked::<EveryOperator>(record, input)
}

/// [`safe_distances`] of operators that are linked; none of others.
#[inline(never)]
pub fn safe_distances_linked<L: Linked>(record: &Record, input: usize) -> Distances {
    let Some(record) = record.linked::<L>() else { return Distances::NONE };
    match (record, input) {
        (Record::Conv2d(op), 0) => forward(&op.input_image, &op.output_image, &op.window),
        (Record::DepthwiseConv2d(op), 0) => forward(&op.input_image, &op.output_image, &op.window),
        (Record::AveragePool2d(op), 0) => forward(&op.input_image, &op.output_image, &op.window),
        (Record::MaxPool2d(op), 0) => forward(&op.input_image, &op.output_image, &op.window),
        (Record::FullyConnected(op), 0) => {
            let rows = Axis::dense(op.rows, op.input_depth, op.output_depth);
            Distances::at_most(rows.least_lead() - op.output_depth as i32)
        }
        (Record::Add(op), 0) => element_wise(is_dense(&op.dims, &op.a_strides)),
        (Record::Add(op), 1) => element_wise(is_dense(&op.dims, &op.b_strides)),
        (Record::Mul(op) | Record::Div(op), 0) => element_wise(is_dense(&op.dims, &op.a_strides)),
        (Record::Mul(op) | Record::Div(op), 1) => element_wise(is_dense(&op.dims, &op.b_strides)),
        (Record::Binary(op) | Record::Binary16(op), 0) => element_wise(is_dense(&op.dims, &op.a_strides)),
        (Record::Binary(op) | Record::Binary16(op), 1) => element_wise(is_dense(&op.dims, &op.b_strides)),
        (Record::Select(op), 0) => element_wise(is_dense(&op.dims, &op.condition_strides)),
        (Record::Select(op), 1) => element_wise(is_dense(&op.dims, &op.a_strides)),
        (Record::Select(op), 2) => element_wise(is_dense(&op.dims, &op.b_strides)),
        (Record::LogSoftmax(_), 0) => Distances::at_most(0),
        (Record::Softmax(op), 0) => element_wise(op.input.dtype == op.output.dtype),
        (Record::Requantize(op), 0) => element_wise(op.input.dtype == op.output.dtype),
        (Record::Lookup(_), 0) => Distances::at_most(0),
        (Record::Conv2d16(op), 0) if op.spread == [1, 1] => {
            forward(&op.input_image, &op.output_image, &op.window).of_int16()
        }
        (Record::AveragePool2d16(op), 0) => forward(&op.input_image, &op.output_image, &op.window).of_int16(),
        (Record::MaxPool2d16(op), 0) => forward(&op.input_image, &op.output_image, &op.window).of_int16(),
        (Record::Add16(op) | Record::Sub16(op) | Record::SquaredDifference16(op), 0) => {
            element_wise(is_dense(&op.dims, &op.a_strides))
        }
        (Record::Add16(op) | Record::Sub16(op) | Record::SquaredDifference16(op), 1) => {
            element_wise(is_dense(&op.dims, &op.b_strides))
        }
        (Record::Mul16(op), 0) => element_wise(is_dense(&op.dims, &op.a_strides)),
        (Record::Mul16(op), 1) => element_wise(is_dense(&op.dims, &op.b_strides)),
        (
            Record::Softmax16(_) | Record::Sigmoid16(_) | Record::LeakyRelu16(_) | Record::Interpolate16(_),
            0,
        ) => Distances::at_most(0),
        (Record::PackedConv2d(op), 0) => {
            let lead = least_lead(&op.input_image, &op.output_image, &op.window);
            // The windows of two pixels are read before either is written.
            Distances::at_most(lead)
        }
        (Record::PackedDepthwiseConv2d(op), 0) => strips(op),
        _ => Distances::NONE,
    }
}
fn element_wise(is_so: bool) -> Distances {
    if is_so { Distances::at_most(0) } else { Distances::NONE }
}

/// Of an operator that computes the output's pixels in order, and may write all of a pixel before it has
/// read the last byte that this pixel is computed from. No sum passes 31 bits: no image has more than 2^28
/// elements.
fn forward(from: &Image, to: &Image, window: &Window) -> Distances {
    Distances::at_most(least_lead(from, to, window) - to.channels as i32)
}

/// Of a depthwise convolution that reads 4 channels of a strip's input before it writes any of them.
fn strips(op: &PackedDepthwiseConv2d) -> Distances {
    let (from, to) = (&op.input_image, &op.output_image);
    let outer = op.outer();
    if op.strip >= outer.output {
        let shrinks = to.height * to.width <= from.height * from.width;
        // A byte of the input makes way for one of the same channel, whose plane has been read.
        return if shrinks { Distances::IN_PLACE } else { Distances::NONE };
    }
    if op.traversal == Traversal::Columns {
        return Distances::NONE;
    }
    let (from_row, to_row) = (from.width * from.channels, to.width * to.channels);
    let mut lead = 0;
    if to.batches > 1 {
        lead += Axis::dense(to.batches, from.height * from_row, to.height * to_row).least_lead();
    }
    let strips = Axis {
        extent: from.height,
        positions: to.height.div_ceil(op.strip),
        stride: outer.stride * op.strip,
        padding: outer.padding,
        input_step: from_row,
        output_step: op.strip * to_row,
    };
    lead += strips.least_lead();
    Distances::at_most(lead - (op.strip * to_row) as i32)
}

/// The least number of bytes, over all pixels of the output in order, by which the first byte that a
/// pixel is computed from lies after the pixel's own first byte; at most 0.
fn least_lead(from: &Image, to: &Image, window: &Window) -> i32 {
    let (from_row, to_row) = (from.width * from.channels, to.width * to.channels);
    let rows = Axis {
        extent: from.height,
        positions: to.height,
        stride: window.stride_height,
        padding: window.pad_top,
        input_step: from_row,
        output_step: to_row,
    };
    let columns = Axis {
        extent: from.width,
        positions: to.width,
        stride: window.stride_width,
        padding: window.pad_left,
        input_step: from.channels,
        output_step: to.channels,
    };
    let mut lead = rows.least_lead() + columns.least_lead();
    if to.batches > 1 {
        lead += Axis::dense(to.batches, from.height * from_row, to.height * to_row).least_lead();
    }
    lead
}

/// An axis along which a window moves.
struct Axis {
    /// Of the input.
    extent: u32,
    /// Of the output.
    positions: u32,
    stride: u32,
    padding: u32,
    /// Bytes of the input from one index of the axis to the next.
    input_step: u32,
    /// Bytes of the output.
    output_step: u32,
}

impl Axis {
    /// An axis of which each index is computed from the same one.
    fn dense(positions: u32, input_step: u32, output_step: u32) -> Self {
        Self { extent: positions, positions, stride: 1, padding: 0, input_step, output_step }
    }

    /// The least number of bytes, over all positions, by which the first one read lies after the one
    /// written; at most 0. Before the window leaves the padding it falls from position to position,
    /// then it changes evenly until the window leaves the image, and falls again.
    fn least_lead(&self) -> i32 {
        let last = self.positions - 1;
        let lead = |position: u32| {
            let first = (position * self.stride).saturating_sub(self.padding).min(self.extent);
            (first * self.input_step) as i32 - (position * self.output_step) as i32
        };
        let least = lead(last).min(0);
        if self.padding == 0 {
            return least;
        }
        let inside = (self.padding / self.stride).min(last);
        least.min(lead(inside)).min(lead((inside + 1).min(last)))
    }
}

/// Whether the input's element `i` is the output's element `i`.
pub(crate) fn is_dense(dims: &Dims, strides: &Dims) -> bool {
    let mut dense_stride = 1u32;
    for (&extent, &stride) in dims.iter().zip(strides).rev() {
        if extent != 1 && stride != dense_stride {
            return false;
        }
        dense_stride = dense_stride.wrapping_mul(extent);
    }
    true
}
