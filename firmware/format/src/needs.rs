//! What a program must have for an artifact, found while the program is compiled.

use crate::artifact::{Unchecked, u32_at};
use crate::info::OperatorSet;
use crate::plan::{Forms, RECORD_HEADER_BYTES};

/// What an artifact states of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of arena a run takes.
    pub arena_bytes: u32,
    /// The operators of its plan.
    pub operators: OperatorSet,
    /// The loops that its packed records take.
    pub forms: Forms,
}

impl Needs {
    /// What `artifact` needs by its info section and the heads of its records. In a constant, so that the compiler knows it.
    ///
    /// # Panics
    ///
    /// As [`Artifact::compiled_in`](crate::Artifact::compiled_in).
    pub const fn of(artifact: &[u8]) -> Self {
        let unchecked = Unchecked::compiled_in(artifact);
        let operators = unchecked.operators();
        match records(unchecked.plan_bytes()) {
            Some((found, forms)) if found.bits() == operators.bits() => {
                Self { arena_bytes: unchecked.arena_bytes(), operators, forms }
            }
            _ => panic!("the artifact's plan is damaged"),
        }
    }
}

/// The kinds of a plan's records, and the loops that they take; `None` where they are not one after the other up to its end.
const fn records(plan: &[u8]) -> Option<(OperatorSet, Forms)> {
    let (mut kinds, mut forms, mut rest) = (0, Forms::NONE, plan);
    while !rest.is_empty() {
        if rest.len() < RECORD_HEADER_BYTES {
            return None;
        }
        let header = u32_at(rest, 0);
        let (code, length) = (header as u16, (header >> 16) as usize);
        if code as u32 >= u64::BITS || length < RECORD_HEADER_BYTES || length > rest.len() {
            return None;
        }
        let (record, later) = rest.split_at(length);
        let (_, fields) = record.split_at(RECORD_HEADER_BYTES);
        kinds |= 1 << code;
        forms = forms.or(Forms::of_fields(code, fields));
        rest = later;
    }
    Some((OperatorSet::from_bits(kinds), forms))
}
