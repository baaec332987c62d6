//! A new project.

use std::fs;
use std::path::Path;

use super::{PROJECT_FILE, ProjectError};
use edgepkg_quantize::package::PackageName;

/// Makes a project in `folder`, which is made where it is not there.
///
/// # Errors
///
/// When it is a project already, or the system refuses.
pub fn create(folder: &Path, name: &PackageName) -> Result<(), ProjectError> {
    let path = folder.join(PROJECT_FILE);
    if path.exists() {
        return Err(ProjectError::Exists(path));
    }
    let failed = |source| ProjectError::Write { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    edgepkg_quantize::whole_file::write(&path, text(name).as_bytes()).map_err(failed)
}

fn text(name: &PackageName) -> String {
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
description = ""
# license = "MIT OR Apache-2.0"     # an SPDX expression

[model]
file = "model.onnx"                 # ONNX or TensorFlow Lite, from this folder on

# [[input]]                         # what the model's inputs stand for
# name = "input"
# meaning = "log-mel spectrogram of 1 s of speech"
# unit = "dB"
# preprocessing = "16 kHz, 40 ms windows, 20 ms apart"

# [[output]]
# name = "output"
# labels = ["no", "yes"]

[quantize]
calibration = ["calibration.npy"]   # some hundred typical inputs, float32, the first axis counting them
# max_accuracy_drop = 0.01          # of the test samples' share that is answered right

[tests]
# inputs = ["test.npy"]
# labels = "labels.npy"

# [targets.qemu-cortex-m4]          # a board, or an instruction set
# flash_bytes = 65536
# arena_bytes = 32768

# [dependencies]
# base = "mobilenet@^1.2"           # what this model stands on, frozen
"#
    )
}
