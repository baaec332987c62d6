//! The regions an operator touches.

use core::ops::Deref;

use crate::tensor::{DType, Space, TensorRef};

/// What an operator does with a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads it.
    Read,
    /// It writes and reads it. What it holds means nothing before the operator and nothing after it.
    Scratch,
    /// It reads and writes it: what the operator keeps from run to run.
    Update,
    /// It writes all of it, or scattered bytes of it, and nothing outside.
    Write,
}

/// A region an operator touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Where it starts, and its type.
    pub tensor: TensorRef,
    /// Bytes from there on.
    pub bytes: u32,
    /// What is done with it.
    pub access: Access,
}

impl Operand {
    /// The byte after the last one.
    pub fn end(&self) -> u64 {
        u64::from(self.tensor.offset) + u64::from(self.bytes)
    }

    /// Whether a space of `space_bytes` holds it.
    pub fn fits(&self, space_bytes: u32) -> bool {
        space_bytes.checked_sub(self.bytes).is_some_and(|last| self.tensor.offset <= last)
    }

    /// Bytes from its first byte to the other's in the same space; negative where the other begins below.
    pub fn distance_to(&self, other: &Operand) -> i64 {
        i64::from(other.tensor.offset) - i64::from(self.tensor.offset)
    }

    /// Whether the two share a byte.
    #[inline]
    pub fn overlaps(&self, other: &Operand) -> bool {
        if self.tensor.space != other.tensor.space {
            return false;
        }
        // One of them begins within the other.
        let distance = other.tensor.offset.wrapping_sub(self.tensor.offset);
        if self.tensor.offset <= other.tensor.offset {
            distance < self.bytes && other.bytes != 0
        } else {
            distance.wrapping_neg() < other.bytes && self.bytes != 0
        }
    }
}

/// An operator's regions: inputs first, in the record's order, then its scratch where it has one, the
/// output last.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// The first `count` are meant.
    regions: [Operand; Self::GREATEST_COUNT],
    count: usize,
}

impl Operands {
    /// The most regions an operator has.
    pub const GREATEST_COUNT: usize = 6;

    /// No region.
    pub const NONE: Self = {
        let tensor = TensorRef { space: Space::Const, dtype: DType::Int8, offset: 0 };
        let unused = Operand { tensor, bytes: 0, access: Access::Read };
        Self { regions: [unused; Self::GREATEST_COUNT], count: 0 }
    };

    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    /// Makes these the only regions.
    #[inline(always)]
    pub(super) fn set(&mut self, tensors: [TensorRef; 4], bytes: [u32; 4], accesses: [Access; 4]) {
        let region = |i: usize| Operand { tensor: tensors[i], bytes: bytes[i], access: accesses[i] };
        self.regions[0] = region(0);
        self.regions[1] = region(1);
        self.regions[2] = region(2);
        self.regions[3] = region(3);
        self.count = 4;
    }

    /// Adds a region.
    ///
    /// # Panics
    ///
    /// When there are [`GREATEST_COUNT`](Self::GREATEST_COUNT) already.
    pub(super) fn push(&mut self, tensor: TensorRef, bytes: u32, access: Access) {
        self.regions[self.count] = Operand { tensor, bytes, access };
        self.count += 1;
    }
}

/// The regions of an operator, in their order.
///
/// # Panics
///
/// When there are more than [`GREATEST_COUNT`](Operands::GREATEST_COUNT).
impl FromIterator<Operand> for Operands {
    fn from_iter<I: IntoIterator<Item = Operand>>(regions: I) -> Self {
        let mut operands = Self::default();
        for Operand { tensor, bytes, access } in regions {
            operands.push(tensor, bytes, access);
        }
        operands
    }
}

/// No region.
impl Default for Operands {
    fn default() -> Self {
        Self::NONE
    }
}

impl Deref for Operands {
    type Target = [Operand];

    fn deref(&self) -> &[Operand] {
        &self.regions[..self.count]
    }
}

impl<'a> IntoIterator for &'a Operands {
    type Item = &'a Operand;
    type IntoIter = core::slice::Iter<'a, Operand>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Operands {
    type Item = Operand;
    type IntoIter = core::iter::Take<core::array::IntoIter<Operand, { Operands::GREATEST_COUNT }>>;

    fn into_iter(self) -> Self::IntoIter {
        self.regions.into_iter().take(self.count)
    }
}
