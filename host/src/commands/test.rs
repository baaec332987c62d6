//! `edgepkg test`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use edgepkg_format::Isa;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{BoardArguments, OutputArguments, PackageArgument};
use crate::device::{Device as _, HostDevice};
use crate::error::Error;
use crate::model::{BoardModel, Choices, Model};
use crate::pack;
use crate::progress::Progress;
use crate::samples::{self, ModelInputs, Units};
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
  edgepkg test kws.edgepkg --board rpi --emulate
  edgepkg test kws.edgepkg --board microbit --input x.npy
  edgepkg test kws.edgepkg --board microbit --raw --input x_i8.npy --expect y_i8.npy")]
pub struct TestArguments {
    #[command(flatten)]
    package: PackageArgument,
    #[command(flatten)]
    board: BoardArguments,
    /// Samples to test with in place of the package's vectors (.npy); once for each input of the model
    #[arg(long, value_name = "X.npy")]
    input: Vec<PathBuf>,
    /// The outputs that are right for them (.npy); once for each output. Left out, those that this computer computes
    #[arg(long, value_name = "Y.npy", requires = "input")]
    expect: Vec<PathBuf>,
    /// Take integers as the model stores them, not numbers in its own units
    #[arg(long, requires = "input")]
    raw: bool,
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
    let vectors = match &arguments.input[..] {
        [] => vectors_of(package, choices)?,
        _ => arguments.vectors_of_files(&board_model, &mut host)?,
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

impl TestArguments {
    /// What the files say; the outputs are the host's where none does.
    fn vectors_of_files(&self, model: &BoardModel, host: &mut HostDevice) -> Result<Vec<TestVector>, Error> {
        let units = if self.raw { Units::Raw } else { Units::Real };
        let inputs = samples::read_inputs(&self.input, model.inputs(), units)?;
        if self.expect.is_empty() {
            return computed_here(inputs, host);
        }
        if self.expect.len() != model.outputs.len() {
            return Err(Error::ExpectCount { expected: model.outputs.len(), given: self.expect.len() });
        }
        let index_extents = vec![None; model.outputs.len()];
        let ports = ModelInputs { ports: &model.outputs, index_extents: &index_extents };
        let outputs = samples::read_inputs(&self.expect, ports, units)?;
        if outputs.len() != inputs.len() {
            return Err(Error::ExpectSamples { inputs: inputs.len(), outputs: outputs.len() });
        }
        let vectors = inputs.into_iter().zip(outputs);
        Ok(vectors.map(|(inputs, outputs)| TestVector { inputs, outputs }).collect())
    }
}

/// The package's test vectors; made up, and with this computer's outputs, where it has none.
pub(super) fn vectors_of(package: &Package, choices: Choices) -> Result<Vec<TestVector>, Error> {
    match &package.vectors.vectors[..] {
        [] => {
            let artifact = BoardModel::lower(package, Isa::Portable, choices)?.artifact;
            made_up_vectors(package, &mut HostDevice::open(&artifact)?)
        }
        vectors => Ok(vectors.to_vec()),
    }
}

fn made_up_vectors(package: &Package, host: &mut HostDevice) -> Result<Vec<TestVector>, Error> {
    computed_here(pack::made_up_inputs(package, MADE_UP_VECTORS), host)
}

/// `inputs` with the outputs that this computer computes.
fn computed_here(inputs: Vec<Vec<Vec<u8>>>, host: &mut HostDevice) -> Result<Vec<TestVector>, Error> {
    inputs
        .into_iter()
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
        None => writeln!(
            out,
            "every layer gives the host's results: what was expected is of another model or version"
        )?,
    }
    Ok(())
}
