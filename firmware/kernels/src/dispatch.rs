//! From a record to its kernel.

use core::cell::Cell;

use bytemuck::cast_slice;
use edgepkg_format::linked::{EveryOperator, Linked};
use edgepkg_format::{DType, Record};

use crate::Computed;
#[cfg(dsp)]
use crate::arch::armv7em::{
    add_i8, average_pool2d_i8, packed_conv2d_i8, packed_depthwise_conv2d_i8, packed_fully_connected_i8,
};
use crate::element::Element;
#[cfg(not(target_os = "none"))]
use crate::portable::{
    conv2d::conv2d_i8, depthwise_conv2d::depthwise_conv2d_i8, elementwise::add_i8,
    fully_connected::fully_connected_i8,
};
use crate::reference::arg_extreme::arg_extreme_i8;
use crate::reference::batch_mat_mul::{batch_mat_mul_i8, batch_mat_mul_i16};
use crate::reference::binary::{binary_i8, binary_i16};
use crate::reference::conv2d16::conv2d_i16;
use crate::reference::cumulative_sum::cumulative_sum_i8;
use crate::reference::div::div_i8;
#[cfg(all(target_os = "none", not(dsp)))]
use crate::reference::elementwise::add_i8;
use crate::reference::elementwise::{Combination, combine_i16, mul_i8, mul_i16};
use crate::reference::gather::gather;
use crate::reference::interpolate16::{interpolate_i16, softmax_i16};
use crate::reference::leaky_relu16::leaky_relu_i16;
use crate::reference::log_softmax::log_softmax_i8;
use crate::reference::lookup::lookup_i8;
use crate::reference::lstm::{Weights, lstm};
use crate::reference::mean::{mean_i8, mean_i16};
use crate::reference::movement::{fill_i8, select, strided_copy};
use crate::reference::non_max_suppression::non_max_suppression;
#[cfg(not(dsp))]
use crate::reference::pool2d::average_pool2d_i8;
use crate::reference::pool2d::{average_pool2d_i16, max_pool2d_i8, max_pool2d_i16};
use crate::reference::recurrent::{self, recurrent};
use crate::reference::requantize::requantize;
use crate::reference::resize_bilinear::resize_bilinear_i8;
use crate::reference::sigmoid16::sigmoid_i16;
use crate::reference::softmax::softmax_i8;
use crate::reference::svdf::svdf;
use crate::reference::top_indices::top_indices;
use crate::reference::transpose_conv2d::transpose_conv2d_i8;
#[cfg(target_os = "none")]
use crate::reference::{
    conv2d::conv2d_i8, depthwise_conv2d::depthwise_conv2d_i8, fully_connected::fully_connected_i8,
};
use crate::view::View;

/// Computes `record`, of any kind.
///
/// # Panics
///
/// As [`run_linked`].
pub fn run(record: &Record, inputs: &[View<'_>], output: &[Cell<i8>]) {
    run_linked::<EveryOperator>(record, inputs, output);
}

/// Computes `record`, if its operator is linked.
///
/// `inputs` and `output` are the regions of `record.operands()`, in that order and with those lengths.
/// An input may share bytes with the output as [`safe_distances`](crate::safe_distances) says.
///
/// # Panics
///
/// When the views are not the record's operands, or its kind is not linked or none of
/// [`OPERATORS`](crate::OPERATORS). Otherwise no value of any field panics.
pub fn run_linked<L: Linked>(record: &Record, inputs: &[View<'_>], output: &[Cell<i8>]) {
    let Some(record) = record.linked::<Computed<L>>() else { panic!("the operator is not linked") };
    match (record, inputs) {
        (Record::Conv2d(op), &[input, View::Const(weights), View::Const(channels)]) => {
            conv2d_i8(op, input, weights, cast_slice(channels), output);
        }
        (Record::DepthwiseConv2d(op), &[input, View::Const(weights), View::Const(channels)]) => {
            depthwise_conv2d_i8(op, input, weights, cast_slice(channels), output);
        }
        (Record::FullyConnected(op), &[input, View::Const(weights), View::Const(channels)]) => {
            fully_connected_i8(op, input, weights, cast_slice(channels), output);
        }
        (Record::Add(op), &[a, b]) => add_i8(op, a, b, output),
        (Record::Mul(op), &[a, b]) => mul_i8(op, a, b, output),
        (Record::Div(op), &[a, b]) => div_i8(op, a, b, output),
        (Record::AveragePool2d(op), &[input]) => average_pool2d_i8(op, input, output),
        (Record::MaxPool2d(op), &[input]) => max_pool2d_i8(op, input, output),
        (Record::Mean(op), &[input]) => mean_i8(op, input, output),
        (Record::Softmax(op), &[input]) => softmax_i8(op, input, output),
        (Record::Lookup(op), &[input, View::Const(table)]) => lookup_i8(op, input, table, output),
        (Record::Fill(op), &[]) => fill_i8(op, output),
        (Record::StridedCopy(op), &[input]) => strided_copy(op, input, output),
        (Record::Requantize(op), &[input]) => requantize(op, input, output),
        (Record::Gather(op), &[input, indices]) => gather(op, input, indices, output),
        (Record::Binary(op), &[a, b]) => binary_i8(op, a, b, output),
        (Record::LogSoftmax(op), &[input]) => log_softmax_i8(op, input, output),
        (Record::ResizeBilinear(op), &[input]) => resize_bilinear_i8(op, input, output),
        (Record::TransposeConv2d(op), &[input, View::Const(weights), View::Const(channels)]) => {
            transpose_conv2d_i8(op, input, weights, cast_slice(channels), output);
        }
        (Record::BatchMatMul(op), &[a, b]) => batch_mat_mul_i8(op, a, b, output),
        (Record::CumulativeSum(op), &[input]) => cumulative_sum_i8(op, input, output),
        (Record::ArgExtreme(op), &[input]) => arg_extreme_i8(op, input, output),
        (Record::Select(op), &[condition, a, b]) => select(op, condition, a, b, output),
        (Record::TopIndices(op), &[input]) => top_indices(op, input, output),
        (Record::NonMaxSuppression(op), &[boxes, scores]) => non_max_suppression(op, boxes, scores, output),
        (Record::Conv2d16(op), &[input, View::Const(weights), View::Const(channels)]) => {
            conv2d_i16(op, input.elements(), weights, cast_slice(channels), i16::cells(output));
        }
        (Record::Softmax16(op), &[input, tables]) => {
            softmax_i16(op, input.elements(), tables.elements(), i16::cells(output));
        }
        (Record::Sigmoid16(op), &[input, table]) => {
            sigmoid_i16(op, input.elements(), table.elements(), i16::cells(output));
        }
        (Record::LeakyRelu16(op), &[input]) => leaky_relu_i16(op, input.elements(), i16::cells(output)),
        (Record::Interpolate16(op), &[input, table]) => {
            interpolate_i16(op, input.elements(), table.elements(), i16::cells(output));
        }
        (Record::Svdf(_) | Record::Lstm(_) | Record::Recurrent(_), _) => {
            run_sequence::<L>(record, inputs, output);
        }
        (Record::Add16(op), &[a, b]) => {
            combine_i16(op, a.elements(), b.elements(), i16::cells(output), Combination::Sum);
        }
        (Record::Sub16(op), &[a, b]) => {
            combine_i16(op, a.elements(), b.elements(), i16::cells(output), Combination::Difference);
        }
        (Record::SquaredDifference16(op), &[a, b]) => {
            combine_i16(op, a.elements(), b.elements(), i16::cells(output), Combination::SquaredDifference);
        }
        (Record::BatchMatMul16(op), &[a, b]) => {
            batch_mat_mul_i16(op, a.elements(), b.elements(), i16::cells(output));
        }
        (Record::Binary16(op), &[a, b]) => binary_i16(op, a.elements(), b.elements(), i16::cells(output)),
        (Record::Mul16(op), &[a, b]) => mul_i16(op, a.elements(), b.elements(), i16::cells(output)),
        (Record::AveragePool2d16(op), &[input]) => {
            average_pool2d_i16(op, input.elements(), i16::cells(output));
        }
        (Record::MaxPool2d16(op), &[input]) => max_pool2d_i16(op, input.elements(), i16::cells(output)),
        (Record::Mean16(op), &[input]) => mean_i16(op, input.elements(), i16::cells(output)),
        #[cfg(dsp)]
        (Record::PackedConv2d(op), &[input, View::Const(stream), View::Arena(scratch)]) => {
            packed_conv2d_i8::<L>(op, input, stream, scratch, output);
        }
        #[cfg(dsp)]
        (Record::PackedDepthwiseConv2d(op), &[input, View::Const(stream), View::Arena(scratch)]) => {
            packed_depthwise_conv2d_i8::<L>(op, input, stream, scratch, output);
        }
        #[cfg(dsp)]
        (Record::PackedFullyConnected(op), &[input, View::Const(stream)]) => {
            packed_fully_connected_i8::<L>(op, input, stream, output);
        }
        _ => panic!("the views are not the record's operands"),
    }
}

/// What goes from element to element of a sequence. By itself, since it takes many arguments, for which there would be room on the
/// stack while any other operator runs.
#[inline(never)]
fn run_sequence<L: Linked>(record: &Record, inputs: &[View<'_>], output: &[Cell<i8>]) {
    let Some(record) = record.linked::<Computed<L>>() else { panic!("the operator is not linked") };
    match (record, inputs) {
        (
            Record::Svdf(op),
            &[input, View::Const(features), time_weights, View::Const(bias), View::Arena(state)],
        ) => {
            let bias = cast_slice(bias);
            match op.time_weights.dtype {
                DType::Int16 => {
                    let state = i16::cells(state);
                    svdf::<i16>(op, input, features, time_weights.elements(), bias, state, output);
                }
                _ => svdf::<i8>(op, input, features, time_weights, bias, state, output),
            }
        }
        (
            Record::Lstm(op),
            &[input, View::Const(weights), View::Const(biases), table, View::Arena(state)],
        ) => {
            let weights = Weights { weights, biases: cast_slice(biases), table: table.elements() };
            let hidden_bytes = 2 * op.hidden_words().unwrap_or_default() as usize;
            let (hidden, cells) = state.split_at(hidden_bytes);
            let cells = i16::cells(cells);
            match op.input.dtype {
                DType::Int16 => {
                    let (hidden, output) = (i16::cells(hidden), i16::cells(output));
                    lstm::<i16>(op, input.elements(), weights, hidden, cells, output);
                }
                _ => lstm::<i8>(op, input, weights, hidden, cells, output),
            }
        }
        (
            Record::Recurrent(op),
            &[input, View::Const(weights), View::Const(channels), table, View::Arena(state)],
        ) => {
            let table = table.elements();
            let weights = recurrent::Weights { weights, channels: cast_slice(channels), table };
            let state = i16::cells(state);
            match op.input.dtype {
                DType::Int16 => recurrent::<i16>(op, input.elements(), weights, state, i16::cells(output)),
                _ => recurrent::<i8>(op, input, weights, state, output),
            }
        }
        _ => panic!("the views are not the record's operands"),
    }
}
