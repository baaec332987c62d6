//! `edgepkg test`.

use std::io::Write;

use clap::Args;
use edgepkg_format::Isa;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{BoardArguments, OutputArguments, PackageArgument};
use crate::device::{Device as _, HostDevice};
use crate::error::Error;
use crate::model::{BoardModel, Model};
use crate::pack;
use crate::progress::Progress;
use crate::table::{counted, printable, short_name};
use crate::verify::{Verification, verify};
use edgepkg_quantize::package::{Package, TestVector};

/// Vectors that are made up for a model file, which brings none.
const MADE_UP_VECTORS: usize = 4;

/// Arguments of `edgepkg test`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg test kws.edgepkg
  edgepkg test kws.edgepkg --board qemu-cortex-m4
  edgepkg test kws.edgepkg --board rpi --emulate")]
pub struct TestArguments {
    #[command(flatten)]
    package: PackageArgument,
    #[command(flatten)]
    board: BoardArguments,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct TestResult<'a> {
    name: &'a str,
    version: &'a str,
    board: &'a str,
    #[serde(flatten)]
    verification: &'a Verification,
}

/// Compares a board with the host.
///
/// # Errors
///
/// When the package or the board cannot be used.
pub fn execute(arguments: &TestArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = arguments.board.find()?;
    let model = arguments.package.read()?;
    let choices = arguments.package.choices();
    let Model::Package(package) = &model else {
        model.for_board(&board, choices)?;
        return Err(Error::NeedsPackage { command: "test" });
    };
    let board_model = model.for_board(&board, choices)?;
    let mut host = HostDevice::open(&BoardModel::lower(package, Isa::Portable, choices)?.artifact)?;
    let vectors = match &package.vectors.vectors[..] {
        [] => made_up_vectors(package, &mut host)?,
        vectors => vectors.to_vec(),
    };
    let mut device = arguments.board.open(&board, &board_model.artifact, "test")?;
    let progress = Progress::new("testing");
    let total = vectors.len();
    let verification = verify(&mut *device, &mut host, &board_model, &vectors, &mut |done| {
        progress.show("testing", done, total);
    })?;
    drop(progress);
    let (name, version) = (&board_model.name, &board_model.version);
    if arguments.format.json {
        write_json(out, &TestResult { name, version, board: &board.name, verification: &verification })?;
    } else {
        write_verdict(out, &board.name, &verification)?;
    }
    Ok(if verification.equal { Outcome::Good } else { Outcome::Different })
}

fn made_up_vectors(package: &Package, host: &mut HostDevice) -> Result<Vec<TestVector>, Error> {
    let inputs = pack::made_up_inputs(package, MADE_UP_VECTORS).into_iter();
    inputs
        .map(|inputs| {
            let borrowed: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let outputs = host.run(&borrowed)?.outputs;
            Ok(TestVector { inputs, outputs })
        })
        .collect()
}

fn write_verdict(out: &mut dyn Write, board: &str, verification: &Verification) -> Result<(), Error> {
    let vectors = verification.vectors;
    let Some(difference) = &verification.first_difference else {
        let vectors = counted(vectors, "test vector");
        let (who, whose) = match board == "host" {
            true => ("this computer".to_owned(), "what the package says"),
            false => (format!("`{board}`"), "what this computer computes"),
        };
        writeln!(out, "{vectors}, every byte equal: {who} computes {whose}")?;
        return Ok(());
    };
    let (vector, output, byte) = (difference.vector, difference.output, difference.byte);
    let (expected, found) = (difference.expected, difference.found);
    writeln!(
        out,
        "`{board}` differs from the host: test vector {vector}, output {output}, byte {byte} is {found}, should \
         be {expected}"
    )?;
    match &difference.layer {
        Some(layer) => {
            let (index, name, operator) = (layer.index, printable(&short_name(&layer.name)), &layer.operator);
            writeln!(out, "the first layer that differs is {index}, `{name}` ({operator})")?;
        }
        None => {
            writeln!(out, "every layer gives the host's results now: the test vector is of another version")?
        }
    }
    Ok(())
}
