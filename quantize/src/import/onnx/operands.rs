//! What each operator demands of its operands: ranks, extents, axes, and results of a bearable size.
//!
//! tract takes these for granted; what passes here it can infer and fold.

use tract_onnx::tract_core::internal::DatumType;

use super::geometry::{Window, broadcast};
use super::site::{Fact, Refusal, Site, is_integer, numbers, unsupported};
use crate::graph::MAX_INDEXED_ELEMENTS;
use crate::validate::{MAX_IMAGE_EXTENT, elements};

/// The greatest step of a slice: tract keeps steps in 32 bits.
const MAX_STEP: u64 = i32::MAX as u64;

type Checked = Result<(), Refusal>;

/// The most elements of any tensor that is inferred or folded.
const MAX_RESULT: usize = 1 << 26;

/// Checks the operands of a node.
pub(super) fn check(site: &Site<'_>) -> Checked {
    check_types(site)?;
    match &*site.node.op_type {
        "Add" | "Div" | "Mul" | "Sub" => check_binary(site),
        "And" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Or" | "Xor" => {
            check_binary(site)
        }
        "AveragePool" | "MaxPool" => check_pool(site),
        "BatchNormalization" => check_batch_normalization(site),
        "Concat" => check_concat(site),
        "Constant" => check_constant(site),
        "ConstantOfShape" => check_sized_by(site, 0),
        "Conv" => check_conv(site),
        "Expand" => check_expand(site),
        "Flatten" => {
            let (axis, rank) = (site.int("axis").unwrap_or(1), site.rank() as i64);
            site.ensure((-rank..=rank).contains(&axis), format!("has axis {axis} on {rank} dimensions"))
        }
        "Gather" => check_gather(site),
        "Gemm" => check_gemm(site),
        "GlobalAveragePool" | "GlobalMaxPool" => check_image(site).map(|_| ()),
        "MatMul" => check_matmul(site),
        "Range" => check_range(site),
        "ReduceMean" => site.axes(18, site.rank()).map(|_| ()),
        "Reshape" => check_reshape(site),
        "Slice" => check_slice(site),
        "Softmax" => check_softmax(site),
        "Squeeze" => check_squeeze(site),
        "Transpose" => check_transpose(site),
        "Unsqueeze" => check_unsqueeze(site),
        "Where" => check_where(site),
        _ => Ok(()),
    }
}

/// Refuses operands of types that tract does not compute with.
fn check_types(site: &Site<'_>) -> Checked {
    let is_truth = |fact: &Fact| fact.datum_type == DatumType::Bool;
    let floats = match &*site.node.op_type {
        "And" | "Not" | "Or" | "Xor" => {
            return site.ensure(site.inputs().all(is_truth), "has operands that are not booleans");
        }
        "Where" => {
            let is_one = site.inputs().next().is_some_and(is_truth);
            site.ensure(is_one, "has a condition that is not of booleans")?;
            let first = site.input(1).map(|fact| fact.datum_type);
            let same = site.inputs().skip(1).all(|fact| Some(fact.datum_type) == first);
            return site.ensure(same, "has operands of different types");
        }
        "BatchNormalization" | "Conv" | "Gemm" | "MatMul" => site.node.input.len(),
        "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" | "LeakyRelu" | "MaxPool" | "ReduceMean"
        | "Sigmoid" | "Softmax" | "Tanh" => 1,
        "Add" | "Concat" | "Div" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual"
        | "Mul" | "Sub" => {
            let first = site.x().datum_type;
            let same = site.inputs().all(|fact| fact.datum_type == first);
            return site.ensure(same, "has operands of different types");
        }
        _ => 0,
    };
    match site.inputs().take(floats).find(|fact| fact.datum_type != DatumType::F32) {
        Some(fact) => unsupported(format!("operands of type {:?}", fact.datum_type)),
        None => Ok(()),
    }
}

/// Refuses a result of this shape when it is too large.
pub(super) fn check_size(site: &Site<'_>, shape: &[usize]) -> Checked {
    let small = elements(shape).is_some_and(|elements| elements <= MAX_RESULT);
    site.ensure(
        small,
        format!("makes a tensor of shape {shape:?}, which has more than {MAX_RESULT} elements"),
    )
}

/// A range is computed on the host.
fn check_range(site: &Site<'_>) -> Checked {
    let number = |position: usize| -> Result<f64, Refusal> {
        let value = site.input(position).and_then(|fact| fact.value.as_ref());
        let Some(value) = value else { return unsupported(format!("operand {position} is not constant")) };
        match numbers::<f64>(value).as_deref() {
            Some(&[value]) => Ok(value),
            _ => Err(site.invalid(format!("has an operand {position} that is not one number"))),
        }
    };
    let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
    let elements = ((limit - start) / step).ceil();
    let problem =
        format!("goes from {start} to {limit} in steps of {step}, which are no or too many elements");
    site.ensure(elements >= 1.0 && elements <= MAX_RESULT as f64, problem)
}

fn check_binary(site: &Site<'_>) -> Checked {
    let (a, b) = (&site.x().shape, &operand(site, 1)?.shape);
    let shape = broadcast(a, b)
        .ok_or_else(|| site.invalid(format!("has operands of shapes {a:?} and {b:?}, which do not fit")))?;
    check_size(site, &shape)
}

fn check_where(site: &Site<'_>) -> Checked {
    let mut shape = site.x().shape.clone();
    for position in 1..3 {
        let other = &operand(site, position)?.shape;
        shape = broadcast(&shape, other).ok_or_else(|| {
            site.invalid(format!("has operands of shapes {shape:?} and {other:?}, which do not fit"))
        })?;
    }
    check_size(site, &shape)
}

pub(super) fn operand<'a>(site: &Site<'a>, position: usize) -> Result<&'a Fact, Refusal> {
    site.input(position).ok_or_else(|| site.invalid(format!("lacks operand {position}")))
}

/// Batches, channels and spatial extents.
fn check_image<'a>(site: &Site<'a>) -> Result<(usize, &'a [usize]), Refusal> {
    let shape = &site.x().shape;
    site.ensure(shape.len() >= 3, format!("has an image of shape {shape:?}, without batch and channels"))?;
    let extents = &shape[2..];
    let fits = extents.iter().all(|&extent| extent <= MAX_IMAGE_EXTENT);
    site.ensure(
        fits,
        format!("has an image of shape {shape:?}; extents up to {MAX_IMAGE_EXTENT} are possible"),
    )?;
    if site.x().value.is_some() {
        return unsupported("a constant image");
    }
    Ok((shape[1], extents))
}

fn check_conv(site: &Site<'_>) -> Checked {
    let (channels, extents) = check_image(site)?;
    let weights = &operand(site, 1)?.shape;
    let problem = format!("has weights of shape {weights:?} for an image of shape {:?}", site.x().shape);
    site.ensure(weights.len() == site.rank() && !weights.contains(&0), problem)?;
    let kernel = &weights[2..];
    let stated = site.sizes("kernel_shape");
    site.ensure(
        stated.as_deref().is_none_or(|stated| stated == kernel),
        format!("has a kernel of {kernel:?}, where `kernel_shape` says {stated:?}"),
    )?;
    let groups = site.int("group").unwrap_or(1) as usize;
    site.ensure(
        weights[1].checked_mul(groups) == Some(channels) && weights[0].is_multiple_of(groups),
        format!("has weights of shape {weights:?} in {groups} groups for {channels} channels"),
    )?;
    if let Some(bias) = site.input(2) {
        let problem = format!("has a bias of shape {:?} for {} channels", bias.shape, weights[0]);
        site.ensure(bias.shape == weights[..1], problem)?;
    }
    let window = Window::of(site, kernel.to_vec(), extents)?;
    check_windows(site, &window, weights[0], extents)
}

fn check_pool(site: &Site<'_>) -> Checked {
    let (channels, extents) = check_image(site)?;
    let kernel = site.sizes("kernel_shape").unwrap_or_default();
    let window = Window::of(site, kernel, extents)?;
    for (axis, &extent) in extents.iter().enumerate() {
        let (before, after) = window.added(axis, extent);
        let reach = window.reach(axis);
        let problem = format!("has padding {before} and {after} around a window of {reach}");
        site.ensure(before < reach && after < reach, problem)?;
    }
    check_windows(site, &window, channels, extents)
}

fn check_windows(site: &Site<'_>, window: &Window, channels: usize, extents: &[usize]) -> Checked {
    let mut shape = vec![site.x().shape[0], channels];
    for (axis, &extent) in extents.iter().enumerate() {
        let (before, after) = window.added(axis, extent);
        shape.push((before + extent + after - window.reach(axis)).div_ceil(window.strides[axis]) + 1);
    }
    check_size(site, &shape)
}

fn check_batch_normalization(site: &Site<'_>) -> Checked {
    let shape = &site.x().shape;
    site.ensure(shape.len() >= 2, format!("has an input of shape {shape:?}, without channels"))?;
    for position in 1..5 {
        let parameter = &operand(site, position)?.shape;
        let problem = format!("has operand {position} of shape {parameter:?} for {} channels", shape[1]);
        site.ensure(**parameter == shape[1..2], problem)?;
    }
    if site.flag("training_mode") {
        return unsupported("training mode");
    }
    Ok(())
}

fn check_concat(site: &Site<'_>) -> Checked {
    let first = &site.x().shape;
    let axis = site.axis(site.int("axis").unwrap_or(0), first.len())?;
    let mut joined = first.clone();
    joined[axis] = 0;
    for fact in site.inputs() {
        let agrees = fact.shape.len() == first.len()
            && (0..first.len()).all(|other| other == axis || fact.shape[other] == first[other]);
        site.ensure(agrees, format!("joins shapes {first:?} and {:?} along {axis}", fact.shape))?;
        joined[axis] += fact.shape[axis];
    }
    check_size(site, &joined)
}

fn check_constant(site: &Site<'_>) -> Checked {
    site.ensure(site.node.attribute.len() == 1, "must have exactly one value")
}

/// An operand that is a shape, every extent of it said.
pub(super) fn stated_shape(site: &Site<'_>, position: usize) -> Result<Vec<usize>, Refusal> {
    let dims = site.constant_ints(position)?.unwrap_or_default();
    let shape: Option<Vec<usize>> = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    shape.ok_or_else(|| site.invalid(format!("makes a tensor of shape {dims:?}")))
}

fn check_sized_by(site: &Site<'_>, position: usize) -> Checked {
    if let Some(value) = site.tensor("value") {
        let one = value.dims.iter().all(|&dim| dim == 1);
        site.ensure(one, "has a value of more than one element")?;
    }
    check_size(site, &stated_shape(site, position)?)
}

fn check_expand(site: &Site<'_>) -> Checked {
    let (from, to) = (&site.x().shape, stated_shape(site, 1)?);
    let shape = broadcast(from, &to);
    let shape = shape.ok_or_else(|| site.invalid(format!("expands shape {from:?} to {to:?}")))?;
    check_size(site, &shape)
}

fn check_gather(site: &Site<'_>) -> Checked {
    let shape = &site.x().shape;
    let axis = site.axis(site.int("axis").unwrap_or(0), shape.len())?;
    let taken = operand(site, 1)?;
    site.ensure(is_integer(taken.datum_type), "has indices that are neither int32 nor int64")?;
    if let Some(indices) = site.all_ints(1) {
        let extent = shape[axis] as i64;
        let inside = indices.iter().all(|index| (-extent..extent).contains(index));
        site.ensure(inside, format!("takes indices outside of {extent} elements"))?;
    } else if is_integer(site.x().datum_type) {
        return unsupported("integers of a table at indices that are not constant");
    } else if shape[axis] > MAX_INDEXED_ELEMENTS {
        return unsupported(format!("indices that choose among more than {MAX_INDEXED_ELEMENTS} elements"));
    }
    let result = [&shape[..axis], &taken.shape, &shape[axis + 1..]].concat();
    check_size(site, &result)
}

fn check_gemm(site: &Site<'_>) -> Checked {
    let (a, b) = (&site.x().shape, &operand(site, 1)?.shape);
    let problem = || site.invalid(format!("multiplies shapes {a:?} and {b:?}"));
    let ([a0, a1], [b0, b1]) = (&a[..], &b[..]) else { return Err(problem()) };
    let (rows, depth) = if site.flag("transA") { (a1, a0) } else { (a0, a1) };
    let (other, columns) = if site.flag("transB") { (b1, b0) } else { (b0, b1) };
    if depth != other || *depth == 0 {
        return Err(problem());
    }
    let result = [*rows, *columns];
    if let Some(c) = site.input(2) {
        let fits = broadcast(&c.shape, &result).as_deref() == Some(&result);
        site.ensure(fits, format!("adds shape {:?} to {result:?}", c.shape))?;
    }
    check_size(site, &result)
}

fn check_matmul(site: &Site<'_>) -> Checked {
    let (a, b) = (&site.x().shape, &operand(site, 1)?.shape);
    let problem = || site.invalid(format!("multiplies shapes {a:?} and {b:?}"));
    let (Some((depth, rows)), Some((columns, others))) = (a.split_last(), b.split_last()) else {
        return Err(problem());
    };
    let (batches_of_a, rows) = rows.split_last().map_or((&[][..], 1), |(rows, batches)| (batches, *rows));
    let (batches_of_b, other, columns) = match others.split_last() {
        Some((other, batches)) => (batches, *other, *columns),
        None => (&[][..], *columns, 1),
    };
    let mut result = broadcast(batches_of_a, batches_of_b).ok_or_else(problem)?;
    if *depth != other || *depth == 0 {
        return Err(problem());
    }
    result.extend([rows, columns]);
    check_size(site, &result)
}

/// Elements added before and after each dimension, in [`padded`]'s and the lowering's order.
pub(super) fn pads(site: &Site<'_>) -> Result<(Vec<usize>, Vec<usize>), Refusal> {
    let rank = site.rank();
    let pads = match site.opset >= 11 {
        true => site.constant_ints(1)?,
        false => site.ints("pads").map(<[i64]>::to_vec),
    };
    let pads = pads.ok_or_else(|| site.invalid("does not say how much it pads"))?;
    let axes = match site.constant_ints(3)? {
        Some(axes) => axes.iter().map(|&axis| site.axis(axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect::<Vec<_>>(),
    };
    site.ensure(pads.len() == 2 * axes.len(), format!("has {} pads for {} axes", pads.len(), axes.len()))?;
    let limit = 0..=MAX_IMAGE_EXTENT as i64;
    let possible = pads.iter().all(|pad| limit.contains(pad));
    site.ensure(possible, format!("pads by {pads:?}; {limit:?} is possible"))?;
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (position, &axis) in axes.iter().enumerate() {
        before[axis] = pads[position] as usize;
        after[axis] = pads[position + axes.len()] as usize;
    }
    Ok((before, after))
}

/// The shape that Pad makes.
pub(super) fn padded(site: &Site<'_>) -> Result<Vec<usize>, Refusal> {
    let (before, after) = pads(site)?;
    if let Some(value) = site.input(2) {
        site.ensure(value.len() == 1, format!("pads with a value of shape {:?}", value.shape))?;
    }
    let grown =
        site.x().shape.iter().zip(before).zip(after).map(|((extent, before), after)| extent + before + after);
    Ok(grown.collect())
}

fn check_reshape(site: &Site<'_>) -> Checked {
    let from = &site.x().shape;
    let to = site.constant_ints(1)?.unwrap_or_default();
    let problem = || site.invalid(format!("reshapes {from:?} to {to:?}"));
    let mut known = Vec::new();
    let mut open = 0;
    for (axis, &dim) in to.iter().enumerate() {
        match dim {
            -1 => open += 1,
            0 if !site.flag("allowzero") => known.push(*from.get(axis).ok_or_else(problem)?),
            _ => known.push(usize::try_from(dim).map_err(|_| problem())?),
        }
    }
    let known = elements(&known).ok_or_else(problem)?;
    let fits = match open {
        0 => known == site.x().len(),
        1 => known > 0 && site.x().len().is_multiple_of(known),
        _ => false,
    };
    if fits { Ok(()) } else { Err(problem()) }
}

/// First index, past-the-end index and step for each dimension; ends are clamped to the extents when the
/// step is 1.
pub(super) fn slices(site: &Site<'_>) -> Result<Vec<(usize, usize, i64)>, Refusal> {
    let shape = &site.x().shape;
    let list = |name: &str, position: usize| match site.opset >= 10 {
        true => site.constant_ints(position),
        false => Ok(site.ints(name).map(<[i64]>::to_vec)),
    };
    let missing = || site.invalid("does not say where it starts and ends");
    let starts = list("starts", 1)?.ok_or_else(missing)?;
    let ends = list("ends", 2)?.ok_or_else(missing)?;
    let axes = list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = site.constant_ints(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    let lengths = [ends.len(), axes.len(), steps.len()];
    let problem = format!("has {} starts, but {lengths:?} ends, axes and steps", starts.len());
    site.ensure(lengths.iter().all(|&length| length == starts.len()), problem)?;
    let mut slices: Vec<(usize, usize, i64)> = shape.iter().map(|&extent| (0, extent, 1)).collect();
    let mut seen = Vec::new();
    for (position, &axis) in axes.iter().enumerate() {
        let axis = site.axis(axis, shape.len())?;
        site.ensure(!seen.contains(&axis), "has the same axis twice")?;
        seen.push(axis);
        let step = steps[position];
        let possible = step != 0 && step.unsigned_abs() <= MAX_STEP;
        site.ensure(possible, format!("has a step of {step}"))?;
        let extent = shape[axis] as i64;
        let clamp =
            |index: i64| (if index < 0 { index.saturating_add(extent) } else { index }).clamp(0, extent);
        let (start, end) = (clamp(starts[position]) as usize, clamp(ends[position]) as usize);
        slices[axis] = (start, end, step);
    }
    Ok(slices)
}

fn check_slice(site: &Site<'_>) -> Checked {
    let slices = slices(site)?;
    if site.x().value.is_none() {
        let taken = slices.iter().all(|&(start, end, step)| step != 1 || start < end);
        site.ensure(taken, "takes no element")?;
    }
    Ok(())
}

pub(super) fn check_softmax(site: &Site<'_>) -> Checked {
    let axis = site.int("axis").unwrap_or(if site.opset < 13 { 1 } else { -1 });
    let rank = site.rank();
    // Before 13 the axis says where the dimensions are split in two, which may be after the last.
    if site.opset < 13 && axis == rank as i64 { Ok(()) } else { site.axis(axis, rank).map(|_| ()) }
}

fn check_squeeze(site: &Site<'_>) -> Checked {
    let shape = &site.x().shape;
    let axes = site.axes(13, shape.len())?.unwrap_or_default();
    let problem = format!("takes axes {axes:?} out of shape {shape:?}");
    site.ensure(axes.iter().all(|&axis| shape[axis] == 1), problem)
}

fn check_transpose(site: &Site<'_>) -> Checked {
    let Some(perm) = site.sizes("perm") else { return Ok(()) };
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    let problem = format!("has `perm` {perm:?} on {} dimensions", site.rank());
    site.ensure(sorted.into_iter().eq(0..site.rank()), problem)
}

fn check_unsqueeze(site: &Site<'_>) -> Checked {
    let inserted = match site.opset >= 13 {
        true => site.constant_ints(1)?.map(|axes| axes.len()),
        false => site.ints("axes").map(<[i64]>::len),
    };
    let inserted = inserted.ok_or_else(|| site.invalid("does not say which axes it inserts"))?;
    site.axes(13, site.rank() + inserted).map(|_| ())
}
