//! Where each buffer lies in the arena.
//!
//! A buffer lives from the record that first writes it to the last that reads it; model inputs from
//! before the first record, model outputs to after the last; scratch while its record runs. Buffers that
//! are never alive at once may share bytes. So may a record's output and an input that dies there, at the
//! distances that the kernel states.

mod blocks;
mod bound;
mod exact;
mod liveness;
mod placement;
mod search;
#[cfg(test)]
mod tests;

use edgepkg_format::TensorRef;

use self::blocks::{Blocks, InPlace};
use self::liveness::Handover;
pub use self::search::Optimality;
use crate::lower::{Buffer, Lowered};

/// The places of a lowered model's buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The first byte of each of the lowered model's buffers, in their order.
    pub offsets: Vec<u32>,
    /// When each of them is in use; `None` for one that nothing touches.
    pub lifetimes: Vec<Option<Lifetime>>,
    /// Bytes of the arena: the end of the last buffer.
    pub arena_bytes: u32,
    /// The most bytes that one record needs, its output as far over its inputs as its kernel allows: no
    /// arena could be smaller.
    pub lower_bound_bytes: u32,
    /// Whether a smaller arena exists.
    pub optimality: Optimality,
}

/// Times at which a buffer is in use. The model's inputs are given at time 0, record `i` runs at time
/// `i + 1`, and the outputs are taken after the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// The first one.
    pub first: usize,
    /// The last one.
    pub last: usize,
}

impl Lifetime {
    /// Whether it is in use at `time`.
    pub fn contains(self, time: usize) -> bool {
        self.first <= time && time <= self.last
    }

    fn meets(self, other: Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl MemoryPlan {
    /// Every buffer at a place of its own, so that after a run every activation is still there.
    pub fn without_sharing(lowered: &Lowered) -> Self {
        let arena_bytes = lowered.buffers.last().map_or(0, |buffer| buffer.offset + buffer.bytes);
        Self {
            offsets: lowered.buffers.iter().map(|buffer| buffer.offset).collect(),
            lifetimes: liveness::lifetimes(lowered, &liveness::steps(lowered)),
            arena_bytes,
            lower_bound_bytes: arena_bytes,
            optimality: Optimality::BestFound,
        }
    }

    /// Where a reference of `lowered`'s plan points to in this one.
    pub fn place(&self, lowered: &Lowered, tensor: TensorRef) -> TensorRef {
        match lowered.buffer_of(tensor) {
            Some(buffer) => {
                let inside = tensor.offset - lowered.buffers[buffer].offset;
                TensorRef { offset: self.offsets[buffer] + inside, ..tensor }
            }
            None => tensor,
        }
    }
}

/// Plans the memory of `lowered`, with outputs over inputs where kernels allow it. The same plan every
/// time.
pub fn plan_memory(lowered: &Lowered) -> MemoryPlan {
    let steps = liveness::steps(lowered);
    let lifetimes = liveness::lifetimes(lowered, &steps);
    let handovers = liveness::handovers(lowered, &steps, &lifetimes);
    plan_buffers(&lowered.buffers, lifetimes, &handovers)
}

fn plan_buffers(buffers: &[Buffer], lifetimes: Vec<Option<Lifetime>>, handovers: &[Handover]) -> MemoryPlan {
    let lower_bound_bytes = bound::least_arena_bytes(buffers, &lifetimes, handovers);
    let mut plan: Option<MemoryPlan> = None;
    for in_place in [InPlace::Always, InPlace::WhereFound] {
        let blocks = Blocks::new(buffers, &lifetimes, handovers, in_place);
        let (placed, optimality) = search::place(&blocks, lower_bound_bytes);
        let mut offsets = vec![0; buffers.len()];
        for (block, &offset) in blocks.blocks.iter().zip(&placed.offsets) {
            for &buffer in &block.buffers {
                offsets[buffer] = offset;
            }
        }
        // With less freedom, the least arena is so only when it meets the bound.
        let is_least = placed.arena_bytes <= lower_bound_bytes || in_place == InPlace::WhereFound;
        let optimality = if is_least { optimality } else { Optimality::BestFound };
        let arena_bytes = placed.arena_bytes;
        let found =
            MemoryPlan { offsets, lifetimes: lifetimes.clone(), arena_bytes, lower_bound_bytes, optimality };
        let meets_bound = arena_bytes <= lower_bound_bytes;
        match &mut plan {
            Some(best) if best.arena_bytes < arena_bytes => {}
            Some(best) if best.arena_bytes == arena_bytes => best.optimality = optimality,
            _ => plan = Some(found),
        }
        if meets_bound {
            break;
        }
    }
    plan.expect("two plans were made")
}
