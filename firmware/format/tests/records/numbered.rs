//! What tests of records share: fields that hold their own positions in words.

use edgepkg_format::plan::{
    Clamp, Image, PlanEntry, PlanError, PlanReader, RECORD_HEADER_BYTES, Scale, Window,
};
use edgepkg_format::{DType, OperatorKind, Record, Space, TensorRef};

pub const SPECIFICATION: &str = include_str!("../../FORMAT.md");

pub const LAYER: u32 = 0x0403_0201;

/// The first word of the tests' tensor references: arena, int16.
pub const TAG: u32 = 0x0000_0101;

/// A reference whose second word is `at + 1`.
pub fn tensor(at: u32) -> TensorRef {
    TensorRef::new(Space::Arena, DType::Int16, at + 1)
}

pub fn image(at: u32) -> Image {
    Image { batches: at, height: at + 1, width: at + 2, channels: at + 3 }
}

pub fn window(at: u32) -> Window {
    Window {
        height: at,
        width: at + 1,
        stride_height: at + 2,
        stride_width: at + 3,
        dilation_height: at + 4,
        dilation_width: at + 5,
        pad_top: at + 6,
        pad_left: at + 7,
    }
}

pub fn scale(at: i32) -> Scale {
    Scale { multiplier: at, shift: at + 1 }
}

pub fn clamp(at: i32) -> Clamp {
    Clamp { min: at, max: at + 1 }
}

pub fn dims(at: u32) -> [u32; 6] {
    core::array::from_fn(|i| at + i as u32)
}

pub fn strides(at: i32) -> [i32; 6] {
    core::array::from_fn(|i| at + i as i32)
}

/// The encoding of a record whose fields hold their positions.
pub fn numbered_words(code: u16, words: u32, tensors: &[u32]) -> Vec<u8> {
    let length = RECORD_HEADER_BYTES as u16 + 4 * words as u16;
    let mut bytes = [code.to_le_bytes(), length.to_le_bytes()].concat();
    bytes.extend(LAYER.to_le_bytes());
    for at in 0..words {
        bytes.extend(if tensors.contains(&at) { TAG } else { at }.to_le_bytes());
    }
    bytes
}

pub fn check(record: impl Into<Record>, code: u16, words: u32, tensors: &[u32]) {
    let entry = PlanEntry { layer: LAYER, record: record.into() };
    check_words(entry, &numbered_words(code, words, tensors), tensors);
}

/// Of a record whose rounding is [`Rounding::Once`] and stands after `words` words.
pub fn check_with_rounding(record: impl Into<Record>, code: u16, words: u32, tensors: &[u32]) {
    check_with_choices(record, code, words + 1, tensors, &[Choice { at: words, value: 1, count: 2 }]);
}

/// A field that holds one of a few codes.
pub struct Choice {
    pub at: u32,
    /// The record's.
    pub value: u32,
    /// How many codes there are, from 0 on.
    pub count: u32,
}

pub fn check_with_choices(
    record: impl Into<Record>,
    code: u16,
    words: u32,
    tensors: &[u32],
    choices: &[Choice],
) {
    let entry = PlanEntry { layer: LAYER, record: record.into() };
    let mut expected = numbered_words(code, words, tensors);
    let place = |choice: &Choice| {
        let first = RECORD_HEADER_BYTES + 4 * choice.at as usize;
        first..first + 4
    };
    for choice in choices {
        expected[place(choice)].copy_from_slice(&choice.value.to_le_bytes());
    }
    check_words(entry, &expected, tensors);
    let malformed = PlanError::Malformed { kind: entry.record.kind(), at: 0 };
    for choice in choices {
        let mut words = expected.clone();
        for code in 0..=u32::from(u16::MAX) {
            words[place(choice)].copy_from_slice(&code.to_le_bytes());
            let read: Vec<_> = PlanReader::new(&words).collect();
            assert_eq!(read == [Err(malformed)], code >= choice.count, "code {code} at {}", choice.at);
        }
    }
}

pub fn check_words(entry: PlanEntry, expected: &[u8], tensors: &[u32]) {
    assert_eq!(entry.encoded_bytes(), expected.len());
    let mut encoded = vec![0xee; expected.len()];
    entry.encode(&mut encoded);
    assert_eq!(encoded, expected, "{entry:?}");
    assert_eq!(PlanReader::new(expected).collect::<Vec<_>>(), [Ok(entry)]);

    let mut visited = Vec::new();
    entry.record.clone().for_each_tensor(&mut |tensor| visited.push(tensor.offset - 1));
    assert_eq!(visited, tensors, "references of {entry:?}");

    let kind = entry.record.kind();
    let code = u16::from_le_bytes([expected[0], expected[1]]);
    assert_eq!(OperatorKind::from_code(code), Some(kind));
    let heading = format!("### {code}: {} ({} bytes)\n", kind.name(), expected.len());
    assert!(SPECIFICATION.contains(&heading), "FORMAT.md has no heading {heading:?}");
}
