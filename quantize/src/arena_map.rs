//! What lies where in the arena while each record runs: a memory plan for people to read.

use edgepkg_format::OperatorKind;
use edgepkg_format::plan::Access;

use crate::graph::{QuantizedGraph, TensorId};
use crate::lower::Lowered;
use crate::plan_memory::{MemoryPlan, Optimality};

/// The arena of a lowered model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArenaMap {
    /// Its bytes.
    pub arena_bytes: u32,
    /// The most bytes that one record needs: no arena could be smaller.
    pub lower_bound_bytes: u32,
    /// Whether a smaller arena exists.
    pub optimality: Optimality,
    /// What lies in it at one time or another.
    pub buffers: Vec<MappedBuffer>,
    /// The records in order.
    pub steps: Vec<MappedStep>,
}

/// A part of the arena that one thing takes for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedBuffer {
    /// The tensor's name; of scratch and of what lies between the records of one layer, the layer's.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its first byte.
    pub offset: u32,
    /// Its length.
    pub bytes: u32,
    /// The first record in which it is in use; `None` for a model's input, which is there before.
    pub first_step: Option<usize>,
    /// The last record in which it is in use; `None` for a model's output, which stays.
    pub last_step: Option<usize>,
}

/// What a buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It holds an activation.
    Activation,
    /// A kernel works in it.
    Scratch,
}

/// What a record does with the buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedStep {
    /// The graph's node.
    pub layer: usize,
    /// What it computes.
    pub operator: OperatorKind,
    /// Buffers that it reads, by their index.
    pub reads: Vec<usize>,
    /// Buffers that it writes.
    pub writes: Vec<usize>,
}

impl MappedBuffer {
    /// Whether it is in use while record `step` runs.
    pub fn is_in_use(&self, step: usize) -> bool {
        self.first_step.is_none_or(|first| first <= step) && self.last_step.is_none_or(|last| step <= last)
    }

    /// The byte after its last one.
    pub fn end(&self) -> u32 {
        self.offset + self.bytes
    }
}

impl ArenaMap {
    /// The map of `memory`, planned for `lowered`, which was made from `graph`.
    pub fn new(graph: &QuantizedGraph, lowered: &Lowered, memory: &MemoryPlan) -> Self {
        let steps = steps(lowered);
        let mut buffers = Vec::new();
        // Buffers that nothing touches are not mapped.
        let mut index_of = vec![None; lowered.buffers.len()];
        for (index, lifetime) in memory.lifetimes.iter().enumerate() {
            let Some(lifetime) = lifetime else { continue };
            index_of[index] = Some(buffers.len());
            buffers.push(MappedBuffer {
                name: name(graph, lowered, index),
                role: role(lowered, index),
                offset: memory.offsets[index],
                bytes: lowered.buffers[index].bytes,
                first_step: lifetime.first.checked_sub(1),
                last_step: (lifetime.last <= steps.len()).then(|| lifetime.last.saturating_sub(1)),
            });
        }
        let renumbered = |buffers: Vec<usize>| buffers.into_iter().filter_map(|buffer| index_of[buffer]);
        let steps = steps.into_iter().map(|step| MappedStep {
            reads: renumbered(step.reads).collect(),
            writes: renumbered(step.writes).collect(),
            ..step
        });
        Self {
            arena_bytes: memory.arena_bytes,
            lower_bound_bytes: memory.lower_bound_bytes,
            optimality: memory.optimality,
            steps: steps.collect(),
            buffers,
        }
    }

    /// Bytes that hold something while record `step` runs.
    pub fn bytes_in_use(&self, step: usize) -> u32 {
        let in_use = self.buffers.iter().filter(|buffer| buffer.is_in_use(step));
        let mut ranges: Vec<_> = in_use.map(|buffer| (buffer.offset, buffer.end())).collect();
        ranges.sort_unstable();
        let (mut bytes, mut reached) = (0, 0);
        for (start, end) in ranges {
            bytes += end.saturating_sub(start.max(reached));
            reached = reached.max(end);
        }
        bytes
    }
}

/// The records, with buffers counted as `lowered` counts them.
fn steps(lowered: &Lowered) -> Vec<MappedStep> {
    let step = |entry: &edgepkg_format::plan::PlanEntry| {
        let operands = entry.record.operands().expect("lowering has checked every record");
        let buffers = |reads: bool| {
            let wanted = operands.iter().filter(|operand| (operand.access == Access::Read) == reads);
            let mut buffers: Vec<_> =
                wanted.filter_map(|operand| lowered.buffer_of(operand.tensor)).collect();
            buffers.dedup();
            buffers
        };
        let (reads, writes) = (buffers(true), buffers(false));
        MappedStep { layer: entry.layer as usize, operator: entry.record.kind(), reads, writes }
    };
    lowered.plan.iter().map(step).collect()
}

fn role(lowered: &Lowered, buffer: usize) -> Role {
    let is_scratch = lowered.plan.iter().any(|entry| {
        let operands = entry.record.operands().expect("lowering has checked every record");
        operands.iter().any(|operand| {
            operand.access == Access::Scratch && lowered.buffer_of(operand.tensor) == Some(buffer)
        })
    });
    if is_scratch { Role::Scratch } else { Role::Activation }
}

fn name(graph: &QuantizedGraph, lowered: &Lowered, buffer: usize) -> String {
    let lies_there = |tensor: &Option<edgepkg_format::TensorRef>| {
        tensor.is_some_and(|tensor| lowered.buffer_of(tensor) == Some(buffer))
    };
    if let Some(tensor) = lowered.tensors.iter().position(lies_there) {
        return graph.tensor(TensorId(tensor)).name.clone();
    }
    let step = steps(lowered).into_iter().find(|step| step.writes.contains(&buffer));
    step.map_or(String::new(), |step| graph.nodes[step.layer].name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(offset: u32, bytes: u32, first_step: Option<usize>, last_step: Option<usize>) -> MappedBuffer {
        let name = String::new();
        MappedBuffer { name, role: Role::Activation, offset, bytes, first_step, last_step }
    }

    #[test]
    fn shared_bytes_count_once() {
        let map = ArenaMap {
            arena_bytes: 200,
            lower_bound_bytes: 200,
            optimality: Optimality::Least,
            buffers: vec![
                buffer(16, 100, None, Some(0)),
                buffer(0, 100, Some(0), Some(1)),
                buffer(150, 50, Some(0), Some(0)),
                buffer(112, 20, Some(1), None),
            ],
            steps: Vec::new(),
        };
        assert_eq!([0, 1, 2].map(|step| map.bytes_in_use(step)), [166, 120, 20]);
    }
}
