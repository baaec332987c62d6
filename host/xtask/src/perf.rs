//! What the models cost.

use crate::bless::BLESS_VARIABLE;
use crate::command::{Failure, run};
use crate::suite::with_zoo;
use crate::{runners, workspace};

/// Builds the runners, measures every model on every emulated board, and writes the committed figures and their
/// report.
pub fn write() -> Result<(), Failure> {
    runners::build_all()?;
    let test = ["test", "--release", "--locked", "--workspace", "--test", "perf", "--", "--nocapture"];
    run(with_zoo(workspace::cargo().args(test)).env(BLESS_VARIABLE, "1"))
}
