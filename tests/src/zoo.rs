//! Models that are too large for the repository.

use std::env;
use std::path::PathBuf;

/// The folder that `EDGEPKG_ZOO` names, with a folder for each model. Without it a test that needs it
/// passes, and this says so.
pub fn folder() -> Option<PathBuf> {
    let folder = env::var_os("EDGEPKG_ZOO").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: set EDGEPKG_ZOO to the folder of the model zoo");
    }
    folder
}
