//! Flash and RAM of images and models.

use crate::command::{Failure, run};
use crate::suite::with_zoo;
use crate::{runners, workspace};

/// Builds the runners and shows flash and RAM of each and of every model, against the committed file.
pub fn show() -> Result<(), Failure> {
    runners::build_all()?;
    let test = ["test", "--release", "--locked", "--package", "edgepkg-tests", "--test", "sizes"];
    run(with_zoo(workspace::cargo().args(test).args(["--", "--nocapture"])))
}
