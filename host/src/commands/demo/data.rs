//! The files of the demo, inside this program: those of tests/data/kws, whose README has their sources and licences.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;
use edgepkg_quantize::tensor_file::{self, TensorFile};

/// The trained model.
pub const MODEL: &[u8] = include_bytes!("files/model.onnx");
/// Names of its classes, a line each.
pub const LABEL_NAMES: &str = include_str!("files/labels.txt");

const CALIBRATION: &[u8] = include_bytes!("files/calib_x_i8.npy");
const TEST: &[u8] = include_bytes!("files/test_x_i8.npy");
const LABELS: &[u8] = include_bytes!("files/test_y.npy");

/// The samples are int8 as published; the model takes `(i8 - ZERO_POINT) * SCALE`.
const SCALE: f32 = 0.584_702_9;
const ZERO_POINT: f32 = 83.0;

/// The demo's files, as a user would have them. They go when this is dropped.
pub struct Files {
    /// The ONNX file.
    pub model: PathBuf,
    /// Calibration samples, float32.
    pub calibration: PathBuf,
    /// Test samples, float32.
    pub test: PathBuf,
    /// The right class of each.
    pub labels: PathBuf,
    _folder: TempDir,
}

/// Writes the files to a temporary folder.
pub fn unpack() -> Result<Files, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Write { path, source }
    };
    let folder = tempfile::tempdir().map_err(failed(&std::env::temp_dir()))?;
    let path = |name: &str| folder.path().join(name);
    let files = Files {
        model: path("kws.onnx"),
        calibration: path("calibration.npy"),
        test: path("test.npy"),
        labels: path("labels.npy"),
        _folder: folder,
    };
    for (path, bytes) in [(&files.model, MODEL), (&files.labels, LABELS)] {
        std::fs::write(path, bytes).map_err(failed(path))?;
    }
    for (path, bytes) in [(&files.calibration, CALIBRATION), (&files.test, TEST)] {
        in_model_units(&tensor_file::parse(bytes, path)?).write(path)?;
    }
    Ok(files)
}

fn in_model_units(published: &TensorFile) -> TensorFile {
    let values = published.to_f32().into_iter().map(|q| (q - ZERO_POINT) * SCALE).collect();
    TensorFile::from_f32(published.shape.clone(), values)
}
