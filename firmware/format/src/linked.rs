//! Which operators a program links, as a type: what it does not name is not in the program.
//!
//! Code that handles records asks [`Linked::OPERATORS`], a constant, before it goes into a kind's own part,
//! so that the compiler leaves out the parts of all other kinds: reading their fields, checking their
//! shapes, computing them.

use core::fmt;

use crate::info::OperatorSet;
use crate::plan::{Forms, OperatorKind};

/// A choice of operators.
pub trait Linked: Copy + fmt::Debug {
    /// The operators that are linked.
    const OPERATORS: OperatorSet;
    /// Of packed operators, the loops that are linked.
    const FORMS: Forms = Forms::ALL;
}

/// Every operator of this format version.
#[derive(Clone, Copy, Debug)]
pub enum EveryOperator {}

impl Linked for EveryOperator {
    const OPERATORS: OperatorSet = OperatorSet::of(OperatorKind::ALL);
}

/// The operators of a set, by its [`bits`](OperatorSet::bits).
#[derive(Clone, Copy, Debug)]
pub enum Only<const BITS: u64> {}

impl<const BITS: u64> Linked for Only<BITS> {
    const OPERATORS: OperatorSet = OperatorSet::from_bits(BITS);
}
