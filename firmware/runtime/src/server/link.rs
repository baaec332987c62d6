//! Requests in, answers out.

use edgepkg_format::link::{
    Answer, FrameReader, FrameWriter, MessageError, PROTOCOL_VERSION, Refusal, Request,
};

use super::Transport;

pub(super) struct Link<'t, T> {
    transport: &'t mut T,
    reader: &'t mut FrameReader,
    writer: &'t mut FrameWriter,
}

impl<'t, T: Transport> Link<'t, T> {
    pub(super) fn new(
        transport: &'t mut T,
        reader: &'t mut FrameReader,
        writer: &'t mut FrameWriter,
    ) -> Self {
        Self { transport, reader, writer }
    }

    /// The next request, or why it is refused, with what answers it. Damaged frames are dropped: the host
    /// repeats. `None` when the transport has ended.
    pub(super) fn receive(&mut self) -> Option<(Reply<'_, T>, Result<Request<'_>, Refusal>)> {
        loop {
            let byte = self.transport.read()?;
            if matches!(self.reader.push(byte), Some(Ok(_))) {
                break;
            }
        }
        let frame = self.reader.arrived()?;
        let request = match Request::decode(frame.header.kind, frame.body) {
            Ok(Request::Identify) => Ok(Request::Identify),
            _ if frame.header.version != PROTOCOL_VERSION => Err(Refusal::Version(PROTOCOL_VERSION)),
            Ok(request) => Ok(request),
            Err(MessageError::UnknownKind) => Err(Refusal::UnknownRequest(frame.header.kind)),
            Err(_) => Err(Refusal::Malformed),
        };
        let reply = Reply { transport: self.transport, writer: self.writer, sequence: frame.header.sequence };
        Some((reply, request))
    }

    /// The request that arrived last.
    pub(super) fn pending(&self) -> Option<Request<'_>> {
        let frame = self.reader.arrived()?;
        Request::decode(frame.header.kind, frame.body).ok()
    }

    /// What answers the request that arrived last.
    pub(super) fn reply(&mut self) -> Option<Reply<'_, T>> {
        let sequence = self.reader.arrived()?.header.sequence;
        Some(Reply { transport: self.transport, writer: self.writer, sequence })
    }
}

/// The answer to one request.
pub(super) struct Reply<'l, T> {
    transport: &'l mut T,
    writer: &'l mut FrameWriter,
    sequence: u8,
}

impl<T: Transport> Reply<'_, T> {
    /// Answers with what `outcome` makes of a success, or refuses.
    #[inline(never)]
    pub(super) fn answer_outcome<V>(
        &mut self,
        outcome: Result<V, Refusal>,
        answer: fn(V) -> Answer<'static>,
    ) {
        self.answer(&outcome.map_or_else(Answer::Refused, answer));
    }

    pub(super) fn answer(&mut self, answer: &Answer<'_>) {
        self.send(answer.kind(), |body| answer.encode(body));
    }

    /// Answers with `length` bytes that `fill` writes.
    pub(super) fn answer_bytes(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) {
        self.send(Answer::BYTES, |body| Answer::encode_bytes(length, body, fill));
    }

    fn send(&mut self, kind: u8, body: impl FnOnce(&mut [u8]) -> Result<usize, MessageError>) {
        let transport = &mut *self.transport;
        // Every answer fits a frame: chunks are cut to it, and the rest has a bounded length.
        let _ = self.writer.send(self.sequence, kind, body, |piece| transport.write(piece));
    }
}
