//! The UF2 format, by its specification (github.com/microsoft/uf2): blocks of 512 bytes, each of which says where its
//! 256 bytes go, so that any of them can be lost, repeated or taken in any order.

use std::collections::BTreeMap;

use crate::boot_metadata::Piece;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 512;
/// Bytes for flash in a block: the page of every flash that takes such files.
const PAYLOAD_BYTES: usize = 256;
/// Where they begin in a block.
const PAYLOAD_OFFSET: usize = 32;

const MAGIC: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
const FINAL_MAGIC: u32 = 0x0AB1_6F30;
/// The flag by which the last word of the header is a family.
const HAS_FAMILY: u32 = 0x2000;
/// What erased flash holds, and what fills a page that is not all written.
const ERASED: u8 = 0xFF;

/// The UF2 file of `pieces`, whole pages in the order of their addresses, for chips of `family`.
pub fn blocks(pieces: &[Piece], family: u32) -> Vec<u8> {
    let pages = pages(pieces);
    let count = pages.len() as u32;
    let mut file = Vec::with_capacity(pages.len() * BLOCK_BYTES);
    for (number, (address, page)) in (0..).zip(&pages) {
        let header =
            [MAGIC[0], MAGIC[1], HAS_FAMILY, *address as u32, PAYLOAD_BYTES as u32, number, count, family];
        let start = file.len();
        file.extend(header.into_iter().flat_map(u32::to_le_bytes));
        debug_assert_eq!(file.len(), start + PAYLOAD_OFFSET);
        file.extend(page);
        file.resize(start + BLOCK_BYTES - size_of::<u32>(), 0);
        file.extend(FINAL_MAGIC.to_le_bytes());
    }
    file
}

/// Every page that has bytes of `pieces`, by its address.
fn pages(pieces: &[Piece]) -> BTreeMap<u64, [u8; PAYLOAD_BYTES]> {
    let mut pages = BTreeMap::new();
    for piece in pieces {
        for (address, &byte) in (piece.address..).zip(&piece.bytes) {
            let start = address - address % PAYLOAD_BYTES as u64;
            let page = pages.entry(start).or_insert([ERASED; PAYLOAD_BYTES]);
            page[(address - start) as usize] = byte;
        }
    }
    pages
}
