//! What an instruction does to the stack pointer and to the flow of control.

/// An instruction, as far as the stack is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// Where it is.
    pub address: u64,
    /// Its length.
    pub bytes: u64,
    /// What it does to the stack pointer.
    pub stack: StackEffect,
    /// What comes next.
    pub flow: Flow,
}

/// What an instruction does to the stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StackEffect {
    /// Nothing.
    None,
    /// Takes bytes from the stack, or gives them back when negative.
    Take(i64),
    /// Sets it from a register.
    Set,
}

/// What comes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The next instruction.
    Next,
    /// The instruction at an address: here, or the start of a function that returns to our caller.
    Jump(u64),
    /// The next instruction or the one at an address.
    Branch(u64),
    /// A function, then the next instruction.
    Call(u64),
    /// A function whose address was computed, then the next instruction.
    IndirectCall,
    /// A function whose address was computed and that returns to our caller.
    IndirectJump,
    /// A place in this function, by a table.
    TableJump,
    /// The caller.
    Return,
    /// The next instruction or the caller.
    ConditionalReturn,
    /// Nothing: a trap.
    Stop,
}

/// `value`, whose sign is bit `bits - 1`.
pub(super) fn sign_extend(value: u32, bits: u32) -> i64 {
    i64::from((value << (32 - bits)) as i32 >> (32 - bits))
}
