//! Shapes of results, for the operators that tract is not asked about: those that it does not know, or not
//! in every operator set.

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::DatumType;

use super::einsum::Equation;
use super::geometry::{MAX_RANK, broadcast};
use super::lower::{one_hot, suppression};
use super::operands::{check_size, check_softmax, operand, padded, stated_shape};
use super::recurrence::Recurrence;
use super::resampling;
use super::site::{Fact, Refusal, Site, is_integer, unsupported};
use super::spreading;

/// Checks a node's operands and gives the shapes of its outputs, or of the first of them.
type Shapes = fn(&Site<'_>) -> Result<Vec<Vec<usize>>, Refusal>;

/// Operands that floats have to be.
enum Floats {
    All,
    First,
    /// The first chooses, and the others are constants.
    None,
}

use Floats::{All, First};

/// Sorted by name.
static OPERATORS: &[(&str, Floats, Shapes)] = &[
    ("Abs", All, unchanged),
    ("ArgMax", All, reduced_along_one),
    ("ArgMin", All, reduced_along_one),
    ("Ceil", All, unchanged),
    ("Celu", All, unchanged),
    ("ConvTranspose", All, |site| Ok(vec![spreading::shape(site)?])),
    ("Cos", All, unchanged),
    ("CumSum", First, summed_along_one),
    ("DepthToSpace", All, depth_to_space),
    ("Einsum", All, |site| Ok(vec![Equation::of(site)?.shape()])),
    ("Elu", All, unchanged),
    ("Erf", All, unchanged),
    ("Exp", All, unchanged),
    ("Floor", All, unchanged),
    ("GRU", First, recurrent),
    ("Gelu", All, unchanged),
    ("GroupNormalization", All, group_normalization),
    ("HardSigmoid", All, unchanged),
    ("HardSwish", All, unchanged),
    ("InstanceNormalization", All, instance_normalization),
    ("LSTM", First, recurrent),
    ("LayerNormalization", All, layer_normalization),
    ("Log", All, unchanged),
    ("LogSoftmax", All, log_softmax),
    ("LpNormalization", All, |site| {
        site.axis(site.int("axis").unwrap_or(-1), site.rank())?;
        unchanged(site)
    }),
    ("Max", All, broadcast_together),
    ("Mean", All, broadcast_together),
    ("Min", All, broadcast_together),
    ("Mish", All, unchanged),
    ("Neg", All, unchanged),
    ("NonMaxSuppression", First, |site| Ok(vec![suppression::shape(site)?])),
    ("OneHot", Floats::None, |site| Ok(vec![one_hot::shape(site)?])),
    ("PRelu", All, broadcast_to_first),
    ("Pad", First, |site| Ok(vec![padded(site)?])),
    ("Pow", First, broadcast_together),
    ("RMSNormalization", All, layer_normalization),
    ("RNN", First, recurrent),
    ("Reciprocal", All, unchanged),
    ("ReduceL1", First, |site| reduced(site, 18)),
    ("ReduceL2", First, |site| reduced(site, 18)),
    ("ReduceLogSum", First, |site| reduced(site, 18)),
    ("ReduceLogSumExp", First, |site| reduced(site, 18)),
    ("ReduceMax", First, |site| reduced(site, 18)),
    ("ReduceMin", First, |site| reduced(site, 18)),
    ("ReduceProd", First, |site| reduced(site, 18)),
    ("ReduceSum", First, |site| reduced(site, 13)),
    ("ReduceSumSquare", First, |site| reduced(site, 18)),
    ("Resize", First, |site| Ok(vec![resampling::shape(site)?])),
    ("Round", All, unchanged),
    ("Selu", All, unchanged),
    ("Sign", All, unchanged),
    ("Sin", All, unchanged),
    ("Softplus", All, unchanged),
    ("Softsign", All, unchanged),
    ("SpaceToDepth", All, space_to_depth),
    ("Split", First, |site| Ok(parts(site)?.1)),
    ("Sqrt", All, unchanged),
    ("Sum", All, broadcast_together),
    ("ThresholdedRelu", All, unchanged),
    ("Tile", First, tiled),
    ("TopK", First, top),
    ("Upsample", First, |site| Ok(vec![resampling::shape(site)?])),
];

fn find(node: &NodeProto) -> Option<&'static (&'static str, Floats, Shapes)> {
    OPERATORS.iter().find(|(name, ..)| *name == node.op_type)
}

/// Whether the shapes of the node's results are known here.
pub(super) fn are_known(node: &NodeProto) -> bool {
    find(node).is_some()
}

/// What a node writes, output by output; `None` when that is for tract to say.
pub(super) fn infer(site: &Site<'_>) -> Result<Option<Vec<Option<Fact>>>, Refusal> {
    let Some((_, floats, shapes)) = find(site.node) else { return Ok(None) };
    let checked = match floats {
        All => usize::MAX,
        First => 1,
        Floats::None => 0,
    };
    let wrong = |fact: &&Fact| fact.datum_type != DatumType::F32;
    if let Some(fact) = site.inputs().take(checked).find(wrong).filter(|_| !moves_integers(site)) {
        return unsupported(format!("operands of type {:?}", fact.datum_type));
    }
    let filled = site.inputs().take(checked).all(|fact| fact.len() > 0);
    site.ensure(filled, "has an operand without elements")?;
    let shapes = shapes(site)?;
    for shape in &shapes {
        let problem = format!("makes a tensor of shape {shape:?}; up to {MAX_RANK} dimensions are possible");
        site.ensure(shape.len() <= MAX_RANK, problem)?;
        check_size(site, shape)?;
    }
    let fact = |position: usize, shape| {
        let datum_type = match writes_indices(site.node, position) {
            true => DatumType::I64,
            false if moves_integers(site) => site.x().datum_type,
            false => DatumType::F32,
        };
        Fact { shape, datum_type, value: None }
    };
    let written = shapes.into_iter().enumerate().zip(&site.node.output);
    let facts = written.map(|((position, shape), name)| (!name.is_empty()).then(|| fact(position, shape)));
    Ok(Some(facts.collect()))
}

/// Whether the node gives integers that it reads, in other places or of other types: indices that come from an input.
pub(super) fn moves_integers(site: &Site<'_>) -> bool {
    let moves = matches!(
        &*site.node.op_type,
        "Cast"
            | "Concat"
            | "Expand"
            | "Flatten"
            | "Gather"
            | "Identity"
            | "Reshape"
            | "Slice"
            | "Split"
            | "Squeeze"
            | "Tile"
            | "Transpose"
            | "Unsqueeze"
    );
    moves && is_integer(site.x().datum_type)
}

/// Whether what a node writes at `position` says where elements are.
pub(super) fn writes_indices(node: &NodeProto, position: usize) -> bool {
    match &*node.op_type {
        "ArgMax" | "ArgMin" | "NonMaxSuppression" => true,
        "TopK" => position == 1,
        _ => false,
    }
}

fn unchanged(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    Ok(vec![site.x().shape.clone()])
}

fn broadcast_together(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let mut shape = site.x().shape.clone();
    for position in 1..site.node.input.len() {
        let other = &operand(site, position)?.shape;
        shape = broadcast(&shape, other).ok_or_else(|| {
            site.invalid(format!("has operands of shapes {shape:?} and {other:?}, which do not fit"))
        })?;
        check_size(site, &shape)?;
    }
    Ok(vec![shape])
}

fn broadcast_to_first(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let shapes = broadcast_together(site)?;
    let (first, all) = (&site.x().shape, &shapes[0]);
    site.ensure(first == all, format!("has operands of shape {all:?} for an input of shape {first:?}"))?;
    Ok(shapes)
}

/// The axes that a reduction takes away: all, unless it says which, or says that none is all.
pub(super) fn reduced_axes(site: &Site<'_>, operand_since: i64) -> Result<Vec<usize>, Refusal> {
    let mut axes = site.axes(operand_since, site.rank())?.unwrap_or_default();
    if axes.is_empty() && !site.flag("noop_with_empty_axes") {
        axes = (0..site.rank()).collect();
    }
    axes.sort_unstable();
    Ok(axes)
}

fn reduced(site: &Site<'_>, operand_since: i64) -> Result<Vec<Vec<usize>>, Refusal> {
    Ok(without(site, &reduced_axes(site, operand_since)?))
}

fn reduced_along_one(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    Ok(without(site, &[reduced_axis(site)?]))
}

/// The axis of an operator that takes away one.
pub(super) fn reduced_axis(site: &Site<'_>) -> Result<usize, Refusal> {
    site.axis(site.int("axis").unwrap_or(0), site.rank())
}

/// The shape that is left of the first operand's, `axes` being 1 or not there.
fn without(site: &Site<'_>, axes: &[usize]) -> Vec<Vec<usize>> {
    let keep = site.int("keepdims") != Some(0);
    let extents = site.x().shape.iter().enumerate().filter_map(|(axis, &extent)| {
        let taken = axes.contains(&axis);
        if taken && !keep { None } else { Some(if taken { 1 } else { extent }) }
    });
    vec![extents.collect()]
}

fn summed_along_one(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    summed_axis(site)?;
    unchanged(site)
}

/// The axis that running sums go along.
pub(super) fn summed_axis(site: &Site<'_>) -> Result<usize, Refusal> {
    let axis = site.all_ints(1).filter(|axes| axes.len() == 1);
    let Some(axis) = axis else { return unsupported("an axis that is not a constant number") };
    site.axis(axis[0], site.rank())
}

/// Batches, channels, rows and columns.
fn image(site: &Site<'_>) -> Result<[usize; 4], Refusal> {
    let shape = &site.x().shape;
    <[usize; 4]>::try_from(&shape[..])
        .map_err(|_| site.invalid(format!("has an image of shape {shape:?}, where 4 dimensions are needed")))
}

/// The block of an operator that cannot do without.
pub(super) fn block(site: &Site<'_>) -> usize {
    site.int("blocksize").unwrap_or(1) as usize
}

fn depth_to_space(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let ([batches, channels, rows, columns], block) = (image(site)?, block(site));
    let problem = format!("takes blocks of {block} by {block} from {channels} channels");
    site.ensure(channels.is_multiple_of(block * block), problem)?;
    Ok(vec![vec![batches, channels / (block * block), rows * block, columns * block]])
}

fn space_to_depth(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let ([batches, channels, rows, columns], block) = (image(site)?, block(site));
    let problem = format!("takes blocks of {block} by {block} from {rows} by {columns}");
    site.ensure(rows.is_multiple_of(block) && columns.is_multiple_of(block), problem)?;
    Ok(vec![vec![batches, channels * block * block, rows / block, columns / block]])
}

/// The dimension that Split cuts, and the shape of each part.
pub(super) fn parts(site: &Site<'_>) -> Result<(usize, Vec<Vec<usize>>), Refusal> {
    let shape = &site.x().shape;
    let axis = site.axis(site.int("axis").unwrap_or(0), shape.len())?;
    let (extent, outputs) = (shape[axis], site.node.output.len());
    let stated = match site.opset >= 13 {
        true => site.constant_ints(1)?,
        false => site.ints("split").map(<[i64]>::to_vec),
    };
    let extents = match stated {
        Some(stated) => {
            let extents: Option<Vec<usize>> = stated.iter().map(|&part| usize::try_from(part).ok()).collect();
            let sum = |parts: &Vec<usize>| parts.iter().try_fold(0usize, |sum, &part| sum.checked_add(part));
            let problem = || site.invalid(format!("splits {extent} elements into {stated:?}"));
            extents.filter(|parts| sum(parts) == Some(extent)).ok_or_else(problem)?
        }
        None => {
            let part = extent.div_ceil(outputs);
            (0..outputs).map(|index| part.min(extent.saturating_sub(index * part))).collect()
        }
    };
    let problem = format!("splits {extent} elements into {} parts for {outputs} outputs", extents.len());
    site.ensure(extents.len() == outputs, problem)?;
    let part = |&taken: &usize| {
        let mut part = shape.clone();
        part[axis] = taken;
        part
    };
    Ok((axis, extents.iter().map(part).collect()))
}

/// The shape of what TopK writes, twice: of the values and of where they are.
fn top(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let axis = top_axis(site)?;
    let stated = match site.opset >= 10 {
        true => site.constant_ints(1)?.and_then(|counts| counts.first().copied()),
        false => site.int("k"),
    };
    let extent = site.x().shape[axis];
    let count = stated.and_then(|count| usize::try_from(count).ok()).filter(|&count| count <= extent);
    let problem = || site.invalid(format!("takes {} of {extent} elements", stated.unwrap_or_default()));
    let mut shape = site.x().shape.clone();
    shape[axis] = count.filter(|&count| count > 0).ok_or_else(problem)?;
    Ok(vec![shape.clone(), shape])
}

/// The axis that TopK orders.
pub(super) fn top_axis(site: &Site<'_>) -> Result<usize, Refusal> {
    site.axis(site.int("axis").unwrap_or(-1), site.rank())
}

fn tiled(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let (shape, repeats) = (&site.x().shape, stated_shape(site, 1)?);
    let problem = format!("repeats a tensor of {} dimensions {repeats:?} times", shape.len());
    site.ensure(repeats.len() == shape.len(), problem)?;
    let tiled = shape.iter().zip(&repeats).map(|(extent, repeats)| extent.saturating_mul(*repeats));
    Ok(vec![tiled.collect()])
}

fn recurrent(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    Ok(Recurrence::of(site)?.shapes())
}

fn log_softmax(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    check_softmax(site)?;
    unchanged(site)
}

fn layer_normalization(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let shape = &site.x().shape;
    let axis = site.axis(site.int("axis").unwrap_or(-1), shape.len())?;
    for parameters in site.inputs().skip(1) {
        let problem = format!("scales {:?} elements with {:?} factors", &shape[axis..], parameters.shape);
        site.ensure(
            broadcast(&shape[axis..], &parameters.shape).as_deref() == Some(&shape[axis..]),
            problem,
        )?;
    }
    unchanged(site)
}

fn group_normalization(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let (shape, groups) = (&site.x().shape, groups(site));
    let problem = format!("has an image of shape {shape:?} for {groups} groups of channels");
    site.ensure(shape.len() >= 3 && shape[1].is_multiple_of(groups), problem)?;
    for position in 1..3 {
        let parameter = &operand(site, position)?.shape;
        let wanted = if site.opset >= 21 { shape[1] } else { groups };
        let problem = format!("has operand {position} of shape {parameter:?}, where {wanted} are needed");
        site.ensure(parameter[..] == [wanted], problem)?;
    }
    unchanged(site)
}

/// The groups of channels of a GroupNormalization.
pub(super) fn groups(site: &Site<'_>) -> usize {
    site.int("num_groups").unwrap_or(1) as usize
}

fn instance_normalization(site: &Site<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    let shape = &site.x().shape;
    site.ensure(shape.len() >= 3, format!("has an image of shape {shape:?}, without batch and channels"))?;
    for position in 1..3 {
        let parameter = &operand(site, position)?.shape;
        let problem = format!("has operand {position} of shape {parameter:?} for {} channels", shape[1]);
        site.ensure(**parameter == shape[1..2], problem)?;
    }
    unchanged(site)
}

#[cfg(test)]
mod tests {
    use super::OPERATORS;

    #[test]
    fn operators_are_sorted() {
        assert!(OPERATORS.is_sorted_by_key(|(name, ..)| name));
    }
}
