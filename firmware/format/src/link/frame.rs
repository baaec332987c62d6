//! Frames: header, body, CRC.

use super::cobs::{self, Decoded, Decoder};
use super::{LARGEST_FRAME_BYTES, MessageError, PROTOCOL_VERSION};
use crate::slot::crc32;

/// Bytes before the body: version, sequence, kind, length of the body (`u16`).
const HEADER_BYTES: usize = 5;
const CRC_BYTES: usize = 4;
/// Bytes of a frame besides its body.
pub const FRAME_OVERHEAD_BYTES: usize = HEADER_BYTES + CRC_BYTES;

/// What stands before a frame's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The sender's protocol version.
    pub version: u8,
    /// Chosen by the host; an answer has its request's.
    pub sequence: u8,
    /// What the body is.
    pub kind: u8,
}

/// A frame that arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What stands before the body.
    pub header: Header,
    /// The body.
    pub body: &'a [u8],
}

/// Why bytes are not a frame. The receiver drops them; the sender repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It ended too early, or states another length than it has.
    Cut,
    /// It is larger than [`LARGEST_FRAME_BYTES`].
    TooLarge,
    /// Its CRC does not match.
    Damaged,
}

/// Collects a frame from the bytes that arrive.
#[derive(Clone, Debug)]
pub struct FrameReader {
    decoder: Decoder,
    bytes: [u8; LARGEST_FRAME_BYTES],
    /// Bytes collected, of the frame that is arriving.
    length: usize,
    overflowed: bool,
    /// Bytes of the frame that arrived last, until the next byte.
    arrived: usize,
}

impl FrameReader {
    /// A reader that waits for a frame's first byte.
    pub const fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            bytes: [0; LARGEST_FRAME_BYTES],
            length: 0,
            overflowed: false,
            arrived: 0,
        }
    }

    /// The frame that the last byte ended, if it did.
    pub fn arrived(&self) -> Option<Frame<'_>> {
        check(&self.bytes[..self.arrived]).ok()
    }

    /// Takes the next byte; gives the frame that it ends. Zeros between frames are no error.
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        self.arrived = 0;
        let whole = match self.decoder.push(byte) {
            Decoded::Nothing => return None,
            Decoded::Byte(byte) => {
                match self.bytes.get_mut(self.length) {
                    Some(place) => {
                        *place = byte;
                        self.length += 1;
                    }
                    None => self.overflowed = true,
                }
                return None;
            }
            Decoded::End => true,
            Decoded::Cut => false,
        };
        let length = core::mem::take(&mut self.length);
        let overflowed = core::mem::take(&mut self.overflowed);
        match (overflowed, whole) {
            (true, _) => Some(Err(FrameError::TooLarge)),
            (false, false) => Some(Err(FrameError::Cut)),
            (false, true) if length == 0 => None,
            (false, true) => {
                self.arrived = length;
                Some(check(&self.bytes[..length]))
            }
        }
    }
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new()
    }
}

fn check(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    let (checked, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(FrameError::Cut)?;
    if crc32(checked) != u32::from_le_bytes(*crc) {
        return Err(FrameError::Damaged);
    }
    match checked.split_first_chunk::<HEADER_BYTES>() {
        Some((&[version, sequence, kind, low, high], body))
            if body.len() == usize::from(u16::from_le_bytes([low, high])) =>
        {
            Ok(Frame { header: Header { version, sequence, kind }, body })
        }
        _ => Err(FrameError::Cut),
    }
}

/// Builds one frame after the other.
#[derive(Clone, Debug)]
pub struct FrameWriter {
    bytes: [u8; LARGEST_FRAME_BYTES],
}

impl FrameWriter {
    /// A writer.
    pub const fn new() -> Self {
        Self { bytes: [0; LARGEST_FRAME_BYTES] }
    }

    /// Hands the encoded frame to `sink`, piece by piece. `write_body` writes the body at the start of
    /// what it is given and returns its length.
    ///
    /// # Errors
    ///
    /// Where `write_body` fails.
    pub fn send(
        &mut self,
        sequence: u8,
        kind: u8,
        write_body: impl FnOnce(&mut [u8]) -> Result<usize, MessageError>,
        sink: impl FnMut(&[u8]),
    ) -> Result<(), MessageError> {
        let body_end = LARGEST_FRAME_BYTES - CRC_BYTES;
        let length = write_body(&mut self.bytes[HEADER_BYTES..body_end])?;
        let [low, high] = (length as u16).to_le_bytes();
        self.bytes[..HEADER_BYTES].copy_from_slice(&[PROTOCOL_VERSION, sequence, kind, low, high]);
        let end = HEADER_BYTES + length;
        let crc = crc32(&self.bytes[..end]);
        self.bytes[end..end + CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
        cobs::encode(&self.bytes[..end + CRC_BYTES], sink);
        Ok(())
    }
}

impl Default for FrameWriter {
    fn default() -> Self {
        Self::new()
    }
}
