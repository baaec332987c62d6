//! Ranges of scores that a mask has been added to.

use crate::calibrate::Range;
use crate::graph::{FloatGraph, Op, Tensor, TensorId};

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
    let Some(sum) = sum_behind(graph, scores) else { return range };
    let of = |id: TensorId| ranges[id.0];
    let (Some(a), Some(b)) = (of(sum[0]), of(sum[1])) else { return range };
    let (mask, others) = if a.min < b.min { (a, b) } else { (b, a) };
    if mask.min > DEEP || others.min <= DEEP {
        return range;
    }
    let least = others.min + mask.max - MARGIN;
    Range { min: least.max(range.min).min(range.max), max: range.max }
}

/// The operands of the sum that `id` is, moved or not.
fn sum_behind(graph: &FloatGraph, id: TensorId) -> Option<[TensorId; 2]> {
    let mut at = id;
    loop {
        let node = &graph.nodes[graph.producer(at)?];
        match node.op {
            Op::Add { activation } if activation.is_none() => return Some([node.inputs[0], node.inputs[1]]),
            Op::Reshape | Op::Transpose { .. } if !graph.tensor(node.inputs[0]).is_constant() => {
                at = node.inputs[0];
            }
            _ => return None,
        }
    }
}
