//! `edgepkg bisect`.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::test::vectors_of;
use super::{Outcome, write_json};
use crate::bisect::{DifferingElement, Parting, bisect};
use crate::cli::{BoardArguments, OutputArguments, PackageArgument};
use crate::error::Error;
use crate::model::Model;
use crate::progress::Progress;
use crate::table::{counted, printable, short_name};

/// Arguments of `edgepkg bisect`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg bisect kws.edgepkg --board qemu-cortex-m4
  edgepkg bisect kws.edgepkg --board microbit")]
pub struct BisectArguments {
    #[command(flatten)]
    package: PackageArgument,
    #[command(flatten)]
    board: BoardArguments,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct BisectResult<'a> {
    name: &'a str,
    version: String,
    board: &'a str,
    vectors: usize,
    equal: bool,
    first_difference: Option<&'a Parting>,
}

/// Finds where a board parts from the host.
///
/// # Errors
///
/// When the package or the board cannot be used.
pub fn execute(arguments: &BisectArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = arguments.board.find()?;
    let Model::Package(package) = arguments.package.read()? else {
        return Err(Error::NeedsPackage { command: "bisect" });
    };
    let choices = arguments.package.choices();
    let vectors = vectors_of(&package, choices)?;
    let progress = Progress::new("comparing layers");
    let mut open = |artifact: &[u8]| arguments.board.open(&board, artifact, "bisect");
    let parting = bisect::<Error>(&package, &board, choices, &vectors, &mut open)?;
    drop(progress);
    if arguments.format.json {
        let result = BisectResult {
            name: package.manifest.name.as_str(),
            version: package.manifest.version.to_string(),
            board: &board.name,
            vectors: vectors.len(),
            equal: parting.is_none(),
            first_difference: parting.as_ref(),
        };
        write_json(out, &result)?;
    } else {
        write_parting(out, &board.name, vectors.len(), parting.as_ref())?;
    }
    Ok(if parting.is_none() { Outcome::Good } else { Outcome::Different })
}

fn write_parting(
    out: &mut dyn Write,
    board: &str,
    vectors: usize,
    parting: Option<&Parting>,
) -> Result<(), Error> {
    let Some(Parting { vector, layer, element }) = parting else {
        let vectors = counted(vectors, "test vector");
        writeln!(out, "{vectors}, every layer equal: `{board}` computes what this computer computes")?;
        return Ok(());
    };
    let (index, name, operator) = (layer.index, printable(&short_name(&layer.name)), &layer.operator);
    writeln!(
        out,
        "`{board}` parts from the host in test vector {vector}, layer {index}, `{name}` ({operator})"
    )?;
    match element {
        Some(DifferingElement { index, shape, expected, found, differing, elements }) => writeln!(
            out,
            "the first element that differs is {index:?} of {shape:?}: {found}, should be {expected}; {differing} of \
             {elements} elements differ"
        )?,
        None => writeln!(
            out,
            "as the model's last layer it gives the host's results: what differs depends on the whole"
        )?,
    }
    Ok(())
}
