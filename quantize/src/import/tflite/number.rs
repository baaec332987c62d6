//! The reals that a file's constants stand for, whatever they are stored as.

use super::file::File;
use super::int8::quantization;
use super::names;
use super::schema::Tensor;
use crate::import::ImportError;
use crate::tflite_schema::tensor_type::{BOOL, FLOAT16, FLOAT32, INT4, INT8, INT16, INT32, UINT8};
use crate::validate::elements;

/// What constants of float models may be.
pub(super) const FLOAT_CONSTANTS: &str = "constants of float models must be float32, float16, int8 or int4";

const OTHER_LENGTH: &str = "has more or less data than its shape";

/// The values of the constant `index`, row-major.
///
/// # Errors
///
/// When it has another type, lacks scales, or has more or less data than its shape.
pub(super) fn reals(file: &File<'_>, index: i32) -> Result<Vec<f32>, ImportError> {
    let stored = file.stored(index);
    let tensor = file.readable(stored)?;
    let count = tensor.extents().and_then(|shape| elements(&shape));
    let data = file.data(tensor).unwrap_or_default();
    let values: Vec<f32> = match tensor.kind {
        FLOAT32 => data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        FLOAT16 => data.as_chunks().0.iter().map(|bytes| half(u16::from_le_bytes(*bytes))).collect(),
        BOOL => data.iter().map(|&byte| if byte == 0 { 0.0 } else { 1.0 }).collect(),
        INT8 | UINT8 | INT4 | INT16 | INT32 => dequantized(tensor, &integers(tensor.kind, data, count))?,
        other => {
            return Err(ImportError::TensorType {
                tensor: tensor.name.clone(),
                found: names::tensor_type(other),
                expected: FLOAT_CONSTANTS.into(),
            });
        }
    };
    if count == Some(values.len()) { Ok(values) } else { Err(tensor.problem(OTHER_LENGTH)) }
}

/// Whether the constant `index` is stored as integers.
pub(super) fn is_quantized(file: &File<'_>, index: i32) -> bool {
    let kind = file.tensor(file.stored(index)).map(|tensor| tensor.kind);
    file.is_constant(index) && !matches!(kind, Some(FLOAT32 | FLOAT16))
}

fn integers(kind: i8, data: &[u8], count: Option<usize>) -> Vec<i32> {
    let int8 = |byte: &u8| i32::from(*byte as i8);
    match kind {
        UINT8 => data.iter().map(|&byte| i32::from(byte)).collect(),
        INT16 => data.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes).into()).collect(),
        INT32 => data.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect(),
        INT4 => {
            // Two in a byte, the lower half first; the last half may be unused.
            let halves = data.iter().flat_map(|byte| [byte << 4, byte & 0xf0]);
            halves.take(count.unwrap_or_default()).map(|byte| int8(&byte) >> 4).collect()
        }
        _ => data.iter().map(int8).collect(),
    }
}

fn dequantized(tensor: &Tensor, values: &[i32]) -> Result<Vec<f32>, ImportError> {
    let quantization = quantization(tensor)?.ok_or_else(|| tensor.problem("has no scale"))?;
    let shape = tensor.extents().unwrap_or_default();
    let (channels, inner) = match quantization.scales.len() {
        1 => (1, values.len().max(1)),
        channels if shape.get(quantization.axis) == Some(&channels) => {
            let inner = elements(&shape[quantization.axis + 1..]);
            (channels, inner.ok_or_else(|| tensor.problem(OTHER_LENGTH))?.max(1))
        }
        _ => return Err(tensor.problem("has more or less scales than its axis is long")),
    };
    if quantization.zero_points.len() != channels {
        return Err(tensor.problem("has more or less zero points than scales"));
    }
    let real = |(index, &value): (usize, &i32)| {
        let channel = index / inner % channels;
        let steps = i64::from(value) - i64::from(quantization.zero_points[channel]);
        quantization.scales[channel] * steps as f32
    };
    Ok(values.iter().enumerate().map(real).collect())
}

/// The value of an IEEE 754 binary16 number.
fn half(bits: u16) -> f32 {
    let (exponent, mantissa) = (bits >> 10 & 0x1f, f32::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => mantissa / (1 << 24) as f32,
        0x1f if mantissa == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1.0 + mantissa / 1024.0) * f32::from_bits((u32::from(exponent) + 112) << 23),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The value that every element of the constant `index` has.
fn uniform(file: &File<'_>, index: i32) -> Result<f32, &'static str> {
    let values = reals(file, index).map_err(|_| "has a value that cannot be read")?;
    match values.split_first() {
        Some((first, others)) if others.iter().all(|other| other == first) => Ok(*first),
        _ => Err("has values that differ from element to element, which is not supported"),
    }
}

/// Whether two tensors have the same type, scales and zero points.
///
/// # Errors
///
/// When one is not there, as the end of a sentence that begins with the operator.
pub(super) fn are_alike(file: &File<'_>, a: i32, b: i32) -> Result<bool, &'static str> {
    let parameters = |index| {
        let tensor = file.tensor(index).ok_or("lacks an operand")?;
        let parameters = quantization(tensor).map_err(|_| "has an operand without sound scales")?;
        Ok::<_, &'static str>((tensor.kind, parameters))
    };
    Ok(parameters(a)? == parameters(b)?)
}

/// The real value of the constant `index`, whose elements are equal; where `output` is of integers, the
/// constant must have their type, scale and zero point.
///
/// # Errors
///
/// As the end of a sentence that begins with the operator.
pub(super) fn value_like(file: &File<'_>, index: i32, output: i32) -> Result<f32, &'static str> {
    if !file.is_constant(index) {
        return Err("has a value that is not constant");
    }
    let is_float = file.tensor(output).is_some_and(|tensor| tensor.kind == FLOAT32);
    if !is_float && !are_alike(file, index, output)? {
        return Err("has a value with another scale or zero point than its output");
    }
    uniform(file, index)
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves() {
        let values = [
            (0x0000, 0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0x7bff, 65504.0),
            (0xc000, -2.0),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, value) in values {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}
