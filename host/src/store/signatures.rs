//! The signatures of releases, kept beside them, so that they can be verified without a registry.

use std::fs::File;
use std::io::Read as _;

use super::{MAX_DOCUMENT_BYTES, Store, StoreError};
use crate::trust::Envelope;
use edgepkg_quantize::digest::{Digest, canonical_json};

impl Store {
    /// The signatures that were kept of a release.
    pub fn signatures(&self, release: Digest) -> Vec<Envelope> {
        let path = self.folder.join("signatures").join(release.hex());
        let mut bytes = Vec::new();
        // What cannot be read signs nothing.
        let read = File::open(path).and_then(|file| file.take(MAX_DOCUMENT_BYTES).read_to_end(&mut bytes));
        read.ok().and_then(|_| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps the signatures of a release.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn keep_signatures(&self, release: Digest, envelopes: &[Envelope]) -> Result<(), StoreError> {
        self.replace(&self.folder.join("signatures").join(release.hex()), &canonical_json(&envelopes))
    }
}
