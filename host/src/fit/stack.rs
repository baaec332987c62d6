//! The most stack a linked runner can use, from its machine code.
//!
//! Every function is followed instruction by instruction, keeping count of how far the stack pointer
//! has moved; calls make a graph, whose deepest path from the entry point is the bound. Interrupts add
//! nothing: the runners enable none. Two kinds of function are left out: those that only lead to the
//! panic handler, which ends the run, and kernels of operators that the model does not use.

mod aarch64;
mod call_graph;
mod flow;
mod instruction;
mod kernels;
mod program;
mod thumb;

use edgepkg_format::info::OperatorSet;

use self::call_graph::CallGraph;
use self::program::Program;

/// The most stack that a runner can use with a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackBound {
    /// Bytes below the stack pointer's initial value.
    pub bytes: u32,
    /// The calls that lead there, from the entry point on.
    pub path: Vec<StackFrame>,
}

/// A function on the deepest path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackFrame {
    /// Its name.
    pub function: String,
    /// Bytes it has on the stack when it calls the next one; the most it has, for the last.
    pub bytes: u32,
}

/// Why a program's stack has no known bound.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StackError {
    #[error("the runner is no ELF file that can be read: {0}")]
    NotElf(#[from] object::Error),
    #[error("the runner is linked for an architecture that is not known here")]
    UnknownArchitecture,
    #[error("no function of the runner starts at {address:#x}, which `{from}` goes to")]
    NoFunction { address: u64, from: String },
    #[error("`{function}` of the runner is recursive: {}", path.join(", "))]
    Recursive { function: String, path: Vec<String> },
    #[error("`{function}` of the runner calls a function by its address, at {address:#x}")]
    IndirectCall { function: String, address: u64 },
    #[error("`{function}` of the runner sets its stack pointer in an unknown way, at {address:#x}")]
    UnknownStackPointer { function: String, address: u64 },
    #[error("`{function}` of the runner moves its stack pointer further every time round, at {address:#x}")]
    Unbounded { function: String, address: u64 },
}

/// The most stack that the runner in `elf` can use with a model of these operators.
///
/// # Errors
///
/// When the file cannot be read, or its stack has no bound that can be known: recursion, calls by
/// address, a stack pointer that is computed.
pub fn bound(elf: &[u8], operators: OperatorSet) -> Result<StackBound, StackError> {
    let program = Program::read(elf)?;
    CallGraph::of(&program)?.deepest(|function| kernels::may_run(function, operators))
}
