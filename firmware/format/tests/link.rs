//! The bytes of `LINK.md`.

use edgepkg_format::info::OperatorSet;
use edgepkg_format::link::{
    Answer, Counter, Description, FrameError, FrameReader, FrameWriter, Identity, LARGEST_FRAME_BYTES,
    LoadedModel, MessageError, ModelFault, ModelState, Observe, Refusal, Request, StepReport, chunk_bytes,
};
use edgepkg_format::{Isa, OperatorKind};

fn sent(sequence: u8, kind: u8, body: impl FnOnce(&mut [u8]) -> Result<usize, MessageError>) -> Vec<u8> {
    let mut bytes = Vec::new();
    FrameWriter::new().send(sequence, kind, body, |piece| bytes.extend_from_slice(piece)).unwrap();
    bytes
}

/// A frame's sequence number, kind and body.
type Received = (u8, u8, Vec<u8>);

/// Feeds `bytes` and gives what each of its frames was.
fn received(bytes: &[u8]) -> Vec<Result<Received, FrameError>> {
    let mut reader = FrameReader::new();
    let frames = bytes.iter().filter_map(|&byte| {
        let frame = reader.push(byte)?;
        Some(frame.map(|frame| (frame.header.sequence, frame.header.kind, frame.body.to_vec())))
    });
    frames.collect()
}

#[test]
fn frames_have_these_bytes() {
    let identify = sent(7, 0, |body| Request::Identify.encode(body));
    assert_eq!(identify, [0x03, 0x01, 0x07, 0x01, 0x01, 0x05, 20, 230, 149, 102, 0]);
    let answer = Answer::Identity(Identity { version: 1, largest_frame_bytes: 1024 });
    let identity = sent(7, answer.kind(), |body| answer.encode(body));
    let mut expected = vec![0x05, 0x01, 0x07, 0x80, 0x09, 0x06];
    expected.extend(b"EPLK\x01");
    expected.extend([0x02, 0x04, 0x01, 0x05]);
    assert_eq!(identity[..expected.len()], expected);
}

#[test]
fn requests_have_these_bytes() {
    let check = |request: Request<'_>, kind: u8, expected: &[u8]| {
        let mut body = [0; 64];
        let length = request.encode(&mut body).unwrap();
        assert_eq!((request.kind(), &body[..length]), (kind, expected), "{request:?}");
        assert_eq!(Request::decode(kind, expected), Ok(request));
    };
    check(Request::Identify, 0, &[]);
    check(Request::Describe, 1, &[]);
    check(Request::ReadInfo { offset: 300 }, 2, &[0xac, 0x02]);
    check(Request::WriteInput { port: 1, offset: 128, bytes: &[9, 8] }, 3, &[1, 0x80, 0x01, 2, 9, 8]);
    check(Request::Run { observe: Observe::Nothing }, 4, &[0]);
    check(Request::Run { observe: Observe::Digests }, 4, &[1]);
    check(Request::Run { observe: Observe::Counts }, 4, &[2]);
    check(Request::ReadOutput { port: 2, offset: 1 }, 5, &[2, 1]);
    check(Request::MeasureStack, 6, &[]);
    check(Request::VerifyDigest, 7, &[]);
    check(Request::EraseSlot, 8, &[]);
    check(Request::WriteSlot { offset: 4, bytes: &[1, 2, 3, 4] }, 9, &[4, 4, 1, 2, 3, 4]);
    check(Request::CommitSlot { length: 16, crc32: 0x80, counter: 3 }, 10, &[16, 0x80, 0x01, 3]);
    check(Request::ResetState, 11, &[]);
}

#[test]
fn answers_have_these_bytes() {
    let check = |answer: Answer<'_>, kind: u8, expected: &[u8]| {
        let mut body = [0; 256];
        let length = answer.encode(&mut body).unwrap();
        assert_eq!((answer.kind(), &body[..length]), (kind, expected), "{answer:?}");
        assert_eq!(Answer::decode(kind, expected), Ok(answer));
    };
    check(
        Answer::Identity(Identity { version: 1, largest_frame_bytes: 1024 }),
        128,
        b"EPLK\x01\x00\x04\x00\x00",
    );
    check(Answer::Bytes(&[5, 6]), 130, &[2, 5, 6]);
    check(Answer::Done, 131, &[]);
    let step = StepReport { record: 1, layer: 2, kind: OperatorKind::Softmax as u16, value: 300 };
    check(Answer::Step(step), 132, &[1, 2, 9, 0xac, 0x02]);
    check(Answer::RunComplete(128), 133, &[0x80, 0x01]);
    check(Answer::StackBytes(5), 134, &[5]);
    check(Answer::Digest([7; 32]), 135, &[7; 32]);
    check(Answer::Failed, 255, &[]);

    let refusals = [
        (Refusal::UnknownRequest(77), vec![0, 77]),
        (Refusal::Malformed, vec![1]),
        (Refusal::Version(1), vec![2, 1]),
        (Refusal::NoModel, vec![3]),
        (Refusal::NoSuchPort { count: 1 }, vec![4, 1]),
        (Refusal::OutOfRange { bytes: 490 }, vec![5, 0xea, 0x03]),
        (Refusal::InputNotSet(0), vec![6, 0]),
        (Refusal::SlotWrite, vec![7]),
        (Refusal::SlotMismatch, vec![8]),
    ];
    for (refusal, expected) in refusals {
        check(Answer::Refused(refusal), 254, &expected);
    }

    let softmax = OperatorSet::EMPTY.with(OperatorKind::Softmax);
    let loaded = LoadedModel {
        digest: [3; 32],
        artifact_bytes: 5,
        arena_bytes: 6,
        info_bytes: 7,
        parse_count: 8,
        session_count: 9,
    };
    let models = [
        (ModelState::Missing, vec![0]),
        (ModelState::Damaged, vec![1]),
        (ModelState::Refused(ModelFault::Unreadable), vec![2, 0]),
        (ModelState::Refused(ModelFault::FormatVersion(2)), vec![2, 1, 2]),
        (ModelState::Refused(ModelFault::Isa(6)), vec![2, 2, 6]),
        (ModelState::Refused(ModelFault::Record(4)), vec![2, 3, 4]),
        (ModelState::Refused(ModelFault::MissingOperators(softmax)), vec![2, 4, 0x80, 0x04]),
        (
            ModelState::Refused(ModelFault::Superseded { counter: 3, least_counter: 200 }),
            vec![2, 7, 3, 200, 1],
        ),
        (ModelState::Refused(ModelFault::Unsigned), vec![2, 6]),
        (
            ModelState::Refused(ModelFault::ArenaTooSmall { needed_bytes: 2, available_bytes: 1 }),
            vec![2, 5, 2, 1],
        ),
        (ModelState::Loaded(loaded), [&[3][..], &[3; 32], &[5, 6, 7, 8, 9]].concat()),
    ];
    for (model, expected) in models {
        let description = Description {
            runner_version: "0.1.0",
            isa: Isa::Armv7em.code(),
            operators: softmax,
            arena_limit_bytes: 1,
            slot_bytes: 2,
            program_unit_bytes: 4,
            counter: Counter::Instructions,
            model,
        };
        let fixed = [&[5][..], b"0.1.0", &[3, 0x80, 0x04, 1, 2, 4, 1]].concat();
        check(Answer::Description(description), 129, &[fixed, expected].concat());
    }
}

#[test]
fn what_is_not_a_message_is_refused() {
    assert_eq!(Request::decode(77, &[]), Err(MessageError::UnknownKind));
    assert_eq!(Request::decode(4, &[9]), Err(MessageError::Malformed));
    assert_eq!(Request::decode(4, &[]), Err(MessageError::Malformed));
    assert_eq!(Request::decode(4, &[0, 0]), Err(MessageError::Malformed));
    assert_eq!(Request::decode(3, &[0, 0, 200, 1]), Err(MessageError::Malformed));
    assert_eq!(Answer::decode(1, &[]), Err(MessageError::UnknownKind));
    assert_eq!(Answer::decode(128, b"EPLX\x01\x00\x04\x00\x00"), Err(MessageError::Malformed));
    // Later versions may say more when they ask or tell who is there.
    assert_eq!(Request::decode(0, &[1, 2, 3]), Ok(Request::Identify));
    assert!(Answer::decode(128, b"EPLK\x02\x00\x04\x00\x00more").is_ok());
}

#[test]
fn the_largest_chunk_fits_a_frame() {
    let bytes = vec![0xa5; chunk_bytes(LARGEST_FRAME_BYTES)];
    let request = Request::WriteInput { port: 255, offset: u32::MAX, bytes: &bytes };
    let frame = sent(0, request.kind(), |body| request.encode(body));
    assert_eq!(received(&frame).len(), 1);
    let fill = |place: &mut [u8]| place.copy_from_slice(&bytes);
    let filled = sent(0, Answer::BYTES, |body| Answer::encode_bytes(bytes.len(), body, fill));
    assert_eq!(filled, sent(0, Answer::BYTES, |body| Answer::Bytes(&bytes).encode(body)));
}

#[test]
fn damaged_frames_are_dropped_and_the_next_is_read() {
    let request = Request::WriteInput { port: 0, offset: 0, bytes: &[0, 1, 0, 255] };
    let good = sent(1, request.kind(), |body| request.encode(body));
    let whole = received(&good);
    assert!(matches!(whole[..], [Ok((1, 3, _))]), "{whole:?}");
    for at in 0..good.len() - 1 {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            bytes.extend_from_slice(&good);
            let frames = received(&bytes);
            assert_eq!(frames.last(), whole.last(), "byte {at}, bit {bit}");
            assert_eq!(frames.iter().filter(|frame| frame.is_ok()).count(), 1, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_frame_without_end_is_dropped() {
    let mut bytes = vec![0x11; 3 * LARGEST_FRAME_BYTES];
    bytes.push(0);
    bytes.extend(sent(1, 0, |_| Ok(0)));
    let frames = received(&bytes);
    assert_eq!(frames[0], Err(FrameError::TooLarge));
    assert_eq!(frames[1], Ok((1, 0, vec![])));
}

#[test]
fn any_bytes_are_read_without_panic() {
    let mut state = 1u32;
    let mut reader = FrameReader::new();
    for _ in 0..200_000 {
        // xorshift32
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        if let Some(Ok(frame)) = reader.push(state as u8 & (state >> 8) as u8) {
            let _ = Request::decode(frame.header.kind, frame.body);
        }
    }
    for kind in 0..=255 {
        for length in 0..64 {
            let body: Vec<u8> = (0..length).map(|i: u32| (i * 37 + u32::from(kind)) as u8).collect();
            let _ = Request::decode(kind, &body);
            let _ = Answer::decode(kind, &body);
        }
    }
}
