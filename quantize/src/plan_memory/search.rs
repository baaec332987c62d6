//! Places for blocks such that blocks in use at one time do not overlap, in as few bytes as a small
//! search finds.

use super::liveness::Block;
use crate::lower::BUFFER_ALIGNMENT;

/// Orders tried beside the first ones, for a model of few blocks.
const TRIALS: usize = 4000;
/// A trial compares every block with every other; no model takes more comparisons than this.
const COMPARISONS: usize = 100_000_000;

/// Offsets of blocks, and the end of the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) offsets: Vec<u32>,
    pub(super) arena_bytes: u32,
}

/// The most bytes in use at one time.
pub(super) fn most_alive_bytes(blocks: &[Block]) -> u32 {
    let alive_at = |time: usize| -> u32 {
        let alive = blocks.iter().filter(|block| (block.first..=block.last).contains(&time));
        alive.map(|block| block.bytes).sum()
    };
    blocks.iter().map(|block| alive_at(block.first)).max().unwrap_or(0)
}

/// Places `blocks`. Each order of them gives a placement: every block in turn takes the lowest place
/// that is free while it lives. A few orders that are known to do well come first; then the best one is
/// varied, until nothing can be gained or the trials are used up.
pub(super) fn place(blocks: &[Block]) -> Placement {
    let bound = most_alive_bytes(blocks);
    let mut best: Option<(Vec<usize>, Placement)> = None;
    for order in first_orders(blocks) {
        keep_better(&mut best, blocks, order);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..TRIALS.min(COMPARISONS / (blocks.len() * blocks.len()).max(1)) {
        let Some((order, placement)) = &best else { break };
        if placement.arena_bytes <= bound || order.len() < 2 {
            break;
        }
        let mut order = order.clone();
        let moved = order.remove(random.below(order.len()));
        order.insert(random.below(order.len() + 1), moved);
        keep_better(&mut best, blocks, order);
    }
    best.map_or(Placement { offsets: Vec::new(), arena_bytes: 0 }, |(_, placement)| placement)
}

fn first_orders(blocks: &[Block]) -> [Vec<usize>; 4] {
    let ordered_by = |key: fn(&Block) -> (u64, usize)| {
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.sort_by_key(|&index| (key(&blocks[index]), index));
        order
    };
    [
        ordered_by(|block| (u64::MAX - u64::from(block.bytes), block.first)),
        ordered_by(|block| (u64::MAX - u64::from(block.bytes) * lifetime(block), block.first)),
        ordered_by(|block| (u64::MAX - lifetime(block), block.first)),
        ordered_by(|block| (block.first as u64, usize::MAX - block.bytes as usize)),
    ]
}

fn lifetime(block: &Block) -> u64 {
    (block.last - block.first + 1) as u64
}

/// Replaces `best` with the placement that `order` gives when that is no larger.
fn keep_better(best: &mut Option<(Vec<usize>, Placement)>, blocks: &[Block], order: Vec<usize>) {
    let placement = place_in_order(blocks, &order);
    if best.as_ref().is_none_or(|(_, kept)| placement.arena_bytes <= kept.arena_bytes) {
        *best = Some((order, placement));
    }
}

fn place_in_order(blocks: &[Block], order: &[usize]) -> Placement {
    let mut placement = Placement { offsets: vec![0; blocks.len()], arena_bytes: 0 };
    let mut taken: Vec<(u32, u32)> = Vec::new();
    for (position, &index) in order.iter().enumerate() {
        let block = &blocks[index];
        let neighbours = order[..position].iter().filter(|&&other| blocks[other].meets(block));
        taken.clear();
        taken.extend(neighbours.map(|&other| {
            let start = placement.offsets[other];
            (start, start + blocks[other].bytes)
        }));
        taken.sort_unstable();
        let mut offset = 0;
        for &(start, end) in &taken {
            if offset + block.bytes <= start {
                break;
            }
            offset = offset.max(end.next_multiple_of(BUFFER_ALIGNMENT));
        }
        placement.offsets[index] = offset;
        placement.arena_bytes = placement.arena_bytes.max(offset + block.bytes);
    }
    placement
}

/// Marsaglia's xorshift: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(bytes: u32, first: usize, last: usize) -> Block {
        Block { bytes, first, last, buffers: Vec::new() }
    }

    fn assert_sound(blocks: &[Block], placement: &Placement) {
        for (a, block) in blocks.iter().enumerate() {
            let a_start = placement.offsets[a];
            assert!(a_start.is_multiple_of(BUFFER_ALIGNMENT));
            assert!(a_start + block.bytes <= placement.arena_bytes);
            for (b, other) in blocks.iter().enumerate().skip(a + 1) {
                let b_start = placement.offsets[b];
                let apart = a_start + block.bytes <= b_start || b_start + other.bytes <= a_start;
                assert!(apart || !block.meets(other), "{a} and {b} overlap");
            }
        }
    }

    #[test]
    fn a_chain_needs_its_two_greatest_neighbours() {
        let blocks: Vec<Block> =
            [640, 128, 128, 8, 128, 640].iter().enumerate().map(|(i, &b)| block(b, i, i + 1)).collect();
        let placement = place(&blocks);
        assert_sound(&blocks, &placement);
        assert_eq!(placement.arena_bytes, 768);
        assert_eq!(most_alive_bytes(&blocks), 768);
    }

    #[test]
    fn blocks_of_any_lifetimes_never_overlap() {
        let mut random = Random(7);
        for _ in 0..200 {
            let count = 1 + random.below(30);
            let blocks: Vec<Block> = (0..count)
                .map(|_| {
                    let first = random.below(20);
                    block(1 + random.below(5000) as u32, first, first + random.below(6))
                })
                .collect();
            let placement = place(&blocks);
            assert_sound(&blocks, &placement);
            assert!(placement.arena_bytes >= most_alive_bytes(&blocks));
        }
    }

    #[test]
    fn no_blocks_need_no_arena() {
        assert_eq!(place(&[]).arena_bytes, 0);
    }
}
