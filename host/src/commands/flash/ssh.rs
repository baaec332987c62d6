//! `edgepkg flash --host`.

use std::io::Write;

use edgepkg_boards::Board;
use edgepkg_quantize::package::digest_text;
use serde::Serialize;

use crate::cli::OutputArguments;
use crate::commands::{Outcome, certify, write_json};
use crate::device::{Device as _, DeviceError, LinkDevice, OpenOptions};
use crate::error::Error;
use crate::model::BoardModel;
use crate::runners;
use crate::ssh::{self, Connection, Destination, RemoteFile};
use crate::table::Bytes;

#[derive(Serialize)]
struct SshResult<'a> {
    name: &'a str,
    version: &'a str,
    board: &'a str,
    to: &'a str,
    artifact_digest: String,
    runner_version: String,
    files: Vec<RemoteFileResult>,
}

#[derive(Serialize)]
struct RemoteFileResult {
    path: String,
    bytes: u64,
    sha256: String,
    was_there: bool,
}

/// Copies runner and model to `destination`, starts the runner there, and asks what it has.
pub(super) fn execute(
    destination: &Destination,
    board: &Board,
    model: &BoardModel,
    format: OutputArguments,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    certify(board, &model.artifact)?;
    let runner = runners::find(board).map_err(DeviceError::from)?;
    let files = ssh::deploy(destination, &runner.loaded, &model.artifact)?;
    let connection = Connection::start(destination)?;
    let mut device = LinkDevice::open(Box::new(connection), OpenOptions::default())?;
    let description = device.description()?;
    let expected = model.artifact_digest();
    if description.artifact_digest != expected {
        return Err(Error::OtherModel {
            board: board.name.clone(),
            expected: digest_text(&expected),
            found: digest_text(&description.artifact_digest),
        });
    }
    let file =
        |RemoteFile { path, bytes, sha256, was_there }| RemoteFileResult { path, bytes, sha256, was_there };
    let result = SshResult {
        name: &model.name,
        version: &model.version,
        board: &board.name,
        to: &destination.host,
        artifact_digest: digest_text(&expected),
        runner_version: description.runner_version,
        files: files.map(file).into(),
    };
    if format.json {
        write_json(out, &result)?;
        return Ok(Outcome::Good);
    }
    let SshResult { name, version, board, to, artifact_digest, runner_version, files } = &result;
    writeln!(out, "{name} {version} runs on `{board}` ({to}, runner {runner_version})")?;
    writeln!(out, "  its artifact there is {artifact_digest}, as built")?;
    for RemoteFileResult { path, bytes, was_there, .. } in files {
        let how = if *was_there { "was there already" } else { "copied and compared" };
        writeln!(out, "  {path} ({}), {how}", Bytes(*bytes))?;
    }
    Ok(Outcome::Good)
}
