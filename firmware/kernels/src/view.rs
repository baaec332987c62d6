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

/// A slice of bytes that may or may not be cells: what inner loops are generic over, so that they pay
/// for no distinction.
pub(crate) trait Bytes: Copy {
    /// The bytes in order.
    fn values(self) -> impl Iterator<Item = i8>;

    /// `length` bytes from `start` on.
    ///
    /// # Panics
    ///
    /// When they reach past the end.
    fn run(self, start: usize, length: usize) -> Self;

    /// The byte at `index`.
    ///
    /// # Panics
    ///
    /// When `index` is past the end.
    fn at(self, index: usize) -> i8;
}

impl Bytes for &[i8] {
    #[inline(always)]
    fn values(self) -> impl Iterator<Item = i8> {
        self.iter().copied()
    }

    #[inline(always)]
    fn run(self, start: usize, length: usize) -> Self {
        &self[start..][..length]
    }

    #[inline(always)]
    fn at(self, index: usize) -> i8 {
        self[index]
    }
}

impl Bytes for &[Cell<i8>] {
    #[inline(always)]
    fn values(self) -> impl Iterator<Item = i8> {
        self.iter().map(Cell::get)
    }

    #[inline(always)]
    fn run(self, start: usize, length: usize) -> Self {
        &self[start..][..length]
    }

    #[inline(always)]
    fn at(self, index: usize) -> i8 {
        self[index].get()
    }
}
