//! `edgepkg export`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use edgepkg_quantize::export::{self, ExportError};
use edgepkg_quantize::graph::Rounding;
use edgepkg_quantize::wire::graph_digest;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{OutputArguments, PackageArgument};
use crate::error::Error;
use crate::model::Model;
use crate::table::Bytes;
use edgepkg_quantize::package::{Manifest, Package, digest_text};
use edgepkg_quantize::whole_file;

/// Arguments of `edgepkg export`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg export kws.edgepkg --format tflite -o kws.tflite
  edgepkg export kws.edgepkg --format onnx-qdq -o kws.onnx")]
pub struct ExportArguments {
    #[command(flatten)]
    package: PackageArgument,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    json: OutputArguments,
}

/// Formats of other people's tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Int8 TensorFlow Lite: TensorFlow Lite Micro gives the same bytes as every board here
    Tflite,
    /// ONNX, opset 13, float operators between QuantizeLinear and DequantizeLinear: for ONNX Runtime and
    /// compilers for accelerators, with answers that are the same to within rounding
    OnnxQdq,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Tflite => "tflite",
            Format::OnnxQdq => "onnx-qdq",
        }
    }

    /// What a user should know of who executes the file, where it does not round as the package does.
    fn note(self, rounding: Rounding) -> Option<&'static str> {
        match (self, rounding) {
            (Format::Tflite, Rounding::Once) => Some(
                "TensorFlow Lite rounds twice and the package once: answers may differ by steps; `--rounding twice` \
                 makes a package whose file gives the same bytes",
            ),
            (Format::OnnxQdq, Rounding::Twice) => Some(
                "ONNX Runtime rounds once and the package twice: answers may differ by steps; `--rounding once` \
                 makes a package whose file gives the same answers",
            ),
            _ => None,
        }
    }

    fn write(self, package: &Package) -> Result<Vec<u8>, ExportError> {
        let description = description(&package.manifest);
        match self {
            Format::Tflite => export::tflite::write(&package.graph, &description),
            Format::OnnxQdq => export::onnx_qdq::write(&package.graph, &description),
        }
    }
}

#[derive(Serialize)]
struct ExportResult<'a> {
    name: &'a str,
    version: &'a str,
    graph_digest: String,
    format: &'static str,
    file: PathBuf,
    file_bytes: usize,
    notes: Vec<&'static str>,
}

/// Writes a package's model as a file of another tool.
///
/// # Errors
///
/// When the package cannot be read, the format has no words for one of its layers, or the file cannot be
/// written.
pub fn execute(arguments: &ExportArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let Model::Package(package) = arguments.package.read()? else {
        return Err(Error::NeedsPackage { command: "export" });
    };
    let (format, path) = (arguments.format, &arguments.output);
    let bytes = format.write(&package).map_err(|source| Error::Export { format: format.name(), source })?;
    whole_file::write(path, &bytes).map_err(|source| Error::Write { path: path.clone(), source })?;
    let result = ExportResult {
        name: package.manifest.name.as_str(),
        version: package.manifest.version.as_str(),
        graph_digest: digest_text(&graph_digest(&package.graph)),
        format: format.name(),
        file: path.clone(),
        file_bytes: bytes.len(),
        notes: format.note(package.graph.rounding).into_iter().collect(),
    };
    if arguments.json.json {
        write_json(out, &result)?;
    } else {
        writeln!(out, "{} {} as {}", result.name, result.version, result.format)?;
        for note in &result.notes {
            writeln!(out, "  note {note}")?;
        }
        writeln!(out, "wrote {} ({})", path.display(), Bytes(bytes.len() as u64))?;
    }
    Ok(Outcome::Good)
}

/// What the file says of itself to people.
fn description(manifest: &Manifest) -> String {
    let Manifest { name, version, outputs, .. } = manifest;
    let mut text = format!("{name} {version}, exported by edgepkg {}", env!("CARGO_PKG_VERSION"));
    let labels: Vec<&str> = outputs.iter().flat_map(|port| &port.labels).map(String::as_str).collect();
    if !labels.is_empty() {
        text.push_str("; classes: ");
        text.push_str(&labels.join(", "));
    }
    text
}
