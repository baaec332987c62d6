//! Places for blocks such that no two have a forbidden distance, in as few bytes as a small search
//! finds.

use super::blocks::{Block, Blocks};
use super::exact::{self, Outcome};
use super::placement::{Placement, place_in_order};

/// Orders tried beside the first ones, for a model of few blocks.
const TRIALS: usize = 4000;
/// A trial compares every block with its neighbours; no model takes more comparisons than this.
const COMPARISONS: usize = 100_000_000;

/// Places `blocks`. Each order of them gives a placement: every block in turn takes the lowest place
/// that it can. A few orders that are known to do well come first; then the best one is varied, until
/// nothing can be gained or the trials are used up; then every order is tried, where these are few.
pub(super) fn place(blocks: &Blocks, bound_bytes: u32) -> (Placement, Optimality) {
    let found = vary_orders(blocks, bound_bytes);
    if found.arena_bytes <= bound_bytes {
        return (found, Optimality::Least);
    }
    let complete = match blocks.are_one_sided() {
        true => Optimality::Least,
        false => Optimality::BestFound,
    };
    match exact::search(blocks, found.arena_bytes, bound_bytes) {
        Outcome::Least(placement) => (placement, complete),
        Outcome::KnownIsLeast => (found, complete),
        Outcome::GivenUp(better) => (better.unwrap_or(found), Optimality::BestFound),
    }
}

/// What is known of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimality {
    /// No smaller one exists.
    Least,
    /// None was found.
    BestFound,
}

fn vary_orders(blocks: &Blocks, bound_bytes: u32) -> Placement {
    let mut best: Option<(Vec<usize>, Placement)> = None;
    for order in first_orders(&blocks.blocks) {
        keep_better(&mut best, blocks, order);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let neighbours: usize = blocks.neighbours.iter().map(|neighbours| 1 + neighbours.len()).sum();
    for _ in 0..TRIALS.min(COMPARISONS / neighbours.max(1)) {
        let Some((order, placement)) = &best else { break };
        if placement.arena_bytes <= bound_bytes || order.len() < 2 {
            break;
        }
        let mut order = order.clone();
        let moved = order.remove(random.below(order.len()));
        order.insert(random.below(order.len() + 1), moved);
        keep_better(&mut best, blocks, order);
    }
    best.map_or(Placement { offsets: Vec::new(), arena_bytes: 0 }, |(_, placement)| placement)
}

fn first_orders(blocks: &[Block]) -> [Vec<usize>; 5] {
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
        ordered_by(|block| (u64::MAX - block.last as u64, usize::MAX - block.bytes as usize)),
    ]
}

fn lifetime(block: &Block) -> u64 {
    (block.last - block.first + 1) as u64
}

/// Replaces `best` with the placement that `order` gives when that is no larger.
fn keep_better(best: &mut Option<(Vec<usize>, Placement)>, blocks: &Blocks, order: Vec<usize>) {
    let placement = place_in_order(blocks, &order);
    if best.as_ref().is_none_or(|(_, kept)| placement.arena_bytes <= kept.arena_bytes) {
        *best = Some((order, placement));
    }
}

/// Marsaglia's xorshift: the same numbers on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
