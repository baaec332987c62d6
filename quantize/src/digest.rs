//! SHA-256 digests as OCI writes them, and what is named by one.

use std::fmt;
use std::str::FromStr;

use oci_spec::image::{Descriptor, DigestAlgorithm, ImageIndex, ImageIndexBuilder, MediaType};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A SHA-256, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is no SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a digest: `sha256:` and 64 hexadecimal digits")]
pub struct DigestError(String);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// What a descriptor names; none where it is of another kind.
    ///
    /// # Errors
    ///
    /// When it is not a SHA-256.
    pub fn of_descriptor(descriptor: &Descriptor) -> Result<Self, DigestError> {
        let digest = descriptor.digest();
        match digest.algorithm() {
            DigestAlgorithm::Sha256 => digest.to_string().parse(),
            _ => Err(DigestError(digest.to_string())),
        }
    }

    /// The 64 digits alone.
    pub fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let parse = || {
            let hex = text.strip_prefix("sha256:")?;
            let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if hex.len() != 64 || !hex.bytes().all(is_lower_hex) {
                return None;
            }
            let mut bytes = [0; 32];
            for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
                *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
            }
            Some(Self(bytes))
        };
        parse().ok_or_else(|| DigestError(text.chars().take(100).collect()))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// The descriptor of `bytes`.
pub fn descriptor_of(kind: &str, bytes: &[u8]) -> Descriptor {
    descriptor(kind, Digest::of(bytes), bytes.len() as u64)
}

/// A descriptor of `length` bytes with this digest.
pub fn descriptor(kind: &str, digest: Digest, length: u64) -> Descriptor {
    let digest: oci_spec::image::Digest = digest.to_string().parse().expect("a SHA-256");
    Descriptor::new(MediaType::from(kind), length, digest)
}

/// JSON without spaces, keys sorted: the same document gives the same bytes, and the same digest.
pub fn canonical_json(document: &impl Serialize) -> Vec<u8> {
    let mut value = serde_json::to_value(document).expect("documents are plain values");
    value.sort_all_objects();
    serde_json::to_vec(&value).expect("documents are plain values")
}

/// An OCI index of `manifests`.
pub fn image_index(manifests: Vec<Descriptor>) -> ImageIndex {
    ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests(manifests)
        .build()
        .expect("every required field is set")
}
