//! `edgepkg quantize`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use edgepkg_format::Isa;
use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::calibrate::Calibrator;
use edgepkg_quantize::graph::Rounding;
use edgepkg_quantize::pipeline::{Options, Progress as Step};
use edgepkg_quantize::report::{Accuracy, Calibration, LayerReport};
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{ImportArguments, OutputArguments, ShapeArguments, StateArguments};
use crate::error::Error;
use crate::model::{self, BoardModel, Choices, ModelError};
use crate::pack::{Keep, PackError, Request, pack};
use crate::progress::Progress;
use crate::table::{Bytes, Percent, Shape, printable};
use edgepkg_quantize::package::{EXTENSION, Package, PackageName, Version};

/// Arguments of `edgepkg quantize`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg quantize kws.onnx --calibration calib.npy -o kws.edgepkg
  edgepkg quantize kws.onnx --calibration calib.npy --test x.npy --labels y.npy -o kws.edgepkg
  edgepkg quantize kws_int8.tflite -o kws.edgepkg")]
pub struct QuantizeArguments {
    /// The trained model: ONNX or TensorFlow Lite; one that is int8 already passes through as it is
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Typical inputs (.npy), from which value ranges are learnt; once for each input of the model
    #[arg(long, value_name = "X.npy")]
    calibration: Vec<PathBuf>,
    /// Other inputs (.npy), on which the float and the int8 model are compared; once for each input
    #[arg(long, value_name = "X.npy")]
    test: Vec<PathBuf>,
    /// The right class of each test input (.npy, integers): gives the accuracy
    #[arg(long, value_name = "Y.npy")]
    labels: Option<PathBuf>,
    /// How a value range is chosen from the values seen
    #[arg(long, value_enum, default_value_t = CalibratorName::Minmax)]
    calibrator: CalibratorName,
    /// With `--calibrator percentile`: the percentile that ranges end at, on both sides
    #[arg(long, value_name = "P", default_value_t = 99.99)]
    percentile: f64,
    /// How often each result of a float model's layers is rounded
    #[arg(long, value_enum, default_value_t = RoundingName::Twice)]
    rounding: RoundingName,
    /// Layers of a float model that compute in int16, more exact and slower; `all` for every layer
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    int16_layers: Vec<String>,
    /// Names of the classes, a line each
    #[arg(long, value_name = "FILE")]
    label_names: Option<PathBuf>,
    /// Name of the package [default: the model file's]
    #[arg(long)]
    name: Option<PackageName>,
    /// Version of the package
    #[arg(long, default_value = "0.1.0")]
    version: Version,
    /// A layer whose weights are kept apart, so that packages on one base share the base; may be repeated
    #[arg(long, value_name = "LAYER")]
    head: Vec<String>,
    /// Keep the model file in the package, so that it can be quantized anew
    #[arg(long)]
    keep_model: bool,
    /// The package to write [default: NAME.edgepkg]
    #[arg(short, long, value_name = "NAME.edgepkg")]
    output: Option<PathBuf>,
    #[command(flatten)]
    state: StateArguments,
    #[command(flatten)]
    shapes: ShapeArguments,
    #[command(flatten)]
    import: ImportArguments,
    #[command(flatten)]
    format: OutputArguments,
}

/// Names of calibrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CalibratorName {
    /// From the least value to the greatest
    Minmax,
    /// Leaves out the rarest values
    Percentile,
    /// The range with the least squared error
    Mse,
}

/// Names of roundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoundingName {
    /// As TensorFlow Lite Micro does, which gives the same bytes for the exported .tflite file
    Twice,
    /// As ONNX Runtime does, which answers like the package for the exported .onnx file
    Once,
}

/// With fewer calibration samples the user is asked for more.
const FEW_SAMPLES: usize = 30;

#[derive(Serialize)]
struct QuantizeResult<'a> {
    package: PathBuf,
    name: &'a str,
    version: &'a str,
    package_bytes: u64,
    model_bytes: usize,
    arena_bytes: u32,
    calibration: Option<&'a Calibration>,
    accuracy: Option<&'a Accuracy>,
    top_1_agreement: Option<f64>,
    sqnr_db: Option<f64>,
    notes: &'a [String],
    layers: &'a [LayerReport],
}

impl QuantizeArguments {
    fn request(&self) -> Result<Request, Error> {
        let calibrator = match self.calibrator {
            CalibratorName::Minmax => Calibrator::MinMax,
            CalibratorName::Percentile => Calibrator::Percentile(self.percentile),
            CalibratorName::Mse => Calibrator::MeanSquaredError,
        };
        let rounding = match self.rounding {
            RoundingName::Twice => Rounding::Twice,
            RoundingName::Once => Rounding::Once,
        };
        let int16_layers = match &self.int16_layers[..] {
            [] => Int16Layers::None,
            [all] if all == "all" => Int16Layers::All,
            names => Int16Layers::Named(names.to_vec()),
        };
        Ok(Request {
            model: self.model.clone(),
            import: self.shapes.import_options()?,
            importer: self.import.importer(),
            calibration: self.calibration.clone(),
            test: self.test.clone(),
            labels: self.labels.clone(),
            options: Options { calibrator, rounding, int16_layers, ..Options::default() },
            state: self.state.state(),
            name: self.name.clone(),
            version: self.version.clone(),
            label_names: self.label_names()?,
            head: self.head.clone(),
            keep: if self.keep_model { Keep::ModelFile } else { Keep::Result },
        })
    }

    fn label_names(&self) -> Result<Vec<String>, Error> {
        let Some(path) = &self.label_names else { return Ok(Vec::new()) };
        let bytes = model::read_file(path)?;
        let text = String::from_utf8(bytes).map_err(|_| PackError::LabelNames("it is not UTF-8".into()))?;
        Ok(text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }
}

/// Makes a package.
///
/// # Errors
///
/// When the model or its samples cannot be used, or the package cannot be written.
pub fn execute(arguments: &QuantizeArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let request = arguments.request()?;
    let progress = Progress::new("reading the model");
    let package = pack(&request, &mut |step| show(&progress, step))?;
    drop(progress);
    let name = package.manifest.name.as_str();
    let path = arguments.output.clone().unwrap_or_else(|| format!("{name}.{EXTENSION}").into());
    package.write(&path)?;
    let lowered = BoardModel::lower(&package, Isa::Portable, Choices::default())?;
    let report = &package.report;
    let result = QuantizeResult {
        package_bytes: std::fs::metadata(&path)
            .map_err(|source| ModelError::Read { path: path.clone(), source })?
            .len(),
        package: path,
        name,
        version: package.manifest.version.as_str(),
        model_bytes: lowered.artifact.len(),
        arena_bytes: lowered.arena_bytes,
        calibration: report.calibration.as_ref(),
        accuracy: report.accuracy.as_ref(),
        top_1_agreement: report.top_1_agreement,
        sqnr_db: report.sqnr_db,
        notes: &report.notes,
        layers: &report.layers,
    };
    if arguments.format.json {
        write_json(out, &result)?;
    } else {
        write_summary(out, &package, &result)?;
    }
    Ok(Outcome::Good)
}

/// Draws a step of the quantization.
pub(super) fn show(progress: &Progress, step: Step) {
    match step {
        Step::Calibrating { done, total } => progress.show("calibrating", done, total),
        Step::Assigning => progress.show("quantizing", 0, 1),
        Step::Scoring { done, total } => progress.show("comparing", done, total),
    }
}

fn write_summary(out: &mut dyn Write, package: &Package, result: &QuantizeResult<'_>) -> Result<(), Error> {
    writeln!(out, "{} {}", result.name, result.version)?;
    for (direction, ports) in [("input", &package.manifest.inputs), ("output", &package.manifest.outputs)] {
        for port in ports {
            writeln!(
                out,
                "  {direction:<10} {} {} `{}`",
                Shape(&port.shape),
                port.element.name(),
                port.name
            )?;
        }
    }
    let (layers, vectors) = (result.layers.len(), package.vectors.vectors.len());
    writeln!(out, "  {:<10} {layers}", "layers")?;
    match result.calibration {
        Some(calibration) => {
            let (samples, calibrator) = (calibration.samples, &calibration.calibrator);
            writeln!(out, "  {:<10} from {samples} samples, {calibrator}", "ranges")?;
            if samples < FEW_SAMPLES {
                writeln!(out, "  {:<10} {samples} are few: 100 or so that differ show more", "")?;
            }
        }
        None => writeln!(out, "  {:<10} int8 already: taken as it is", "ranges")?,
    }
    if let Some(&Accuracy { float, int8, samples }) = result.accuracy {
        let float = float.map_or(String::new(), |float| format!("float {}, ", Percent(float)));
        writeln!(out, "  {:<10} {float}int8 {} of {samples} test samples", "accuracy", Percent(int8))?;
    }
    if let Some(sqnr_db) = result.sqnr_db {
        writeln!(out, "  {:<10} {sqnr_db:.1} dB (signal to quantization noise, worst output)", "SQNR")?;
    }
    for note in result.notes {
        writeln!(out, "  {:<10} {}", "note", printable(note))?;
    }
    let (model, arena) = (Bytes(result.model_bytes as u64), Bytes(result.arena_bytes.into()));
    writeln!(out, "  {:<10} {model} of flash, {arena} of RAM for its arena", "needs")?;
    writeln!(out, "  {:<10} {vectors}", "vectors")?;
    writeln!(out, "wrote {} ({})", result.package.display(), Bytes(result.package_bytes))?;
    Ok(())
}
