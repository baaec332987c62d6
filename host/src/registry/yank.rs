//! Versions that their publisher withdrew: hidden from resolution, still there for locks.
//!
//! A tag beside the version's says so. It names a record that says when it was yanked and why, or that it was
//! taken back: registries need not let anything be removed.

use std::collections::HashMap;

use oci_spec::image::{ImageManifest, ImageManifestBuilder, MediaType};

use super::{Reference, Registry, RegistryError};
use edgepkg_quantize::digest::{canonical_json, descriptor_of};
use edgepkg_quantize::package::{PackageName, Version};

const RECORD_TYPE: &str = "application/vnd.edgepkg.yank.v1";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const STATE: &str = "dev.edgepkg.yanked";
const REASON: &str = "dev.edgepkg.reason";

/// Whether a version was yanked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Yanked {
    /// It is offered.
    No,
    /// It is not offered any more, for this reason; may be empty.
    Because(String),
}

/// The tag beside a version's.
pub(super) fn tag(version: &Version) -> String {
    format!("yanked-{}", super::tag(version))
}

/// Withdraws a version, or offers it again.
///
/// # Errors
///
/// When there is no such version, or the registry does not take the record.
pub fn yank(
    registry: &dyn Registry,
    name: &PackageName,
    version: &Version,
    yanked: &Yanked,
) -> Result<(), RegistryError> {
    registry.manifest(name, &Reference::Tag(super::tag(version)))?;
    let (state, reason) = match yanked {
        Yanked::No => ("no", ""),
        Yanked::Because(reason) => ("yes", reason.as_str()),
    };
    let empty = descriptor_of(EMPTY_TYPE, b"{}");
    registry.push_blob(name, &empty, b"{}")?;
    let annotations =
        [(STATE, state), (REASON, reason)].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let record = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .artifact_type(RECORD_TYPE)
        .config(empty.clone())
        .layers(vec![empty])
        .annotations(HashMap::from(annotations))
        .build()
        .expect("every required field is set");
    let bytes = canonical_json(&record);
    let descriptor = descriptor_of(MediaType::ImageManifest.as_ref(), &bytes);
    registry.push_manifest(name, Some(&tag(version)), &descriptor, &bytes)
}

/// What the record beside a version's tag says.
pub(super) fn read(
    registry: &dyn Registry,
    name: &PackageName,
    version: &Version,
) -> Result<Yanked, RegistryError> {
    let bytes = registry.manifest(name, &Reference::Tag(tag(version)))?;
    let record: ImageManifest = serde_json::from_slice(&bytes).map_err(|error| RegistryError::Malformed {
        registry: registry.location().to_string(),
        name: name.clone(),
        what: format!("the yanked of {version}"),
        reason: error.to_string(),
    })?;
    let text =
        |key: &str| record.annotations().as_ref().and_then(|all| all.get(key).cloned()).unwrap_or_default();
    match text(STATE).as_str() {
        "no" => Ok(Yanked::No),
        _ => Ok(Yanked::Because(text(REASON))),
    }
}

/// Whether a version is yanked.
///
/// # Errors
///
/// When there is no such package, or the registry cannot be asked.
pub fn is_yanked(
    registry: &dyn Registry,
    name: &PackageName,
    version: &Version,
) -> Result<Yanked, RegistryError> {
    match registry.tags(name)?.contains(&tag(version)) {
        true => read(registry, name, version),
        false => Ok(Yanked::No),
    }
}
