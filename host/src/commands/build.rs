//! `edgepkg build`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{OutputArguments, PackageArgument};
use crate::error::Error;
use crate::model::Model;
use crate::runners;
use crate::table::Bytes;
use edgepkg_boards::Board;

/// Arguments of `edgepkg build`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg build kws.edgepkg --board qemu-cortex-m4 -o build
  edgepkg build kws.edgepkg --board rpi -o build")]
pub struct BuildArguments {
    #[command(flatten)]
    package: PackageArgument,
    /// The board, by its name in `edgepkg boards`, or the path of a board file (.toml)
    #[arg(long, value_name = "BOARD", default_value = "host")]
    board: String,
    /// The folder that NAME.epa, the board's runner image and fit.json are written to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct BuildResult {
    name: String,
    version: String,
    board: String,
    files: Vec<PathBuf>,
}

/// Builds a package for a board.
///
/// # Errors
///
/// When the model does not fit the board, or files cannot be written.
pub fn execute(arguments: &BuildArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = Board::find(&arguments.board)?;
    let model = Model::read(&arguments.package.package)?.for_board(&board)?;
    let folder = &arguments.output;
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
    let mut files = vec![write_file(folder, &format!("{}.epa", model.name), &model.artifact)?];
    if !board.is_host() {
        let runner = runners::find(&board).map_err(crate::device::DeviceError::from)?;
        let name = runner.loaded.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = crate::model::read_file(&runner.loaded)?;
        files.push(write_file(folder, &name, &bytes)?);
    }
    let result = BuildResult { name: model.name, version: model.version, board: board.name, files };
    if arguments.format.json {
        write_json(out, &result)?;
        return Ok(Outcome::Good);
    }
    writeln!(out, "{} {} for `{}`", result.name, result.version, result.board)?;
    for file in &result.files {
        let bytes = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        writeln!(out, "wrote {} ({})", file.display(), Bytes(bytes))?;
    }
    Ok(Outcome::Good)
}

fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    crate::whole_file::write(&path, bytes).map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(path)
}
