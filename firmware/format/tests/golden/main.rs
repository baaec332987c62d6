//! Artifacts that are frozen with version 1 of the format: the writer still makes each of their bytes, and the parser reads them.

mod choices;
mod int16;
mod int8;
mod recurrent;
mod state;

use edgepkg_format::Artifact;

/// # Panics
///
/// When a byte differs, with its place.
fn assert_same(written: &[u8], golden: &[u8]) {
    let first_difference = written.iter().zip(golden).position(|(ours, golden)| ours != golden);
    assert_eq!(first_difference, None, "first byte that differs");
    assert_eq!(written.len(), golden.len());
}

/// The artifact in `bytes`, its digest compared.
fn whole(bytes: &[u8]) -> Artifact<'_> {
    let artifact = Artifact::parse(bytes).unwrap();
    artifact.verify_digest().unwrap();
    artifact
}
