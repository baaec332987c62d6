//! Builds the runner images.

use std::fs;
use std::path::Path;

use edgepkg_boards::{Board, Runner, RunnerFormat, RunnerLayout, linker_script};

use crate::command::{Failure, at, run};
use crate::flat_image::flat_image;
use crate::toolchain::Toolchain;
use crate::workspace;

/// The cycle model's crate, and what its library is called among the runners.
const CYCLE_PLUGIN_CRATE: &str = "edgepkg-cycle-plugin";
const CYCLE_PLUGIN: &str = "cycle-plugin.so";

/// Builds the image of every board that has one: `target/runners/BOARD.elf`, and `.img` where the board
/// loads that; and the emulators' cycle model, `cycle-plugin.so`.
pub fn build_all() -> Result<(), Failure> {
    let folder = workspace::runners();
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    for board in Board::shipped() {
        if let Some((runner, target)) = board.runner.as_ref().zip(board.target.as_deref()) {
            build(&board, runner, target, &folder)?;
        }
    }
    if cfg!(target_os = "linux") { build_cycle_plugin(&folder) } else { Ok(()) }
}

fn build_cycle_plugin(folder: &Path) -> Result<(), Failure> {
    run(workspace::cargo().args(["build", "--release", "--locked", "--package", CYCLE_PLUGIN_CRATE]))?;
    let name = CYCLE_PLUGIN_CRATE.replace('-', "_");
    let built = workspace::target().join("release").join(format!("lib{name}.so"));
    fs::copy(&built, folder.join(CYCLE_PLUGIN)).map_err(at(&built)).map(drop)
}

fn build(board: &Board, runner: &Runner, target: &str, folder: &Path) -> Result<(), Failure> {
    let toolchain =
        Toolchain::find(target).ok_or_else(|| Failure::NoToolchain { target: target.to_owned() })?;
    // The compact SHA-256 has a sixth of the code of the fast one.
    let mut flags = vec!["--cfg=sha2_backend_soft=\"compact\"".to_owned()];
    if let (RunnerLayout::Generated, Some(script)) = (runner.layout, linker_script(board)) {
        let path = folder.join(format!("{}.ld", board.name));
        fs::write(&path, script).map_err(at(&path))?;
        flags.push(format!("-Clink-arg=-T{}", path.display()));
    }
    let build_folder = workspace::target().join("images");
    let package = format!("edgepkg-image-{}", runner.image);
    run(toolchain
        .build(target, &flags)
        .args(["--locked", "--release", "--package", &package])
        .current_dir(workspace::images())
        .env("CARGO_TARGET_DIR", &build_folder))?;
    let linked = build_folder.join(target).join("release").join(&runner.image);
    let elf = folder.join(format!("{}.elf", board.name));
    fs::copy(&linked, &elf).map_err(at(&linked))?;
    if runner.format == RunnerFormat::Raw {
        let image = folder.join(format!("{}.img", board.name));
        fs::write(&image, flat_image(&elf)?).map_err(at(&image))?;
    }
    // Sizes and counts compare only between images of one compiler.
    let compiler = folder.join(format!("{}.compiler", board.name));
    fs::write(&compiler, toolchain.compiler().unwrap_or_default()).map_err(at(&compiler))
}
