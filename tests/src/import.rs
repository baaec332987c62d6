//! Model files as the graphs that tests work on.

#[cfg(feature = "onnx")]
use edgepkg_quantize::graph::FloatGraph;
use edgepkg_quantize::graph::QuantizedGraph;
use edgepkg_quantize::import::{ImportError, tflite};

/// The graph of an int8 TensorFlow Lite file.
///
/// # Errors
///
/// When it cannot be read.
///
/// # Panics
///
/// When it computes with floats.
pub fn int8_tflite(bytes: &[u8]) -> Result<QuantizedGraph, ImportError> {
    Ok(tflite::read(bytes)?.into_quantized().expect("an int8 model file"))
}

/// The graph of a float ONNX file.
///
/// # Errors
///
/// When it cannot be read.
///
/// # Panics
///
/// When it is quantized.
#[cfg(feature = "onnx")]
pub fn float_onnx(bytes: &[u8]) -> Result<FloatGraph, ImportError> {
    use edgepkg_quantize::import::{ImportOptions, onnx};
    Ok(onnx::read(bytes, &ImportOptions::default())?.into_float().expect("a float model file"))
}

/// The graph of a quantized ONNX file.
///
/// # Errors
///
/// When it cannot be read.
///
/// # Panics
///
/// When it computes with floats.
#[cfg(feature = "onnx")]
pub fn int8_onnx(bytes: &[u8]) -> Result<QuantizedGraph, ImportError> {
    use edgepkg_quantize::import::{ImportOptions, onnx};
    Ok(onnx::read(bytes, &ImportOptions::default())?.into_quantized().expect("a quantized model file"))
}
