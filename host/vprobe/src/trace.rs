//! What was done to a flash, change by change, as a watchpoint on it and on its controller saw.

/// A change of a flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A page was erased.
    Erased {
        /// Where it starts.
        address: u32,
        /// Its bytes.
        length: u32,
    },
    /// A word was written.
    Written {
        /// Where.
        address: u32,
        /// What is there now.
        value: u32,
    },
}

/// A change, and the instruction that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedChange {
    /// What was changed.
    pub change: Change,
    /// Where that instruction is.
    pub program_counter: u32,
}

impl Change {
    /// Does to `flash`, which starts at address 0, what was done to the chip's.
    pub fn apply(&self, flash: &mut [u8]) {
        let (address, bytes) = match *self {
            Change::Erased { address, length } => (address, vec![0xFF; length as usize]),
            Change::Written { address, value } => (address, value.to_le_bytes().to_vec()),
        };
        let place = address as usize;
        if let Some(place) = flash.get_mut(place..place + bytes.len()) {
            place.copy_from_slice(&bytes);
        }
    }
}
