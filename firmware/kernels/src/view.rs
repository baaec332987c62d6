//! What kernels read from.

use core::cell::Cell;

use edgepkg_format::DType;

use crate::element::Element;

/// The bytes of an input operand, from its first byte to its last one; or its elements, if they are wider.
///
/// Inputs and outputs of one operator may share the arena, so arena bytes are cells.
#[derive(Debug)]
pub enum View<'a, E: Element = i8> {
    /// Activations.
    Arena(&'a [E::Cells]),
    /// Weights, tables, constant inputs.
    Const(&'a [E::Bytes]),
}

impl<E: Element> Clone for View<'_, E> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Element> Copy for View<'_, E> {}

impl<'a> View<'a> {
    /// The same bytes as elements of another type.
    #[inline(always)]
    pub fn elements<E: Element>(self) -> View<'a, E> {
        match self {
            View::Arena(cells) => View::Arena(E::cells(cells)),
            View::Const(bytes) => View::Const(E::bytes(bytes)),
        }
    }
}

impl<'a, E: Element> View<'a, E> {
    /// Elements.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            View::Arena(cells) => cells.len(),
            View::Const(bytes) => bytes.len(),
        }
    }

    /// Whether it holds none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The element at `index`.
    ///
    /// # Panics
    ///
    /// When `index` is past the end.
    #[inline]
    pub fn get(self, index: usize) -> E {
        match self {
            View::Arena(cells) => E::get(&cells[index]),
            View::Const(bytes) => E::of_bytes(bytes[index]),
        }
    }

    /// `length` elements from `start` on.
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

    /// Calls `visit` with each element and the item of `others` beside it, as far as both reach.
    ///
    /// The kind of view is asked for once: what is inlined here twice is the loop alone.
    #[inline(always)]
    pub(crate) fn for_each_with<T>(self, others: impl IntoIterator<Item = T>, mut visit: impl FnMut(E, T)) {
        match self {
            View::Arena(cells) => {
                cells.iter().zip(others).for_each(|(cell, other)| visit(E::get(cell), other))
            }
            View::Const(bytes) => {
                bytes.iter().zip(others).for_each(|(&byte, other)| visit(E::of_bytes(byte), other));
            }
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
