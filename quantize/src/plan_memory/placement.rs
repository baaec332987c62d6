//! Blocks placed one after the other, each as low as it can lie.

use super::blocks::{Blocks, Forbidden};
use crate::lower::BUFFER_ALIGNMENT;

/// Offsets of blocks, and the end of the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) offsets: Vec<u32>,
    pub(super) arena_bytes: u32,
}

/// Blocks of which some have a place.
pub(super) struct Placing<'b> {
    blocks: &'b Blocks,
    offsets: Vec<Option<u32>>,
    forbidden: Vec<Forbidden>,
}

impl<'b> Placing<'b> {
    /// No block has a place.
    pub(super) fn new(blocks: &'b Blocks) -> Self {
        Self { blocks, offsets: vec![None; blocks.blocks.len()], forbidden: Vec::new() }
    }

    /// The lowest place of `block` among those that have theirs.
    pub(super) fn lowest(&mut self, block: usize) -> u32 {
        self.forbidden.clear();
        for neighbour in &self.blocks.neighbours[block] {
            let Some(offset) = self.offsets[neighbour.block] else { continue };
            let offset = i64::from(offset);
            let forbidden = neighbour.forbidden.iter();
            self.forbidden.extend(forbidden.map(|&(least, greatest)| (offset + least, offset + greatest)));
        }
        self.forbidden.sort_unstable();
        let mut lowest = 0;
        for &(least, greatest) in &self.forbidden {
            if lowest <= least {
                break;
            }
            if lowest < greatest {
                lowest = (greatest as u64).next_multiple_of(BUFFER_ALIGNMENT.into()) as i64;
            }
        }
        lowest as u32
    }

    pub(super) fn put(&mut self, block: usize, offset: u32) {
        self.offsets[block] = Some(offset);
    }

    pub(super) fn take_away(&mut self, block: usize) {
        self.offsets[block] = None;
    }

    pub(super) fn is_placed(&self, block: usize) -> bool {
        self.offsets[block].is_some()
    }

    /// The placement that it is; blocks without a place count as the lowest ones.
    pub(super) fn placement(&self) -> Placement {
        let offsets: Vec<u32> = self.offsets.iter().map(|offset| offset.unwrap_or(0)).collect();
        let ends = offsets.iter().zip(&self.blocks.blocks).map(|(offset, block)| offset + block.bytes);
        Placement { arena_bytes: ends.max().unwrap_or(0), offsets }
    }
}

/// Every block in turn takes the lowest place that it can.
pub(super) fn place_in_order(blocks: &Blocks, order: &[usize]) -> Placement {
    let mut placing = Placing::new(blocks);
    for &block in order {
        let offset = placing.lowest(block);
        placing.put(block, offset);
    }
    placing.placement()
}
