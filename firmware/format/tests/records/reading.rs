//! Codes, what tables of channels hold, and how bad records are named.

use edgepkg_format::plan::{
    ChannelParameters, Fill, PlanEntry, PlanError, PlanReader, Scale, WideChannelParameters,
};
use edgepkg_format::{DType, OperatorKind, Record, Space, TensorRef};

use crate::numbered::{SPECIFICATION, numbered_words};

#[test]
fn every_kind_is_known_by_its_code_and_specified() {
    let mut codes: Vec<u16> = OperatorKind::ALL.iter().map(|&kind| kind as u16).collect();
    codes.sort_unstable();
    assert_eq!(codes, (1..=27).chain([30]).chain(40..=55).chain([60]).collect::<Vec<_>>());
    assert!((0..=u16::MAX).all(|code| OperatorKind::from_code(code).is_some() == codes.contains(&code)));
    assert_eq!(
        SPECIFICATION.lines().filter(|line| line.starts_with("### ") && line.ends_with(" bytes)")).count(),
        codes.len()
    );
}

#[test]
fn negative_words_are_twos_complement() {
    let fill = Fill { output: TensorRef::new(Space::Const, DType::Int8, 0), length: 1, value: -2 };
    let entry = PlanEntry { layer: 0, record: fill.into() };
    let mut encoded = [0; 24];
    entry.encode(&mut encoded);
    assert_eq!(encoded, *b"\x0b\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\xfe\xff\xff\xff");
}

#[test]
fn codes_of_spaces_and_types() {
    let spaces = [Space::Const, Space::Arena, Space::State, Space::Parameter];
    let dtypes = [DType::Int8, DType::Int16, DType::Int32, DType::Int64, DType::Int4];
    for tag in 0..0x1_0000u32 {
        let mut words = numbered_words(11, 4, &[0]);
        words[8..12].copy_from_slice(&tag.to_le_bytes());
        let [space, dtype, ..] = tag.to_le_bytes();
        let expected = spaces.get(usize::from(space)).zip(dtypes.get(usize::from(dtype)));
        let entry = PlanReader::new(&words).next().unwrap();
        match (entry, expected) {
            (Ok(PlanEntry { record: Record::Fill(fill), .. }), Some((&space, &dtype))) => {
                assert_eq!((fill.output.space, fill.output.dtype), (space, dtype));
            }
            (Err(PlanError::Malformed { kind: OperatorKind::Fill, at: 0 }), None) => {}
            other => panic!("{tag:#x}: {other:?}"),
        }
    }
}

#[test]
fn channel_parameters() {
    let entry = ChannelParameters { bias: -2, scale: Scale { multiplier: 1 << 30, shift: -5 } };
    let bytes = *b"\xfe\xff\xff\xff\0\0\0\x40\xfb\xff\xff\xff";
    assert_eq!(entry.to_bytes(), bytes);
    assert_eq!(
        ChannelParameters::table(&[&bytes[..], &bytes, &[1]].concat()).collect::<Vec<_>>(),
        [entry; 2]
    );
}

#[test]
fn wide_channel_parameters() {
    let entry = WideChannelParameters { bias: -2 << 32, scale: Scale { multiplier: 1 << 30, shift: -5 } };
    let bytes = *b"\0\0\0\0\xfe\xff\xff\xff\0\0\0\x40\xfb\xff\xff\xff";
    assert_eq!(entry.to_bytes(), bytes);
    assert_eq!(
        WideChannelParameters::table(&[&bytes[..], &bytes, &[1]].concat()).collect::<Vec<_>>(),
        [entry; 2]
    );
}

/// What a reader finds in `section` after the fill and the lookup before it.
fn third(section: &[u8]) -> PlanError {
    let mut whole = numbered_words(11, 4, &[0]);
    whole.extend(numbered_words(10, 7, &[0, 2, 4]));
    whole.extend(section);
    let entries: Vec<_> = PlanReader::new(&whole).collect();
    assert_eq!(entries.len(), 3, "a reader ends with its first error");
    assert!(entries[0].is_ok() && entries[1].is_ok());
    entries[2].unwrap_err()
}

#[test]
fn a_bad_record_is_named_by_its_place() {
    const AT: u32 = 24 + 36;
    let good = numbered_words(9, 9, &[0, 2]);
    for length in 1..good.len() {
        assert_eq!(third(&good[..length]), PlanError::Truncated { at: AT });
    }

    let mut unknown = good.clone();
    unknown[0..2].copy_from_slice(&0x1234u16.to_le_bytes());
    assert_eq!(third(&unknown), PlanError::UnknownOperator { kind: 0x1234, at: AT });

    let malformed = PlanError::Malformed { kind: OperatorKind::Softmax, at: AT };
    for (byte, value) in [(2, 40), (8, 4), (9, 5), (10, 1), (11, 0x80)] {
        let mut damaged = good.clone();
        damaged[byte] = value;
        assert_eq!(third(&damaged), malformed, "byte {byte} = {value}");
    }
    for length in [0, 4, 7, 48] {
        let mut damaged = good.clone();
        damaged[2] = length;
        assert_eq!(third(&damaged), PlanError::Truncated { at: AT }, "length {length}");
    }
}
