//! What kernels read from.

use core::cell::Cell;

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

    /// The little-endian 16-bit value whose first byte is at `index`.
    ///
    /// # Panics
    ///
    /// When `index + 1` is past the end.
    #[inline]
    pub fn get_i16(self, index: usize) -> i16 {
        i16::from_le_bytes([self.get(index) as u8, self.get(index + 1) as u8])
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
