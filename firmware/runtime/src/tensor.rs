//! Inputs and outputs, by reference into the arena.

use core::cell::Cell;

use edgepkg_format::tensor::Shape;
use edgepkg_format::{DType, Port};

use crate::error::TensorError;

/// An output.
#[derive(Clone, Debug)]
pub struct Tensor<'s> {
    port: Port<'s>,
    cells: &'s [Cell<i8>],
}

impl<'s> Tensor<'s> {
    pub(crate) fn new(port: Port<'s>, cells: &'s [Cell<i8>]) -> Self {
        Self { port, cells }
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

    /// Its bytes in the arena.
    pub fn cells(&self) -> &'s [Cell<i8>] {
        self.cells
    }

    /// Its bytes; for int8 its elements.
    pub fn values_i8(&self) -> impl ExactSizeIterator<Item = i8> + 's {
        self.cells.iter().map(Cell::get)
    }

    /// Its elements, if they are indices: boxes that were chosen, classes that are most likely.
    pub fn values_i32(&self) -> impl ExactSizeIterator<Item = i32> + 's {
        self.cells
            .as_chunks()
            .0
            .iter()
            .map(|bytes| i32::from_le_bytes(bytes.each_ref().map(|byte| byte.get() as u8)))
    }

    /// Copies its bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When it has fewer bytes there than `data`.
    pub fn copy_to_i8(&self, offset: usize, data: &mut [i8]) -> Result<(), TensorError> {
        copy_out(self.cells, offset, data)
    }
}

/// An input.
#[derive(Debug)]
pub struct TensorMut<'s>(Tensor<'s>);

impl<'s> TensorMut<'s> {
    pub(crate) fn new(tensor: Tensor<'s>) -> Self {
        Self(tensor)
    }

    /// Sets all of it.
    ///
    /// # Errors
    ///
    /// When `data` has another length.
    pub fn copy_from_i8(&mut self, data: &[i8]) -> Result<(), TensorError> {
        if data.len() != self.cells.len() {
            return Err(TensorError::Length { tensor_bytes: self.cells.len(), data_bytes: data.len() });
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
        if data_bytes != self.cells.len() {
            return Err(TensorError::Length { tensor_bytes: self.cells.len(), data_bytes });
        }
        let bytes = indices.iter().flat_map(|index| index.to_le_bytes());
        self.cells.iter().zip(bytes).for_each(|(cell, byte)| cell.set(byte as i8));
        Ok(())
    }

    /// Sets the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When it has fewer bytes there than `data`.
    pub fn write_i8(&mut self, offset: usize, data: &[i8]) -> Result<(), TensorError> {
        copy_in(self.cells, offset, data)
    }
}

impl<'s> core::ops::Deref for TensorMut<'s> {
    type Target = Tensor<'s>;

    fn deref(&self) -> &Tensor<'s> {
        &self.0
    }
}

/// Copies `cells` from `offset` on to `data`.
pub(crate) fn copy_out(cells: &[Cell<i8>], offset: usize, data: &mut [i8]) -> Result<(), TensorError> {
    let cells = block(cells, offset, data.len())?;
    for (value, cell) in data.iter_mut().zip(cells) {
        *value = cell.get();
    }
    Ok(())
}

/// Copies `data` to `cells` from `offset` on.
pub(crate) fn copy_in(cells: &[Cell<i8>], offset: usize, data: &[i8]) -> Result<(), TensorError> {
    let cells = block(cells, offset, data.len())?;
    for (cell, &value) in cells.iter().zip(data) {
        cell.set(value);
    }
    Ok(())
}

fn block(cells: &[Cell<i8>], offset: usize, length: usize) -> Result<&[Cell<i8>], TensorError> {
    let rest = cells.get(offset..).unwrap_or_default();
    rest.get(..length).ok_or(TensorError::Length { tensor_bytes: rest.len(), data_bytes: length })
}
