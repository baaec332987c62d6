//! The model slot's commit record.

use edgepkg_format::slot::{COMMIT_BYTES, Commit, crc32};

#[test]
fn crc32_gives_the_check_value() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    assert_eq!(crc32(b""), 0);
}

#[test]
fn every_byte() {
    let commit = Commit::of(b"123456789", 0x0102_0304);
    let bytes = *b"EPOK\x09\0\0\0\x26\x39\xf4\xcb\x04\x03\x02\x01";
    assert_eq!(commit.to_bytes(), bytes);
    assert_eq!(Commit::from_bytes(&bytes), Some(commit));
    assert_eq!(commit.committed(b"123456789 and what is behind it"), Some(&b"123456789"[..]));
}

#[test]
fn a_record_that_does_not_match_vouches_for_nothing() {
    let record = Commit::of(b"123456789", 1).to_bytes();
    for bit in 0..8 * COMMIT_BYTES - 32 {
        let mut damaged = record;
        damaged[bit / 8] ^= 1 << (bit % 8);
        let commit = Commit::from_bytes(&damaged);
        assert_eq!(commit.and_then(|commit| commit.committed(b"123456789...")), None, "bit {bit}");
    }
    for erased in [[0xff; COMMIT_BYTES], [0; COMMIT_BYTES]] {
        assert_eq!(Commit::from_bytes(&erased), None);
    }
    assert_eq!(Commit::from_bytes(&record[..15]), None);
    assert_eq!(Commit::of(b"123456789", 1).committed(b"12345678"), None);
}

#[test]
fn it_lies_in_the_last_program_units() {
    let offsets = [
        // slot, program unit, offset
        (4096, 1, Some(4080)),
        (4096, 8, Some(4080)),
        (4096, 32, Some(4064)),
        (4096, 256, Some(3840)),
        (4100, 4, Some(4080)),
        (16, 4, Some(0)),
        (15, 4, None),
        (16, 32, None),
        (0, 0, None),
    ];
    for (slot_bytes, program_unit, offset) in offsets {
        assert_eq!(Commit::offset(slot_bytes, program_unit), offset, "{slot_bytes} by {program_unit}");
    }
}
