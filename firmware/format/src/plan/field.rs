//! Fields of a record: fixed numbers of 32-bit little-endian words.

use crate::tensor::{DType, Space, TensorRef};

/// Words taken one after the other.
pub struct WordReader<'a> {
    rest: &'a [u8],
}

impl<'a> WordReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next word; 0 past the end.
    #[inline(always)]
    pub(super) fn next(&mut self) -> u32 {
        let Some((word, rest)) = self.rest.split_first_chunk() else { return 0 };
        self.rest = rest;
        u32::from_le_bytes(*word)
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

    /// Any value.
    const SOME: Self;

    /// Takes it from `words`; says whether they have a meaning for the type. Into its place, since a record that is made
    /// elsewhere is moved there word by word.
    fn fill(&mut self, words: &mut WordReader<'_>) -> bool;

    /// Puts it into `words`.
    fn write(&self, words: &mut WordWriter<'_>);

    /// Calls `visit` with every tensor reference in it.
    fn for_each_tensor(&mut self, _visit: &mut dyn FnMut(&mut TensorRef)) {}
}

impl Field for u32 {
    const WORDS: usize = 1;

    const SOME: Self = 0;

    #[inline(always)]
    fn fill(&mut self, words: &mut WordReader<'_>) -> bool {
        *self = words.next();
        true
    }

    fn write(&self, words: &mut WordWriter<'_>) {
        words.put(*self);
    }
}

impl Field for i32 {
    const WORDS: usize = 1;

    const SOME: Self = 0;

    #[inline(always)]
    fn fill(&mut self, words: &mut WordReader<'_>) -> bool {
        *self = words.next() as i32;
        true
    }

    fn write(&self, words: &mut WordWriter<'_>) {
        words.put(*self as u32);
    }
}

impl<T: Field + Copy, const COUNT: usize> Field for [T; COUNT] {
    const WORDS: usize = COUNT * T::WORDS;

    const SOME: Self = [T::SOME; COUNT];

    #[inline(always)]
    fn fill(&mut self, words: &mut WordReader<'_>) -> bool {
        self.iter_mut().all(|value| value.fill(words))
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

    const SOME: Self = TensorRef { space: Space::Const, dtype: DType::Int8, offset: 0 };

    #[inline(always)]
    fn fill(&mut self, words: &mut WordReader<'_>) -> bool {
        let tag = words.next();
        let Some(space) = Space::from_code(tag & 0xff) else { return false };
        let Some(dtype) = DType::from_code(tag >> 8) else { return false };
        *self = TensorRef { space, dtype, offset: words.next() };
        true
    }

    fn write(&self, words: &mut WordWriter<'_>) {
        words.put(self.space as u32 | (self.dtype as u32) << 8);
        words.put(self.offset);
    }

    fn for_each_tensor(&mut self, visit: &mut dyn FnMut(&mut TensorRef)) {
        visit(self);
    }
}
