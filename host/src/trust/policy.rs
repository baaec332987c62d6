//! The policy: what a release needs to be let in.

use thiserror::Error;

use super::{Envelope, EnvelopeError, KeyError, PublicKey};
use crate::project::{Trust, TrustKey, Unsigned};
use crate::release::Release;
use edgepkg_quantize::package::{PackageName, Version};

/// How a release was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A key that is trusted for it has signed it.
    Signed(String),
    /// No key is named for it, and none is needed.
    NotNeeded,
}

/// Why a release is not let in.
#[derive(Debug, Error)]
pub enum TrustError {
    /// No signature, and one is needed.
    #[error("`{name}` {version} is not signed, and the policy asks for it")]
    Unsigned {
        /// The package.
        name: PackageName,
        /// Its version.
        version: Version,
    },
    /// None of its signatures is good.
    #[error("`{name}` {version} is not signed by a key that is trusted for it: {reason}")]
    Untrusted {
        /// The package.
        name: PackageName,
        /// Its version.
        version: Version,
        /// What is wrong with its signatures.
        reason: EnvelopeError,
    },
    /// A licence that is not accepted.
    #[error("`{name}` {version} has the licence {license}, which the policy does not accept")]
    License {
        /// The package.
        name: PackageName,
        /// Its version.
        version: Version,
        /// Its licence; `none` where it has none.
        license: String,
    },
    /// The policy names a key that is none.
    #[error("the trust policy: {0}")]
    Key(#[from] KeyError),
}

impl TrustError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            TrustError::Unsigned { .. } => Some(
                "ask its publisher for a signature, or change `[trust]` if you trust it without".to_owned(),
            ),
            TrustError::Untrusted { name, .. } => Some(format!(
                "if its publisher has a new key, get it from them by a way you trust, and name it for `{name}` in \
                 `[[trust.keys]]`"
            )),
            TrustError::License { .. } => Some("add it to `licenses` in `[trust]` if it will do".to_owned()),
            TrustError::Key(error) => error.hint(),
        }
    }
}

/// Judges a release by the policies, of which each must let it in.
///
/// # Errors
///
/// When one does not.
pub fn judge(release: &Release, envelopes: &[Envelope], policies: &[Trust]) -> Result<Verdict, TrustError> {
    let mut verdict = Verdict::NotNeeded;
    for policy in policies {
        judge_license(release, policy)?;
        let for_name = policy.keys.iter().filter(|key| names(key, &release.name));
        let keys: Vec<PublicKey> = for_name.map(|key| key.key.parse()).collect::<Result<_, _>>()?;
        if keys.is_empty() && policy.unsigned != Some(Unsigned::Refuse) {
            continue;
        }
        let mut reason = None;
        let mut signer = None;
        for envelope in envelopes {
            match envelope.verify(release, &keys) {
                Ok(key) => signer = Some(key.id()),
                Err(error) => reason = Some(error),
            }
        }
        let (name, version) = (release.name.clone(), release.version.clone());
        verdict = match (signer, reason) {
            (Some(signer), _) => Verdict::Signed(signer),
            (None, Some(reason)) => return Err(TrustError::Untrusted { name, version, reason }),
            (None, None) => return Err(TrustError::Unsigned { name, version }),
        };
    }
    Ok(verdict)
}

/// Judges a release's licence.
///
/// # Errors
///
/// When it is not accepted.
pub fn judge_license(release: &Release, policy: &Trust) -> Result<(), TrustError> {
    let is_within = |license: &edgepkg_quantize::package::License| license.is_within(&policy.licenses);
    if policy.licenses.is_empty() || release.license.as_ref().is_some_and(is_within) {
        return Ok(());
    }
    let license = release.license.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    Err(TrustError::License { name: release.name.clone(), version: release.version.clone(), license })
}

/// Whether a key is trusted for a name: one of its patterns is that name, or ends with `*` and begins it.
fn names(key: &TrustKey, name: &PackageName) -> bool {
    key.names.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.as_str().starts_with(start),
        None => name.as_str() == pattern,
    })
}
