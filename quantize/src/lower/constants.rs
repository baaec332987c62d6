//! The constant section: blocks of bytes, each stored once.

use std::collections::HashMap;

/// Blocks start at multiples of this.
const ALIGNMENT: usize = 16;
/// Offsets of blocks stay below this, so that an artifact with its other sections stays below 4 GiB.
const LIMIT: usize = 0xf000_0000;

/// Collects blocks; equal ones share their place.
#[derive(Default)]
pub(super) struct ConstantPool {
    bytes: Vec<u8>,
    offsets: HashMap<Vec<u8>, u32>,
}

impl ConstantPool {
    /// The offset of a block with these bytes; `None` where they no longer fit 32-bit offsets.
    pub(super) fn add(&mut self, block: &[u8]) -> Option<u32> {
        if let Some(&offset) = self.offsets.get(block) {
            return Some(offset);
        }
        let offset = self.bytes.len().next_multiple_of(ALIGNMENT);
        if offset + block.len() > LIMIT {
            return None;
        }
        self.bytes.resize(offset, 0);
        self.bytes.extend_from_slice(block);
        self.offsets.insert(block.to_vec(), offset as u32);
        Some(offset as u32)
    }

    /// All blocks.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_blocks_share_a_place_and_others_are_aligned() {
        let mut pool = ConstantPool::default();
        assert_eq!(pool.add(&[1, 2, 3]), Some(0));
        assert_eq!(pool.add(&[4]), Some(16));
        assert_eq!(pool.add(&[1, 2, 3]), Some(0));
        assert_eq!(pool.into_bytes(), [1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
    }
}
