//! The types that activations have.

use core::cell::Cell;
use core::fmt::Debug;

use edgepkg_format::plan::Clamp;

/// A type of activations, which lie in memory as bytes, little-endian.
pub trait Element: Copy + Ord + Into<i32> + 'static {
    /// A constant's bytes.
    type Bytes: Copy + Debug;
    /// An activation's bytes.
    type Cells;
    /// The values there are.
    const RANGE: Clamp;

    /// Whole elements of constants.
    fn bytes(bytes: &[i8]) -> &[Self::Bytes];

    /// Whole elements of activations.
    fn cells(cells: &[Cell<i8>]) -> &[Self::Cells];

    /// A constant's value.
    fn of_bytes(bytes: Self::Bytes) -> Self;

    /// An activation's value.
    fn get(cells: &Self::Cells) -> Self;

    /// Sets an activation.
    fn set(cells: &Self::Cells, value: Self);

    /// The value with the lower bits of `value`.
    fn wrapping_from(value: i32) -> Self;
}

impl Element for i8 {
    type Bytes = i8;
    type Cells = Cell<i8>;
    const RANGE: Clamp = Clamp { min: i8::MIN as i32, max: i8::MAX as i32 };

    #[inline(always)]
    fn bytes(bytes: &[i8]) -> &[i8] {
        bytes
    }

    #[inline(always)]
    fn cells(cells: &[Cell<i8>]) -> &[Cell<i8>] {
        cells
    }

    #[inline(always)]
    fn of_bytes(bytes: i8) -> Self {
        bytes
    }

    #[inline(always)]
    fn get(cells: &Cell<i8>) -> Self {
        cells.get()
    }

    #[inline(always)]
    fn set(cells: &Cell<i8>, value: Self) {
        cells.set(value);
    }

    #[inline(always)]
    fn wrapping_from(value: i32) -> Self {
        value as i8
    }
}

impl Element for i16 {
    type Bytes = [i8; 2];
    type Cells = [Cell<i8>; 2];
    const RANGE: Clamp = Clamp { min: i16::MIN as i32, max: i16::MAX as i32 };

    #[inline(always)]
    fn bytes(bytes: &[i8]) -> &[[i8; 2]] {
        bytes.as_chunks().0
    }

    #[inline(always)]
    fn cells(cells: &[Cell<i8>]) -> &[[Cell<i8>; 2]] {
        cells.as_chunks().0
    }

    #[inline(always)]
    fn of_bytes([low, high]: [i8; 2]) -> Self {
        i16::from_le_bytes([low as u8, high as u8])
    }

    #[inline(always)]
    fn get([low, high]: &[Cell<i8>; 2]) -> Self {
        i16::from_le_bytes([low.get() as u8, high.get() as u8])
    }

    #[inline(always)]
    fn set([low, high]: &[Cell<i8>; 2], value: Self) {
        let bytes = value.to_le_bytes();
        low.set(bytes[0] as i8);
        high.set(bytes[1] as i8);
    }

    #[inline(always)]
    fn wrapping_from(value: i32) -> Self {
        value as i16
    }
}
