//! Requests out, answers in: sequence numbers, time limits, repeated questions.

use std::io;
use std::time::{Duration, Instant};

use edgepkg_format::link::{
    Answer, FrameReader, FrameWriter, LARGEST_FRAME_BYTES, Observe, PROTOCOL_VERSION, Refusal, Request,
    StepReport, chunk_bytes,
};
use edgepkg_format::slot::Commit;

use crate::device::transport::Transport;

/// How long a device may take to answer the first time, and how often it is asked.
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(5);
const IDENTIFY_ATTEMPTS: u32 = 6;

/// Why a device does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nothing came in time.
    #[error("the device did not answer within {} s", .after.as_secs())]
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// The other end is gone.
    #[error("the connection to the device ended: {0}")]
    Closed(io::Error),
    /// It speaks another protocol version.
    #[error("the device speaks version {device} of the device link, this tool version {host}")]
    Version {
        /// The device's.
        device: u8,
        /// This tool's.
        host: u8,
    },
    /// It answered something else than was asked.
    #[error("the device gave an answer that does not belong to the question")]
    Unexpected,
    /// It refuses.
    #[error("the device refuses: {}", refusal_text(.0))]
    Refused(Refusal),
    /// Its runner has failed.
    #[error("the runner on the device has failed and stopped")]
    Failed,
}

fn refusal_text(refusal: &Refusal) -> String {
    match refusal {
        Refusal::UnknownRequest(kind) => format!("its runner does not know request {kind}"),
        Refusal::Malformed => "the request does not decode".to_owned(),
        Refusal::Version(version) => format!("it speaks version {version} of the device link"),
        Refusal::NoModel => "it holds no model that runs".to_owned(),
        Refusal::NoSuchPort { count } => format!("the model has {count} of them"),
        Refusal::OutOfRange { bytes } => format!("the range passes the end, at {bytes} bytes"),
        Refusal::InputNotSet(port) => format!("input {port} was not set"),
        Refusal::SlotWrite => "the model slot cannot be written, or is not erased".to_owned(),
        Refusal::SlotMismatch => "the model slot does not hold what was sent".to_owned(),
    }
}

/// What erased flash holds.
const ERASED: u8 = 0xff;

fn done(answer: Answer<'_>) -> Option<()> {
    matches!(answer, Answer::Done).then_some(())
}

/// The host's end of the device link.
pub(super) struct Client {
    transport: Box<dyn Transport>,
    reader: FrameReader,
    writer: FrameWriter,
    sequence: u8,
    answer_timeout: Duration,
    largest_frame_bytes: usize,
}

impl Client {
    /// Asks who is there until there is an answer.
    pub(super) fn identify(
        transport: Box<dyn Transport>,
        answer_timeout: Duration,
    ) -> Result<Self, LinkError> {
        let mut client = Self {
            transport,
            reader: FrameReader::new(),
            writer: FrameWriter::new(),
            sequence: 0,
            answer_timeout: IDENTIFY_TIMEOUT,
            largest_frame_bytes: LARGEST_FRAME_BYTES,
        };
        for attempt in 1..=IDENTIFY_ATTEMPTS {
            let identity = client.ask(Request::Identify, |answer| match answer {
                Answer::Identity(identity) => Some(identity),
                _ => None,
            });
            match identity {
                Ok(identity) if identity.version == PROTOCOL_VERSION => {
                    client.answer_timeout = answer_timeout;
                    client.largest_frame_bytes =
                        LARGEST_FRAME_BYTES.min(identity.largest_frame_bytes as usize);
                    return Ok(client);
                }
                Ok(identity) => {
                    return Err(LinkError::Version { device: identity.version, host: PROTOCOL_VERSION });
                }
                // The device may have been starting, or in the middle of a frame.
                Err(LinkError::Silent { .. }) if attempt < IDENTIFY_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
        Err(LinkError::Silent { after: IDENTIFY_TIMEOUT * IDENTIFY_ATTEMPTS })
    }

    /// Sends `request` and gives what `take` finds in its answer.
    pub(super) fn ask<T>(
        &mut self,
        request: Request<'_>,
        take: impl FnOnce(Answer<'_>) -> Option<T>,
    ) -> Result<T, LinkError> {
        self.send(request)?;
        self.receive(|answer| take(answer).ok_or(LinkError::Unexpected))
    }

    /// Runs the model; `step` is given what every operator reports. Gives the run's count.
    pub(super) fn run(
        &mut self,
        observe: Observe,
        mut step: impl FnMut(StepReport),
    ) -> Result<u64, LinkError> {
        self.send(Request::Run { observe })?;
        loop {
            let complete = self.receive(|answer| match answer {
                Answer::Step(report) => {
                    step(report);
                    Ok(None)
                }
                Answer::RunComplete(count) => Ok(Some(count)),
                _ => Err(LinkError::Unexpected),
            })?;
            if let Some(count) = complete {
                return Ok(count);
            }
        }
    }

    /// Writes `artifact` to the model slot and makes it the slot's model.
    pub(super) fn write_model(&mut self, artifact: &[u8]) -> Result<(), LinkError> {
        let unit_bytes = self.ask(Request::Describe, |answer| match answer {
            Answer::Description(found) => Some(found.program_unit_bytes.max(1) as usize),
            _ => None,
        })?;
        let mut units = artifact.to_vec();
        units.resize(artifact.len().next_multiple_of(unit_bytes), ERASED);
        self.ask(Request::EraseSlot, done)?;
        self.write(&units, unit_bytes, |offset, bytes| Request::WriteSlot { offset, bytes })?;
        let Commit { length, crc32, counter } = Commit::of(artifact, 1);
        self.ask(Request::CommitSlot { length, crc32, counter }, done)
    }

    /// Sends `bytes` in as many requests as they need, each of a multiple of `unit_bytes`.
    pub(super) fn write<'a>(
        &mut self,
        bytes: &'a [u8],
        unit_bytes: usize,
        request: impl Fn(u32, &'a [u8]) -> Request<'a>,
    ) -> Result<(), LinkError> {
        let most = chunk_bytes(self.largest_frame_bytes);
        let chunk = (most - most % unit_bytes).max(unit_bytes);
        for (index, piece) in bytes.chunks(chunk).enumerate() {
            self.ask(request((index * chunk) as u32, piece), done)?;
        }
        Ok(())
    }

    /// Asks for `length` bytes in as many requests as they need.
    pub(super) fn read(
        &mut self,
        length: u32,
        request: impl Fn(u32) -> Request<'static>,
    ) -> Result<Vec<u8>, LinkError> {
        let mut bytes = Vec::with_capacity(length as usize);
        while bytes.len() < length as usize {
            self.ask(request(bytes.len() as u32), |answer| match answer {
                Answer::Bytes(chunk) if !chunk.is_empty() => {
                    bytes.extend_from_slice(chunk);
                    Some(())
                }
                _ => None,
            })?;
        }
        if bytes.len() == length as usize { Ok(bytes) } else { Err(LinkError::Unexpected) }
    }

    fn send(&mut self, request: Request<'_>) -> Result<(), LinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        // The zero before it ends whatever the device had of a frame that broke off.
        let mut encoded = vec![0];
        self.writer
            .send(
                self.sequence,
                request.kind(),
                |body| request.encode(body),
                |piece| encoded.extend_from_slice(piece),
            )
            .map_err(|_| LinkError::Unexpected)?;
        self.transport.send(&encoded).map_err(LinkError::Closed)
    }

    /// The next answer to the last request, as `take` reads it. Answers to earlier requests and damaged
    /// frames are passed over.
    fn receive<T>(&mut self, take: impl FnOnce(Answer<'_>) -> Result<T, LinkError>) -> Result<T, LinkError> {
        let deadline = Instant::now() + self.answer_timeout;
        loop {
            let byte = match self.transport.next_byte(deadline) {
                Ok(byte) => byte,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(LinkError::Silent { after: self.answer_timeout });
                }
                Err(error) => return Err(LinkError::Closed(error)),
            };
            let Some(Ok(frame)) = self.reader.push(byte) else {
                continue;
            };
            match Answer::decode(frame.header.kind, frame.body) {
                Ok(Answer::Failed) => return Err(LinkError::Failed),
                _ if frame.header.sequence != self.sequence => {}
                Ok(Answer::Refused(refusal)) => return Err(LinkError::Refused(refusal)),
                Ok(answer) => return take(answer),
                Err(_) => return Err(LinkError::Unexpected),
            }
        }
    }
}
