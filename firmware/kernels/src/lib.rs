//! int8 operators. `reference` is safe Rust and defines every result; `portable` gives hosts the same, faster.
//!
//! `arch` holds what cores compute in instructions of their own.
//!
//! [`run`] computes a record of a plan; [`safe_distances`] says what a planner of memory needs to know of it.
#![no_std]
#![deny(unsafe_code)]
#![deny(missing_docs)]

#[cfg(test)]
extern crate std;

#[allow(unsafe_code, reason = "assembly and the addresses it works on")]
mod arch;
mod dispatch;
mod element;
pub mod fixed_point;
pub mod isa;
mod overlap;
#[cfg(not(target_os = "none"))]
pub mod portable;
pub mod reference;
mod view;

use core::marker::PhantomData;

use edgepkg_format::OperatorKind;
use edgepkg_format::info::OperatorSet;
use edgepkg_format::linked::Linked;
use edgepkg_format::plan::Forms;

pub use dispatch::{run, run_linked};
pub use element::Element;
pub use isa::{ISA, computes};
pub use overlap::{Distances, safe_distances, safe_distances_linked};
pub use view::View;

/// Of the operators that `L` links those that are computed here.
#[derive(Clone, Copy, Debug)]
pub struct Computed<L>(PhantomData<L>);

impl<L: Linked> Linked for Computed<L> {
    const OPERATORS: OperatorSet = L::OPERATORS.and(OPERATORS);
    const FORMS: Forms = L::FORMS;
}

/// Every operator that [`run`] computes.
pub const OPERATORS: OperatorSet = {
    let mut operators = OperatorSet::EMPTY;
    let mut rest = OperatorKind::ALL;
    while let [kind, tail @ ..] = rest {
        if computes(ISA, *kind) {
            operators = operators.with(*kind);
        }
        rest = tail;
    }
    operators
};
