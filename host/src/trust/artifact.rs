//! Signatures that devices check: behind artifacts.

use edgepkg_format::Artifact;
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::trailer::{SIGNATURE_BYTES, Statement, Trailer};

use super::{Key, KeyError};

/// `artifact` with the trailer by which devices know that it is the owner's of `key`. What followed it before is gone.
///
/// # Errors
///
/// When its name or version is longer than a package's can be.
///
/// # Panics
///
/// When it is not an artifact.
pub fn sign_artifact(artifact: &[u8], key: &Key, counter: u32) -> Result<Vec<u8>, KeyError> {
    let bytes = AlignedBytes::from(artifact);
    let artifact = Artifact::parse(&bytes).expect("an artifact");
    let statement = Statement::of(&artifact, counter).ok_or(KeyError::LongName)?;
    let signature: [u8; SIGNATURE_BYTES] =
        key.sign(statement.as_bytes()).try_into().expect("a signature has 64 bytes");
    Ok([artifact.bytes(), &Trailer { counter, signature }.to_bytes()].concat())
}
