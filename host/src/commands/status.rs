//! `edgepkg status`.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{BoardArguments, OutputArguments};
use crate::deploy::RttTransport;
use crate::device::{DeviceError, OpenOptions, RunnerState, runner_state, state_text};
use crate::error::Error;
use crate::table::{Bytes, printable};
use edgepkg_quantize::package::digest_text;

/// Arguments of `edgepkg status`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg status --board microbit
  edgepkg status --board microbit --json")]
pub struct StatusArguments {
    #[command(flatten)]
    board: BoardArguments,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct StatusResult {
    board: String,
    chip: String,
    simulation: Option<&'static str>,
    flash_bytes: u64,
    runner_version: String,
    isa: String,
    arena_limit_bytes: u64,
    slot_bytes: u64,
    /// What the slot holds, in words.
    state: String,
    model: Option<ModelOnBoard>,
}

#[derive(Serialize)]
struct ModelOnBoard {
    name: String,
    version: String,
    digest: String,
    artifact_bytes: u64,
    arena_bytes: u64,
    free_bytes: u64,
}

/// Says what runs on a board.
///
/// # Errors
///
/// When no probe reaches it, or no runner answers there.
pub fn execute(arguments: &StatusArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = arguments.board.find_probed("status")?;
    let connection = arguments.board.connect(&board)?;
    let (chip, simulation, flash_bytes) =
        (connection.chip().to_owned(), connection.simulation(), connection.flash_bytes());
    let transport: RttTransport = connection.find_runner().map_err(DeviceError::from)?;
    let state = runner_state(Box::new(transport), OpenOptions::default())?;
    let RunnerState { runner_version, isa, arena_limit_bytes, slot_bytes, model, found } = state;
    let result = StatusResult {
        board: board.name,
        chip,
        simulation,
        flash_bytes,
        runner_version,
        isa: isa.map_or_else(|| "unknown".to_owned(), |isa| isa.name().to_owned()),
        arena_limit_bytes: arena_limit_bytes.into(),
        slot_bytes: slot_bytes.into(),
        state: state_text(&found),
        model: model.map(|model| ModelOnBoard {
            name: model.name,
            version: model.version,
            digest: digest_text(&model.digest),
            artifact_bytes: model.artifact_bytes.into(),
            arena_bytes: model.arena_bytes.into(),
            free_bytes: u64::from(slot_bytes.saturating_sub(model.artifact_bytes)),
        }),
    };
    if arguments.format.json {
        write_json(out, &result)?;
    } else {
        write_status(out, &result)?;
    }
    Ok(Outcome::Good)
}

fn write_status(out: &mut dyn Write, result: &StatusResult) -> Result<(), Error> {
    let StatusResult { board, chip, runner_version, isa, .. } = result;
    writeln!(out, "`{board}` ({chip}) has {} of flash", Bytes(result.flash_bytes))?;
    if let Some(simulation) = result.simulation {
        writeln!(out, "  this is a simulation: {simulation}")?;
    }
    writeln!(
        out,
        "runner {runner_version} for {isa}; an arena may have {}",
        Bytes(result.arena_limit_bytes)
    )?;
    match &result.model {
        Some(model) => {
            writeln!(
                out,
                "model {} {}: {}",
                printable(&model.name),
                printable(&model.version),
                model.digest
            )?;
            let (artifact, arena, free) =
                (Bytes(model.artifact_bytes), Bytes(model.arena_bytes), Bytes(model.free_bytes));
            writeln!(out, "  {artifact} of flash, an arena of {arena}; {free} of its slot are free")?;
        }
        None => writeln!(out, "{}; its slot has {}", result.state, Bytes(result.slot_bytes))?,
    }
    Ok(())
}
