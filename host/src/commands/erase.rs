//! `edgepkg erase`.

use std::io::Write;

use clap::Args;

use super::{Outcome, draw};
use crate::cli::BoardArguments;
use crate::deploy::Erase;
use crate::device::DeviceError;
use crate::error::Error;
use crate::progress::Progress;
use crate::table::Bytes;

/// Arguments of `edgepkg erase`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg erase --board microbit
  edgepkg erase --board microbit --all")]
pub struct EraseArguments {
    #[command(flatten)]
    board: BoardArguments,
    /// Erase all of the chip's flash, not only what runner and model have of it; unlocks a chip that is locked
    #[arg(long)]
    all: bool,
}

/// Erases a board's flash.
///
/// # Errors
///
/// When no probe reaches it, or its file protects what would be erased.
pub fn execute(arguments: &EraseArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = arguments.board.find_probed("erase")?;
    let what = if arguments.all { Erase::Everything } else { Erase::RunnerAndModel };
    let progress = Progress::new("connecting");
    let mut connection = arguments.board.connect(&board)?;
    let erased = connection.erase(&board, what, &mut |event| draw(&progress, event));
    drop(progress);
    let bytes = erased.map_err(DeviceError::from)?;
    writeln!(out, "{} of the flash of `{}` are erased", Bytes(bytes), board.name)?;
    Ok(Outcome::Good)
}
