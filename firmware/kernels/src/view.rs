//! What kernels read from.

use core::cell::Cell;

use edgepkg_format::DType;

/// The bytes of an input operand, from its first byte to its last one.
///
/// Inputs and outputs of one operator may share the arena, so arena bytes are cells.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// Activations.
    Arena(&'a [Cell<i8>]),
    /// Weights, tables, constant inputs.
    Const(&'a [i8]),
}

impl<'a> View<'a> {
    /// Bytes.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            View::Arena(cells) => cells.len(),
            View::Const(bytes) => bytes.len(),
        }
    }

    /// Whether it holds no byte.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The byte at `index`.
    ///
    /// # Panics
    ///
    /// When `index` is past the end.
    #[inline]
    pub fn get(self, index: usize) -> i8 {
        match self {
            View::Arena(cells) => cells[index].get(),
            View::Const(bytes) => bytes[index],
        }
    }

    /// `length` bytes from `start` on.
    ///
    /// # Panics
    ///
    /// When they reach past the end.
    #[inline]
    pub fn run(self, start: usize, length: usize) -> Self {
        match self {
            View::Arena(cells) => View::Arena(&cells[start..][..length]),
            View::Const(bytes) => View::Const(&bytes[start..][..length]),
        }
    }

    /// Calls `visit` with each byte and the item of `others` beside it, as far as both reach.
    ///
    /// The kind of view is asked for once: what is inlined here twice is the loop alone.
    #[inline(always)]
    pub(crate) fn for_each_with<T>(self, others: impl IntoIterator<Item = T>, mut visit: impl FnMut(i8, T)) {
        match self {
            View::Arena(cells) => cells.iter().zip(others).for_each(|(cell, other)| visit(cell.get(), other)),
            View::Const(bytes) => bytes.iter().zip(others).for_each(|(&byte, other)| visit(byte, other)),
        }
    }
}

/// Element `index` of little-endian int32 elements.
#[inline]
pub(crate) fn word(view: View<'_>, index: usize) -> i32 {
    i32::from_le_bytes([0, 1, 2, 3].map(|byte| view.get(4 * index + byte) as u8))
}

/// Element `index` of int8 or little-endian int16 elements.
#[inline]
pub(crate) fn element(view: View<'_>, dtype: DType, index: usize) -> i32 {
    match dtype {
        DType::Int16 => {
            let bytes = [view.get(2 * index) as u8, view.get(2 * index + 1) as u8];
            i16::from_le_bytes(bytes).into()
        }
        _ => view.get(index).into(),
    }
}

/// Sets element `index` of int8 or little-endian int16 elements to `value`'s lower bits.
#[inline]
pub(crate) fn set_element(cells: &[Cell<i8>], dtype: DType, index: usize, value: i32) {
    match dtype {
        DType::Int16 => {
            let [low, high] = (value as i16).to_le_bytes();
            cells[2 * index].set(low as i8);
            cells[2 * index + 1].set(high as i8);
        }
        _ => cells[index].set(value as i8),
    }
}
