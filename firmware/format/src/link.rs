//! The device link: frames over whatever carries bytes both ways, and what they say. `LINK.md` is the
//! specification.
//!
//! The host asks, the device answers. A frame is a version, a sequence number, a kind and a body, with
//! a CRC-32, encoded by COBS and ended by a zero. A device answers a request it does not know with
//! [`Refusal::UnknownRequest`]; [`Request::Identify`] and its answer never change.

mod answer;
pub mod cobs;
mod frame;
mod request;

pub use answer::{
    Answer, Counter, Description, Identity, LoadedModel, ModelFault, ModelState, Refusal, StepReport,
};
pub use frame::{FRAME_OVERHEAD_BYTES, Frame, FrameError, FrameReader, FrameWriter, Header};
pub use request::{Observe, Request};

/// The protocol version of this code. It rises when frames change; new requests do not change it.
pub const PROTOCOL_VERSION: u8 = 1;

/// The largest frame this code sends and takes: header, body and CRC, before COBS.
pub const LARGEST_FRAME_BYTES: usize = 1024;

/// Bytes of a request's or an answer's body besides the data that it carries, at most.
const BODY_OVERHEAD_BYTES: usize = 16;

/// The most data bytes that one request or answer carries where frames have `largest_frame_bytes`.
pub const fn chunk_bytes(largest_frame_bytes: usize) -> usize {
    largest_frame_bytes.saturating_sub(FRAME_OVERHEAD_BYTES + BODY_OVERHEAD_BYTES)
}

/// A message that does not fit its frame, or a body that is not of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// The kind is none that this code knows.
    UnknownKind,
    /// The body does not decode.
    Malformed,
    /// The message does not fit a frame.
    TooLarge,
}
