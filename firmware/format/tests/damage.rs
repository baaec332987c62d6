//! Damage to an artifact is seen by the form of its header or by its digest.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{Artifact, ArtifactError};

const GOLDEN: &[u8] = include_bytes!("golden/v1.epa");

fn check(bytes: &[u8]) -> Result<(), ArtifactError> {
    Artifact::parse(bytes)?.verify_digest()
}

#[test]
fn every_changed_bit_is_detected() {
    let mut bytes = AlignedBytes::from(GOLDEN);
    assert_eq!(check(&bytes), Ok(()));
    for bit in 0..8 * GOLDEN.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_length_but_the_whole_is_refused() {
    for length in 0..GOLDEN.len() {
        assert!(check(&AlignedBytes::from(&GOLDEN[..length])).is_err(), "{length} bytes");
    }
}

/// A changed bit that leaves a sound artifact is for the digest alone to see.
#[test]
fn a_changed_weight_is_detected_by_the_digest() {
    let mut bytes = AlignedBytes::from(GOLDEN);
    let last_constant = GOLDEN.len() - 16;
    bytes[last_constant] ^= 1;
    assert_eq!(check(&bytes), Err(ArtifactError::Digest));
}
