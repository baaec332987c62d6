//! `edgepkg boards`.

use std::io::Write;

use clap::Args;
use edgepkg_boards::{Board, Deploy, Tier};
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::OutputArguments;
use crate::error::Error;
use crate::table::{Align, Bytes, Table};

/// Arguments of `edgepkg boards`.
#[derive(Args, Debug)]
pub struct BoardsArguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct BoardList {
    boards: Vec<BoardEntry>,
}

#[derive(Serialize)]
struct BoardEntry {
    name: String,
    description: String,
    isa: &'static str,
    chip: Option<String>,
    tier: &'static str,
    flashed_by: &'static str,
    emulator: Option<String>,
    code_limit_bytes: Option<u64>,
    model_limit_bytes: Option<u64>,
    ram_bytes: Option<u64>,
}

impl BoardEntry {
    fn of(board: Board) -> Self {
        let memory = board.memory.as_ref();
        Self {
            isa: board.isa.name(),
            chip: board.chip,
            tier: match board.tier {
                Tier::Built => "built in CI",
                Tier::Emulated => "emulated in CI",
                Tier::Hardware => "hardware",
            },
            flashed_by: match board.deploy {
                Deploy::InProcess => "this process",
                Deploy::Probe => "debug probe",
                Deploy::VirtualProbe => "virtual probe",
                Deploy::BootFolder => "boot folder",
                Deploy::Ssh => "ssh",
                Deploy::Emulator => "emulator",
            },
            emulator: board.emulator.map(|emulator| emulator.program),
            code_limit_bytes: memory.map(|memory| memory.code.length),
            model_limit_bytes: memory.map(|memory| memory.model_limit_bytes()),
            ram_bytes: memory.map(|memory| memory.ram.length),
            name: board.name,
            description: board.description,
        }
    }
}

/// Lists the boards.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn execute(arguments: &BoardsArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let boards: Vec<_> = Board::shipped().map(BoardEntry::of).collect();
    if arguments.output.json {
        write_json(out, &BoardList { boards })?;
        return Ok(Outcome::Good);
    }
    let mut table = Table::new([
        ("board", Align::Left),
        ("isa", Align::Left),
        ("model", Align::Right),
        ("RAM", Align::Right),
        ("flashed by", Align::Left),
        ("what it is", Align::Left),
    ]);
    let bytes = |bytes: Option<u64>| bytes.map_or("-".to_owned(), |bytes| Bytes(bytes).to_string());
    for board in boards {
        table.row([
            board.name,
            board.isa.to_owned(),
            bytes(board.model_limit_bytes),
            bytes(board.ram_bytes),
            board.flashed_by.to_owned(),
            board.description,
        ]);
    }
    write!(out, "{table}")?;
    Ok(Outcome::Good)
}
