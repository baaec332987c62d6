//! `edgepkg quantize`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use edgepkg_format::Isa;
use edgepkg_quantize::calibrate::Calibrator;
use edgepkg_quantize::pipeline::Progress as Step;
use edgepkg_quantize::report::{Accuracy, Calibration, LayerReport};
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{ImportArguments, OutputArguments, ShapeArguments, StateArguments};
use crate::error::Error;
use crate::model::{BoardModel, Choices, ModelError};
use crate::pack::{Keep, Request, pack};
use crate::progress::Progress;
use crate::project::{self, CalibratorName, DEFAULT_PERCENTILE, Project, RoundingName};
use crate::table::{Bytes, Percent, Shape, printable};
use edgepkg_quantize::package::{EXTENSION, Package, PackageName, Version};

/// Arguments of `edgepkg quantize`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg quantize kws.onnx --calibration calib.npy -o kws.edgepkg
  edgepkg quantize kws.onnx --calibration calib.npy --test x.npy --labels y.npy -o kws.edgepkg
  edgepkg quantize kws_int8.tflite -o kws.edgepkg
  edgepkg quantize                                     in a project: as its edgepkg.toml says")]
pub struct QuantizeArguments {
    /// The trained model: ONNX or TensorFlow Lite; one that is int8 already passes through as it is. Left out, it is
    /// what the edgepkg.toml one stands under names, with what that says; flags go before it
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// Typical inputs (.npy), from which value ranges are learnt; once for each input of the model
    #[arg(long, value_name = "X.npy")]
    calibration: Vec<PathBuf>,
    /// Other inputs (.npy), on which the float and the int8 model are compared; once for each input
    #[arg(long, value_name = "X.npy")]
    test: Vec<PathBuf>,
    /// The right class of each test input (.npy, integers): gives the accuracy
    #[arg(long, value_name = "Y.npy")]
    labels: Option<PathBuf>,
    /// How a value range is chosen from the values seen [default: minmax]
    #[arg(long, value_enum)]
    calibrator: Option<CalibratorName>,
    /// With `--calibrator percentile`: the percentile that ranges end at, on both sides [default: 99.99]
    #[arg(long, value_name = "P")]
    percentile: Option<f64>,
    /// How often each result of a float model's layers is rounded [default: twice]
    #[arg(long, value_enum)]
    rounding: Option<RoundingName>,
    /// Layers of a float model that compute in int16, more exact and slower; `all` for every layer
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    int16_layers: Vec<String>,
    /// Names of the classes, a line each
    #[arg(long, value_name = "FILE")]
    label_names: Option<PathBuf>,
    /// Name of the package [default: the model file's]
    #[arg(long)]
    name: Option<PackageName>,
    /// Version of the package [default: 0.1.0]
    #[arg(long)]
    version: Option<Version>,
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
    /// What is to be done with the model file that is named.
    fn of_file(&self, model: &Path) -> Result<Request, Error> {
        let mut request = Request::of_file(model.to_owned(), self.import.importer());
        request.import = self.shapes.import_options()?;
        request.state = self.state.state();
        self.change(&mut request)?;
        Ok(request)
    }

    /// What is to be done with the project one stands in.
    fn of_project(&self, project: &Project) -> Result<Request, Error> {
        let mut request = project::request(project, self.import.importer())?;
        let shapes = self.shapes.import_options()?;
        request.import.shapes.extend(shapes.shapes);
        request.import.batch = shapes.batch.or(request.import.batch);
        request.state = self.state.state();
        self.change(&mut request)?;
        Ok(request)
    }

    /// Puts what the flags say in the place of what `request` says.
    fn change(&self, request: &mut Request) -> Result<(), Error> {
        fn replace<T: Clone>(old: &mut Vec<T>, new: &[T]) {
            if !new.is_empty() {
                *old = new.to_vec();
            }
        }
        replace(&mut request.calibration, &self.calibration);
        replace(&mut request.test, &self.test);
        replace(&mut request.head, &self.head);
        if let Some(labels) = &self.labels {
            request.labels = Some(labels.clone());
        }
        let options = &mut request.options;
        match (self.calibrator, self.percentile) {
            (Some(name), percentile) => {
                options.calibrator = project::calibrator(name, percentile.unwrap_or(DEFAULT_PERCENTILE));
            }
            (None, Some(percentile)) if matches!(options.calibrator, Calibrator::Percentile(_)) => {
                options.calibrator = Calibrator::Percentile(percentile);
            }
            (None, _) => {}
        }
        if let Some(name) = self.rounding {
            options.rounding = project::rounding(name);
        }
        if !self.int16_layers.is_empty() {
            options.int16_layers = project::int16_layers(&self.int16_layers);
        }
        if let Some(name) = &self.name {
            request.name = Some(name.clone());
        }
        if let Some(version) = &self.version {
            request.version = version.clone();
        }
        if let Some(file) = &self.label_names {
            request.label_names = project::label_names(file)?;
        }
        if self.keep_model {
            request.keep = Keep::ModelFile;
        }
        Ok(())
    }
}

/// Makes a package.
///
/// # Errors
///
/// When the model or its samples cannot be used, or the package cannot be written.
pub fn execute(arguments: &QuantizeArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let project = match arguments.model {
        Some(_) => None,
        None => Some(Project::here()?),
    };
    let request = match (&arguments.model, &project) {
        (Some(model), _) => arguments.of_file(model)?,
        (None, Some(project)) => arguments.of_project(project)?,
        (None, None) => unreachable!("without a model there is a project"),
    };
    let progress = Progress::new("reading the model");
    let mut package = pack(&request, &mut |step| show(&progress, step))?;
    drop(progress);
    let mut exceeded = Vec::new();
    if let Some(project) = &project {
        project::describe(project, &mut package)?;
        project::stand_on_base(project, &mut package)?;
        exceeded = project::check_limits(project, &package.report);
        exceeded.extend(project::check_budgets(project, &package)?);
    }
    let name = package.manifest.name.as_str();
    let default = || match &project {
        Some(project) => project.package_path(),
        None => format!("{name}.{EXTENSION}").into(),
    };
    // What exceeds the project's limits is written only where it is asked for by name: to be looked at.
    if let (Some(limit), None) = (exceeded.first(), &arguments.output) {
        return Err(limit.clone().into());
    }
    let path = arguments.output.clone().unwrap_or_else(default);
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
    match exceeded.into_iter().next() {
        Some(limit) => Err(limit.into()),
        None => Ok(Outcome::Good),
    }
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
