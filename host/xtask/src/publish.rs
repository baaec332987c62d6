//! Packages the crates that are published.

use crate::command::{Failure, run};
use crate::workspace;

/// The crates that are published, each after those it stands on.
const PUBLISHED: [&str; 8] = [
    "edgepkg-format",
    "edgepkg-kernels",
    "edgepkg-runtime",
    "edgepkg-boards",
    "edgepkg-quantize",
    "edgepkg-toolchain",
    "edgepkg-vprobe",
    "edgepkg",
];

/// Does what publishing would, but for asking the registry: every crate is packaged, and compiled from its package and those of
/// the crates before it.
pub fn package() -> Result<(), Failure> {
    let packages = PUBLISHED.iter().flat_map(|package| ["--package", package]);
    run(workspace::cargo().args(["package", "--locked", "--allow-dirty"]).args(packages))
}
