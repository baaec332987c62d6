//! Builds the runtime for programs in C.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use edgepkg_boards::Board;
use edgepkg_toolchain::Toolchain;

use crate::command::{Failure, at, run};
use crate::{runners, workspace};

/// What programs include.
pub const HEADER: &str = "edgepkg.h";

/// The library's crate, and what the compiler calls its file.
pub const CRATE: &str = "edgepkg-c";
const BUILT: &str = "libedgepkg.a";

/// Builds a static library for each instruction set and target of a board into `folder`, and copies the header there.
pub fn build_all(folder: &Path) -> Result<(), Failure> {
    let mut built = BTreeSet::new();
    for board in Board::shipped() {
        if let Some((name, target)) = board.library().zip(board.target.as_deref())
            && built.insert(name.clone())
        {
            build(&board, target, &folder.join(name))?;
        }
    }
    let header = workspace::root().join("firmware/c/include").join(HEADER);
    fs::copy(&header, folder.join(HEADER)).map_err(at(&header)).map(drop)
}

fn build(board: &Board, target: &str, library: &Path) -> Result<(), Failure> {
    let toolchain =
        Toolchain::find(target).ok_or_else(|| Failure::NoToolchain { target: target.to_owned() })?;
    let flags: Vec<String> =
        [runners::COMPACT_SHA256.to_owned()].into_iter().chain(board.compiler_flags()).collect();
    // In the images' folder, whose crates it shares.
    let build_folder = workspace::target().join("images");
    run(toolchain
        .build(target, &flags)
        .args(["--locked", "--release", "--package", CRATE, "--config", "profile.release.debug=false"])
        .current_dir(workspace::images())
        .env("CARGO_TARGET_DIR", &build_folder))?;
    let built = build_folder.join(target).join("release").join(BUILT);
    fs::copy(&built, library).map_err(at(&built)).map(drop)
}
