//! A draft becomes bytes. Constants lie at multiples of 16 bytes, from which TensorFlow Lite Micro reads
//! them in place.

use flatbuffers::{FlatBufferBuilder, TableFinishedWIPOffset, UnionWIPOffset, WIPOffset};

use super::draft::{Draft, Operator, Options, Tensor};
use crate::graph::{Direction, MatrixLayout, Quantization, Running, Sampling};
use crate::tflite_schema::{Builtin, IDENTIFIER, VERSION, field, options_type, slot, tensor_type};

/// Where constants lie.
const DATA_ALIGNMENT: usize = 16;
/// Bytes before the root table: its offset and the file's identifier.
const HEADER_BYTES: usize = 8;
/// Builtin operators from here on have a number that the first field for it cannot hold.
const LAST_DEPRECATED_CODE: i32 = 127;

type Table = WIPOffset<TableFinishedWIPOffset>;

/// The file's bytes.
pub(super) fn write(draft: &Draft<'_>, description: &str) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let mut buffers = vec![table(&mut builder, |_| {})];
    let mut tensors = Vec::new();
    for tensor in &draft.tensors {
        let buffer = match &tensor.data {
            Some(data) => {
                buffers.push(buffer(&mut builder, data));
                buffers.len() - 1
            }
            None => 0,
        };
        tensors.push((tensor, buffer as u32));
    }
    let tensors: Vec<Table> =
        tensors.into_iter().map(|(tensor, buffer)| write_tensor(&mut builder, tensor, buffer)).collect();
    let mut codes: Vec<(Builtin, i32)> =
        draft.operators.iter().map(|operator| (operator.builtin, operator.version)).collect();
    codes.sort_unstable();
    codes.dedup();
    let operators: Vec<Table> =
        draft.operators.iter().map(|operator| write_operator(&mut builder, operator, &codes)).collect();
    let subgraph = subgraph(&mut builder, draft, &tensors, &operators);
    let codes: Vec<Table> =
        codes.into_iter().map(|(builtin, version)| operator_code(&mut builder, builtin, version)).collect();
    let codes = builder.create_vector(&codes);
    let subgraphs = builder.create_vector(&[subgraph]);
    let buffers = builder.create_vector(&buffers);
    let description = builder.create_string(description);
    let root = table(&mut builder, |builder| {
        builder.push_slot(slot(field::model::VERSION), VERSION, 0);
        builder.push_slot_always(slot(field::model::OPERATOR_CODES), codes);
        builder.push_slot_always(slot(field::model::SUBGRAPHS), subgraphs);
        builder.push_slot_always(slot(field::model::DESCRIPTION), description);
        builder.push_slot_always(slot(field::model::BUFFERS), buffers);
    });
    align(&mut builder, HEADER_BYTES);
    builder.finish(root, Some(IDENTIFIER));
    builder.finished_data().to_vec()
}

fn table(builder: &mut FlatBufferBuilder<'_>, fields: impl FnOnce(&mut FlatBufferBuilder<'_>)) -> Table {
    let start = builder.start_table();
    fields(builder);
    let end = builder.end_table(start);
    WIPOffset::new(end.value())
}

/// Adds bytes so that what stands `bytes` before them will lie at a multiple of [`DATA_ALIGNMENT`]. Files
/// are written from their end, and their length is such a multiple.
fn align(builder: &mut FlatBufferBuilder<'_>, bytes: usize) {
    while !(builder.unfinished_data().len() + bytes).is_multiple_of(DATA_ALIGNMENT) {
        builder.push(0u8);
    }
}

fn buffer(builder: &mut FlatBufferBuilder<'_>, data: &[u8]) -> Table {
    align(builder, data.len());
    let data = builder.create_vector(data);
    table(builder, |builder| builder.push_slot_always(slot(field::buffer::DATA), data))
}

fn operator_code(builder: &mut FlatBufferBuilder<'_>, builtin: Builtin, version: i32) -> Table {
    let code = builtin as i32;
    let deprecated = code.min(LAST_DEPRECATED_CODE) as i8;
    table(builder, |builder| {
        builder.push_slot(slot(field::operator_code::VERSION), version, 1);
        builder.push_slot(slot(field::operator_code::BUILTIN), code, 0);
        builder.push_slot(slot(field::operator_code::DEPRECATED_BUILTIN), deprecated, 0);
    })
}

fn subgraph(
    builder: &mut FlatBufferBuilder<'_>,
    draft: &Draft<'_>,
    tensors: &[Table],
    operators: &[Table],
) -> Table {
    let tensors = builder.create_vector(tensors);
    let operators = builder.create_vector(operators);
    let inputs = builder.create_vector(&draft.inputs);
    let outputs = builder.create_vector(&draft.outputs);
    let name = builder.create_string(&draft.graph.name);
    table(builder, |builder| {
        builder.push_slot_always(slot(field::subgraph::TENSORS), tensors);
        builder.push_slot_always(slot(field::subgraph::INPUTS), inputs);
        builder.push_slot_always(slot(field::subgraph::OUTPUTS), outputs);
        builder.push_slot_always(slot(field::subgraph::OPERATORS), operators);
        builder.push_slot_always(slot(field::subgraph::NAME), name);
    })
}

fn write_tensor(builder: &mut FlatBufferBuilder<'_>, tensor: &Tensor<'_>, buffer: u32) -> Table {
    let shape = builder.create_vector(&tensor.shape);
    let name = builder.create_string(&tensor.name);
    let quantization =
        tensor.quantization.as_deref().map(|quantization| write_quantization(builder, quantization));
    table(builder, |builder| {
        builder.push_slot_always(slot(field::tensor::SHAPE), shape);
        builder.push_slot(slot(field::tensor::BUFFER), buffer, 0);
        builder.push_slot_always(slot(field::tensor::NAME), name);
        if let Some(quantization) = quantization {
            builder.push_slot_always(slot(field::tensor::QUANTIZATION), quantization);
        }
        builder.push_slot(slot(field::tensor::TYPE), tensor.kind, 0);
    })
}

fn write_quantization(builder: &mut FlatBufferBuilder<'_>, quantization: &Quantization) -> Table {
    let scales = builder.create_vector(&quantization.scales);
    let zero_points: Vec<i64> =
        quantization.zero_points.iter().map(|&zero_point| i64::from(zero_point)).collect();
    let zero_points = builder.create_vector(&zero_points);
    table(builder, |builder| {
        builder.push_slot_always(slot(field::quantization::SCALE), scales);
        builder.push_slot_always(slot(field::quantization::ZERO_POINT), zero_points);
        builder.push_slot(slot(field::quantization::DIMENSION), quantization.axis as i32, 0);
    })
}

fn write_operator(
    builder: &mut FlatBufferBuilder<'_>,
    operator: &Operator,
    codes: &[(Builtin, i32)],
) -> Table {
    let code = codes.partition_point(|code| *code < (operator.builtin, operator.version)) as u32;
    let inputs = builder.create_vector(&operator.inputs);
    let outputs = builder.create_vector(&[operator.output]);
    let options = write_options(builder, operator);
    table(builder, |builder| {
        builder.push_slot(slot(field::operator::CODE), code, 0);
        builder.push_slot_always(slot(field::operator::INPUTS), inputs);
        builder.push_slot_always(slot(field::operator::OUTPUTS), outputs);
        if let Some((kind, options)) = options {
            let options: WIPOffset<UnionWIPOffset> = options.as_union_value();
            builder.push_slot_always(slot(field::operator::OPTIONS), options);
            builder.push_slot(slot(field::operator::OPTIONS_TYPE), kind, 0);
        }
    })
}

/// The options' type and table.
fn write_options(builder: &mut FlatBufferBuilder<'_>, operator: &Operator) -> Option<(u8, Table)> {
    let activation = operator.activation;
    Some(match &operator.options {
        Options::None => return None,
        Options::Conv2d { padding, stride, dilation } => {
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::conv_2d::STRIDE_WIDTH), stride[1] as i32, 0);
                builder.push_slot(slot(field::conv_2d::STRIDE_HEIGHT), stride[0] as i32, 0);
                builder.push_slot(slot(field::conv_2d::DILATION_WIDTH), dilation[1] as i32, 1);
                builder.push_slot(slot(field::conv_2d::DILATION_HEIGHT), dilation[0] as i32, 1);
                builder.push_slot(slot(field::conv_2d::PADDING), *padding, 0);
                builder.push_slot(slot(field::conv_2d::ACTIVATION), activation, 0);
            });
            (options_type::CONV_2D, options)
        }
        Options::DepthwiseConv2d { padding, stride, dilation, multiplier } => {
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::depthwise_conv_2d::STRIDE_WIDTH), stride[1] as i32, 0);
                builder.push_slot(slot(field::depthwise_conv_2d::STRIDE_HEIGHT), stride[0] as i32, 0);
                builder.push_slot(slot(field::depthwise_conv_2d::MULTIPLIER), *multiplier as i32, 0);
                builder.push_slot(slot(field::depthwise_conv_2d::DILATION_WIDTH), dilation[1] as i32, 1);
                builder.push_slot(slot(field::depthwise_conv_2d::DILATION_HEIGHT), dilation[0] as i32, 1);
                builder.push_slot(slot(field::depthwise_conv_2d::PADDING), *padding, 0);
                builder.push_slot(slot(field::depthwise_conv_2d::ACTIVATION), activation, 0);
            });
            (options_type::DEPTHWISE_CONV_2D, options)
        }
        Options::Pool2d { padding, stride, window } => {
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::pool_2d::STRIDE_WIDTH), stride[1] as i32, 0);
                builder.push_slot(slot(field::pool_2d::STRIDE_HEIGHT), stride[0] as i32, 0);
                builder.push_slot(slot(field::pool_2d::WINDOW_WIDTH), window[1] as i32, 0);
                builder.push_slot(slot(field::pool_2d::WINDOW_HEIGHT), window[0] as i32, 0);
                builder.push_slot(slot(field::pool_2d::PADDING), *padding, 0);
                builder.push_slot(slot(field::pool_2d::ACTIVATION), activation, 0);
            });
            (options_type::POOL_2D, options)
        }
        Options::FullyConnected { keeps_dimensions } => {
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::fully_connected::ACTIVATION), activation, 0);
                let keeps = *keeps_dimensions;
                builder.push_slot(slot(field::fully_connected::KEEP_DIMENSIONS), keeps, false);
            });
            (options_type::FULLY_CONNECTED, options)
        }
        Options::Softmax { beta } => (options_type::SOFTMAX, number(builder, *beta)),
        Options::LeakyRelu { alpha } => (options_type::LEAKY_RELU, number(builder, *alpha)),
        Options::Concatenation { axis } => {
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::concatenation::AXIS), *axis as i32, 0);
            });
            (options_type::CONCATENATION, options)
        }
        Options::Gather { axis, batch_dimensions } => {
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::gather::AXIS), *axis as i32, 0);
                builder.push_slot(slot(field::gather::BATCH_DIMENSIONS), *batch_dimensions as i32, 0);
            });
            (options_type::GATHER, options)
        }
        Options::ResizeBilinear(sampling) => {
            let options = table(builder, |builder| {
                let (corners, centers) = (*sampling == Sampling::Corners, *sampling == Sampling::Centers);
                builder.push_slot(slot(field::resize_bilinear::ALIGN_CORNERS), corners, false);
                builder.push_slot(slot(field::resize_bilinear::HALF_PIXEL_CENTERS), centers, false);
            });
            (options_type::RESIZE_BILINEAR, options)
        }
        Options::TransposeConv { padding, stride } => {
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::transpose_conv::STRIDE_WIDTH), stride[1] as i32, 0);
                builder.push_slot(slot(field::transpose_conv::STRIDE_HEIGHT), stride[0] as i32, 0);
                builder.push_slot(slot(field::transpose_conv::PADDING), *padding, 0);
                builder.push_slot(slot(field::transpose_conv::ACTIVATION), activation, 0);
            });
            (options_type::TRANSPOSE_CONV, options)
        }
        Options::BatchMatMul(layouts) => {
            let [x, y] = layouts.map(|layout| layout == MatrixLayout::ColumnsFirst);
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::batch_mat_mul::ADJOINT_X), x, false);
                builder.push_slot(slot(field::batch_mat_mul::ADJOINT_Y), y, false);
            });
            (options_type::BATCH_MATMUL, options)
        }
        Options::CumulativeSum(direction, running) => {
            let options = table(builder, |builder| {
                let exclusive = *running == Running::Excluding;
                builder.push_slot(slot(field::cumulative_sum::EXCLUSIVE), exclusive, false);
                let reverse = *direction == Direction::Backward;
                builder.push_slot(slot(field::cumulative_sum::REVERSE), reverse, false);
            });
            (options_type::CUMSUM, options)
        }
        Options::ArgMax => (options_type::ARG_MAX, int32_indices(builder)),
        Options::ArgMin => (options_type::ARG_MIN, int32_indices(builder)),
        Options::SquaredDifference => (options_type::SQUARED_DIFFERENCE, table(builder, |_| ())),
        Options::MaximumMinimum => (options_type::MAXIMUM_MINIMUM, table(builder, |_| ())),
        Options::LogSoftmax => (options_type::LOG_SOFTMAX, table(builder, |_| ())),
        Options::Sub => (options_type::SUB, elementwise(builder, activation)),
        Options::Add => (options_type::ADD, elementwise(builder, activation)),
        Options::Mul => (options_type::MUL, elementwise(builder, activation)),
        Options::Reshape { shape } => {
            let shape = builder.create_vector(shape);
            let options = table(builder, |builder| {
                builder.push_slot_always(slot(field::reshape::NEW_SHAPE), shape);
            });
            (options_type::RESHAPE, options)
        }
        Options::Reducer { keeps_dimensions } => {
            let options = table(builder, |builder| {
                builder.push_slot(slot(field::reducer::KEEP_DIMENSIONS), *keeps_dimensions, false);
            });
            (options_type::REDUCER, options)
        }
    })
}

fn int32_indices(builder: &mut FlatBufferBuilder<'_>) -> Table {
    table(builder, |builder| {
        builder.push_slot(slot(field::arg_extreme::OUTPUT_TYPE), tensor_type::INT32, 0);
    })
}

fn number(builder: &mut FlatBufferBuilder<'_>, value: f32) -> Table {
    table(builder, |builder| builder.push_slot(slot(field::number::VALUE), value, 0.0))
}

fn elementwise(builder: &mut FlatBufferBuilder<'_>, activation: i8) -> Table {
    table(builder, |builder| builder.push_slot(slot(field::elementwise::ACTIVATION), activation, 0))
}
