//! `edgepkg demo`.

mod data;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use edgepkg_format::Isa;
use edgepkg_quantize::emit::Choices;
use edgepkg_quantize::import::ImportOptions;
use edgepkg_quantize::pipeline::Options;
use edgepkg_quantize::report::Accuracy;
use edgepkg_quantize::score::top_1;
use serde::Serialize;

use super::quantize::show;
use super::{Outcome, write_json};
use crate::cli::OutputArguments;
use crate::device::{Device as _, HostDevice};
use crate::error::Error;
use crate::model::{BoardModel, Importer};
use crate::pack::{Keep, Request, State, pack};
use crate::progress::Progress;
use crate::samples::{self, Units};
use crate::table::{Align, Bytes, Count, Percent, Table};
use edgepkg_quantize::package::{Package, Version};

/// Test samples whose answers are shown: words, silence, and one that is hard.
const SHOWN: [usize; 7] = [0, 1, 2, 3, 4, 25, 10];

/// Arguments of `edgepkg demo`.
#[derive(Args, Debug)]
pub struct DemoArguments {
    /// Keep the package here, to go on with it
    #[arg(short, long, value_name = "NAME.edgepkg")]
    output: Option<PathBuf>,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct DemoResult {
    name: String,
    accuracy: Option<Accuracy>,
    sqnr_db: Option<f64>,
    float_bytes: usize,
    package_bytes: usize,
    model_bytes: usize,
    arena_bytes: u32,
    macs: u64,
    answers: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    sample: usize,
    right: String,
    answer: String,
    score: f32,
}

/// Takes the shipped model the whole way, on this computer.
///
/// # Errors
///
/// When the system has no room for temporary files, or the package cannot be written.
pub fn execute(arguments: &DemoArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let files = data::unpack()?;
    let progress = Progress::new("reading the model");
    let package = pack(&request(&files), &mut |step| show(&progress, step))?;
    drop(progress);
    let bytes = package.to_bytes().map_err(|source| edgepkg_quantize::package::PackageError::Graph {
        path: files.model.clone(),
        source,
    })?;
    if let Some(path) = &arguments.output {
        package.write(path)?;
    }
    let model = BoardModel::lower(&package, Isa::Portable, Choices::default())?;
    let result = DemoResult {
        name: model.name.clone(),
        accuracy: package.report.accuracy,
        sqnr_db: package.report.sqnr_db,
        float_bytes: data::MODEL.len(),
        package_bytes: bytes.len(),
        model_bytes: model.artifact.len(),
        arena_bytes: model.arena_bytes,
        macs: package.report.layers.iter().map(|layer| layer.macs).sum(),
        answers: answers(&package, &model, &files)?,
    };
    if arguments.format.json {
        write_json(out, &result)?;
    } else {
        write_story(out, &package, &result, arguments.output.as_deref())?;
    }
    Ok(Outcome::Good)
}

fn request(files: &data::Files) -> Request {
    Request {
        model: files.model.clone(),
        import: ImportOptions::default(),
        importer: Importer::InProcess,
        calibration: vec![files.calibration.clone()],
        test: vec![files.test.clone()],
        labels: Some(files.labels.clone()),
        options: Options::default(),
        state: State::default(),
        name: Some("kws".parse().expect("a name")),
        version: Version::initial(),
        label_names: data::LABEL_NAMES.lines().map(str::to_owned).collect(),
        head: Vec::new(),
        keep: Keep::Result,
    }
}

fn answers(package: &Package, model: &BoardModel, files: &data::Files) -> Result<Vec<Answer>, Error> {
    let inputs = samples::read_inputs(std::slice::from_ref(&files.test), model.inputs(), Units::Real)?;
    let right = samples::read_labels(&files.labels)?;
    let names = &package.manifest.outputs[0].labels;
    let mut device = HostDevice::open(&model.artifact)?;
    let answer = |sample: usize| {
        let outputs = device.run(&[&inputs[sample][0]])?.outputs;
        let scores = model.outputs[0].dequantize(&outputs[0]);
        let best = top_1(&scores);
        let (right, answer) = (names[right[sample]].clone(), names[best].clone());
        Ok(Answer { sample, right, answer, score: scores[best] })
    };
    SHOWN.into_iter().map(answer).collect()
}

fn write_story(
    out: &mut dyn Write,
    package: &Package,
    result: &DemoResult,
    kept: Option<&Path>,
) -> Result<(), Error> {
    let samples = package.report.calibration.as_ref().map_or(0, |calibration| calibration.samples);
    writeln!(
        out,
        "A keyword-spotting model, from its training's file to an answer on this computer.\n\n\
         1. The model\n   \
         DS-CNN of MLPerf Tiny: it hears one second of sound and says which of ten words it was,\n   \
         or that it was silence or something else. An ONNX file of {}, float32, {} layers,\n   \
         {} multiplications an answer.\n",
        Bytes(result.float_bytes as u64),
        result_layers(package),
        Count(result.macs),
    )?;
    writeln!(
        out,
        "2. Quantized to int8\n   \
         {samples} samples of speech showed which values each layer takes; now one byte holds each."
    )?;
    if let Some(Accuracy { float: Some(float), int8, samples }) = result.accuracy {
        let (float, int8) = (Percent(float), Percent(int8));
        writeln!(
            out,
            "   Of {samples} other samples the float model gets {float} right, the int8 model {int8}."
        )?;
    }
    writeln!(
        out,
        "\n3. Packed\n   \
         One file of {} holds the model, its version, its test vectors and this report.\n",
        Bytes(result.package_bytes as u64),
    )?;
    writeln!(out, "4. Run by the same code that runs on a board")?;
    let mut table = Table::new([
        ("", Align::Left),
        ("spoken", Align::Left),
        ("the model says", Align::Left),
        ("score", Align::Right),
    ]);
    for answer in &result.answers {
        let score = Percent(answer.score.into()).to_string();
        table.row([String::new(), answer.right.clone(), answer.answer.clone(), score]);
    }
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "On a board it needs {} of flash and {} of RAM beside the runner.\n",
        Bytes(result.model_bytes as u64),
        Bytes(result.arena_bytes.into()),
    )?;
    write_next_steps(out, kept)
}

fn result_layers(package: &Package) -> usize {
    package.graph.nodes.len()
}

fn write_next_steps(out: &mut dyn Write, kept: Option<&Path>) -> Result<(), Error> {
    let package = kept.unwrap_or(Path::new("kws.edgepkg")).display().to_string();
    writeln!(out, "What to do next")?;
    let mut steps = Vec::new();
    if kept.is_none() {
        steps.push((format!("edgepkg demo -o {package}"), "keep the package"));
    }
    steps.extend([
        (format!("edgepkg inspect {package}"), "see its layers, and where the error comes from"),
        (
            format!("edgepkg test {package} --board qemu-cortex-m4"),
            "compare an emulated Cortex-M4 with this computer",
        ),
        (format!("edgepkg flash {package} --board rpi"), "put it on a Raspberry Pi"),
        ("edgepkg quantize MODEL.onnx --calibration X.npy".to_owned(), "make a package of a model of yours"),
    ]);
    let width = steps.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    for (command, what) in steps {
        writeln!(out, "   {command:<width$}   {what}")?;
    }
    Ok(())
}
