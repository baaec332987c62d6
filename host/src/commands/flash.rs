//! `edgepkg flash`.

mod ssh;
mod uf2;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use edgepkg_boards::{Board, Deploy};
use edgepkg_format::artifact::Digest;
use serde::Serialize;

use super::{Outcome, certify, write_json};
use crate::boot_folder::{self, BootFiles, WrittenFile};
use crate::cli::{BoardArguments, OutputArguments, PackageArgument};
use crate::device::DeviceError;
use crate::error::Error;
use crate::model::BoardModel;
use crate::runners;
use crate::table::Bytes;
use edgepkg_quantize::package::digest_text;

/// Arguments of `edgepkg flash`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg flash kws.edgepkg --board qemu-cortex-m4
  edgepkg flash kws.edgepkg --board rpi --boot-dir /media/bootfs
  edgepkg flash kws.edgepkg --board rpi --emulate
  edgepkg flash kws.edgepkg --board rpi-linux --host pi@raspberrypi
  edgepkg flash kws.edgepkg --board rpi-pico --uf2-dir /media/RPI-RP2")]
pub struct FlashArguments {
    #[command(flatten)]
    package: PackageArgument,
    #[command(flatten)]
    board: BoardArguments,
    /// The mounted boot folder of a Raspberry Pi's SD card
    #[arg(long, value_name = "DIR", conflicts_with = "emulate")]
    boot_dir: Option<PathBuf>,
    /// The drive of a UF2 boot loader (RP2040, RP2350, nRF52840): the folder where it appears
    #[arg(long, value_name = "DIR", conflicts_with_all = ["emulate", "boot_dir"])]
    uf2_dir: Option<PathBuf>,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct FlashResult<'a> {
    name: &'a str,
    version: &'a str,
    board: &'a str,
    /// Where the model went: `emulator`, `boot folder`, `this process`.
    to: &'static str,
    artifact_digest: String,
    runner_version: Option<String>,
    files: Vec<WrittenFile>,
}

/// Puts a model on a board and verifies it.
///
/// # Errors
///
/// When it does not fit, the board or folder cannot be written, or does not hold what was written.
pub fn execute(arguments: &FlashArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = arguments.board.find()?;
    if arguments.boot_dir.is_some() && board.deploy != Deploy::BootFolder {
        return Err(Error::NoBootFolder { board: board.name });
    }
    if board.deploy == Deploy::BootFolder && arguments.boot_dir.is_none() && !arguments.board.emulate {
        return Err(Error::FlashWay { board: board.name });
    }
    let model = arguments.package.read()?.for_board(&board, arguments.package.choices())?;
    if let Some(folder) = &arguments.uf2_dir {
        return uf2::execute(folder, &board, &model, arguments.format, out);
    }
    if let Some(destination) = arguments.board.destination(&board)? {
        return ssh::execute(destination, &board, &model, arguments.format, out);
    }
    let result = match &arguments.boot_dir {
        Some(folder) => flash_boot_folder(&board, &model, folder)?,
        None => flash_device(arguments, &board, &model)?,
    };
    if arguments.format.json {
        write_json(out, &result)?;
    } else {
        write_summary(out, &result)?;
    }
    Ok(Outcome::Good)
}

fn flash_boot_folder<'a>(
    board: &'a Board,
    model: &'a BoardModel,
    folder: &Path,
) -> Result<FlashResult<'a>, Error> {
    let memory = board.memory.as_ref().ok_or_else(|| Error::NoBootFolder { board: board.name.clone() })?;
    certify(board, &model.artifact)?;
    let image = runners::find(board).map_err(DeviceError::from)?;
    let files = BootFiles { runner: &image.loaded, artifact: &model.artifact, memory };
    let files = boot_folder::write(folder, &files)?;
    Ok(FlashResult {
        name: &model.name,
        version: &model.version,
        board: &board.name,
        to: "boot folder",
        artifact_digest: digest_text(&model.artifact_digest()),
        runner_version: None,
        files: files.into(),
    })
}

fn flash_device<'a>(
    arguments: &FlashArguments,
    board: &'a Board,
    model: &'a BoardModel,
) -> Result<FlashResult<'a>, Error> {
    let mut device = arguments.board.open(board, &model.artifact, "flash")?;
    let description = device.description()?;
    let expected: Digest = model.artifact_digest();
    if description.artifact_digest != expected {
        return Err(Error::OtherModel {
            board: board.name.clone(),
            expected: digest_text(&expected),
            found: digest_text(&description.artifact_digest),
        });
    }
    Ok(FlashResult {
        name: &model.name,
        version: &model.version,
        board: &board.name,
        to: if board.is_host() { "this process" } else { "emulator" },
        artifact_digest: digest_text(&expected),
        runner_version: Some(description.runner_version),
        files: Vec::new(),
    })
}

fn write_summary(out: &mut dyn Write, result: &FlashResult<'_>) -> Result<(), Error> {
    let FlashResult { name, version, board, artifact_digest, .. } = result;
    match &result.runner_version {
        Some(runner) => {
            let to = result.to;
            writeln!(out, "{name} {version} runs on `{board}` ({to}, runner {runner})")?;
            writeln!(out, "  its artifact there is {artifact_digest}, as built")?;
        }
        None => {
            writeln!(out, "{name} {version} is in the boot folder of `{board}`, read back and compared")?;
            for file in &result.files {
                writeln!(out, "  {} ({}, sha256:{})", file.path.display(), Bytes(file.bytes), file.sha256)?;
            }
            writeln!(out, "\nunmount the card, put it into the Pi and switch it on")?;
        }
    }
    Ok(())
}
