//! Writes what tests compare with anew.

use crate::command::{Failure, run};
use crate::suite::with_zoo;
use crate::{runners, setup, workspace};

/// The variable at which tests write their golden files instead of comparing with them.
pub const BLESS_VARIABLE: &str = "EDGEPKG_BLESS";

/// Runs every test with snapshots, golden files and figures written from what the code gives now. What
/// changed stands in `git diff`.
pub fn bless() -> Result<(), Failure> {
    setup::setup()?;
    runners::build_all()?;
    run(with_zoo(workspace::cargo().args(["test", "--workspace", "--release", "--locked", "--no-fail-fast"]))
        .env(BLESS_VARIABLE, "1")
        .env("INSTA_UPDATE", "always"))
}
