//! How far work on a board is.

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reading what is there already.
    Compare,
    /// Erasing sectors.
    Erase,
    /// Programming pages.
    Program,
    /// Reading back what was written.
    Verify,
}

impl Operation {
    /// The word on a progress bar.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Compare => "comparing",
            Operation::Erase => "erasing",
            Operation::Program => "programming",
            Operation::Verify => "verifying",
        }
    }
}

/// Progress: of `total_bytes` that an operation takes, `done_bytes` are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The operation.
    pub operation: Operation,
    /// Bytes that are done.
    pub done_bytes: u64,
    /// Bytes that it takes.
    pub total_bytes: u64,
}
