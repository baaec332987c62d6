//! What the device answers.

use serde::{Deserialize, Serialize};

use super::MessageError;
use super::request::{from_body, to_body};
use crate::artifact::Digest;
use crate::info::OperatorSet;

/// Who is there. Nine bytes, the same in every version: magic, version, largest frame (`u32`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The device's protocol version.
    pub version: u8,
    /// The largest frame that it takes: header, body and CRC, before COBS.
    pub largest_frame_bytes: u32,
}

impl Identity {
    const MAGIC: [u8; 4] = *b"EPLK";

    fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [0; 9];
        bytes[..4].copy_from_slice(&Self::MAGIC);
        bytes[4] = self.version;
        bytes[5..].copy_from_slice(&self.largest_frame_bytes.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[a, b, c, d, version], rest) = bytes.split_first_chunk::<5>()?;
        let largest_frame_bytes = u32::from_le_bytes(*rest.first_chunk::<4>()?);
        ([a, b, c, d] == Self::MAGIC).then_some(Self { version, largest_frame_bytes })
    }
}

/// What a device counts while it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counter {
    /// Nothing: its counts are 0.
    None,
    /// Instructions executed, exactly.
    Instructions,
    /// Cycles of the core's clock.
    Cycles,
}

/// What a device is and which model it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description<'a> {
    /// The runner's semantic version.
    pub runner_version: &'a str,
    /// Code of the instruction set whose artifacts it takes ([`Isa`](crate::Isa)).
    pub isa: u16,
    /// The operators that it links.
    pub operators: OperatorSet,
    /// Bytes that an arena may have.
    pub arena_limit_bytes: u32,
    /// Bytes of the model slot, commit record included.
    pub slot_bytes: u32,
    /// Bytes that are programmed together in the slot.
    pub program_unit_bytes: u32,
    /// What its counts are.
    pub counter: Counter,
    /// What the slot holds.
    pub model: ModelState,
}

/// What a model slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelState {
    /// No commit record: no model was written, or not to its end.
    Missing,
    /// A commit record that its bytes do not match.
    Damaged,
    /// A whole artifact that cannot run here.
    Refused(ModelFault),
    /// A model that runs.
    Loaded(LoadedModel),
}

/// Why an artifact cannot run on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelFault {
    /// It is not an artifact that this runner reads: header, sections, info or plan.
    Unreadable,
    /// It is of another format version.
    FormatVersion(u16),
    /// It is lowered for another instruction set.
    Isa(u16),
    /// A record's shapes or places are not sound.
    Record(u32),
    /// It needs these operators, which the runner does not link.
    MissingOperators(OperatorSet),
    /// It needs a larger arena than there is.
    ArenaTooSmall {
        /// What it needs.
        needed_bytes: u32,
        /// What there is.
        available_bytes: u32,
    },
    /// The runner has a key, and the artifact no signature of it, or one over other bytes.
    Unsigned,
    /// The signature's counter is lower than that of an earlier model.
    Superseded {
        /// The model's.
        counter: u32,
        /// The lowest that is taken.
        least_counter: u32,
    },
}

/// A model that a device has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedModel {
    /// The digest that its header states.
    pub digest: Digest,
    /// Bytes of the artifact.
    pub artifact_bytes: u32,
    /// Bytes of the arena it uses.
    pub arena_bytes: u32,
    /// Bytes of its info section.
    pub info_bytes: u32,
    /// What reading the artifact cost.
    pub parse_count: u64,
    /// What preparing a session cost.
    pub session_count: u64,
}

/// What one operator of a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its index in the plan.
    pub record: u32,
    /// The layer it computes (a part of).
    pub layer: u32,
    /// Code of what it computes.
    pub kind: u16,
    /// The CRC-32 of its output, or its count.
    pub value: u64,
}

/// Why a device does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It does not know the request.
    UnknownRequest(u8),
    /// The request's body does not decode.
    Malformed,
    /// It speaks another protocol version.
    Version(u8),
    /// It holds no model that runs.
    NoModel,
    /// The model has fewer inputs or outputs.
    NoSuchPort {
        /// How many it has.
        count: u8,
    },
    /// The range passes the end of the port, section or slot.
    OutOfRange {
        /// Bytes it has.
        bytes: u32,
    },
    /// An input was not set since the last run.
    InputNotSet(u8),
    /// The slot cannot be written: it is read-only, or not erased, or the range is not of whole units.
    SlotWrite,
    /// What was written is not what was sent.
    SlotMismatch,
}

/// An answer. The kind of its frame says which; the body is its fields in postcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// To [`Request::Identify`](super::Request::Identify); its body is no postcard.
    Identity(Identity),
    /// To a request for a description.
    Description(Description<'a>),
    /// The bytes asked for.
    Bytes(&'a [u8]),
    /// It is done.
    Done,
    /// An operator of a run; more follows.
    Step(StepReport),
    /// The run is complete. Its count; 0 where its operators were observed.
    RunComplete(u64),
    /// Bytes of stack.
    StackBytes(u32),
    /// A digest, computed.
    Digest(Digest),
    /// It is not done.
    Refused(Refusal),
    /// The device has failed and stops. It answers nothing more until it is reset.
    Failed,
}

impl<'a> Answer<'a> {
    /// The kind of [`Answer::Bytes`].
    pub const BYTES: u8 = 130;

    /// Writes the body of an [`Answer::Bytes`] of `length` bytes, which `fill` writes in place.
    ///
    /// # Errors
    ///
    /// Where `body` is too short.
    pub fn encode_bytes(
        length: usize,
        body: &mut [u8],
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<usize, MessageError> {
        let prefix = to_body(&length, body)?;
        let end = prefix + length;
        fill(body.get_mut(prefix..end).ok_or(MessageError::TooLarge)?);
        Ok(end)
    }

    /// The kind of its frame: from 128 on, never given to another answer.
    pub fn kind(&self) -> u8 {
        match self {
            Answer::Identity(_) => 128,
            Answer::Description(_) => 129,
            Answer::Bytes(_) => Self::BYTES,
            Answer::Done => 131,
            Answer::Step(_) => 132,
            Answer::RunComplete(_) => 133,
            Answer::StackBytes(_) => 134,
            Answer::Digest(_) => 135,
            Answer::Refused(_) => 254,
            Answer::Failed => 255,
        }
    }

    /// Writes its body at the start of `body` and gives the length.
    ///
    /// # Errors
    ///
    /// Where `body` is too short.
    pub fn encode(&self, body: &mut [u8]) -> Result<usize, MessageError> {
        match self {
            Answer::Identity(identity) => {
                let bytes = identity.to_bytes();
                body.get_mut(..bytes.len()).ok_or(MessageError::TooLarge)?.copy_from_slice(&bytes);
                Ok(bytes.len())
            }
            Answer::Description(description) => to_body(description, body),
            Answer::Bytes(bytes) => to_body(bytes, body),
            Answer::Done | Answer::Failed => Ok(0),
            Answer::Step(step) => to_body(step, body),
            Answer::RunComplete(count) => to_body(count, body),
            Answer::StackBytes(bytes) => to_body(bytes, body),
            Answer::Digest(digest) => to_body(digest, body),
            Answer::Refused(refusal) => to_body(refusal, body),
        }
    }

    /// The answer in a frame of `kind`.
    ///
    /// # Errors
    ///
    /// Where the kind is unknown or the body is not of the kind.
    pub fn decode(kind: u8, body: &'a [u8]) -> Result<Self, MessageError> {
        let empty = |answer| if body.is_empty() { Ok(answer) } else { Err(MessageError::Malformed) };
        match kind {
            128 => Identity::from_bytes(body).map(Answer::Identity).ok_or(MessageError::Malformed),
            129 => from_body(body).map(Answer::Description),
            Self::BYTES => from_body(body).map(Answer::Bytes),
            131 => empty(Answer::Done),
            132 => from_body(body).map(Answer::Step),
            133 => from_body(body).map(Answer::RunComplete),
            134 => from_body(body).map(Answer::StackBytes),
            135 => from_body(body).map(Answer::Digest),
            254 => from_body(body).map(Answer::Refused),
            255 => empty(Answer::Failed),
            _ => Err(MessageError::UnknownKind),
        }
    }
}
