//! `edgepkg chips`.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::OutputArguments;
use crate::deploy::{self, ChipEntry};
use crate::error::Error;
use crate::table::{Align, Bytes, Table, counted};

/// Rows that are shown.
const MAX_ROWS: usize = 40;

/// Arguments of `edgepkg chips`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg chips nrf52
  edgepkg chips STM32F4 --json")]
pub struct ChipsArguments {
    /// What is in the chip's name or its family's; left out, all are listed
    #[arg(value_name = "PATTERN", default_value = "")]
    pattern: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct ChipList {
    chips: Vec<ChipEntry>,
}

/// Lists chips that a probe can program.
///
/// # Errors
///
/// When there is none, or `out` cannot be written.
pub fn execute(arguments: &ChipsArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let chips = deploy::search_chips(&arguments.pattern);
    if chips.is_empty() {
        return Err(Error::NoSuchChip { pattern: arguments.pattern.clone() });
    }
    if arguments.output.json {
        write_json(out, &ChipList { chips })?;
        return Ok(Outcome::Good);
    }
    let mut table = Table::new([
        ("chip", Align::Left),
        ("core", Align::Left),
        ("flash", Align::Right),
        ("RAM", Align::Right),
        ("family", Align::Left),
    ]);
    for chip in chips.iter().take(MAX_ROWS) {
        table.row([
            chip.name.clone(),
            chip.cores.join(", "),
            Bytes(chip.flash_bytes).to_string(),
            Bytes(chip.ram_bytes).to_string(),
            chip.family.clone(),
        ]);
    }
    write!(out, "{table}")?;
    if let Some(more) = chips.len().checked_sub(MAX_ROWS).filter(|more| *more > 0) {
        writeln!(
            out,
            "  ... and {} more; a longer pattern shows fewer, `--json` all",
            counted(more, "chip")
        )?;
    }
    Ok(Outcome::Good)
}
