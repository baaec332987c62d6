//! What CI runs.

use std::process::Command;

use crate::command::{Failure, run};
use crate::{publish, suite};

/// Names the machine's tools, so that a result can be understood later, then runs every test and packages the
/// crates.
pub fn run_ci() -> Result<(), Failure> {
    run(Command::new("rustc").args(["--version", "--verbose"]))?;
    run(Command::new("cargo").arg("--version"))?;
    suite::run_all()?;
    publish::package()
}
