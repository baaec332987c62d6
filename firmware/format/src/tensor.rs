//! Where a tensor lies and what its elements are.

use serde::{Deserialize, Serialize};

/// The most dimensions a tensor has.
pub const MAX_RANK: usize = 6;

/// A tensor's shape, outermost dimension first.
pub type Shape = heapless::Vec<u32, MAX_RANK>;

/// The memory a tensor lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Space {
    /// The artifact's constant section: weights, tables. Never written.
    Const = 0,
    /// The caller's arena: activations of one run.
    Arena = 1,
    /// Kept between runs, with an initial value in the artifact.
    State = 2,
    /// May be trained: in RAM or in a slot of its own. Reserved in version 1.
    Parameter = 3,
}

impl Space {
    /// The space with this code.
    #[inline(always)]
    pub fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Space::Const),
            1 => Some(Space::Arena),
            2 => Some(Space::State),
            3 => Some(Space::Parameter),
            _ => None,
        }
    }
}

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum DType {
    /// 8-bit signed.
    Int8 = 0,
    /// 16-bit signed, little-endian.
    Int16 = 1,
    /// 32-bit signed, little-endian.
    Int32 = 2,
    /// 64-bit signed, little-endian.
    Int64 = 3,
    /// Two 4-bit signed values a byte, the first in the low half. Reserved for weights.
    Int4 = 4,
}

impl DType {
    /// The type with this code.
    #[inline(always)]
    pub fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(DType::Int8),
            1 => Some(DType::Int16),
            2 => Some(DType::Int32),
            3 => Some(DType::Int64),
            4 => Some(DType::Int4),
            _ => None,
        }
    }

    /// Bytes that `elements` elements take; `None` past 32 bits.
    #[inline]
    pub fn bytes(self, elements: u32) -> Option<u32> {
        if self == DType::Int4 {
            return Some(elements.div_ceil(2));
        }
        let shift = self.alignment_bits();
        (elements <= u32::MAX >> shift).then_some(elements << shift)
    }

    /// What the address of an element is a multiple of.
    #[inline]
    pub fn alignment(self) -> u32 {
        1 << self.alignment_bits()
    }

    #[inline]
    fn alignment_bits(self) -> u32 {
        match self {
            DType::Int4 | DType::Int8 => 0,
            DType::Int16 => 1,
            DType::Int32 => 2,
            DType::Int64 => 3,
        }
    }

    /// The name used in reports and messages.
    pub fn name(self) -> &'static str {
        match self {
            DType::Int8 => "int8",
            DType::Int16 => "int16",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::Int4 => "int4",
        }
    }
}

/// A tensor's place: a space and a byte offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TensorRef {
    /// The memory it lies in.
    pub space: Space,
    /// The type of its elements.
    pub dtype: DType,
    /// Bytes from the start of the space.
    pub offset: u32,
}

impl TensorRef {
    /// A reference to `dtype` elements at `offset` in `space`.
    pub fn new(space: Space, dtype: DType, offset: u32) -> Self {
        Self { space, dtype, offset }
    }
}
