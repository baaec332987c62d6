//! `edgepkg flash`.

mod ssh;
mod uf2;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use edgepkg_boards::{Board, Deploy};
use edgepkg_format::artifact::Digest;
use serde::Serialize;

use super::test::vectors_of;
use super::{Outcome, certify, draw, write_json};
use crate::boot_folder::{self, BootFiles, WrittenFile};
use crate::cli::{BoardArguments, OutputArguments, PackageArgument};
use crate::deploy::{Connection, Plan, Written};
use crate::device::probed::{self, Installation, RunnerChoice};
use crate::device::{Device, DeviceError, LinkDevice};
use crate::error::Error;
use crate::model::{BoardModel, Model};
use crate::progress::Progress;
use crate::runners;
use crate::table::Bytes;
use crate::verify;
use edgepkg_quantize::package::{TestVector, digest_text};

/// Arguments of `edgepkg flash`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg flash kws.edgepkg --board qemu-cortex-m4
  edgepkg flash digits.edgepkg --board microbit
  edgepkg flash kws.edgepkg --board rpi --boot-dir /media/bootfs
  edgepkg flash kws.edgepkg --board rpi --emulate
  edgepkg flash kws.edgepkg --board rpi-linux --host pi@raspberrypi
  edgepkg flash kws.edgepkg --board rpi-pico --uf2-dir /media/RPI-RP2")]
pub struct FlashArguments {
    #[command(flatten)]
    package: PackageArgument,
    #[command(flatten)]
    board: BoardArguments,
    /// Leave the runner that is on the board, and write the model alone
    #[arg(long, conflicts_with = "boot_dir")]
    model_only: bool,
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
    /// What is simulated, where the chip is not a real one.
    simulation: Option<&'static str>,
    /// What a debug probe did.
    #[serde(flatten)]
    written: Option<WrittenFlash>,
    /// Test vectors that ran on the board before the model was made valid.
    tested_vectors: Option<usize>,
    files: Vec<WrittenFile>,
}

#[derive(Clone, Copy, Serialize)]
struct WrittenFlash {
    /// Bytes of the sectors that were erased, programmed and read back.
    written_bytes: u64,
    /// Bytes of the sectors that held already what they should.
    unchanged_bytes: u64,
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
    let read = arguments.package.read()?;
    let model = read.for_board(&board, arguments.package.choices())?;
    if let Some(folder) = &arguments.uf2_dir {
        return uf2::execute(folder, &board, &model, arguments.format, out);
    }
    if let Some(destination) = arguments.board.destination(&board)? {
        return ssh::execute(destination, &board, &model, arguments.format, out);
    }
    let result = match &arguments.boot_dir {
        Some(folder) => flash_boot_folder(&board, &model, folder)?,
        None if board.is_probed() => {
            let vectors = match &read {
                Model::Package(package) => vectors_of(package, arguments.package.choices())?,
                Model::Artifact(_) => Vec::new(),
            };
            flash_probed(arguments, &board, &model, &vectors)?
        }
        None if arguments.model_only => {
            return Err(Error::NotProbed { board: board.name, command: "--model-only" });
        }
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
        simulation: None,
        written: None,
        tested_vectors: None,
        files: files.into(),
    })
}

/// Writes runner and model through a debug probe.
fn flash_probed<'a>(
    arguments: &FlashArguments,
    board: &'a Board,
    model: &'a BoardModel,
    vectors: &[TestVector],
) -> Result<FlashResult<'a>, Error> {
    certify(board, &model.artifact)?;
    let progress = Progress::new("connecting");
    let reach = arguments.board.reach(board)?;
    let runner = if arguments.model_only { RunnerChoice::Keep } else { RunnerChoice::WriteWhereItDiffers };
    let mut simulation = None;
    let mut tell = |connection: &Connection, plan: &Plan| {
        simulation = connection.simulation();
        progress.say(&format!("to be on `{}` ({}):", board.name, connection.chip()));
        plan.lines().iter().for_each(|line| progress.say(&format!("  {line}")));
    };
    let mut check = |device: &mut LinkDevice| {
        progress.show("trying", 0, vectors.len());
        let wrong = verify::first_wrong(device, vectors)?;
        wrong.map_or(Ok(()), |difference| Err(Error::Trial { board: board.name.clone(), difference }))
    };
    let installation = Installation { board, reach: &reach, runner, artifact: &model.artifact };
    let (mut device, written) =
        probed::install(installation, &mut tell, &mut check, &mut |event| draw(&progress, event))?;
    drop(progress);
    let to = if simulation.is_some() { "virtual probe" } else { "debug probe" };
    let Written { written_bytes, unchanged_bytes } = written;
    Ok(FlashResult {
        simulation,
        written: Some(WrittenFlash { written_bytes, unchanged_bytes }),
        tested_vectors: Some(vectors.len()),
        ..verified(board, model, &mut device, to)?
    })
}

fn flash_device<'a>(
    arguments: &FlashArguments,
    board: &'a Board,
    model: &'a BoardModel,
) -> Result<FlashResult<'a>, Error> {
    let mut device = arguments.board.open(board, &model.artifact, "flash")?;
    verified(board, model, &mut *device, if board.is_host() { "this process" } else { "emulator" })
}

/// What is on `device`, which must be what was written.
fn verified<'a>(
    board: &'a Board,
    model: &'a BoardModel,
    device: &mut dyn Device,
    to: &'static str,
) -> Result<FlashResult<'a>, Error> {
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
        to,
        artifact_digest: digest_text(&expected),
        runner_version: Some(description.runner_version),
        simulation: None,
        written: None,
        tested_vectors: None,
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
            if let Some(WrittenFlash { written_bytes, unchanged_bytes }) = result.written {
                let (written, unchanged) = (Bytes(written_bytes), Bytes(unchanged_bytes));
                writeln!(
                    out,
                    "  {written} were written, read back and compared; {unchanged} were there already"
                )?;
            }
            if let Some(simulation) = result.simulation {
                writeln!(out, "  this is a simulation: {simulation}")?;
            }
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
