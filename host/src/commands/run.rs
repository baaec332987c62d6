//! `edgepkg run`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use edgepkg_quantize::score::top_1;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{BoardArguments, OutputArguments, PackageArgument};
use crate::error::Error;
use crate::model::BoardModel;
use crate::progress::Progress;
use crate::samples::{self, Units};
use crate::table::{Align, Percent, Shape, Table, printable};
use edgepkg_quantize::package::Port;

/// Rows of answers that are shown.
const MAX_ROWS: usize = 20;
/// Elements of an output that are shown.
const MAX_ELEMENTS: usize = 12;

/// Arguments of `edgepkg run`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg run kws.edgepkg --input samples.npy
  edgepkg run kws.edgepkg --board qemu-cortex-m4 --input samples.npy --output scores.npy
  edgepkg run kws.edgepkg --raw --input samples_i8.npy --output scores_i8.npy")]
pub struct RunArguments {
    #[command(flatten)]
    package: PackageArgument,
    #[command(flatten)]
    board: BoardArguments,
    /// Input samples (.npy), the first axis counting them; once for each input of the model
    #[arg(long, value_name = "X.npy", required = true)]
    input: Vec<PathBuf>,
    /// Where outputs go (.npy); once for each output of the model. Left out, the answers are shown
    #[arg(long, value_name = "Y.npy")]
    output: Vec<PathBuf>,
    /// Take and give integers as the model stores them, not numbers in its own units
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct RunResult {
    name: String,
    version: String,
    board: String,
    samples: usize,
    outputs: Vec<OutputResult>,
}

#[derive(Serialize)]
struct OutputResult {
    name: String,
    shape: Vec<usize>,
    file: Option<PathBuf>,
    /// For each sample its elements, where no file takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Vec<f32>>>,
}

/// Runs a model.
///
/// # Errors
///
/// When the model, its inputs or the board cannot be used.
pub fn execute(arguments: &RunArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let units = if arguments.raw { Units::Raw } else { Units::Real };
    let board = arguments.board.find()?;
    let model = arguments.package.read()?.for_board(&board, arguments.package.choices())?;
    let files = &arguments.output;
    if !files.is_empty() && files.len() != model.outputs.len() {
        return Err(Error::OutputCount { expected: model.outputs.len(), given: files.len() });
    }
    let inputs = samples::read_inputs(&arguments.input, model.inputs(), units)?;
    let mut device = arguments.board.open(&board, &model.artifact, "run")?;
    let progress = Progress::new("running");
    let mut outputs = Vec::with_capacity(inputs.len());
    for (index, sample) in inputs.iter().enumerate() {
        let sample: Vec<&[u8]> = sample.iter().map(Vec::as_slice).collect();
        outputs.push(device.run(&sample)?.outputs);
        progress.show("running", index + 1, inputs.len());
    }
    drop(progress);
    for (index, (file, port)) in files.iter().zip(&model.outputs).enumerate() {
        samples::output_file(port, &of_output(&outputs, index), units).write(file)?;
    }
    if arguments.format.json {
        let result = result(&model, &board.name, files, &outputs, units);
        write_json(out, &result)?;
    } else if files.is_empty() {
        write_answers(out, &model, &outputs, units)?;
    } else {
        for (index, (file, port)) in files.iter().zip(&model.outputs).enumerate() {
            let tensor = samples::output_file(port, &of_output(&outputs, index), units);
            let (shape, kind) = (Shape(&tensor.shape), tensor.element_type());
            writeln!(out, "wrote {} ({shape} {kind}) from `{}`", file.display(), board.name)?;
        }
    }
    Ok(Outcome::Good)
}

/// The bytes of output `index` in each sample.
fn of_output(outputs: &[Vec<Vec<u8>>], index: usize) -> Vec<&[u8]> {
    outputs.iter().map(|sample| sample[index].as_slice()).collect()
}

fn values_of(port: &Port, bytes: &[u8], units: Units) -> Vec<f32> {
    match units {
        Units::Real => port.dequantize(bytes),
        Units::Raw => port.elements(bytes).map(|q| q as f32).collect(),
    }
}

fn result(
    model: &BoardModel,
    board: &str,
    files: &[PathBuf],
    outputs: &[Vec<Vec<u8>>],
    units: Units,
) -> RunResult {
    let output = |(index, port): (usize, &Port)| {
        let bytes = of_output(outputs, index);
        let values = || bytes.iter().map(|bytes| values_of(port, bytes, units)).collect();
        OutputResult {
            name: port.name.clone(),
            shape: port.shape.clone(),
            file: files.get(index).cloned(),
            values: files.is_empty().then(values),
        }
    };
    RunResult {
        name: model.name.clone(),
        version: model.version.clone(),
        board: board.to_owned(),
        samples: outputs.len(),
        outputs: model.outputs.iter().enumerate().map(output).collect(),
    }
}

/// Shows each sample's greatest score where classes have names, else the first elements.
fn write_answers(
    out: &mut dyn Write,
    model: &BoardModel,
    outputs: &[Vec<Vec<u8>>],
    units: Units,
) -> Result<(), Error> {
    for (index, port) in model.outputs.iter().enumerate() {
        if model.outputs.len() > 1 {
            writeln!(out, "output `{}`", printable(&port.name))?;
        }
        let samples = of_output(outputs, index);
        let shown = samples.iter().take(MAX_ROWS).map(|bytes| values_of(port, bytes, units)).enumerate();
        if port.labels.is_empty() {
            let mut table = Table::new([("sample", Align::Right), ("values", Align::Left)]);
            for (sample, values) in shown {
                table.row([sample.to_string(), first_elements(&values)]);
            }
            write!(out, "{table}")?;
        } else {
            let columns = [("sample", Align::Right), ("answer", Align::Left), ("score", Align::Right)];
            let mut table = Table::new(columns);
            for (sample, values) in shown {
                let best = top_1(&values);
                let label = port.labels.get(best % port.labels.len()).cloned().unwrap_or_default();
                let score = match units {
                    Units::Real if (0.0..=1.0).contains(&values[best]) => {
                        Percent(values[best].into()).to_string()
                    }
                    _ => values[best].to_string(),
                };
                table.row([sample.to_string(), label, score]);
            }
            write!(out, "{table}")?;
        }
        if samples.len() > MAX_ROWS {
            writeln!(out, "  ... and {} more; `--output Y.npy` writes all", samples.len() - MAX_ROWS)?;
        }
    }
    Ok(())
}

fn first_elements(values: &[f32]) -> String {
    let shown: Vec<String> = values.iter().take(MAX_ELEMENTS).map(f32::to_string).collect();
    let rest = values.len().saturating_sub(MAX_ELEMENTS);
    let rest = if rest > 0 { format!(" ... ({rest} more)") } else { String::new() };
    format!("{}{rest}", shown.join(" "))
}
