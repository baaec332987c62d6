//! The smallest useful artifact, byte by byte, and what each wrong byte of a header gives.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::artifact::{digest_of, stated_bytes};
use edgepkg_format::plan::{Fill, PlanEntry};
use edgepkg_format::tensor::Shape;
use edgepkg_format::write::{Contents, PortDescription};
use edgepkg_format::{Artifact, ArtifactError, DType, Isa, Space, TensorRef};
use sha2::{Digest as _, Sha256};

#[rustfmt::skip]
const HEADER: &[u8] = &[
    0x89, b'E', b'P', b'A', 0x0d, 0x0a, 0x1a, 0x0a, // magic
    1, 0,        // format version
    3, 0,        // armv7em
    0xd0, 0, 0, 0, // total length: 208
    3, 0, 0, 0,  // sections
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // reserved
];

#[rustfmt::skip]
const SECTIONS: &[u8] = &[
    // kind       offset        length       reserved
    1, 0, 0, 0,   144, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0,
    2, 0, 0, 0,   176, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0,
    3, 0, 0, 0,   208, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,
    // info
    2, b'a', b'b',  // name
    1, b'1',        // version
    0xac, 2,        // arena bytes: 300
    0x80, 0x10,     // operators: bit 11, Fill
    0, 0,           // no inputs in no bytes
    1, 17,          // one output in 17 bytes:
    1, b'y',        //   name
    1,              //   arena
    1,              //   int16
    0x80, 2,        //   offset 256
    2, 3, 7,        //   shape [3, 7]
    0, 0, 0, 0x3f,  //   scale 0.5
    9,              //   zero point -5
    2, b'p', b'q',  //   one label
    0, 0,           // padding to 16
    // plan
    11, 0, 24, 0,   // Fill, 24 bytes
    4, 0, 0, 0,     // layer 4
    1, 0, 0, 0,     // arena, int8
    0x10, 0, 0, 0,  // offset 16
    0x1c, 1, 0, 0,  // length 284
    0xff, 0xff, 0xff, 0xff, // value -1
    0, 0, 0, 0, 0, 0, 0, 0, // padding to 16
];

fn tiny() -> AlignedBytes {
    let output = PortDescription {
        name: "y".into(),
        tensor: TensorRef::new(Space::Arena, DType::Int16, 256),
        shape: Shape::from_slice(&[3, 7]).unwrap(),
        scale: 0.5,
        zero_point: -5,
        labels: vec!["pq".into()],
    };
    let fill = Fill { output: TensorRef::new(Space::Arena, DType::Int8, 16), length: 284, value: -1 };
    let bytes = Contents {
        isa: Isa::Armv7em,
        name: "ab",
        version: "1",
        run_bytes: 300,
        inputs: &[],
        outputs: &[output],
        plan: &[PlanEntry { layer: 4, record: fill.into() }],
        constants: &[],
        state: &[],
        graph_digest: [0xab; 32],
    }
    .write();
    AlignedBytes::from(&bytes[..])
}

/// What `parse` says of the tiny artifact after `edit`.
fn parse_edited(edit: impl FnOnce(&mut [u8])) -> Result<(), ArtifactError> {
    let mut bytes = tiny();
    edit(&mut bytes);
    Artifact::parse(&bytes).map(|_| ())
}

fn set_word(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn every_byte() {
    let bytes = tiny();
    assert_eq!(bytes[..32], *HEADER);
    assert_eq!(bytes[64..96], [0xab; 32]);
    assert_eq!(bytes[96..], *SECTIONS);
    let digest: [u8; 32] =
        Sha256::new().chain_update(&bytes[..32]).chain_update(&bytes[64..]).finalize().into();
    assert_eq!(bytes[32..64], digest);
    assert_eq!(digest_of(&bytes), digest);
    let artifact = Artifact::parse(&bytes).unwrap();
    assert_eq!(artifact.digest(), &digest);
    artifact.verify_digest().unwrap();
}

#[test]
fn a_misaligned_address_is_refused() {
    let mut shifted = vec![0];
    shifted.extend_from_slice(&tiny());
    let shifted = AlignedBytes::from(&shifted[..]);
    assert_eq!(Artifact::parse(&shifted[1..]).unwrap_err(), ArtifactError::Misaligned);
    assert_eq!(stated_bytes(&shifted[1..]), Ok(208));
}

#[test]
fn other_bytes_are_not_an_artifact() {
    let parse = |bytes: &[u8]| Artifact::parse(&AlignedBytes::from(bytes)).map(|_| ()).unwrap_err();
    assert_eq!(parse(b""), ArtifactError::NotAnArtifact);
    assert_eq!(parse(b"TFL3"), ArtifactError::NotAnArtifact);
    assert_eq!(parse(&[0xff; 4096]), ArtifactError::NotAnArtifact);
    for byte in 0..8 {
        assert_eq!(parse_edited(|bytes| bytes[byte] ^= 1), Err(ArtifactError::NotAnArtifact));
    }
}

#[test]
fn an_artifact_cut_short_is_refused_with_its_length() {
    let whole = tiny();
    for length in 1..whole.len() {
        let cut = AlignedBytes::from(&whole[..length]);
        let needed_bytes = if length < 96 { 96 } else { 208 };
        let expected = ArtifactError::Truncated { needed_bytes, available_bytes: length as u32 };
        assert_eq!(Artifact::parse(&cut).unwrap_err(), expected);
    }
}

#[test]
fn unknown_codes_are_named() {
    assert_eq!(parse_edited(|bytes| bytes[8] = 2), Err(ArtifactError::Version { found: 2 }));
    assert_eq!(parse_edited(|bytes| bytes[10] = 8), Err(ArtifactError::UnknownIsa { code: 8 }));
    for (code, isa) in Isa::ALL.into_iter().enumerate() {
        assert_eq!(isa.code() as usize, code);
        assert_eq!(Isa::from_name(isa.name()), Some(isa));
        assert_eq!(parse_edited(|bytes| bytes[10] = code as u8), Ok(()));
    }
}

#[test]
fn the_section_table_is_checked() {
    const TABLE: usize = 96;
    let refused = |edit: fn(&mut [u8])| assert_eq!(parse_edited(edit), Err(ArtifactError::Sections));
    refused(|bytes| bytes[20] = 1); // reserved in the header
    refused(|bytes| bytes[12] = 0xc8); // a total length that is no multiple of 16
    refused(|bytes| set_word(bytes, 12, 128)); // no room for the table
    refused(|bytes| bytes[16] = 2); // a section too few
    refused(|bytes| set_word(bytes, 16, u32::MAX));
    refused(|bytes| bytes[TABLE] = 2); // a kind twice
    refused(|bytes| bytes[TABLE] = 4); // an unknown kind
    refused(|bytes| bytes[TABLE] = 0);
    refused(|bytes| bytes[TABLE + 4] += 8); // misaligned
    refused(|bytes| bytes[TABLE + 4] -= 16); // over the table
    refused(|bytes| bytes[TABLE + 8] = 33); // over the next section
    refused(|bytes| set_word(bytes, TABLE + 8, u32::MAX - 143)); // past 32 bits
    refused(|bytes| bytes[TABLE + 12] = 1); // reserved in the entry
    refused(|bytes| bytes[TABLE + 36] += 16); // past the total length
}

#[test]
fn info_is_checked() {
    const INFO: usize = 144;
    let refused = |edit: fn(&mut [u8])| assert_eq!(parse_edited(edit), Err(ArtifactError::Info));
    refused(|bytes| bytes[104] = 29); // cut short
    refused(|bytes| bytes[104] = 31); // a byte left over
    refused(|bytes| bytes[INFO + 1] = 0xff); // no UTF-8
    refused(|bytes| bytes[INFO + 8] = 0x18); // an operator that the plan lacks
    refused(|bytes| bytes[INFO + 7] = 0x81);
    refused(|bytes| bytes[INFO + 9] = 1); // an input in no bytes
    refused(|bytes| bytes[INFO + 11] = 2); // an output too many
    refused(|bytes| bytes[INFO + 11] = 0); // bytes without an output
    refused(|bytes| bytes[INFO + 15] = 0); // an output in const
    refused(|bytes| bytes[INFO + 15] = 9); // in no space
    refused(|bytes| bytes[INFO + 16] = 9); // of no type
    refused(|bytes| bytes[INFO + 16] = 3); // past the arena
    refused(|bytes| bytes[INFO + 17] = 0x81); // misaligned
    refused(|bytes| bytes[INFO + 21] = 8); // past the arena
    refused(|bytes| bytes[INFO + 25] = 0xbf); // a negative scale
    refused(|bytes| bytes[INFO + 25] = 0x00); // 0
    refused(|bytes| bytes[INFO + 24..INFO + 26].copy_from_slice(&[0x80, 0x7f])); // infinite
    refused(|bytes| bytes[INFO + 28] = b'\n'); // an empty label
}
