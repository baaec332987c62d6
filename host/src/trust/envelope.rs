//! DSSE envelopes around in-toto statements: what a signature is over, and how it is written.
//!
//! <https://github.com/secure-systems-lab/dsse>, <https://github.com/in-toto/attestation>. The predicate is OpenSSF model
//! signing's; its subject is the release's index, which names everything by its digest.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Key, PublicKey};
use crate::release::Release;
use edgepkg_quantize::digest::{Digest, canonical_json};

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// The most signatures that are tried of an envelope.
const MAX_SIGNATURES: usize = 16;

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct EnvelopeSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

/// Why an envelope says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// It makes no sense.
    #[error("the signature cannot be read: {0}")]
    Malformed(String),
    /// It is by other keys.
    #[error("it is signed by the key {}", .0.join(", "))]
    OtherKey(Vec<String>),
    /// It is over something else.
    #[error("the signature is over {0}")]
    OtherSubject(String),
}

impl Envelope {
    /// A statement over `release`, signed.
    pub fn sign(release: &Release, key: &Key) -> Self {
        let resources: Vec<_> = release
            .targets
            .iter()
            .map(|(target, manifest)| {
                let digest = manifest.digest().digest();
                serde_json::json!({ "name": target.name(), "algorithm": "sha256", "digest": digest })
            })
            .collect();
        let statement = Statement {
            kind: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject {
                name: subject(release),
                digest: BTreeMap::from([("sha256".to_owned(), release.digest.hex())]),
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: serde_json::json!({
                "serialization": { "method": "oci", "hash_type": "sha256", "allow_symlinks": false },
                "resources": resources,
            }),
        };
        let payload = canonical_json(&statement);
        let sig = STANDARD.encode(key.sign(&signed_bytes(PAYLOAD_TYPE, &payload)));
        Self {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![EnvelopeSignature { keyid: key.public().id(), sig }],
        }
    }

    /// The bytes that are published.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// The envelope in published bytes.
    ///
    /// # Errors
    ///
    /// When they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        serde_json::from_slice(bytes).map_err(|error| EnvelopeError::Malformed(error.to_string()))
    }

    /// The key of `keys` that has signed this release, and that it is this release which was signed.
    ///
    /// # Errors
    ///
    /// When none has, or it is over something else.
    pub fn verify<'k>(
        &self,
        release: &Release,
        keys: &'k [PublicKey],
    ) -> Result<&'k PublicKey, EnvelopeError> {
        let malformed = |reason: &str| EnvelopeError::Malformed(reason.to_owned());
        if self.payload_type != PAYLOAD_TYPE {
            return Err(malformed("it is no in-toto statement"));
        }
        let payload = STANDARD.decode(&self.payload).map_err(|_| malformed("its payload is not base64"))?;
        let message = signed_bytes(&self.payload_type, &payload);
        let signatures = || self.signatures.iter().take(MAX_SIGNATURES);
        let decoded: Vec<Vec<u8>> =
            signatures().filter_map(|signature| STANDARD.decode(&signature.sig).ok()).collect();
        let signer =
            keys.iter().find(|key| decoded.iter().any(|signature| key.verifies(&message, signature)));
        let signer = signer.ok_or_else(|| {
            let printable = |id: &str| id.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
            EnvelopeError::OtherKey(signatures().map(|signature| printable(&signature.keyid)).collect())
        })?;
        let statement: Statement =
            serde_json::from_slice(&payload).map_err(|error| malformed(&error.to_string()))?;
        if statement.kind != STATEMENT_TYPE || statement.predicate_type != PREDICATE_TYPE {
            return Err(malformed("it states something else than a signature of a model"));
        }
        let is_release = |found: &Subject| {
            let digest =
                found.digest.get("sha256").and_then(|hex| format!("sha256:{hex}").parse::<Digest>().ok());
            found.name == subject(release) && digest == Some(release.digest)
        };
        match statement.subject.iter().any(is_release) {
            true => Ok(signer),
            false => Err(EnvelopeError::OtherSubject(
                statement.subject.first().map_or_else(|| "nothing".to_owned(), |found| found.name.clone()),
            )),
        }
    }
}

fn subject(release: &Release) -> String {
    format!("{}@{}", release.name, release.version)
}

/// DSSE's pre-authentication encoding.
fn signed_bytes(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the DSSE protocol's specification.
    #[test]
    fn what_is_signed_is_as_dsse_says() {
        assert_eq!(
            signed_bytes("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
