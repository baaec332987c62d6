//! Arrays of samples in `.npy` files.

use std::io::Cursor;

use ndarray::{ArrayD, Axis};
use ndarray_npy::{ReadNpyExt, ReadableElement};

/// The bytes of each sample, little-endian, of an array of int8, uint8, int16 or int32 whose leading axis
/// counts the samples.
///
/// # Panics
///
/// When `npy` is no such array.
pub fn integer_samples(npy: &[u8]) -> Vec<Vec<u8>> {
    read(npy, i8::to_le_bytes)
        .or_else(|| read(npy, u8::to_le_bytes))
        .or_else(|| read(npy, i16::to_le_bytes))
        .or_else(|| read(npy, i32::to_le_bytes))
        .expect("an array of int8, uint8, int16 or int32")
}

/// As [`integer_samples`], of an array of float32 too.
///
/// # Panics
///
/// When `npy` is no such array.
pub fn number_samples(npy: &[u8]) -> Vec<Vec<u8>> {
    read(npy, f32::to_le_bytes).unwrap_or_else(|| integer_samples(npy))
}

/// The elements of each sample of an array of float32 whose leading axis counts the samples.
///
/// # Panics
///
/// When `npy` is no such array.
pub fn float_samples(npy: &[u8]) -> Vec<Vec<f32>> {
    let array = ArrayD::<f32>::read_npy(Cursor::new(npy)).expect("an array of float32");
    array.axis_iter(Axis(0)).map(|sample| sample.iter().copied().collect()).collect()
}

fn read<T: ReadableElement + Copy, const BYTES: usize>(
    npy: &[u8],
    to_bytes: fn(T) -> [u8; BYTES],
) -> Option<Vec<Vec<u8>>> {
    let array = ArrayD::<T>::read_npy(Cursor::new(npy)).ok()?;
    let sample =
        |values: ndarray::ArrayViewD<'_, T>| values.iter().flat_map(|&value| to_bytes(value)).collect();
    Some(array.axis_iter(Axis(0)).map(sample).collect())
}
