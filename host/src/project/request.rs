//! What a project's file asks of quantization, and the limits it sets.

use std::path::{Path, PathBuf};

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::calibrate::Calibrator;
use edgepkg_quantize::graph::Rounding;
use edgepkg_quantize::import::ImportOptions;
use edgepkg_quantize::pipeline::Options;
use edgepkg_quantize::report::Report;
use thiserror::Error;

use super::schema::KeepName;
use super::{CalibratorName, Project, ProjectError, RoundingName};
use crate::model::{self, Importer};
use crate::pack::{Keep, PackError, Request};
use edgepkg_quantize::digest::Digest;
use edgepkg_quantize::package::Package;

/// The percentile that ranges end at where none is given.
pub const DEFAULT_PERCENTILE: f64 = 99.99;

/// What a package must keep to and does not.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum OutOfLimits {
    /// More accuracy lost than is allowed.
    #[error(
        "int8 answers {:.1} % of the test samples right and float {:.1} %: {:.1} % less, the limit of the project is {:.1} %",
        100.0 * int8, 100.0 * float, 100.0 * (float - int8), 100.0 * limit
    )]
    AccuracyDrop {
        /// The float model's share.
        float: f64,
        /// The int8 model's share.
        int8: f64,
        /// The greatest difference.
        limit: f64,
    },
    /// Less accuracy than is demanded.
    #[error("int8 answers {:.1} % of the test samples right, the project demands {:.1} %", 100.0 * int8, 100.0 * limit)]
    Accuracy {
        /// The int8 model's share.
        int8: f64,
        /// The least.
        limit: f64,
    },
    /// A limit on accuracy, and nothing to measure it by.
    #[error("the project limits accuracy and names no test samples with labels")]
    NotMeasured,
    /// More flash or RAM than there is.
    #[error(
        "the model takes {needed_bytes} bytes of {what} on `{target}`, the project's budget is {budget_bytes}"
    )]
    Budget {
        /// The target.
        target: String,
        /// `flash` or `arena`.
        what: &'static str,
        /// Bytes it takes.
        needed_bytes: u64,
        /// Bytes it may take.
        budget_bytes: u64,
    },
}

impl OutOfLimits {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            OutOfLimits::AccuracyDrop { .. } | OutOfLimits::Accuracy { .. } => {
                "more calibration samples, another `calibrator` or `int16_layers` in `[quantize]` lose less; `edgepkg \
                 inspect` of the package made with `--output` shows where"
            }
            OutOfLimits::NotMeasured => {
                "name them in `[tests]`: `inputs = [\"test.npy\"]`, `labels = \"labels.npy\"`"
            }
            OutOfLimits::Budget { what: "flash", .. } => {
                "a smaller model, or a greater `flash_bytes` in `[targets]`"
            }
            OutOfLimits::Budget { .. } => "a smaller model, or a greater `arena_bytes` in `[targets]`",
        }
    }
}

/// The calibrator of a name.
pub fn calibrator(name: CalibratorName, percentile: f64) -> Calibrator {
    match name {
        CalibratorName::Minmax => Calibrator::MinMax,
        CalibratorName::Percentile => Calibrator::Percentile(percentile),
        CalibratorName::Mse => Calibrator::MeanSquaredError,
    }
}

/// The rounding of a name.
pub fn rounding(name: RoundingName) -> Rounding {
    match name {
        RoundingName::Twice => Rounding::Twice,
        RoundingName::Once => Rounding::Once,
    }
}

/// The layers of these names that compute in int16.
pub fn int16_layers(names: &[String]) -> Int16Layers {
    match names {
        [] => Int16Layers::None,
        [all] if all == "all" => Int16Layers::All,
        names => Int16Layers::Named(names.to_vec()),
    }
}

/// The names of classes in a file, a line each.
///
/// # Errors
///
/// When it cannot be read.
pub fn label_names(path: &Path) -> Result<Vec<String>, PackError> {
    let bytes = model::read_file(path)?;
    let text = String::from_utf8(bytes).map_err(|_| PackError::LabelNames("it is not UTF-8".into()))?;
    Ok(text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// What is to be done to make the project's package.
///
/// # Errors
///
/// When it names no model.
pub fn request(project: &Project, importer: Importer) -> Result<Request, ProjectError> {
    let schema = &project.schema;
    let model = schema.model.as_ref().ok_or_else(|| ProjectError::NoModel(project.path()))?;
    let files = |files: &[PathBuf]| files.iter().map(|file| project.file(file)).collect();
    let quantize = &schema.quantize;
    Ok(Request {
        import: ImportOptions { shapes: model.shapes.clone(), batch: model.batch, folder: None },
        calibration: files(&quantize.calibration),
        test: files(&schema.tests.inputs),
        labels: schema.tests.labels.as_ref().map(|file| project.file(file)),
        options: Options {
            calibrator: calibrator(
                quantize.calibrator.unwrap_or(CalibratorName::Minmax),
                quantize.percentile.unwrap_or(DEFAULT_PERCENTILE),
            ),
            rounding: rounding(quantize.rounding.unwrap_or(RoundingName::Twice)),
            int16_layers: int16_layers(&quantize.int16_layers),
            ..Options::default()
        },
        name: Some(project.name().clone()),
        version: project.version().clone(),
        head: model.head.clone(),
        keep: match model.keep {
            KeepName::Result => Keep::Result,
            KeepName::File => Keep::ModelFile,
        },
        ..Request::of_file(project.file(&model.file), importer)
    })
}

/// Writes into `package` what its project says of it.
///
/// # Errors
///
/// When it speaks of an input or output that the model does not have, or labels do not fit.
pub fn describe(project: &Project, package: &mut Package) -> Result<(), PackError> {
    let (schema, manifest) = (&project.schema, &mut package.manifest);
    let about = &schema.package;
    if !about.description.is_empty() {
        manifest.description = about.description.clone();
    }
    manifest.about = edgepkg_quantize::package::About {
        license: about.license.clone(),
        authors: about.authors.clone(),
        keywords: about.keywords.clone(),
        repository: about.repository.clone(),
        metadata: schema.metadata.clone(),
    };
    if let Some(model) = &schema.model {
        manifest.model_digest = Some(Digest::of(&model::read_file(&project.file(&model.file))?));
    }
    let directions =
        [("input", &schema.input, &mut manifest.inputs), ("output", &schema.output, &mut manifest.outputs)];
    for (direction, tables, ports) in directions {
        for table in tables {
            let names: Vec<String> = ports.iter().map(|port| port.name.clone()).collect();
            let port = ports.iter_mut().find(|port| port.name == table.name);
            let missing = || PackError::NoSuchPort { direction, name: table.name.clone(), names };
            let port = port.ok_or_else(missing)?;
            port.meaning = table.meaning.clone();
            port.unit = table.unit.clone();
            port.preprocessing = table.preprocessing.clone();
            match &table.labels_file {
                Some(file) => port.labels = label_names(&project.file(file))?,
                None if table.labels.is_empty() => {}
                None => port.labels = table.labels.clone(),
            }
            port.check_labels().map_err(PackError::LabelNames)?;
        }
    }
    Ok(())
}

/// The limits on accuracy that a report exceeds.
pub fn check_limits(project: &Project, report: &Report) -> Vec<OutOfLimits> {
    let quantize = &project.schema.quantize;
    let (drop, least) = (quantize.max_accuracy_drop, quantize.min_accuracy);
    if drop.is_none() && least.is_none() {
        return Vec::new();
    }
    let Some(accuracy) = &report.accuracy else { return vec![OutOfLimits::NotMeasured] };
    let int8 = accuracy.int8;
    let too_low = least.filter(|&limit| int8 < limit).map(|limit| OutOfLimits::Accuracy { int8, limit });
    let fallen = drop.zip(accuracy.float).filter(|&(limit, float)| float - int8 > limit);
    let fallen = fallen.map(|(limit, float)| OutOfLimits::AccuracyDrop { float, int8, limit });
    too_low.into_iter().chain(fallen).collect()
}
