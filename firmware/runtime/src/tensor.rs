//! Inputs and outputs, by reference into the arena.

use bytemuck::{cast_slice, try_cast_slice, try_cast_slice_mut};
use edgepkg_format::tensor::Shape;
use edgepkg_format::{DType, Port};

use crate::error::TensorError;
use crate::quantization::Quantization;

/// An output, where it lies in the arena.
#[derive(Clone, Debug)]
pub struct Tensor<'s> {
    port: Port<'s>,
    bytes: &'s [i8],
}

impl<'s> Tensor<'s> {
    pub(crate) fn new(port: Port<'s>, bytes: &'s [i8]) -> Self {
        Self { port, bytes }
    }

    /// Name, type and labels.
    pub fn port(&self) -> &Port<'s> {
        &self.port
    }

    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.port.shape
    }

    /// The type of its elements.
    pub fn dtype(&self) -> DType {
        self.port.tensor.dtype
    }

    /// Real value of one step.
    pub fn scale(&self) -> f32 {
        self.port.scale
    }

    /// The value that stands for 0.
    pub fn zero_point(&self) -> i32 {
        self.port.zero_point
    }

    /// What its elements stand for.
    pub fn quantization(&self) -> Quantization {
        Quantization { scale: self.scale(), zero_point: self.zero_point() }
    }

    /// Its bytes in the arena; for int8 its elements.
    pub fn as_i8(&self) -> &'s [i8] {
        self.bytes
    }

    /// Its elements in the arena, where they are int16; `None` where they are not.
    pub fn as_i16(&self) -> Option<&'s [i16]> {
        (self.dtype() == DType::Int16).then(|| try_cast_slice(self.bytes).ok()).flatten()
    }

    /// Its elements in the arena, where they are int32; `None` where they are not.
    pub fn as_i32(&self) -> Option<&'s [i32]> {
        (self.dtype() == DType::Int32).then(|| try_cast_slice(self.bytes).ok()).flatten()
    }

    /// Its elements, whatever their type.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = i32> + 's {
        let bytes_each = match self.dtype() {
            DType::Int16 => 2,
            DType::Int32 => 4,
            _ => 1,
        };
        let element = |bytes: &[u8]| match *bytes {
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
            [a, b] => i16::from_le_bytes([a, b]).into(),
            _ => bytes.first().map_or(0, |&byte| (byte as i8).into()),
        };
        cast_slice::<i8, u8>(self.bytes).chunks_exact(bytes_each).map(element)
    }

    /// Its bytes; for int8 its elements.
    pub fn values_i8(&self) -> impl ExactSizeIterator<Item = i8> + 's {
        self.bytes.iter().copied()
    }

    /// Its elements in the model's own units.
    pub fn values_f32(&self) -> impl ExactSizeIterator<Item = f32> + 's {
        let quantization = self.quantization();
        self.elements().map(move |element| quantization.dequantize(element))
    }

    /// The index of its greatest element, the first of them where there are several: of scores, the answer.
    pub fn argmax(&self) -> usize {
        let mut greatest = (0, i32::MIN);
        for (index, element) in self.elements().enumerate() {
            if element > greatest.1 {
                greatest = (index, element);
            }
        }
        greatest.0
    }

    /// The label at `index`: the name of that class, where the model names its classes.
    pub fn label(&self, index: usize) -> Option<&'s str> {
        self.port.labels.iter().nth(index)
    }

    /// Its elements, if they are indices: boxes that were chosen, classes that are most likely.
    pub fn values_i32(&self) -> impl ExactSizeIterator<Item = i32> + 's {
        let words = cast_slice::<i8, u8>(self.bytes).as_chunks().0;
        words.iter().map(|&bytes| i32::from_le_bytes(bytes))
    }

    /// Copies its bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When it has fewer bytes there than `data`.
    pub fn copy_to_i8(&self, offset: usize, data: &mut [i8]) -> Result<(), TensorError> {
        copy_out(self.bytes, offset, data)
    }
}

/// An input, where it lies in the arena.
///
/// ```
/// # use edgepkg_runtime::{Arena, embed_model};
/// # embed_model!(Keywords = "../tests/data/kws.epa");
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let mut arena = Arena::<{ Keywords::ARENA_BYTES }>::new();
/// # let mut session = Keywords::MODEL.session(&mut arena)?;
/// let mut features = session.input(0)?;
/// let quantization = features.quantization();
/// for (index, feature) in features.as_i8_mut().iter_mut().enumerate() {
///     *feature = quantization.quantize_i8(index as f32 / 10.0);
/// }
/// session.run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TensorMut<'s> {
    port: Port<'s>,
    bytes: &'s mut [i8],
}

impl<'s> TensorMut<'s> {
    pub(crate) fn new(port: Port<'s>, bytes: &'s mut [i8]) -> Self {
        Self { port, bytes }
    }

    /// The input as it can be read.
    pub fn as_tensor(&self) -> Tensor<'_> {
        Tensor { port: self.port.clone(), bytes: self.bytes }
    }

    /// Name, type and labels.
    pub fn port(&self) -> &Port<'s> {
        &self.port
    }

    /// What its elements stand for.
    pub fn quantization(&self) -> Quantization {
        Quantization { scale: self.port.scale, zero_point: self.port.zero_point }
    }

    /// Its bytes in the arena, for whatever makes them to write to; for int8 its elements.
    pub fn as_i8_mut(&mut self) -> &mut [i8] {
        self.bytes
    }

    /// Its elements in the arena, where they are int16; `None` where they are not.
    pub fn as_i16_mut(&mut self) -> Option<&mut [i16]> {
        (self.port.tensor.dtype == DType::Int16).then(|| try_cast_slice_mut(self.bytes).ok()).flatten()
    }

    /// Sets all of it.
    ///
    /// # Errors
    ///
    /// When `data` has another length.
    pub fn copy_from_i8(&mut self, data: &[i8]) -> Result<(), TensorError> {
        if data.len() != self.bytes.len() {
            return Err(TensorError::Length { tensor_bytes: self.bytes.len(), data_bytes: data.len() });
        }
        self.write_i8(0, data)
    }

    /// Sets all of an input of indices. One that chooses what is not there is taken for the nearest that is.
    ///
    /// # Errors
    ///
    /// When it has another length than `indices`, or elements of another width.
    pub fn copy_from_i32(&mut self, indices: &[i32]) -> Result<(), TensorError> {
        let data_bytes = size_of_val(indices);
        if data_bytes != self.bytes.len() {
            return Err(TensorError::Length { tensor_bytes: self.bytes.len(), data_bytes });
        }
        let bytes = indices.iter().flat_map(|index| index.to_le_bytes());
        self.bytes.iter_mut().zip(bytes).for_each(|(element, byte)| *element = byte as i8);
        Ok(())
    }

    /// Sets the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When it has fewer bytes there than `data`.
    pub fn write_i8(&mut self, offset: usize, data: &[i8]) -> Result<(), TensorError> {
        copy_in(self.bytes, offset, data)
    }
}

/// Copies `bytes` from `offset` on to `data`.
pub(crate) fn copy_out(bytes: &[i8], offset: usize, data: &mut [i8]) -> Result<(), TensorError> {
    let rest = bytes.get(offset..).unwrap_or_default();
    let (tensor_bytes, data_bytes) = (rest.len(), data.len());
    let block = rest.get(..data_bytes).ok_or(TensorError::Length { tensor_bytes, data_bytes })?;
    data.copy_from_slice(block);
    Ok(())
}

/// Copies `data` to `bytes` from `offset` on.
pub(crate) fn copy_in(bytes: &mut [i8], offset: usize, data: &[i8]) -> Result<(), TensorError> {
    let rest = bytes.get_mut(offset..).unwrap_or_default();
    let (tensor_bytes, data_bytes) = (rest.len(), data.len());
    let block = rest.get_mut(..data_bytes).ok_or(TensorError::Length { tensor_bytes, data_bytes })?;
    block.copy_from_slice(data);
    Ok(())
}
