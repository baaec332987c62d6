//! The store's `index.json`: the releases that are in it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;

use oci_spec::image::{Descriptor, ImageIndex, MediaType};

use super::{MAX_DOCUMENT_BYTES, Store, StoreError};
use edgepkg_quantize::digest::{Digest, canonical_json, descriptor, image_index};
use edgepkg_quantize::package::{PackageName, Version};

/// The name under which tools find a release in the layout.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The most that is read of the store's index: some hundred thousand releases.
const MAX_INDEX_BYTES: u64 = 32 * MAX_DOCUMENT_BYTES;

/// A release that is in the store, wholly or for some instruction sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRelease {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The digest of its OCI index.
    pub digest: Digest,
    /// The length of that index.
    pub index_bytes: u64,
}

impl Store {
    /// Every release that was installed, by name and version.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn releases(&self) -> Result<Vec<StoredRelease>, StoreError> {
        let index = self.index()?;
        let mut releases: Vec<StoredRelease> = index.manifests().iter().filter_map(release_of).collect();
        releases.sort_by_cached_key(|release| (release.name.clone(), release.version.number()));
        Ok(releases)
    }

    /// Notes that releases are there.
    ///
    /// # Errors
    ///
    /// When the index cannot be read or written; it is then as it was.
    pub fn add_releases(&self, new: &[StoredRelease]) -> Result<(), StoreError> {
        if new.is_empty() {
            return Ok(());
        }
        self.change_index(|releases| {
            for release in new {
                releases.insert(ref_name(release), release.clone());
            }
        })
    }

    /// Forgets releases that `keep` does not want; their blobs stay until they are collected.
    pub(super) fn retain_releases(&self, keep: impl Fn(&StoredRelease) -> bool) -> Result<(), StoreError> {
        self.change_index(|releases| releases.retain(|_, release| keep(release)))
    }

    fn change_index(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, StoredRelease>),
    ) -> Result<(), StoreError> {
        let _lock = self.lock("index")?;
        let before = self.index()?;
        let mut releases: BTreeMap<String, StoredRelease> = before
            .manifests()
            .iter()
            .filter_map(release_of)
            .map(|release| (ref_name(&release), release))
            .collect();
        let old = releases.clone();
        change(&mut releases);
        if releases == old {
            return Ok(());
        }
        let index = image_index(releases.values().map(descriptor_of).collect());
        self.replace(&self.folder.join("index.json"), &canonical_json(&index))
    }

    fn index(&self) -> Result<ImageIndex, StoreError> {
        let path = self.folder.join("index.json");
        match fs::metadata(&path) {
            Ok(file) if file.len() > MAX_INDEX_BYTES => {
                let reason = format!("it has {} bytes, the limit is {MAX_INDEX_BYTES}", file.len());
                return Err(StoreError::Malformed { path, reason });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(image_index(Vec::new())),
            _ => {}
        }
        let bytes = fs::read(&path).map_err(|source| self.failed("read", &path, source))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::Malformed { path, reason: error.to_string() })
    }
}

fn ref_name(release: &StoredRelease) -> String {
    format!("{}@{}", release.name, release.version)
}

fn descriptor_of(release: &StoredRelease) -> Descriptor {
    let mut named = descriptor(MediaType::ImageIndex.as_ref(), release.digest, release.index_bytes);
    named.set_annotations(Some(HashMap::from([(REF_NAME.to_owned(), ref_name(release))])));
    named
}

fn release_of(descriptor: &Descriptor) -> Option<StoredRelease> {
    let name = descriptor.annotations().as_ref()?.get(REF_NAME)?;
    let (name, version) = name.split_once('@')?;
    Some(StoredRelease {
        name: name.parse().ok()?,
        version: version.parse().ok()?,
        digest: Digest::of_descriptor(descriptor).ok()?,
        index_bytes: descriptor.size(),
    })
}
