//! What a model takes for each thing that it can be lowered for, in one line.

use std::fmt;

use crate::model::Cost;
use crate::table::Bytes;

/// `speed; the same for ram and flash`, or what the others take.
pub(super) struct Costs<'a> {
    /// What it was lowered for.
    pub(super) chosen: &'a str,
    /// For each thing, the chosen one among them.
    pub(super) costs: &'a [Cost],
}

impl fmt::Display for Costs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.chosen)?;
        let needs = |cost: &Cost| (cost.model_bytes, cost.arena_bytes);
        let chosen = self.costs.iter().find(|cost| cost.optimize == self.chosen).map(needs);
        let (alike, others): (Vec<&Cost>, Vec<&Cost>) = self
            .costs
            .iter()
            .filter(|cost| cost.optimize != self.chosen)
            .partition(|cost| Some(needs(cost)) == chosen);
        if !alike.is_empty() {
            let names: Vec<&str> = alike.iter().map(|cost| cost.optimize).collect();
            write!(f, "; the same for {}", names.join(" and "))?;
        }
        for Cost { optimize, model_bytes, arena_bytes } in others {
            let (model, arena) = (Bytes(*model_bytes), Bytes(*arena_bytes));
            write!(f, "; {optimize} takes {arena} of arena and {model} of model")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ram_bytes: u64, expected: &str) {
        let cost = |optimize, arena_bytes| Cost { optimize, model_bytes: 2048, arena_bytes };
        let costs = [cost("speed", 4096), cost("ram", ram_bytes), cost("flash", 4096)];
        assert_eq!(Costs { chosen: "speed", costs: &costs }.to_string(), expected);
    }

    #[test]
    fn what_differs_is_said() {
        check(4096, "speed; the same for ram and flash");
        check(1024, "speed; the same for flash; ram takes 1.0 KiB of arena and 2.0 KiB of model");
    }
}
