//! `edgepkg reset`.

use std::io::Write;

use clap::Args;

use super::Outcome;
use crate::cli::BoardArguments;
use crate::device::DeviceError;
use crate::error::Error;

/// Arguments of `edgepkg reset`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg reset --board microbit
  edgepkg reset --board microbit --probe 0d28:0204")]
pub struct ResetArguments {
    #[command(flatten)]
    board: BoardArguments,
}

/// Resets a board, which then starts from its flash.
///
/// # Errors
///
/// When no probe reaches it.
pub fn execute(arguments: &ResetArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = arguments.board.find_probed("reset")?;
    arguments.board.connect(&board)?.reset().map_err(DeviceError::from)?;
    writeln!(out, "`{}` was reset", board.name)?;
    Ok(Outcome::Good)
}
