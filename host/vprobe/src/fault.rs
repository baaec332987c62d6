//! What can be made to go wrong, and when.

/// When a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Instead of the N-th transfer over the wire from now on, counted from 1.
    Transfer(u64),
    /// After the N-th change of the flash, an erased page or a written word, counted from 1.
    FlashChange(u64),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The chip loses its power: what is in its flash stays, and it answers nothing until it has power again.
    PowerCut,
    /// The chip does not answer one transfer.
    NoAnswer,
    /// The chip answers one transfer with FAULT.
    FaultAnswer,
    /// The probe is pulled out of this computer, until it is plugged in again.
    Unplugged,
    /// The chip locks its memory to debuggers, until its flash is erased as a whole.
    Locked,
    /// A bit of the flash turns over.
    FlippedBit {
        /// Where.
        address: u32,
        /// Which bit of the byte there.
        bit: u8,
    },
}

/// A fault that is to happen, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What.
    pub fault: Fault,
    /// When.
    pub when: When,
}

/// The rules of a chip and what has been counted for them.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    transfers: u64,
    changes: u64,
}

impl Rules {
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, transfers: 0, changes: 0 }
    }

    pub fn count_changes(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.when, When::FlashChange(_)))
    }

    /// Counts `transfers`; gives the fault of one of them.
    pub fn transfer(&mut self, transfers: u64) -> Option<Fault> {
        let before = self.transfers;
        self.transfers += transfers;
        let now = before + 1..=self.transfers;
        self.take(|when| matches!(when, When::Transfer(at) if now.contains(&at)))
    }

    /// Counts a change of the flash; gives its fault.
    pub fn change(&mut self) -> Option<Fault> {
        self.changes += 1;
        let now = self.changes;
        self.take(|when| when == When::FlashChange(now))
    }

    fn take(&mut self, happens: impl Fn(When) -> bool) -> Option<Fault> {
        let index = self.rules.iter().position(|rule| happens(rule.when))?;
        Some(self.rules.remove(index).fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_happens_once_at_its_count() {
        let rule = |fault, when| Rule { fault, when };
        let mut rules = Rules::new(vec![
            rule(Fault::NoAnswer, When::Transfer(3)),
            rule(Fault::PowerCut, When::FlashChange(2)),
        ]);
        assert_eq!(rules.transfer(2), None);
        assert_eq!(rules.transfer(2), Some(Fault::NoAnswer));
        assert_eq!(rules.transfer(10), None);
        assert_eq!(rules.change(), None);
        assert_eq!(rules.change(), Some(Fault::PowerCut));
        assert_eq!(rules.change(), None);
    }
}
