//! Operators as values, for programs that choose theirs when they are linked: in C, where no type says which there are.

use core::fmt;

use edgepkg_format::OperatorKind;
use edgepkg_format::artifact::{RecordCheck, Unchecked, stated_isa};
use edgepkg_format::info::OperatorSet;
use edgepkg_format::linked::{Linked, Only};
use edgepkg_kernels::{Computed, ISA, computes};

use crate::error::{ModelError, RunError};
use crate::model::{Model, check_use};
use crate::session::Session;

/// No operator at all: a model or session of it takes the code of operators as [`Operator`]s.
pub type NoOperator = Only<0>;

/// The code of one operator: what checks its records, and what runs them. A program has the code of those it names.
#[derive(Clone, Copy)]
pub struct Operator {
    kind: OperatorKind,
    check: fn(&mut RecordCheck<'_, '_>) -> Result<(), ModelError>,
    step: fn(&mut Session<'_, NoOperator>) -> Result<Option<u32>, RunError>,
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operator").field(&self.kind).finish()
    }
}

impl Operator {
    /// The operator `kind`, where `L` has the code of no other.
    ///
    /// # Panics
    ///
    /// When `L` is another set; in a constant that is the compiler's error.
    pub const fn of<L: Linked>(kind: OperatorKind) -> Self {
        assert!(L::OPERATORS.bits() == OperatorSet::EMPTY.with(kind).bits(), "the set is another one");
        Self { kind, check: check::<L>, step: step::<L> }
    }

    /// What it computes.
    pub const fn kind(&self) -> OperatorKind {
        self.kind
    }
}

fn check<L: Linked>(record: &mut RecordCheck<'_, '_>) -> Result<(), ModelError> {
    record.check::<Computed<L>, _>(&mut None, check_use::<L>)
}

fn step<L: Linked>(session: &mut Session<'_, NoOperator>) -> Result<Option<u32>, RunError> {
    session.step_linked::<L>(&mut None, &mut ())
}

fn find<'o>(operators: &[&'o Operator], kind: OperatorKind) -> Option<&'o Operator> {
    operators.iter().find(|operator| operator.kind == kind && computes(ISA, kind)).copied()
}

impl<'a> Model<'a, NoOperator> {
    /// [`parse_linked`](Model::parse_linked), with the code of `operators`.
    ///
    /// # Errors
    ///
    /// The first thing found wrong; operators that the model uses and that are not among these.
    pub fn parse_with(bytes: &'a [u8], operators: &[&Operator]) -> Result<Self, ModelError> {
        let isa = stated_isa(bytes)?;
        if isa != ISA {
            return Err(ModelError::Isa { found: isa, expected: ISA });
        }
        let unchecked = Unchecked::read(bytes)?;
        let kinds = unchecked.operators().iter();
        let missing = kinds.filter(|&kind| find(operators, kind).is_none());
        let missing = missing.fold(OperatorSet::EMPTY, OperatorSet::with);
        if !missing.is_empty() {
            return Err(ModelError::MissingOperators(missing));
        }
        let artifact = unchecked.check_each(|kind, record| match find(operators, kind) {
            Some(operator) => (operator.check)(record),
            None => Err(ModelError::MissingOperators(OperatorSet::EMPTY.with(kind))),
        })?;
        Ok(Self::of_checked(*artifact))
    }
}

impl Session<'_, NoOperator> {
    /// [`step`](Session::step), with the code of `operators`: those that the model was parsed with.
    ///
    /// # Errors
    ///
    /// When it would begin a run and an input was not set since the last one.
    pub fn step_with(&mut self, operators: &[&Operator]) -> Result<Option<u32>, RunError> {
        match self.next_kind().and_then(|kind| find(operators, kind)) {
            Some(operator) => (operator.step)(self),
            None => self.step_linked::<NoOperator>(&mut None, &mut ()),
        }
    }
}
