//! What power cuts do, after every change that flashing makes.

use crate::command::{Failure, run};
use crate::{runners, workspace};

/// How many of the cuts are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// Those that CI tries: at the ends of pages, and 300 others of each flashing.
    Some,
    /// Every one, which takes five minutes and more; writes tests/PROBE_PREFIXES.md.
    All,
}

/// Starts the emulated board after cuts.
pub fn try_cuts(cuts: Cuts) -> Result<(), Failure> {
    runners::build_all()?;
    let mut command = workspace::cargo();
    command.args([
        "test",
        "--release",
        "--locked",
        "--workspace",
        "--test",
        "probe_prefixes",
        "--",
        "--nocapture",
    ]);
    if cuts == Cuts::All {
        command.env("EDGEPKG_FAULTS", "all");
    }
    run(&mut command)
}
