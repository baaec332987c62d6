//! What follows a signed artifact, byte for byte.

use edgepkg_format::Artifact;
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::trailer::{Statement, TRAILER_BYTES, Trailer};

const TRAILER: Trailer = Trailer { counter: 0x0403_0201, signature: [0xa5; 64] };

fn bytes() -> [u8; TRAILER_BYTES] {
    let mut bytes = [0xa5; TRAILER_BYTES];
    bytes[..16].copy_from_slice(b"EPSG\x01\0\0\0\x01\x02\x03\x04\0\0\0\0");
    bytes
}

#[test]
fn a_trailer_is_80_bytes() {
    assert_eq!(TRAILER.to_bytes(), bytes());
    assert_eq!(Trailer::from_bytes(&bytes()), Some(TRAILER));
    assert_eq!(Trailer::from_bytes(&[&bytes()[..], &[7; 9]].concat()), Some(TRAILER));
    assert_eq!(Trailer::from_bytes(&bytes()[..TRAILER_BYTES - 1]), None);
    assert_eq!(Trailer::from_bytes(&[]), None);
    // Magic, version, what is reserved.
    for at in [0, 3, 4, 5, 6, 7, 12, 15] {
        let mut wrong = bytes();
        wrong[at] ^= 1;
        assert_eq!(Trailer::from_bytes(&wrong), None, "{at}");
    }
}

#[test]
fn a_statement_names_digest_instruction_set_counter_name_and_version() {
    let golden = AlignedBytes::from(&include_bytes!("golden/v1-armv7em.epa")[..]);
    let artifact = Artifact::parse(&golden).unwrap();
    let info = artifact.info();
    let expected = [
        &b"edgepkg artifact\x01\0"[..],
        artifact.digest(),
        &[3, 0],
        &[9, 0, 0, 0],
        &[info.name.len() as u8],
        info.name.as_bytes(),
        &[info.version.len() as u8],
        info.version.as_bytes(),
    ];
    assert_eq!(Statement::of(&artifact, 9).unwrap().as_bytes(), expected.concat());
}
