//! Blocks that are placed as one, and the distances that they must not have.

use super::Lifetime;
use super::liveness::Handover;
use crate::lower::Buffer;

/// Buffers of one first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Bytes of the longest one.
    pub(super) bytes: u32,
    /// The time from which on one of them is in use.
    pub(super) first: usize,
    /// The last time at which one of them is in use.
    pub(super) last: usize,
    /// The buffers, as indices.
    pub(super) buffers: Vec<usize>,
}

/// Distances from one block's first byte to another's that they must not have: those between the two
/// numbers, neither of which is meant.
pub(super) type Forbidden = (i64, i64);

/// Another block that is in use at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) block: usize,
    /// Of the distances from that block to this one.
    pub(super) forbidden: Vec<Forbidden>,
}

/// What is to be placed.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    pub(super) blocks: Vec<Block>,
    /// The neighbours of each block.
    pub(super) neighbours: Vec<Vec<Neighbour>>,
}

/// Whether an output takes exactly the place of an input where it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InPlace {
    /// Always: the two are one block.
    Always,
    /// When the search finds it good.
    WhereFound,
}

impl Blocks {
    /// The blocks of `buffers`, in the order of their first buffers.
    pub(super) fn new(
        buffers: &[Buffer],
        lifetimes: &[Option<Lifetime>],
        handovers: &[Handover],
        in_place: InPlace,
    ) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut block_of = vec![None; buffers.len()];
        for (buffer, lifetime) in lifetimes.iter().enumerate() {
            let Some(lifetime) = lifetime else { continue };
            let taken_over = handovers.iter().find(|handover| {
                let Handover { input, output, distances: (least, greatest) } = **handover;
                let fits = buffers[output].bytes <= buffers[input].bytes;
                in_place == InPlace::Always && output == buffer && least <= 0 && 0 <= greatest && fits
            });
            let block = match taken_over.and_then(|handover| block_of[handover.input]) {
                Some(block) => block,
                None => {
                    let (bytes, Lifetime { first, last }) = (buffers[buffer].bytes, *lifetime);
                    blocks.push(Block { bytes, first, last, buffers: Vec::new() });
                    blocks.len() - 1
                }
            };
            blocks[block].last = lifetime.last;
            blocks[block].buffers.push(buffer);
            block_of[buffer] = Some(block);
        }
        let neighbours = neighbours(&blocks, buffers, lifetimes, handovers);
        Self { blocks, neighbours }
    }

    /// Whether the lowest block of two is never hindered by lying lower: then some order of placing
    /// every block as low as it can lie gives the least arena.
    pub(super) fn are_one_sided(&self) -> bool {
        self.neighbours.iter().flatten().all(|neighbour| match neighbour.forbidden[..] {
            [(least, greatest)] => least <= 0 && 0 <= greatest,
            _ => false,
        })
    }
}

fn neighbours(
    blocks: &[Block],
    buffers: &[Buffer],
    lifetimes: &[Option<Lifetime>],
    handovers: &[Handover],
) -> Vec<Vec<Neighbour>> {
    let mut neighbours: Vec<Vec<Neighbour>> = vec![Vec::new(); blocks.len()];
    for (a, block) in blocks.iter().enumerate() {
        for (b, other) in blocks.iter().enumerate().skip(a + 1) {
            let mut forbidden = Vec::new();
            for &from in &block.buffers {
                for &to in &other.buffers {
                    let meet = lifetimes[from].zip(lifetimes[to]).is_some_and(|(a, b)| a.meets(b));
                    if meet {
                        forbidden.extend(forbidden_distances(buffers, handovers, from, to));
                    }
                }
            }
            if !forbidden.is_empty() {
                let forbidden = joined(forbidden);
                let reversed = forbidden.iter().rev().map(|&(least, greatest)| (-greatest, -least));
                neighbours[a].push(Neighbour { block: b, forbidden: reversed.collect() });
                neighbours[b].push(Neighbour { block: a, forbidden });
            }
        }
    }
    neighbours
}

/// Distances that `to` must not have from `from` when both are in use.
fn forbidden_distances(buffers: &[Buffer], handovers: &[Handover], from: usize, to: usize) -> Vec<Forbidden> {
    let (below, above) = (-i64::from(buffers[to].bytes), i64::from(buffers[from].bytes));
    let allowed = handovers.iter().find_map(|handover| {
        let (least, greatest) = handover.distances;
        match (handover.input, handover.output) {
            pair if pair == (from, to) => Some((least, greatest)),
            pair if pair == (to, from) => Some((-greatest, -least)),
            _ => None,
        }
    });
    let pieces = match allowed {
        Some((least, greatest)) => vec![(below, least.min(above)), (greatest.max(below), above)],
        None => vec![(below, above)],
    };
    pieces.into_iter().filter(|(least, greatest)| greatest - least > 1).collect()
}

/// The same distances, in order and without overlaps.
fn joined(mut ranges: Vec<Forbidden>) -> Vec<Forbidden> {
    ranges.sort_unstable();
    let mut joined: Vec<Forbidden> = Vec::new();
    for (least, greatest) in ranges {
        match joined.last_mut() {
            Some(last) if least < last.1 => last.1 = last.1.max(greatest),
            _ => joined.push((least, greatest)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(handover: Option<(i64, i64)>, in_place: InPlace) -> Blocks {
        let buffers = [Buffer { offset: 0, bytes: 100 }, Buffer { offset: 112, bytes: 80 }];
        let lifetimes = [(0, 1), (1, 2)].map(|(first, last)| Some(Lifetime { first, last }));
        let handovers = handover.map(|distances| Handover { input: 0, output: 1, distances });
        Blocks::new(&buffers, &lifetimes, handovers.as_slice(), in_place)
    }

    fn forbidden(handover: Option<(i64, i64)>) -> Vec<Forbidden> {
        blocks(handover, InPlace::WhereFound).neighbours[1][0].forbidden.clone()
    }

    #[test]
    fn what_is_not_apart_nor_allowed_is_forbidden() {
        assert_eq!(forbidden(None), [(-80, 100)]);
        assert_eq!(forbidden(Some((0, 0))), [(-80, 0), (0, 100)]);
        assert_eq!(forbidden(Some((i64::MIN, -10))), [(-10, 100)]);
        assert_eq!(forbidden(Some((5, i64::MAX))), [(-80, 5)]);
        assert_eq!(blocks(Some((5, 1000)), InPlace::Always).neighbours[0][0].forbidden, [(-5, 80)]);
    }

    #[test]
    fn one_place_can_be_one_block() {
        let Blocks { blocks, neighbours } = blocks(Some((0, 0)), InPlace::Always);
        assert_eq!(blocks, [Block { bytes: 100, first: 0, last: 2, buffers: vec![0, 1] }]);
        assert_eq!(neighbours, [vec![]]);
    }

    #[test]
    fn forbidden_distances_of_several_buffers_are_joined() {
        assert_eq!(joined(vec![(3, 9), (-4, 4), (9, 10)]), [(-4, 9), (9, 10)]);
    }
}
