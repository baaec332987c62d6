//! The runtime for C: its header, and programs that a C compiler builds and an emulated Cortex-M4 runs.

mod build;
mod checks;
mod example;
mod header;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder of the example.
fn example() -> PathBuf {
    root().join("firmware/examples/c")
}
