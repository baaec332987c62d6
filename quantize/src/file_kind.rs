//! What kind of model a file holds.

use std::path::Path;

use edgepkg_format::artifact::MAGIC;

/// What a TensorFlow Lite file has at byte 4.
const TFLITE_IDENTIFIER: &[u8] = b"TFL3";

/// The kinds of model files, by their content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A package: a tar file.
    Package,
    /// A built artifact.
    Artifact,
    /// TensorFlow Lite.
    Tflite,
    /// ONNX.
    Onnx,
}

impl FileKind {
    /// What kind of file `bytes` are; where they do not say, the path's extension does. `None` where
    /// neither is known.
    pub fn of(bytes: &[u8], path: &Path) -> Option<Self> {
        if bytes.starts_with(&MAGIC) {
            Some(FileKind::Artifact)
        } else if bytes.get(4..8) == Some(TFLITE_IDENTIFIER) {
            Some(FileKind::Tflite)
        } else if bytes.get(257..262) == Some(b"ustar") {
            Some(FileKind::Package)
        } else {
            match path.extension()?.to_str()? {
                "edgepkg" => Some(FileKind::Package),
                "epa" => Some(FileKind::Artifact),
                "tflite" => Some(FileKind::Tflite),
                "onnx" => Some(FileKind::Onnx),
                _ => None,
            }
        }
    }
}
