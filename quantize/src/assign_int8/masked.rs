//! Ranges of scores that a mask has been added to, or put in the place of.

use crate::calibrate::Range;
use crate::graph::{FloatGraph, Node, Op, Tensor, TensorId};

/// A sum with values below this is of scores that are masked.
const DEEP: f32 = -1000.0;
/// Where masked scores may saturate, below all that are not: a softmax of int8 leaves nothing of such a difference.
const MARGIN: f32 = 10.0;

/// The range of `scores`, which a softmax reads, without what is masked: a masked score only has to stay far below the others.
pub(super) fn unmasked(
    graph: &FloatGraph,
    ranges: &[Option<Range>],
    scores: TensorId,
    range: Range,
) -> Range {
    let Some(producer) = producer_behind(graph, scores) else { return range };
    let sum = match producer.op {
        Op::Add { activation } if activation.is_none() => [producer.inputs[0], producer.inputs[1]],
        Op::Select => {
            return least_selected(graph, ranges, producer).map_or(range, |least| raised(range, least));
        }
        _ => return range,
    };
    let of = |id: TensorId| ranges[id.0];
    let (Some(a), Some(b)) = (of(sum[0]), of(sum[1])) else { return range };
    let (mask, others) = if a.min < b.min { (a, b) } else { (b, a) };
    if mask.min > DEEP || others.min <= DEEP {
        return range;
    }
    raised(range, others.min + mask.max - MARGIN)
}

/// Narrows constants that stand in the place of masked scores, as [`unmasked`] the scores: both have one scale.
pub(super) fn narrow_selected(graph: &FloatGraph, ranges: &mut [Option<Range>]) {
    for softmax in graph.nodes.iter().filter(|node| matches!(node.op, Op::Softmax { .. } | Op::LogSoftmax)) {
        let Some(node) = producer_behind(graph, softmax.inputs[0]) else { continue };
        let is_alone = |id: TensorId| graph.consumers(id).count() == 1 && !graph.is_output(id);
        if node.op != Op::Select || !is_alone(node.output()) || !is_alone(softmax.inputs[0]) {
            continue;
        }
        let Some(least) = least_selected(graph, ranges, node) else { continue };
        for &value in node.inputs[1..].iter().filter(|&&id| graph.tensor(id).is_constant() && is_alone(id)) {
            ranges[value.0] =
                ranges[value.0].map(|range| Range { min: range.min.max(least), max: range.max.max(least) });
        }
    }
}

/// The least value that a masked score has to keep, behind a selection of scores or constants.
fn least_selected(graph: &FloatGraph, ranges: &[Option<Range>], selection: &Node) -> Option<f32> {
    let scores = selection.inputs[1..].iter().filter(|&&id| !graph.tensor(id).is_constant());
    let least = scores.filter_map(|id| ranges[id.0]).map(|range| range.min).reduce(f32::min)?;
    Some(least - MARGIN)
}

fn raised(range: Range, least: f32) -> Range {
    Range { min: least.max(range.min).min(range.max), max: range.max }
}

/// The node that makes what `id` is, moved or not.
fn producer_behind(graph: &FloatGraph, id: TensorId) -> Option<&Node> {
    let mut at = id;
    loop {
        let node = &graph.nodes[graph.producer(at)?];
        match node.op {
            Op::Reshape | Op::Transpose { .. } if !graph.tensor(node.inputs[0]).is_constant() => {
                at = node.inputs[0];
            }
            _ => return Some(node),
        }
    }
}
