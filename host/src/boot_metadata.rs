//! What a boot ROM wants in flash right before the image.

use edgepkg_boards::{BOOT_METADATA_BYTES, Board, BootMetadata};

/// Bytes for flash, and their address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The first address.
    pub address: u64,
    /// What is written there.
    pub bytes: Vec<u8>,
}

/// What lies right before the image on `board`; `None` where nothing does.
pub fn of_board(board: &Board) -> Option<Piece> {
    let image_start = board.memory.as_ref()?.code.start;
    let bytes = match board.boot_metadata? {
        BootMetadata::Rp2040Boot2 => rp2040_boot2::BOOT_LOADER_W25Q080.to_vec(),
        BootMetadata::Rp2350ImageDef => rp2350_image_def(image_start as u32),
    };
    Some(Piece { address: image_start - BOOT_METADATA_BYTES, bytes })
}

// RP2350 Datasheet, 5.9: a block of items between two markers, then how far the next block of its loop is.
const BLOCK_START: u32 = 0xFFFF_DED3;
const BLOCK_END: u32 = 0xAB12_3579;
/// The only block of its loop.
const NEXT_BLOCK: u32 = 0;
/// `IMAGE_TYPE` (5.9.3.1), one word: an executable, for Arm, secure, for RP2350.
const IMAGE_TYPE: u32 = 0x1021_0142;
/// `VECTOR_TABLE` (5.9.3.3), two words: the second is the address of the vectors.
const VECTOR_TABLE: u32 = 0x0000_0203;
/// `LAST` (5.9.3), of a block whose items before it have this many words.
const LAST: u32 = 0x0000_00FF;

fn rp2350_image_def(vectors: u32) -> Vec<u8> {
    let items = [IMAGE_TYPE, VECTOR_TABLE, vectors];
    let last = LAST | (items.len() as u32) << 8;
    let words = [BLOCK_START].into_iter().chain(items).chain([last, NEXT_BLOCK, BLOCK_END]);
    let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    bytes.resize(BOOT_METADATA_BYTES as usize, ERASED);
    bytes
}

/// What erased flash holds.
const ERASED: u8 = 0xFF;

#[cfg(test)]
mod tests {
    use edgepkg_boards::Board;

    use super::*;

    /// CRC-32 with the polynomial 0x04C1_1DB7, all ones before, not reflected (RP2040 Datasheet, 2.8.1.3.1).
    fn checksum(bytes: &[u8]) -> u32 {
        bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
                if crc >> 31 == 1 { crc << 1 ^ 0x04C1_1DB7 } else { crc << 1 }
            })
        })
    }

    #[test]
    fn rp2040_gets_a_second_stage_with_its_checksum() {
        let piece = of_board(&Board::find("rpi-pico").unwrap()).unwrap();
        assert_eq!((piece.address, piece.bytes.len()), (0x1000_0000, 256));
        let (code, stated) = piece.bytes.split_at(252);
        assert_eq!(checksum(code).to_le_bytes(), stated);
    }

    #[test]
    fn rp2350_gets_a_block_that_names_its_vectors() {
        let board = Board::find("rpi-pico2").unwrap();
        let piece = of_board(&board).unwrap();
        assert_eq!((piece.address, piece.bytes.len()), (0x1000_0000, 256));
        let words: Vec<u32> =
            piece.bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        assert_eq!(
            words[..7],
            [0xFFFF_DED3, 0x1021_0142, 0x0000_0203, 0x1000_0100, 0x0000_03FF, 0, 0xAB12_3579]
        );
    }

    #[test]
    fn other_boards_get_nothing() {
        assert_eq!(of_board(&Board::find("nucleo-f411re").unwrap()), None);
    }
}
