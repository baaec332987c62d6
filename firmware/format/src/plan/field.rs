//! Fields of a record: fixed numbers of 32-bit little-endian words.

use crate::tensor::{DType, MAX_RANK, Space, TensorRef};

/// Words taken one after the other.
pub struct WordReader<'a> {
    rest: &'a [u8],
}

impl<'a> WordReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*word))
    }
}

/// Words put one after the other.
pub struct WordWriter<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> WordWriter<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn put(&mut self, word: u32) {
        self.bytes[self.at..self.at + 4].copy_from_slice(&word.to_le_bytes());
        self.at += 4;
    }
}

/// A value of a fixed number of words.
pub trait Field: Sized {
    /// How many words it takes.
    const WORDS: usize;

    /// Takes it from `words`; `None` where a word has no meaning for the type.
    fn read(words: &mut WordReader<'_>) -> Option<Self>;

    /// Puts it into `words`.
    fn write(&self, words: &mut WordWriter<'_>);

    /// Calls `visit` with every tensor reference in it.
    fn for_each_tensor(&mut self, _visit: &mut dyn FnMut(&mut TensorRef)) {}
}

impl Field for u32 {
    const WORDS: usize = 1;

    #[inline(always)]
    fn read(words: &mut WordReader<'_>) -> Option<Self> {
        words.next()
    }

    fn write(&self, words: &mut WordWriter<'_>) {
        words.put(*self);
    }
}

impl Field for i32 {
    const WORDS: usize = 1;

    #[inline(always)]
    fn read(words: &mut WordReader<'_>) -> Option<Self> {
        words.next().map(|word| word as i32)
    }

    fn write(&self, words: &mut WordWriter<'_>) {
        words.put(*self as u32);
    }
}

impl<T: Field + Copy + Default> Field for [T; MAX_RANK] {
    const WORDS: usize = MAX_RANK * T::WORDS;

    #[inline(always)]
    fn read(words: &mut WordReader<'_>) -> Option<Self> {
        let mut values = [T::default(); MAX_RANK];
        for value in &mut values {
            *value = T::read(words)?;
        }
        Some(values)
    }

    fn write(&self, words: &mut WordWriter<'_>) {
        for value in self {
            value.write(words);
        }
    }
}

/// Two words: space in bits 0 to 7, type in bits 8 to 15, 16 bits of zero; then the offset.
impl Field for TensorRef {
    const WORDS: usize = 2;

    #[inline(always)]
    fn read(words: &mut WordReader<'_>) -> Option<Self> {
        let tag = words.next()?;
        let space = match tag & 0xff {
            0 => Space::Const,
            1 => Space::Arena,
            2 => Space::State,
            3 => Space::Parameter,
            _ => return None,
        };
        let dtype = match tag >> 8 {
            0 => DType::Int8,
            1 => DType::Int16,
            2 => DType::Int32,
            3 => DType::Int64,
            4 => DType::Int4,
            _ => return None,
        };
        Some(TensorRef { space, dtype, offset: words.next()? })
    }

    fn write(&self, words: &mut WordWriter<'_>) {
        words.put(self.space as u32 | (self.dtype as u32) << 8);
        words.put(self.offset);
    }

    fn for_each_tensor(&mut self, visit: &mut dyn FnMut(&mut TensorRef)) {
        visit(self);
    }
}
