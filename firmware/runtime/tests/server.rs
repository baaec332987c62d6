//! The device's end of the link, with a slot in this process's memory.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::artifact::{DIGEST_RANGE, digest_of};
use edgepkg_format::link::{
    Answer, Counter, Description, FrameReader, FrameWriter, ModelFault, ModelState, Observe, Refusal, Request,
};
use edgepkg_format::linked::EveryOperator;
use edgepkg_format::slot::{Commit, crc32};
use edgepkg_runtime::Model;
use edgepkg_runtime::server::{Anyone, Buffers, Gauge, Slot, SlotWriteError, Transport, serve};

/// MLPerf Tiny's keyword-spotting model, for the portable instruction set.
const KEYWORDS: &[u8] = include_bytes!("data/kws.epa");
const INPUT_BYTES: usize = 490;
const OUTPUT_BYTES: usize = 12;

const PROGRAM_UNIT_BYTES: u32 = 8;
const SLOT_BYTES: usize = 128 << 10;
const ARENA_BYTES: usize = 32 << 10;

/// Flash: erased before it is written, and written in whole units.
struct Flash(AlignedBytes);

impl Flash {
    fn erased() -> Self {
        Self(AlignedBytes::from(&[0xff; SLOT_BYTES][..]))
    }

    fn with_model() -> Self {
        let mut flash = Self::erased();
        flash.0[..KEYWORDS.len()].copy_from_slice(KEYWORDS);
        let offset = Commit::offset(SLOT_BYTES as u32, PROGRAM_UNIT_BYTES).unwrap() as usize;
        let record = Commit::of(KEYWORDS, 1).to_bytes();
        flash.0[offset..offset + record.len()].copy_from_slice(&record);
        flash
    }
}

impl Slot for Flash {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn program_unit_bytes(&self) -> u32 {
        PROGRAM_UNIT_BYTES
    }

    fn erase(&mut self) -> Result<(), SlotWriteError> {
        self.0.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), SlotWriteError> {
        let unit = PROGRAM_UNIT_BYTES as usize;
        assert!(offset.is_multiple_of(unit) && bytes.len().is_multiple_of(unit), "whole units");
        let place = &mut self.0[offset..offset + bytes.len()];
        if place.iter().any(|&byte| byte != 0xff) {
            return Err(SlotWriteError);
        }
        place.copy_from_slice(bytes);
        Ok(())
    }
}

/// Counts the times it was started.
struct Starts(u64);

impl Gauge for Starts {
    fn counter(&self) -> Counter {
        Counter::Cycles
    }

    fn start(&mut self) {
        self.0 += 1;
    }

    fn stop(&mut self) -> u64 {
        self.0
    }

    fn stack_bytes(&self) -> u32 {
        77
    }
}

/// Bytes that were sent beforehand, and what was answered.
struct Script {
    requests: std::vec::IntoIter<u8>,
    answers: Vec<u8>,
}

impl Transport for Script {
    fn read(&mut self) -> Option<u8> {
        self.requests.next()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.answers.extend_from_slice(bytes);
    }
}

fn frame(sequence: u8, request: &Request<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let sink = |piece: &[u8]| bytes.extend_from_slice(piece);
    FrameWriter::new().send(sequence, request.kind(), |body| request.encode(body), sink).unwrap();
    bytes
}

/// What the device answers to `bytes`: kinds and bodies.
fn talk(slot: &mut Flash, bytes: Vec<u8>) -> Vec<(u8, u8, Vec<u8>)> {
    let mut script = Script { requests: bytes.into_iter(), answers: Vec::new() };
    let mut arena = AlignedBytes::from(&[0; ARENA_BYTES][..]);
    let (reader, writer) = (&mut FrameReader::new(), &mut FrameWriter::new());
    let buffers = Buffers { reader, writer, entry: &mut None };
    serve::<EveryOperator>(
        &mut script,
        slot,
        &mut Starts(0),
        &mut Anyone,
        buffers,
        bytemuck::cast_slice_mut(&mut arena),
    );
    let mut reader = FrameReader::new();
    let answers = script.answers.into_iter().filter_map(|byte| {
        let frame = reader.push(byte)?.expect("the device sends whole frames");
        Some((frame.header.sequence, frame.header.kind, frame.body.to_vec()))
    });
    answers.collect()
}

/// Sends `requests` and checks that each is answered once, with its `expected`.
fn check(slot: &mut Flash, requests: &[(Request<'_>, Answer<'_>)]) {
    let frames = requests.iter().enumerate().map(|(index, (request, _))| frame(index as u8, request));
    let answers = talk(slot, frames.collect::<Vec<_>>().concat());
    assert_eq!(answers.len(), requests.len());
    for (index, ((sequence, kind, body), (request, expected))) in answers.iter().zip(requests).enumerate() {
        assert_eq!(usize::from(*sequence), index);
        assert_eq!(Answer::decode(*kind, body).as_ref(), Ok(expected), "{request:?}");
    }
}

fn described(slot: &mut Flash) -> ModelState {
    let answers = talk(slot, frame(0, &Request::Describe));
    match Answer::decode(answers[0].1, &answers[0].2) {
        Ok(Answer::Description(Description { model, .. })) => model,
        other => panic!("{other:?}"),
    }
}

fn refused(refusal: Refusal) -> Answer<'static> {
    Answer::Refused(refusal)
}

#[test]
fn a_run_gives_what_the_runtime_gives() {
    let input: Vec<u8> = (0..INPUT_BYTES).map(|index| (index * 7) as u8).collect();
    let artifact = AlignedBytes::from(KEYWORDS);
    let model = Model::parse(&artifact).unwrap();
    let mut arena = AlignedBytes::from(vec![0; model.arena_bytes()].as_slice());
    let mut session = model.session(bytemuck::cast_slice_mut(&mut arena)).unwrap();
    session.input(0).unwrap().copy_from_i8(bytemuck::cast_slice(&input)).unwrap();
    session.run().unwrap();
    let expected: Vec<u8> = session.output(0).unwrap().values_i8().map(|value| value as u8).collect();

    let (first, second) = input.split_at(200);
    check(
        &mut Flash::with_model(),
        &[
            (Request::WriteInput { port: 0, offset: 0, bytes: first }, Answer::Done),
            (Request::WriteInput { port: 0, offset: 200, bytes: second }, Answer::Done),
            // Counted before: parse and session.
            (Request::Run { observe: Observe::Nothing }, Answer::RunComplete(3)),
            (Request::ReadOutput { port: 0, offset: 0 }, Answer::Bytes(&expected)),
            (Request::ReadOutput { port: 0, offset: 10 }, Answer::Bytes(&expected[10..])),
            (Request::VerifyDigest, Answer::Digest(*model.artifact().digest())),
            (Request::MeasureStack, Answer::StackBytes(77)),
            (Request::ReadInfo { offset: 0 }, Answer::Bytes(model.artifact().info_bytes())),
        ],
    );
}

#[test]
fn an_observed_run_reports_every_operator() {
    let records = Model::parse(&AlignedBytes::from(KEYWORDS)).unwrap().artifact().plan().count();
    for observe in [Observe::Digests, Observe::Counts] {
        let bytes = [
            frame(1, &Request::WriteInput { port: 0, offset: 0, bytes: &[0; INPUT_BYTES] }),
            frame(2, &Request::Run { observe }),
        ];
        let answers = talk(&mut Flash::with_model(), bytes.concat());
        assert_eq!(answers.len(), records + 2);
        for (index, (_, kind, body)) in answers[1..=records].iter().enumerate() {
            match Answer::decode(*kind, body) {
                Ok(Answer::Step(step)) => assert_eq!(step.record as usize, index),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(answers[records + 1].1, Answer::RunComplete(0).kind());
    }
}

#[test]
fn wrong_requests_are_refused_by_name() {
    check(
        &mut Flash::with_model(),
        &[
            (Request::Run { observe: Observe::Nothing }, refused(Refusal::InputNotSet(0))),
            (
                Request::WriteInput { port: 0, offset: 1, bytes: &[0; INPUT_BYTES] },
                refused(Refusal::OutOfRange { bytes: INPUT_BYTES as u32 - 1 }),
            ),
            (
                Request::WriteInput { port: 1, offset: 0, bytes: &[] },
                refused(Refusal::NoSuchPort { count: 1 }),
            ),
            (Request::ReadOutput { port: 9, offset: 0 }, refused(Refusal::NoSuchPort { count: 1 })),
            (
                Request::ReadOutput { port: 0, offset: 13 },
                refused(Refusal::OutOfRange { bytes: OUTPUT_BYTES as u32 }),
            ),
            (Request::WriteSlot { offset: 0, bytes: &[0; 8] }, refused(Refusal::SlotWrite)),
            (Request::CommitSlot { length: 16, crc32: 0, counter: 1 }, refused(Refusal::SlotWrite)),
        ],
    );
}

#[test]
fn unknown_requests_and_versions_are_answered() {
    let with = |version: u8, kind: u8| {
        let header = [version, 5, kind, 0, 0];
        let bytes = [&header[..], &crc32(&header).to_le_bytes()].concat();
        let mut encoded = Vec::new();
        edgepkg_format::link::cobs::encode(&bytes, |piece| encoded.extend_from_slice(piece));
        let answers = talk(&mut Flash::erased(), encoded);
        (answers[0].1, answers[0].2.clone())
    };
    let body = |answer: Answer<'_>| {
        let mut body = [0; 16];
        let length = answer.encode(&mut body).unwrap();
        (answer.kind(), body[..length].to_vec())
    };
    assert_eq!(with(1, 99), body(refused(Refusal::UnknownRequest(99))));
    assert_eq!(with(2, 1), body(refused(Refusal::Version(1))));
    assert_eq!(with(2, 99), body(refused(Refusal::Version(1))));
    assert_eq!(with(2, 0).0, 128, "who is there is answered whatever the version");
}

#[test]
fn a_model_is_written_over_the_link() {
    let mut slot = Flash::erased();
    assert_eq!(described(&mut slot), ModelState::Missing);
    check(&mut slot, &[(Request::Run { observe: Observe::Nothing }, refused(Refusal::NoModel))]);

    let chunks: Vec<_> = KEYWORDS.chunks(512).enumerate().collect();
    let write = |chunk: &(usize, &'static [u8])| {
        (Request::WriteSlot { offset: chunk.0 as u32 * 512, bytes: chunk.1 }, Answer::Done)
    };
    let (last, most) = chunks.split_last().unwrap();
    let length = KEYWORDS.len() as u32;
    let commit = Request::CommitSlot { length, crc32: crc32(KEYWORDS), counter: 2 };
    check(&mut slot, &[(Request::EraseSlot, Answer::Done)]);
    check(&mut slot, &most.iter().map(write).collect::<Vec<_>>());
    check(&mut slot, &[(commit, refused(Refusal::SlotMismatch))]);
    assert_eq!(described(&mut slot), ModelState::Missing);
    check(&mut slot, &[write(last), (commit, Answer::Done)]);
    assert!(matches!(described(&mut slot), ModelState::Loaded(_)));
}

#[test]
fn slot_writes_stay_inside_and_whole() {
    let limit = SLOT_BYTES as u32 - 16;
    check(
        &mut Flash::erased(),
        &[
            (Request::WriteSlot { offset: 4, bytes: &[0; 8] }, refused(Refusal::SlotWrite)),
            (Request::WriteSlot { offset: 0, bytes: &[0; 7] }, refused(Refusal::SlotWrite)),
            (
                Request::WriteSlot { offset: limit, bytes: &[0; 8] },
                refused(Refusal::OutOfRange { bytes: limit }),
            ),
            (
                Request::WriteSlot { offset: u32::MAX - 7, bytes: &[0; 8] },
                refused(Refusal::OutOfRange { bytes: limit }),
            ),
            (
                Request::CommitSlot { length: limit + 1, crc32: 0, counter: 1 },
                refused(Refusal::OutOfRange { bytes: limit }),
            ),
            (Request::WriteSlot { offset: 0, bytes: &[0; 8] }, Answer::Done),
            (Request::WriteSlot { offset: 0, bytes: &[0; 8] }, refused(Refusal::SlotWrite)),
        ],
    );
}

#[test]
fn a_slot_that_does_not_match_its_record_is_not_run() {
    let mut slot = Flash::with_model();
    slot.0[5000] ^= 1;
    assert_eq!(described(&mut slot), ModelState::Damaged);

    // A whole artifact with a sound record, but for another machine.
    let mut artifact = KEYWORDS.to_vec();
    artifact[10] = 6;
    let digest = digest_of(&artifact);
    artifact[DIGEST_RANGE].copy_from_slice(&digest);
    let mut slot = Flash::with_model();
    slot.0[..artifact.len()].copy_from_slice(&artifact);
    let record = Commit::of(&artifact, 1).to_bytes();
    slot.0[SLOT_BYTES - 16..].copy_from_slice(&record);
    assert_eq!(described(&mut slot), ModelState::Refused(ModelFault::Isa(6)));
}
