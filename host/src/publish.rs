//! Publishes releases, and checks that their versions say what changed.

use thiserror::Error;

use crate::registry::{self, Reference, Registry, RegistryError};
use crate::release::{Change, NewRelease, NewReleaseError, Release, ReleaseError};
use edgepkg_quantize::digest::descriptor_of;
use edgepkg_quantize::package::{PackageName, Version};
use oci_spec::image::MediaType;

/// What changes with a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The newest version that is older; none where it is the first.
    pub before: Option<Version>,
    /// What changed since then.
    pub change: Option<Change>,
}

/// Why a release cannot be published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The package.
    #[error(transparent)]
    Release(#[from] NewReleaseError),
    /// What is there cannot be understood.
    #[error("`{name}` {version}, which is there: {source}")]
    Before {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// What is wrong.
        source: ReleaseError,
    },
    /// A version that is there.
    #[error("{registry} has `{name}` {version} already, and it is another")]
    Exists {
        /// The registry.
        registry: String,
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
    },
    /// A version that does not say enough.
    #[error("since {before} {} of `{name}` changed, which {version} does not say", change.meaning())]
    TooSmall {
        /// The package.
        name: PackageName,
        /// The version before.
        before: Version,
        /// The version.
        version: Version,
        /// What changed.
        change: Change,
    },
    /// A package without a licence.
    #[error("`{0}` has no licence")]
    NoLicense(PackageName),
}

impl PublishError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            PublishError::Registry(error) => error.hint(),
            PublishError::Exists { version, .. } => Some(format!(
                "a version is published once: raise `version` in edgepkg.toml, to {} at least",
                Change::Patch.next(version)
            )),
            PublishError::TooSmall { before, change, .. } => {
                Some(format!("raise `version` in edgepkg.toml to {} at least", change.next(before)))
            }
            PublishError::NoLicense(_) => Some(
                "add `license` to `[package]` in edgepkg.toml: an SPDX expression, `LicenseRef-NAME` for one of your own"
                    .to_owned(),
            ),
            PublishError::Release(_) | PublishError::Before { .. } => None,
        }
    }
}

/// Compares a release with what is there.
///
/// # Errors
///
/// When its version is there with other content, or does not say what changed since the newest that is older.
pub fn check(new: &Release, registry: &dyn Registry) -> Result<Step, PublishError> {
    let (name, version) = (&new.name, &new.version);
    if new.license.is_none() {
        return Err(PublishError::NoLicense(name.clone()));
    }
    let published = match registry::versions(registry, name) {
        Err(RegistryError::NoPackage { .. } | RegistryError::NoFolder(_)) => Vec::new(),
        published => published?,
    };
    let release = |version: &Version| {
        let bytes = registry.manifest(name, &Reference::Tag(registry::tag(version)))?;
        Release::from_index(name, version, &bytes).map_err(|source| PublishError::Before {
            name: name.clone(),
            version: version.clone(),
            source,
        })
    };
    if published.iter().any(|published| published.version == *version)
        && release(version)?.digest != new.digest
    {
        let registry = registry.location().to_string();
        return Err(PublishError::Exists { registry, name: name.clone(), version: version.clone() });
    }
    let is_older = |version: &&Version| version.number() < new.version.number();
    let Some(before) = published.iter().map(|published| &published.version).rev().find(is_older) else {
        return Ok(Step { before: None, change: None });
    };
    let change = Change::between(&release(before)?, new);
    if version.number() < change.next(before).number() {
        return Err(PublishError::TooSmall {
            name: name.clone(),
            before: before.clone(),
            version: version.clone(),
            change,
        });
    }
    Ok(Step { before: Some(before.clone()), change: Some(change) })
}

/// Puts a release there: its blobs, its manifests, and last what names them. What is there already is not sent again,
/// so that what was interrupted is gone on with. Gives the bytes that were sent.
///
/// # Errors
///
/// When the registry does not take it; no version is then there that is not whole.
pub fn push(
    new: &NewRelease,
    registry: &dyn Registry,
    progress: &dyn Fn(u64, u64),
) -> Result<u64, RegistryError> {
    let name = &new.release.name;
    let total = new.total_bytes();
    let (mut done, mut sent) = (0, 0);
    for (blob, bytes) in &new.blobs {
        sent += registry.push_blob(name, blob, bytes)?;
        done += blob.size();
        progress(done, total);
    }
    for (manifest, bytes) in &new.manifests {
        registry.push_manifest(name, None, manifest, bytes)?;
        sent += manifest.size();
        done += manifest.size();
        progress(done, total);
    }
    let index = descriptor_of(MediaType::ImageIndex.as_ref(), &new.index);
    registry.push_manifest(name, Some(&registry::tag(&new.release.version)), &index, &new.index)?;
    Ok(sent + index.size())
}
