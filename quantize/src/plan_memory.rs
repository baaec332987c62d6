//! Where each buffer lies in the arena.
//!
//! A buffer lives from the record that first writes it to the last that reads it; model inputs from
//! before the first record, model outputs to after the last. Buffers that are never alive at once may
//! share bytes. Where a kernel can work in place, its output takes the place of an input that dies
//! there: the two are one block.

mod liveness;
mod search;

use edgepkg_format::TensorRef;

use crate::lower::Lowered;

/// The places of a lowered model's buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The first byte of each of the lowered model's buffers, in their order.
    pub offsets: Vec<u32>,
    /// Bytes of the arena: the end of the last buffer.
    pub arena_bytes: u32,
    /// The most bytes that are alive at once: no arena could be smaller.
    pub lower_bound_bytes: u32,
}

impl MemoryPlan {
    /// Every buffer at a place of its own, so that after a run every activation is still there.
    pub fn without_sharing(lowered: &Lowered) -> Self {
        let arena_bytes = lowered.buffers.last().map_or(0, |buffer| buffer.offset + buffer.bytes);
        Self {
            offsets: lowered.buffers.iter().map(|buffer| buffer.offset).collect(),
            arena_bytes,
            lower_bound_bytes: arena_bytes,
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

/// Plans the memory of `lowered`, with kernels in place where they allow it. The same plan every time.
pub fn plan_memory(lowered: &Lowered) -> MemoryPlan {
    let blocks = liveness::blocks(lowered);
    let placed = search::place(&blocks);
    let mut offsets = vec![0; lowered.buffers.len()];
    for (block, &offset) in blocks.iter().zip(&placed.offsets) {
        for &buffer in &block.buffers {
            offsets[buffer] = offset;
        }
    }
    MemoryPlan {
        offsets,
        arena_bytes: placed.arena_bytes,
        lower_bound_bytes: search::most_alive_bytes(&blocks),
    }
}
