//! Whether an operator's parameters, operands and result agree.

use super::operand::Operand;
use super::{Checked, MAX_IMAGE_EXTENT, ensure, stateful};
use crate::graph::{
    Activation, Conv, MAX_INDEXED_ELEMENTS, MatrixLayout, Op, Padding, Pool, Precision, Suppression,
};

const ARITY: &str = "has the wrong number of inputs";
const SHAPE: &str = "has an output whose shape is not that of its result";

/// Checks one operator. Extents and element counts are within [`super::validate`]'s limits already.
pub(super) fn check<T: Operand>(op: &Op, inputs: &[&T], output: &T) -> Checked {
    let x = *inputs.first().ok_or(ARITY)?;
    let moves_indices = op.moves_elements() && x.check_activation().is_err() && x.check_indices().is_ok();
    if op.writes_indices() || moves_indices {
        output.check_indices().map_err(|_| "has an output that is not int32")?;
    } else {
        output.check_activation().map_err(|_| "has an output that is not int8 or int16 with one scale")?;
    }
    if !moves_indices {
        x.check_activation().map_err(|_| "has an input that is not int8 or int16 with one scale")?;
    }
    let changes_type = op.writes_indices() || matches!(op, Op::Requantize | Op::Softmax { .. });
    ensure(changes_type || x.has_type_of(output), "has an output of another type than its input")?;
    ensure(moves_indices || op.has_int16() || x.is_narrow(), "has an input that is not int8")?;
    match op {
        Op::Conv2d(conv) => check_conv(conv, inputs, output),
        Op::DepthwiseConv2d(conv) => check_depthwise(conv, inputs, output),
        Op::FullyConnected { activation } => {
            check_range(activation)?;
            check_fully_connected(inputs, output)
        }
        Op::TransposeConv2d(conv) => check_transpose_conv(conv, inputs, output),
        Op::BatchMatMul { a, b } => check_batch_mat_mul([*a, *b], inputs, output),
        Op::Gather { axis, batch_dimensions } => check_gather(*axis, *batch_dimensions, inputs, output),
        Op::Add { activation }
        | Op::Mul { activation }
        | Op::Div { activation }
        | Op::Binary { activation, .. } => {
            check_range(activation)?;
            check_binary(inputs, output)
        }
        Op::Compare { precision, .. } => {
            check_binary(inputs, output)?;
            let is_exact = *precision == Precision::Exact;
            ensure(!is_exact || x.has_steps_of(inputs[1]), "compares inputs of different scales")?;
            output.check_truths().map_err(|_| "has an output that is not in steps of 1 from 0")
        }
        Op::Select => check_select(inputs, output),
        Op::AveragePool2d(pool) | Op::MaxPool2d(pool) => {
            ensure(inputs.len() == 1, ARITY)?;
            check_pool(pool, x, output)
        }
        Op::Concat { axis } => check_concat(*axis, inputs, output),
        Op::NonMaxSuppression(op) => check_suppression(op, inputs, output),
        Op::Stateful(op) => stateful::check(op, inputs, output),
        Op::Recurrent(op) => stateful::check_recurrent(op, inputs, output),
        _ => {
            ensure(inputs.len() == 1, ARITY)?;
            check_unary(op, x, output)
        }
    }
}

fn check_unary<T: Operand>(op: &Op, x: &T, output: &T) -> Checked {
    let (from, to) = (x.shape(), output.shape());
    match op {
        Op::Mean { axes } | Op::Sum { axes } => check_reduced(axes, from, to),
        Op::Softmax { beta } => {
            ensure(beta.is_finite() && *beta > 0.0, "has a factor that is not positive")?;
            ensure(!from.is_empty() && from == to, SHAPE)
        }
        Op::LogSoftmax => ensure(!from.is_empty() && from == to, SHAPE),
        Op::ResizeBilinear(_) => {
            let ([batches, .., channels], [to_batches, .., to_channels]) = (image(x)?, image(output)?);
            ensure(batches == to_batches && channels == to_channels, SHAPE)
        }
        Op::CumulativeSum { axis, .. } => {
            ensure(*axis < from.len(), "sums along a dimension that is not there")?;
            ensure(from == to, SHAPE)
        }
        Op::ArgExtreme { axis, .. } => check_reduced(&[*axis], from, to),
        Op::TopIndices { .. } => {
            let (Some((depth, outer)), Some((count, to_outer))) = (from.split_last(), to.split_last()) else {
                return Err("has no dimension to order");
            };
            ensure(outer == to_outer, SHAPE)?;
            ensure(count <= depth, "takes more elements than there are")
        }
        Op::Clamp(range) => {
            check_range(range)?;
            ensure(from == to, SHAPE)
        }
        Op::LeakyRelu { alpha } => {
            ensure(alpha.is_finite(), "has a slope that is not a number")?;
            ensure(from == to, SHAPE)
        }
        Op::Unary(function) => {
            ensure(function.has_sound_parameters(), "has a parameter outside of its range")?;
            ensure(from == to, SHAPE)
        }
        Op::Pad { before, after, value } => {
            ensure(value.is_finite(), "pads with what is not a number")?;
            ensure(before.len() == from.len() && after.len() == from.len(), "pads other dimensions")?;
            let grown = from.iter().zip(before).zip(after).map(|((&extent, &before), &after)| {
                extent.checked_add(before).and_then(|sum| sum.checked_add(after))
            });
            ensure(grown.eq(to.iter().map(|&extent| Some(extent))), SHAPE)
        }
        Op::Reshape => {
            ensure(x.len() == output.len(), SHAPE)?;
            ensure(x.has_type_of(output), "changes the type")
        }
        Op::Transpose { perm } => {
            let mut sorted = perm.clone();
            sorted.sort_unstable();
            ensure(sorted.into_iter().eq(0..from.len()), "has an order that is not a permutation")?;
            ensure(perm.iter().map(|&axis| from[axis]).eq(to.iter().copied()), SHAPE)
        }
        Op::Slice { begin } => {
            ensure(begin.len() == from.len() && to.len() == from.len(), "slices other dimensions")?;
            let inside = |((&begin, &taken), &extent): ((&usize, &usize), &usize)| {
                begin.checked_add(taken).is_some_and(|end| end <= extent)
            };
            ensure(begin.iter().zip(to).zip(from).all(inside), "takes what is outside its input")
        }
        Op::Take { axis, indices } => {
            let &extent = from.get(*axis).ok_or("takes along a dimension that is not there")?;
            ensure(indices.iter().all(|&index| index < extent), "takes what is outside its input")?;
            let mut taken = from.to_vec();
            taken[*axis] = indices.len();
            ensure(to == taken, SHAPE)
        }
        _ => ensure(from == to, SHAPE),
    }
}

fn check_range(activation: &Activation) -> Checked {
    let number = |bound: Option<f32>| bound.is_none_or(|bound| !bound.is_nan());
    let ordered = match (activation.min, activation.max) {
        (Some(min), Some(max)) => min <= max,
        _ => true,
    };
    ensure(number(activation.min) && number(activation.max) && ordered, "is clamped to no range")
}

/// Batches, height, width and channels.
fn image<T: Operand>(tensor: &T) -> Result<[usize; 4], &'static str> {
    let image: [usize; 4] = tensor.shape().try_into().map_err(|_| "has an image without 4 dimensions")?;
    ensure(image[1..3].iter().all(|&extent| extent <= MAX_IMAGE_EXTENT), "has an image of 2^15 or more")?;
    Ok(image)
}

struct Window<'a> {
    extents: [usize; 2],
    stride: &'a [usize; 2],
    dilation: [usize; 2],
    padding: &'a Padding,
}

impl Window<'_> {
    /// Rows and columns of positions in an image of `rows` by `columns`.
    fn positions(&self, [rows, columns]: [usize; 2]) -> Result<[usize; 2], &'static str> {
        let Padding { top, left, bottom, right } = *self.padding;
        let moves = self.stride.iter().chain(&self.dilation).chain(&self.extents);
        ensure(moves.clone().all(|&value| value >= 1), "has a stride, dilation or window of 0")?;
        let all = moves.chain([&top, &left, &bottom, &right]);
        ensure(all.into_iter().all(|&value| value <= MAX_IMAGE_EXTENT), "has a window of 2^15 or more")?;
        let along = |extent: usize, axis: usize| {
            let reach = (self.extents[axis] - 1) * self.dilation[axis] + 1;
            let room = extent.checked_sub(reach).ok_or("has a window larger than its image")?;
            Ok::<_, &'static str>(room / self.stride[axis] + 1)
        };
        Ok([along(rows + top + bottom, 0)?, along(columns + left + right, 1)?])
    }
}

fn check_conv<T: Operand>(conv: &Conv, inputs: &[&T], output: &T) -> Checked {
    let (x, weights) = weighted(inputs, output, 0)?;
    check_range(&conv.activation)?;
    let [batches, rows, columns, channels] = image(x)?;
    let [out, height, width, group_channels] = image(weights)?;
    let window = window_of(conv, [height, width]);
    ensure(channels.is_multiple_of(group_channels), "has groups that do not divide its channels")?;
    ensure(out.is_multiple_of(channels / group_channels), "has groups that do not divide its channels")?;
    let [to_rows, to_columns] = window.positions([rows, columns])?;
    ensure(image(output)? == [batches, to_rows, to_columns, out], SHAPE)
}

fn check_depthwise<T: Operand>(conv: &Conv, inputs: &[&T], output: &T) -> Checked {
    let (x, weights) = weighted(inputs, output, 3)?;
    check_range(&conv.activation)?;
    let [batches, rows, columns, channels] = image(x)?;
    let [one, height, width, out] = image(weights)?;
    ensure(one == 1, "has depthwise weights whose first extent is not 1")?;
    ensure(out.is_multiple_of(channels), "has outputs that are no multiple of its channels")?;
    let [to_rows, to_columns] = window_of(conv, [height, width]).positions([rows, columns])?;
    ensure(image(output)? == [batches, to_rows, to_columns, out], SHAPE)
}

fn window_of(conv: &Conv, extents: [usize; 2]) -> Window<'_> {
    Window { extents, stride: &conv.stride, dilation: conv.dilation, padding: &conv.padding }
}

fn check_transpose_conv<T: Operand>(conv: &Conv, inputs: &[&T], output: &T) -> Checked {
    let (x, weights) = weighted(inputs, output, 0)?;
    check_range(&conv.activation)?;
    let [batches, _, _, channels] = image(x)?;
    let [out, height, width, depth] = image(weights)?;
    ensure(depth == channels, "has weights of another depth than its input")?;
    ensure(conv.padding.bottom == 0 && conv.padding.right == 0, "pads below or to the right")?;
    // The window's own limits; where it stands is on the output.
    window_of(&Conv { padding: Padding::default(), ..conv.clone() }, [height, width])
        .positions([MAX_IMAGE_EXTENT; 2])?;
    ensure(conv.padding.top.max(conv.padding.left) <= MAX_IMAGE_EXTENT, "has a window of 2^15 or more")?;
    let [to_batches, _, _, to_channels] = image(output)?;
    ensure(to_batches == batches && to_channels == out, SHAPE)
}

fn check_batch_mat_mul<T: Operand>(layouts: [MatrixLayout; 2], inputs: &[&T], output: &T) -> Checked {
    let [a, b] = *inputs else { return Err(ARITY) };
    b.check_activation().map_err(|_| "has an input that is not int8 or int16 with one scale")?;
    ensure(b.has_type_of(a), "has inputs of different types")?;
    let matrix = |tensor: &'_ T, layout| {
        let shape = tensor.shape();
        let outer = shape.len().checked_sub(2).ok_or("has an input that is no matrix")?;
        let [first, second] = [shape[outer], shape[outer + 1]];
        let extents = match layout {
            MatrixLayout::RowsFirst => [first, second],
            MatrixLayout::ColumnsFirst => [second, first],
        };
        Ok::<_, &'static str>((shape[..outer].to_vec(), extents))
    };
    let (a_outer, [rows, depth]) = matrix(a, layouts[0])?;
    let (b_outer, [b_depth, columns]) = matrix(b, layouts[1])?;
    ensure(depth == b_depth, "multiplies matrices that do not fit")?;
    let (outer, extents) = matrix(output, MatrixLayout::RowsFirst)?;
    ensure(extents == [rows, columns], SHAPE)?;
    check_broadcast(&a_outer, &b_outer, &outer)
}

fn check_gather<T: Operand>(axis: usize, batch_dimensions: usize, inputs: &[&T], output: &T) -> Checked {
    let [x, indices] = *inputs else { return Err(ARITY) };
    indices.check_indices().map_err(|_| "has indices that are not int32")?;
    let (from, list) = (x.shape(), indices.shape());
    ensure(axis < from.len(), "takes along a dimension that is not there")?;
    ensure(from[axis] <= MAX_INDEXED_ELEMENTS, "takes from more than 2^24 elements")?;
    ensure(batch_dimensions <= axis && batch_dimensions <= list.len(), "has more batches than dimensions")?;
    ensure(
        from[..batch_dimensions] == list[..batch_dimensions],
        "has indices of other batches than its input",
    )?;
    let taken = [&from[..axis], &list[batch_dimensions..], &from[axis + 1..]].concat();
    ensure(output.shape() == taken, SHAPE)
}

fn check_suppression<T: Operand>(op: &Suppression, inputs: &[&T], output: &T) -> Checked {
    let [boxes, scores] = *inputs else { return Err(ARITY) };
    scores.check_activation().map_err(|_| "has scores that are not int8 or int16 with one scale")?;
    let ([batches, count, 4], [score_batches, classes, score_count]) = (boxes.shape(), scores.shape()) else {
        return Err("has no boxes of 4 numbers, or no scores of classes");
    };
    ensure(batches == score_batches && count == score_count, "has scores of other boxes")?;
    ensure((1..=*count).contains(&op.most), "chooses no box, or more than there are")?;
    ensure((0.0..=1.0).contains(&op.overlap), "has an overlap that is not within 0 to 1")?;
    ensure(op.score.is_none_or(f32::is_finite), "has a score that is not finite")?;
    ensure(output.shape() == [batches * classes * op.most, 3], SHAPE)
}

fn check_fully_connected<T: Operand>(inputs: &[&T], output: &T) -> Checked {
    let (x, weights) = weighted(inputs, output, 0)?;
    let [out, depth] = *weights.shape() else {
        return Err("has weights without 2 dimensions");
    };
    ensure(x.len().is_multiple_of(depth), "has weights of another depth than its input")?;
    ensure(output.len() == x.len() / depth * out, SHAPE)
}

/// `x` and the weights of an operator whose weights and bias are constants, one scale for all outputs
/// or one for each index of `axis`.
fn weighted<'a, T: Operand>(
    inputs: &[&'a T],
    output: &T,
    axis: usize,
) -> Result<(&'a T, &'a T), &'static str> {
    let (x, weights, bias) = match *inputs {
        [x, weights] => (x, weights, None),
        [x, weights, bias] => (x, weights, Some(bias)),
        _ => return Err(ARITY),
    };
    let channels = *weights.shape().get(axis).ok_or("has weights with too few dimensions")?;
    weights.check_weights(axis)?;
    if let Some(bias) = bias {
        bias.check_bias(x)?;
        ensure(bias.len() == channels, "has a bias of another length than its outputs")?;
    }
    ensure(output.len().is_multiple_of(channels), SHAPE)?;
    Ok((x, weights))
}

fn check_binary<T: Operand>(inputs: &[&T], output: &T) -> Checked {
    let [a, b] = *inputs else { return Err(ARITY) };
    b.check_activation().map_err(|_| "has an input that is not int8 or int16 with one scale")?;
    ensure(b.has_type_of(a), "has inputs of different types")?;
    check_broadcast(a.shape(), b.shape(), output.shape())
}

fn check_select<T: Operand>(inputs: &[&T], output: &T) -> Checked {
    let [condition, a, b] = *inputs else { return Err(ARITY) };
    condition.check_truths().map_err(|_| "has a condition that is not in steps of 1 from 0")?;
    for value in [a, b] {
        value.check_activation().map_err(|_| "has an input that is not int8 or int16 with one scale")?;
        ensure(value.has_type_of(output), "has inputs of different types")?;
        ensure(value.has_steps_of(output), "has an input with another scale or zero point than its output")?;
    }
    let rank = [condition, a, b].iter().map(|input| input.shape().len()).max().unwrap_or_default();
    let mut all = vec![1; rank];
    for input in [condition, a, b] {
        let shape = input.shape();
        let own = all[rank - shape.len()..].iter_mut().zip(shape);
        own.for_each(|(extent, &other)| *extent = (*extent).max(other));
    }
    for input in [condition, a, b] {
        check_broadcast(input.shape(), &all, output.shape())?;
    }
    Ok(())
}

fn check_broadcast(a: &[usize], b: &[usize], output: &[usize]) -> Checked {
    let rank = a.len().max(b.len());
    ensure(output.len() == rank, SHAPE)?;
    let extent =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |at| shape[at]);
    for (axis, &to) in output.iter().enumerate() {
        let (a, b) = (extent(a, axis), extent(b, axis));
        ensure(a == b || a == 1 || b == 1, "has inputs that cannot be broadcast")?;
        ensure(to == a.max(b), SHAPE)?;
    }
    Ok(())
}

fn check_pool<T: Operand>(pool: &Pool, x: &T, output: &T) -> Checked {
    check_range(&pool.activation)?;
    let [batches, rows, columns, channels] = image(x)?;
    let window =
        Window { extents: pool.window, stride: &pool.stride, dilation: [1, 1], padding: &pool.padding };
    let [to_rows, to_columns] = window.positions([rows, columns])?;
    ensure(image(output)? == [batches, to_rows, to_columns, channels], SHAPE)
}

fn check_reduced(axes: &[usize], from: &[usize], to: &[usize]) -> Checked {
    ensure(!axes.is_empty() && axes.is_sorted_by(|a, b| a < b), "reduces axes that do not ascend")?;
    ensure(axes.iter().all(|&axis| axis < from.len()), "reduces a dimension that is not there")?;
    let kept = from.iter().enumerate().map(|(axis, &extent)| if axes.contains(&axis) { 1 } else { extent });
    let squeezed =
        from.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, &extent)| extent);
    ensure(to.iter().copied().eq(kept) || to.iter().copied().eq(squeezed), SHAPE)
}

fn check_concat<T: Operand>(axis: usize, inputs: &[&T], output: &T) -> Checked {
    ensure(axis < output.shape().len(), "joins along a dimension that is not there")?;
    let mut joined = 0usize;
    for x in inputs {
        x.check_activation()
            .or_else(|_| x.check_indices())
            .map_err(|_| "has an input that is not int8 or int16 with one scale, and holds no indices")?;
        ensure(x.has_type_of(output), "has inputs of different types")?;
        ensure(x.shape().len() == output.shape().len(), SHAPE)?;
        let others_agree =
            (0..x.shape().len()).all(|other| other == axis || x.shape()[other] == output.shape()[other]);
        ensure(others_agree, SHAPE)?;
        joined += x.shape()[axis];
    }
    ensure(joined == output.shape()[axis], SHAPE)
}
