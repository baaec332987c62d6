//! Layers compressed with zstd.

use std::io::Read as _;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// Layers shorter than this are left as they are.
const LEAST_BYTES: usize = 1024;
/// Of what a layer has, compression must save this part, or the layer is left as it is.
const LEAST_SAVING: usize = 10;
/// The largest window that a decoder keeps in memory.
const MAX_WINDOW_BYTES: u64 = 8 << 20;

/// Whether layers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are: in files, which are shared by other means too.
    None,
    /// With zstd where it helps: in registries.
    Zstd,
}

/// `bytes` compressed; `None` where that saves too little.
pub fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < LEAST_BYTES {
        return None;
    }
    let compressed = compress_to_vec(bytes, CompressionLevel::Fastest);
    (compressed.len() + bytes.len() / LEAST_SAVING < bytes.len()).then_some(compressed)
}

/// What `bytes` were before they were compressed: exactly `size` bytes, and no more than `limit`. However far they would
/// grow, no more than that is ever in memory.
pub fn decompress(bytes: &[u8], size: Option<u64>, limit: u64) -> Result<Vec<u8>, String> {
    let size = size.ok_or("it is compressed and does not say how long it was")?;
    if size > limit {
        return Err(format!("it is said to grow to {size} bytes, the limit is {limit}"));
    }
    let decoder = StreamingDecoder::new_with_max_window_size(bytes, MAX_WINDOW_BYTES);
    let decoder = decoder.map_err(|error| format!("it is not zstd: {error}"))?;
    let mut content = Vec::new();
    decoder.take(size + 1).read_to_end(&mut content).map_err(|error| format!("it is damaged: {error}"))?;
    match content.len() as u64 {
        found if found > size => Err(format!("it grows beyond the {size} bytes that are stated")),
        found if found < size => Err(format!("it grows to {found} bytes, {size} are stated")),
        _ => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_comes_back() {
        let content: Vec<u8> = (0..100_000u32).map(|i| (i / 7 % 13) as u8).collect();
        let compressed = compress(&content).unwrap();
        assert!(compressed.len() < 20_000, "{}", compressed.len());
        assert_eq!(decompress(&compressed, Some(100_000), 1 << 20).unwrap(), content);
        assert_eq!(compress(&content[..100]), None);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let compressed = compress(&[7; 4096]).unwrap();
        assert!(decompress(&compressed, None, 1 << 20).is_err());
        assert!(decompress(&compressed, Some(4095), 1 << 20).unwrap_err().contains("beyond"));
        assert!(decompress(&compressed, Some(4097), 1 << 20).unwrap_err().contains("4096"));
        assert!(decompress(&compressed, Some(1 << 30), 1 << 20).unwrap_err().contains("limit"));
        for length in 0..compressed.len() {
            assert!(decompress(&compressed[..length], Some(4096), 1 << 20).is_err(), "{length}");
        }
    }

    /// 10 GB of zeros in under 400 KB: frames of RLE blocks, 128 KiB each. What is stated is all that is decoded.
    #[test]
    fn a_bomb_is_refused() {
        const BLOCK_BYTES: u32 = 128 << 10;
        const BLOCKS: u32 = 80_000;
        // Magic, a descriptor without checksum or content size, a window of 128 KiB.
        let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3];
        for block in 0..BLOCKS {
            let header = BLOCK_BYTES << 3 | 1 << 1 | u32::from(block + 1 == BLOCKS);
            bomb.extend(&header.to_le_bytes()[..3]);
            bomb.push(0);
        }
        assert!(u64::from(BLOCK_BYTES) * u64::from(BLOCKS) > 10_000_000_000);
        let limit = 512 << 20;
        assert!(decompress(&bomb, Some(1 << 20), limit).unwrap_err().contains("beyond"));
        assert!(decompress(&bomb, Some(10_485_760_000), limit).unwrap_err().contains("limit"));
    }
}
