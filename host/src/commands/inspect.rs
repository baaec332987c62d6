//! `edgepkg inspect`.

mod arena;
mod model_file;

use std::io::Write;

use clap::Args;
use edgepkg_format::Isa;
use edgepkg_quantize::emit::Choices;
use edgepkg_quantize::graph::Rounding;
use edgepkg_quantize::report::{Accuracy, LayerReport, Report};
use edgepkg_quantize::wire::graph_digest;
use serde::Serialize;

use self::arena::Arena;
use super::costs::Costs;
use super::{Outcome, write_json};
use crate::cli::{OutputArguments, PackageArgument, ShapeArguments};
use crate::error::Error;
use crate::model::{BoardModel, Cost, Model};
use crate::model_file::ModelFile;
use crate::table::{Align, Bytes, Count, Percent, Shape, Table, printable, short_name};
use edgepkg_quantize::package::{Package, Port, digest_text};

/// Layers named as the origins of the error.
const MAX_ORIGINS: usize = 3;
/// Falls of the SQNR below this are not named.
const LEAST_FALL_DB: f64 = 1.0;

/// Arguments of `edgepkg inspect`.
#[derive(Args, Debug)]
pub struct InspectArguments {
    #[command(flatten)]
    package: PackageArgument,
    #[command(flatten)]
    shapes: ShapeArguments,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct PackageResult<'a> {
    name: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    graph_digest: String,
    /// How often each result is rounded.
    rounding: &'static str,
    inputs: &'a [Port],
    outputs: &'a [Port],
    memory: Memory,
    optimize: &'static str,
    costs: Vec<Cost>,
    arena: Option<Arena<'a>>,
    macs: u64,
    /// Without those that change no output.
    executed_macs: u64,
    vectors: usize,
    head: &'a [String],
    report: &'a Report,
    error_origins: Vec<ErrorOrigin>,
}

#[derive(Serialize)]
struct Memory {
    /// Bytes of the artifact, in flash.
    model_bytes: usize,
    /// Bytes of RAM a session needs.
    arena_bytes: u32,
    /// Of them, what is kept between runs.
    #[serde(skip_serializing_if = "is_zero")]
    state_bytes: u32,
}

impl Memory {
    fn of(model: &BoardModel) -> Self {
        let BoardModel { arena_bytes, state_bytes, .. } = *model;
        Self { model_bytes: model.artifact.len(), arena_bytes, state_bytes }
    }
}

fn is_zero(bytes: &u32) -> bool {
    *bytes == 0
}

/// A layer at which the SQNR falls.
#[derive(Serialize)]
struct ErrorOrigin {
    index: usize,
    name: String,
    operator: String,
    sqnr_before_db: f64,
    sqnr_after_db: f64,
}

#[derive(Serialize)]
struct ArtifactResult<'a> {
    name: &'a str,
    version: &'a str,
    isa: &'static str,
    artifact_digest: String,
    graph_digest: String,
    inputs: &'a [Port],
    outputs: &'a [Port],
    memory: Memory,
    operators: Vec<&'static str>,
}

/// Shows what is in a package, an artifact or a model file.
///
/// # Errors
///
/// When it cannot be read.
pub fn execute(arguments: &InspectArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    if let Some(path) = arguments.package.file()
        && ModelFile::is_one(path)?
    {
        let options = arguments.shapes.import_options()?;
        let file = ModelFile::read(path, &options, &arguments.package.importer())?;
        match arguments.format.json {
            true => write_json(out, &file)?,
            false => model_file::write(out, &path.display().to_string(), &file)?,
        }
        return Ok(Outcome::Good);
    }
    match arguments.package.read()? {
        Model::Package(package) => {
            let choices = arguments.package.choices();
            let model = BoardModel::lower(&package, Isa::Portable, choices)?;
            let costs = BoardModel::costs(&package, Isa::Portable, choices)?;
            let result = package_result(&package, &model, choices, costs);
            match arguments.format.json {
                true => write_json(out, &result)?,
                false => write_package(out, &package, &result)?,
            }
        }
        Model::Artifact(file) => {
            let model = file.board_model();
            let artifact = file.artifact();
            let result = ArtifactResult {
                name: &model.name,
                version: &model.version,
                isa: artifact.isa().name(),
                artifact_digest: digest_text(artifact.digest()),
                graph_digest: digest_text(artifact.graph_digest()),
                inputs: &model.inputs,
                outputs: &model.outputs,
                memory: Memory::of(&model),
                operators: artifact.plan().flatten().map(|entry| entry.record.kind().name()).collect(),
            };
            match arguments.format.json {
                true => write_json(out, &result)?,
                false => write_artifact(out, &result)?,
            }
        }
    }
    Ok(Outcome::Good)
}

fn package_result<'a>(
    package: &'a Package,
    model: &'a BoardModel,
    choices: Choices,
    costs: Vec<Cost>,
) -> PackageResult<'a> {
    let manifest = &package.manifest;
    PackageResult {
        name: manifest.name.as_str(),
        version: manifest.version.as_str(),
        description: &manifest.description,
        graph_digest: digest_text(&graph_digest(&package.graph)),
        rounding: package.graph.rounding.name(),
        inputs: &manifest.inputs,
        outputs: &manifest.outputs,
        memory: Memory::of(model),
        optimize: choices.optimize.name(),
        costs,
        arena: model.arena.as_ref().map(|map| Arena { map, layers: &model.layers }),
        macs: model.macs.given,
        executed_macs: model.macs.executed,
        vectors: package.vectors.vectors.len(),
        head: &manifest.head,
        error_origins: error_origins(package),
        report: &package.report,
    }
}

/// The layers at which the SQNR falls most below that of the worst of their inputs, worst first.
fn error_origins(package: &Package) -> Vec<ErrorOrigin> {
    let (graph, layers) = (&package.graph, &package.report.layers);
    let sqnr_of = |id| graph.producer(id).and_then(|node| layers.get(node)?.sqnr_db);
    let mut origins: Vec<ErrorOrigin> = graph
        .nodes
        .iter()
        .zip(layers)
        .enumerate()
        .filter_map(|(index, (node, layer))| {
            let sqnr_before_db = node.inputs.iter().filter_map(|&id| sqnr_of(id)).reduce(f64::min)?;
            let sqnr_after_db = layer.sqnr_db?;
            (sqnr_before_db - sqnr_after_db >= LEAST_FALL_DB).then(|| ErrorOrigin {
                index,
                name: layer.name.clone(),
                operator: layer.operator.clone(),
                sqnr_before_db,
                sqnr_after_db,
            })
        })
        .collect();
    let fall = |origin: &ErrorOrigin| origin.sqnr_before_db - origin.sqnr_after_db;
    origins.sort_by(|a, b| fall(b).total_cmp(&fall(a)));
    origins.truncate(MAX_ORIGINS);
    origins
}

fn write_package(out: &mut dyn Write, package: &Package, result: &PackageResult<'_>) -> Result<(), Error> {
    writeln!(out, "{} {}", result.name, result.version)?;
    if !result.description.is_empty() {
        writeln!(out, "  {}", printable(result.description))?;
    }
    writeln!(out, "  graph {}", result.graph_digest)?;
    let like = match package.graph.rounding {
        Rounding::Twice => "TensorFlow Lite Micro",
        Rounding::Once => "ONNX Runtime",
    };
    writeln!(out, "  results are rounded {}, as {like} does", result.rounding)?;
    if let Some(source) = &package.source {
        writeln!(out, "  made from `{}`, which is in the package", printable(&source.file_name))?;
    }
    writeln!(out)?;
    write_ports(out, result.inputs, result.outputs)?;
    writeln!(out, "{}", layer_table(&result.report.layers))?;
    let memory = &result.memory;
    writeln!(out, "memory")?;
    writeln!(out, "  flash    {} for the model, beside the runner", Bytes(memory.model_bytes as u64))?;
    writeln!(out, "  RAM      {} for the arena", Bytes(memory.arena_bytes.into()))?;
    if memory.state_bytes > 0 {
        writeln!(out, "           {} of it kept between runs", Bytes(memory.state_bytes.into()))?;
    }
    writeln!(out, "  work     {} multiplications an inference", Count(result.macs))?;
    if result.executed_macs < result.macs {
        writeln!(
            out,
            "           {} of them executed: the others change no output",
            Count(result.executed_macs)
        )?;
    }
    writeln!(out, "  for      {}", Costs { chosen: result.optimize, costs: &result.costs })?;
    if let Some(arena) = &result.arena {
        write!(out, "\n{arena}")?;
    }
    writeln!(out, "\nquality")?;
    write_quality(out, result)?;
    writeln!(out, "\n{} test vectors; `edgepkg test` runs them on a board", result.vectors)?;
    if !result.head.is_empty() {
        let head: Vec<String> = result.head.iter().map(|name| printable(name)).collect();
        writeln!(out, "the weights of {} lie apart from the base's", head.join(", "))?;
    }
    Ok(())
}

fn write_ports(out: &mut dyn Write, inputs: &[Port], outputs: &[Port]) -> Result<(), Error> {
    let mut table = Table::new([
        ("", Align::Left),
        ("name", Align::Left),
        ("shape", Align::Left),
        ("type", Align::Left),
        ("scale", Align::Right),
        ("zero", Align::Right),
        ("classes", Align::Left),
    ]);
    let ports = inputs.iter().map(|port| ("in", port)).chain(outputs.iter().map(|port| ("out", port)));
    for (direction, port) in ports {
        table.row([
            direction.to_owned(),
            port.name.clone(),
            Shape(&port.shape).to_string(),
            port.element.name().to_owned(),
            port.scale.to_string(),
            port.zero_point.to_string(),
            classes(&port.labels),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn classes(labels: &[String]) -> String {
    match labels {
        [] => String::new(),
        [a] => a.clone(),
        [a, b] => format!("{a}, {b}"),
        [a, b, .., z] => format!("{a}, {b} ... {z} ({})", labels.len()),
    }
}

fn layer_table(layers: &[LayerReport]) -> Table {
    let mut table = Table::new([
        ("#", Align::Right),
        ("layer", Align::Left),
        ("operator", Align::Left),
        ("output", Align::Left),
        ("multiplications", Align::Right),
        ("weights", Align::Right),
        ("SQNR", Align::Right),
    ]);
    let or_dash = |number: u64, text: String| if number == 0 { "-".to_owned() } else { text };
    for (index, layer) in layers.iter().enumerate() {
        table.row([
            index.to_string(),
            short_name(&layer.name),
            layer.operator.clone(),
            Shape(&layer.shape).to_string(),
            or_dash(layer.macs, Count(layer.macs).to_string()),
            or_dash(layer.weight_bytes, Bytes(layer.weight_bytes).to_string()),
            layer.sqnr_db.map_or("-".to_owned(), |sqnr_db| format!("{sqnr_db:.1} dB")),
        ]);
    }
    table
}

fn write_quality(out: &mut dyn Write, result: &PackageResult<'_>) -> Result<(), Error> {
    let report = result.report;
    match &report.calibration {
        Some(calibration) => {
            let (samples, calibrator) = (calibration.samples, &calibration.calibrator);
            writeln!(out, "  quantized here, with ranges from {samples} samples ({calibrator})")?;
        }
        None => {
            writeln!(out, "  int8 already when it was packed: there is no float model to compare it with")?
        }
    }
    if let Some(Accuracy { float, int8, samples }) = report.accuracy {
        let before = float.map_or(String::new(), |float| format!(", of the float model {}", Percent(float)));
        writeln!(out, "  {} of {samples} test samples are answered right{before}", Percent(int8))?;
    } else if let Some(agreement) = report.top_1_agreement {
        writeln!(out, "  float and int8 give the same answer for {} of the samples", Percent(agreement))?;
    }
    if let Some(sqnr_db) = report.sqnr_db {
        writeln!(out, "  the worst output has a signal-to-quantization-noise ratio of {sqnr_db:.1} dB")?;
    }
    for note in &report.notes {
        writeln!(out, "  {}", printable(note))?;
    }
    for (index, origin) in result.error_origins.iter().enumerate() {
        let verb = if index == 0 { "most of the error comes from" } else { "then from" };
        let (name, operator) = (printable(&short_name(&origin.name)), &origin.operator);
        let (before, after) = (origin.sqnr_before_db, origin.sqnr_after_db);
        writeln!(out, "  {verb} layer {} `{name}` ({operator}): {before:.1} to {after:.1} dB", origin.index)?;
    }
    Ok(())
}

fn write_artifact(out: &mut dyn Write, result: &ArtifactResult<'_>) -> Result<(), Error> {
    writeln!(out, "{} {}, built for {}", result.name, result.version, result.isa)?;
    writeln!(out, "  artifact {}", result.artifact_digest)?;
    writeln!(out, "  graph    {}\n", result.graph_digest)?;
    write_ports(out, result.inputs, result.outputs)?;
    let memory = &result.memory;
    writeln!(out, "memory")?;
    writeln!(out, "  flash    {}", Bytes(memory.model_bytes as u64))?;
    writeln!(out, "  RAM      {} for the arena", Bytes(memory.arena_bytes.into()))?;
    if memory.state_bytes > 0 {
        writeln!(out, "           {} of it kept between runs", Bytes(memory.state_bytes.into()))?;
    }
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for &operator in &result.operators {
        match counts.iter_mut().find(|(name, _)| *name == operator) {
            Some((_, count)) => *count += 1,
            None => counts.push((operator, 1)),
        }
    }
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    writeln!(out, "\n{} operators: {}", result.operators.len(), counts.join(", "))?;
    Ok(())
}
