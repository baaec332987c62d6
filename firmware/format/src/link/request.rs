//! What the host asks.

use serde::{Deserialize, Serialize};

use super::MessageError;

/// What a run reports of every operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observe {
    /// Nothing.
    Nothing,
    /// The CRC-32 of what it wrote.
    Digests,
    /// What it cost, by the device's [`Counter`](super::Counter).
    Counts,
}

/// A request. The kind of its frame says which; the body is its fields in postcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Who is there? Answered by [`Answer::Identity`](super::Answer::Identity) whatever the version.
    Identify,
    /// What are you and which model do you hold? Answered by a description.
    Describe,
    /// Bytes of the model's info section, as many as one frame carries.
    ReadInfo {
        /// Where they start.
        offset: u32,
    },
    /// Sets bytes of an input.
    WriteInput {
        /// Which input.
        port: u8,
        /// Where they start.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Runs the model. Answered by one step an operator, unless nothing is observed, and then the counts.
    Run {
        /// What the steps report.
        observe: Observe,
    },
    /// Bytes of an output, as many as one frame carries.
    ReadOutput {
        /// Which output.
        port: u8,
        /// Where they start.
        offset: u32,
    },
    /// The most stack that was in use since the device started.
    MeasureStack,
    /// Computes the model's SHA-256.
    VerifyDigest,
    /// Erases the model slot.
    EraseSlot,
    /// Writes to the erased model slot.
    WriteSlot {
        /// Where it starts: a multiple of the program unit.
        offset: u32,
        /// The bytes: whole program units.
        bytes: &'a [u8],
    },
    /// Makes what was written the slot's model: checks its digest, writes the commit record, reads it.
    CommitSlot {
        /// Bytes of the artifact.
        length: u32,
        /// Their CRC-32.
        crc32: u32,
        /// The record's counter.
        counter: u32,
    },
    /// Gives what the model keeps between runs its initial value.
    ResetState,
}

pub(super) fn to_body<T: Serialize>(value: &T, body: &mut [u8]) -> Result<usize, MessageError> {
    postcard::to_slice(value, body).map(|used| used.len()).map_err(|_| MessageError::TooLarge)
}

pub(super) fn from_body<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, MessageError> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        _ => Err(MessageError::Malformed),
    }
}

impl<'a> Request<'a> {
    /// The kind of its frame: below 128, never given to another request.
    pub fn kind(&self) -> u8 {
        match self {
            Request::Identify => 0,
            Request::Describe => 1,
            Request::ReadInfo { .. } => 2,
            Request::WriteInput { .. } => 3,
            Request::Run { .. } => 4,
            Request::ReadOutput { .. } => 5,
            Request::MeasureStack => 6,
            Request::VerifyDigest => 7,
            Request::EraseSlot => 8,
            Request::WriteSlot { .. } => 9,
            Request::CommitSlot { .. } => 10,
            Request::ResetState => 11,
        }
    }

    /// Writes its body at the start of `body` and gives the length.
    ///
    /// # Errors
    ///
    /// Where `body` is too short.
    pub fn encode(&self, body: &mut [u8]) -> Result<usize, MessageError> {
        match *self {
            Request::Identify
            | Request::Describe
            | Request::MeasureStack
            | Request::VerifyDigest
            | Request::EraseSlot
            | Request::ResetState => Ok(0),
            Request::ReadInfo { offset } => to_body(&offset, body),
            Request::WriteInput { port, offset, bytes } => to_body(&(port, offset, bytes), body),
            Request::Run { observe } => to_body(&observe, body),
            Request::ReadOutput { port, offset } => to_body(&(port, offset), body),
            Request::WriteSlot { offset, bytes } => to_body(&(offset, bytes), body),
            Request::CommitSlot { length, crc32, counter } => to_body(&(length, crc32, counter), body),
        }
    }

    /// The request in a frame of `kind`.
    ///
    /// # Errors
    ///
    /// Where the kind is unknown or the body is not of the kind.
    pub fn decode(kind: u8, body: &'a [u8]) -> Result<Self, MessageError> {
        let empty = |request| if body.is_empty() { Ok(request) } else { Err(MessageError::Malformed) };
        match kind {
            // Whatever a later version adds to the body: the answer is the same.
            0 => Ok(Request::Identify),
            1 => empty(Request::Describe),
            2 => from_body(body).map(|offset| Request::ReadInfo { offset }),
            3 => from_body(body).map(|(port, offset, bytes)| Request::WriteInput { port, offset, bytes }),
            4 => from_body(body).map(|observe| Request::Run { observe }),
            5 => from_body(body).map(|(port, offset)| Request::ReadOutput { port, offset }),
            6 => empty(Request::MeasureStack),
            7 => empty(Request::VerifyDigest),
            8 => empty(Request::EraseSlot),
            9 => from_body(body).map(|(offset, bytes)| Request::WriteSlot { offset, bytes }),
            10 => {
                from_body(body).map(|(length, crc32, counter)| Request::CommitSlot { length, crc32, counter })
            }
            11 => empty(Request::ResetState),
            _ => Err(MessageError::UnknownKind),
        }
    }
}
