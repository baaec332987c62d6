//! Watching a run operator by operator: digests, cycles, watchdogs.

use core::cell::Cell;

use edgepkg_format::OperatorKind;

/// An operator of the plan, as an observer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Step<'s> {
    /// Which record, counted from 0.
    pub record: u32,
    /// The node of the quantized graph it belongs to.
    pub layer: u32,
    /// What it computes.
    pub kind: OperatorKind,
    /// The region it writes: all of its output, or the part between the first and the last byte written.
    pub output: &'s [Cell<i8>],
}

/// Called around every operator of a run.
pub trait Observer {
    /// Before it runs; `output` still holds what was there.
    fn before(&mut self, _step: &Step<'_>) {}

    /// After it ran.
    fn after(&mut self, _step: &Step<'_>) {}
}

/// Watches nothing.
impl Observer for () {}
