//! Bytes at an address from which artifacts run, for hosts.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use crate::artifact::ALIGNMENT;

/// A copy of bytes that starts at a multiple of [`ALIGNMENT`], as
/// [`Artifact::parse`](crate::Artifact::parse) demands.
#[derive(Debug)]
pub struct AlignedBytes {
    storage: Vec<u8>,
    start: usize,
    length: usize,
}

impl From<&[u8]> for AlignedBytes {
    fn from(bytes: &[u8]) -> Self {
        let mut storage = vec![0; bytes.len() + ALIGNMENT - 1];
        let address = storage.as_ptr() as usize;
        let start = address.next_multiple_of(ALIGNMENT) - address;
        storage[start..start + bytes.len()].copy_from_slice(bytes);
        Self { storage, start, length: bytes.len() }
    }
}

impl Clone for AlignedBytes {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.length]
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.start + self.length]
    }
}
