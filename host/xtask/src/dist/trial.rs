//! The archive as a stranger finds it: unpacked in an empty folder, with nothing of the checkout.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use edgepkg_toolchain::is_installed;
use flate2::read::GzDecoder;

use crate::command::{Failure, at, run as run_command};

/// What is tried: the demo, an image for a board that no runner was linked for, a model as C, an emulated board.
const COMMANDS: [&str; 6] = [
    "demo -o kws.edgepkg",
    "build kws.edgepkg --board nucleo-f411re -o nucleo",
    "build kws.edgepkg --board BOARDS/qemu-cortex-m7.toml -o own",
    "build kws.edgepkg --board nucleo-f411re --emit c -o c",
    "test kws.edgepkg",
    "boards",
];
const EMULATED: &str = "test kws.edgepkg --board qemu-cortex-m4";
const EMULATOR: &str = "qemu-system-arm";

pub(super) fn run(archive: &Path, name: &str) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(at("a temporary folder"))?;
    let file = File::open(archive).map_err(at(archive))?;
    tar::Archive::new(GzDecoder::new(file)).unpack(folder.path()).map_err(at(archive))?;
    let unpacked = folder.path().join(name);
    if is_installed("sha256sum") {
        run_command(
            Command::new("sha256sum").args(["--check", "--quiet", super::CHECKSUMS]).current_dir(&unpacked),
        )?;
    }
    let work = folder.path().join("work");
    std::fs::create_dir(&work).map_err(at(&work))?;
    let emulated = is_installed(EMULATOR).then_some(EMULATED);
    if emulated.is_none() {
        eprintln!("skipped: there is no {EMULATOR} to try the runners with");
    }
    for command in COMMANDS.into_iter().chain(emulated) {
        let command = command.replace("BOARDS", &unpacked.join("boards").display().to_string());
        run_command(
            Command::new(unpacked.join(super::program_name()))
                .args(command.split_whitespace())
                .current_dir(&work)
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("HOME", &work),
        )?;
    }
    Ok(())
}
