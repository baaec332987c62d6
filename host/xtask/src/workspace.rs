//! Where things lie in the checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the checkout")
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The folder of the built runner images, where the tool looks for them.
pub fn runners() -> PathBuf {
    target().join("runners")
}

/// The nested workspace of bare-metal images.
pub fn images() -> PathBuf {
    root().join("firmware/images")
}

/// The nested workspace of the examples.
pub fn examples() -> PathBuf {
    root().join("firmware/examples")
}

/// `cargo` as it runs here, in the checkout.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}
