//! The least arena of few blocks, by every order that can matter.

use super::blocks::Blocks;
use super::placement::{Placement, Placing};

/// Places looked for before the search gives up.
const PLACES: usize = 100_000;

/// What became of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A smaller placement than the one known, and no smaller one exists.
    Least(Placement),
    /// The one known is the least.
    KnownIsLeast,
    /// Too many orders. The best placement found, where it is smaller than the one known.
    GivenUp(Option<Placement>),
}

/// Looks for a placement of less than `known_bytes`, among those in which every block lies as low as
/// it can. It is enough to place blocks by ascending offset: placing them anew in the order of their
/// offsets moves none of them up. An arena of `bound_bytes` is known to be the least.
pub(super) fn search(blocks: &Blocks, known_bytes: u32, bound_bytes: u32) -> Outcome {
    let mut search = Search {
        blocks,
        placing: Placing::new(blocks),
        best_bytes: known_bytes,
        best: None,
        bound_bytes,
        places_left: PLACES,
    };
    let end = search.extend(0, 0, 0);
    match (end, search.best) {
        (End::GaveUp, best) => Outcome::GivenUp(best),
        (_, Some(best)) => Outcome::Least(best),
        (_, None) => Outcome::KnownIsLeast,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Every order was seen.
    Complete,
    /// Nothing can be better than what was found.
    Least,
    /// There were too many.
    GaveUp,
}

struct Search<'b> {
    blocks: &'b Blocks,
    placing: Placing<'b>,
    best_bytes: u32,
    best: Option<Placement>,
    bound_bytes: u32,
    places_left: usize,
}

impl Search<'_> {
    /// Places the rest of the blocks when `placed` have a place, the last one at `floor` and with an
    /// index of at least `next` - 1.
    fn extend(&mut self, placed: usize, floor: u32, next: usize) -> End {
        let count = self.blocks.blocks.len();
        if placed == count {
            self.best = Some(self.placing.placement());
            self.best_bytes = self.best.as_ref().map_or(0, |best| best.arena_bytes);
            return if self.best_bytes <= self.bound_bytes { End::Least } else { End::Complete };
        }
        let mut choices = Vec::new();
        for block in 0..count {
            if self.placing.is_placed(block) {
                continue;
            }
            let Some(left) = self.places_left.checked_sub(1) else { return End::GaveUp };
            self.places_left = left;
            let offset = self.placing.lowest(block);
            if offset + self.blocks.blocks[block].bytes >= self.best_bytes {
                return End::Complete;
            }
            if (offset, block) >= (floor, next) {
                choices.push((offset, block));
            }
        }
        choices.sort_unstable();
        for (offset, block) in choices {
            self.placing.put(block, offset);
            let end = self.extend(placed + 1, offset, block + 1);
            self.placing.take_away(block);
            if end != End::Complete {
                return end;
            }
        }
        End::Complete
    }
}
