//! `edgepkg flash --uf2-dir`.

use std::io::Write;
use std::path::{Path, PathBuf};

use edgepkg_boards::Board;
use edgepkg_quantize::package::digest_text;
use serde::Serialize;

use crate::cli::OutputArguments;
use crate::commands::{Outcome, certify, write_json};
use crate::device::DeviceError;
use crate::error::Error;
use crate::model::BoardModel;
use crate::runners;
use crate::table::Bytes;
use crate::uf2::{self, Contents, End};

#[derive(Serialize)]
struct Uf2Result<'a> {
    name: &'a str,
    version: &'a str,
    board: &'a str,
    to: &'static str,
    artifact_digest: String,
    boot_loader: String,
    file: PathBuf,
    bytes: u64,
    /// Whether the file was read back; else the board has taken it and started anew.
    read_back: bool,
}

/// Writes runner and model to the UF2 drive that appears as `folder`.
pub(super) fn execute(
    folder: &Path,
    board: &Board,
    model: &BoardModel,
    format: OutputArguments,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    if board.uf2_family.is_none() {
        return Err(uf2::Uf2Error::NoUf2 { board: board.name.clone() }.into());
    }
    certify(board, &model.artifact)?;
    let runner = runners::find(board).map_err(DeviceError::from)?;
    let written = uf2::write(folder, board, Contents { runner: &runner.elf, artifact: &model.artifact })?;
    let result = Uf2Result {
        name: &model.name,
        version: &model.version,
        board: &board.name,
        to: "UF2 drive",
        artifact_digest: digest_text(&model.artifact_digest()),
        boot_loader: written.boot_loader,
        read_back: written.end == End::ReadBack,
        file: written.path,
        bytes: written.bytes,
    };
    if format.json {
        write_json(out, &result)?;
        return Ok(Outcome::Good);
    }
    let Uf2Result { name, version, boot_loader, bytes, file, .. } = &result;
    writeln!(out, "{name} {version} was written for `{}` to the drive of {boot_loader}", board.name)?;
    let end = match written.end {
        End::ReadBack => "read back and compared",
        End::Restarted => "the board took it and started anew",
    };
    writeln!(out, "  {} ({}), {end}", file.display(), Bytes(*bytes))?;
    Ok(Outcome::Good)
}
