//! A registry in a folder: of this machine, of a network drive, of a checkout.
//!
//! `blobs/sha256/` holds every blob of every package; `packages/NAME/` is an OCI image layout whose index names
//! manifests by their tags. Other tools read it with that folder of blobs shared: `skopeo inspect
//! --shared-blob-dir`. Files are replaced whole, so that readers need no lock.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageIndex, MediaType};

use super::{Location, Reference, Registry, RegistryError, Sink};
use crate::project::nearest;
use crate::store::{self, MAX_DOCUMENT_BYTES};
use edgepkg_quantize::digest::{Digest, canonical_json, descriptor_of, image_index};
use edgepkg_quantize::package::{PackageName, media_type::REF_NAME_ANNOTATION};
use edgepkg_quantize::whole_file;

/// A registry in a folder.
#[derive(Clone, Debug)]
pub struct FolderRegistry {
    folder: PathBuf,
    location: Location,
}

impl FolderRegistry {
    /// The registry in `folder`. It is made by what is published first.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), location: Location::Folder(folder.into()) }
    }

    fn blob_path(&self, digest: Digest) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.hex())
    }

    fn package_folder(&self, name: &PackageName) -> PathBuf {
        self.folder.join("packages").join(name.as_str())
    }

    /// The manifests of a package by tag.
    fn index(&self, name: &PackageName) -> Result<BTreeMap<String, Descriptor>, RegistryError> {
        let path = self.package_folder(name).join("index.json");
        let bytes = read_limited(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => self.no_package(name),
            _ => RegistryError::Io { action: "read", path: path.clone(), source },
        })?;
        let index: ImageIndex = serde_json::from_slice(&bytes)
            .map_err(|error| self.malformed(name, "the index", &error.to_string()))?;
        let tag =
            |descriptor: &Descriptor| descriptor.annotations().as_ref()?.get(REF_NAME_ANNOTATION).cloned();
        Ok(index.manifests().iter().filter_map(|found| Some((tag(found)?, found.clone()))).collect())
    }

    fn no_package(&self, name: &PackageName) -> RegistryError {
        match self.packages() {
            Ok(names) => RegistryError::NoPackage {
                registry: self.location.to_string(),
                name: name.clone(),
                nearest: nearest(name.as_str(), names.iter().map(PackageName::as_str)).map(str::to_owned),
            },
            Err(error) => error,
        }
    }

    fn malformed(&self, name: &PackageName, what: &str, reason: &str) -> RegistryError {
        RegistryError::Malformed {
            registry: self.location.to_string(),
            name: name.clone(),
            what: what.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn not_found(&self, name: &PackageName, what: String) -> RegistryError {
        RegistryError::NotFound { registry: self.location.to_string(), name: name.clone(), what }
    }

    /// Changes the index of a package while no other process does.
    fn change_index(
        &self,
        name: &PackageName,
        change: impl FnOnce(&mut BTreeMap<String, Descriptor>) -> Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        let folder = self.package_folder(name);
        let failed = |path: &Path, source| RegistryError::Io { action: "write", path: path.into(), source };
        fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
        let lock_path = folder.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock =
            lock.and_then(|file| file.lock().map(|()| file)).map_err(|source| failed(&lock_path, source))?;
        let mut tags = match self.index(name) {
            Err(RegistryError::NoPackage { .. } | RegistryError::NoFolder(_)) => BTreeMap::new(),
            tags => tags?,
        };
        change(&mut tags)?;
        let tagged = tags.into_iter().map(|(tag, mut descriptor)| {
            let annotations = HashMap::from([(REF_NAME_ANNOTATION.to_owned(), tag)]);
            descriptor.set_annotations(Some(annotations));
            descriptor
        });
        let index = canonical_json(&image_index(tagged.collect()));
        let layout = folder.join("oci-layout");
        if !layout.is_file() {
            whole_file::write(&layout, br#"{"imageLayoutVersion":"1.0.0"}"#)
                .map_err(|source| failed(&layout, source))?;
        }
        let path = folder.join("index.json");
        whole_file::write(&path, &index).map_err(|source| failed(&path, source))?;
        drop(lock);
        Ok(())
    }
}

impl Registry for FolderRegistry {
    fn location(&self) -> &Location {
        &self.location
    }

    fn packages(&self) -> Result<Vec<PackageName>, RegistryError> {
        let folder = self.folder.join("packages");
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => RegistryError::NoFolder(self.folder.clone()),
            _ => RegistryError::Io { action: "read", path: folder.clone(), source },
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(|name| name.parse::<PackageName>().ok()));
        }
        names.sort();
        Ok(names)
    }

    fn tags(&self, name: &PackageName) -> Result<Vec<String>, RegistryError> {
        Ok(self.index(name)?.into_keys().collect())
    }

    fn manifest(&self, name: &PackageName, reference: &Reference) -> Result<Vec<u8>, RegistryError> {
        let digest = match reference {
            Reference::Digest(digest) => *digest,
            Reference::Tag(tag) => {
                let descriptor = self.index(name)?.remove(tag);
                let descriptor = descriptor.ok_or_else(|| self.not_found(name, format!("version {tag}")))?;
                Digest::of_descriptor(&descriptor)
                    .map_err(|error| self.malformed(name, "the index", &error.to_string()))?
            }
        };
        let path = self.blob_path(digest);
        let bytes = read_limited(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => self.not_found(name, format!("manifest {digest}")),
            _ => RegistryError::Io { action: "read", path: path.clone(), source },
        })?;
        match Digest::of(&bytes) {
            found if found == digest => Ok(bytes),
            found => Err(RegistryError::OtherBytes {
                registry: self.location.to_string(),
                name: name.clone(),
                expected: digest,
                found,
            }),
        }
    }

    fn blob(
        &self,
        name: &PackageName,
        blob: &Descriptor,
        from: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), RegistryError> {
        let digest = Digest::of_descriptor(blob).map_err(store::StoreError::from)?;
        let path = self.blob_path(digest);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => self.not_found(name, format!("blob {digest}")),
            _ => RegistryError::Io { action: "read", path: path.clone(), source },
        };
        let mut file = File::open(&path).map_err(failed)?;
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(()),
                count => sink(&buffer[..count])?,
            }
        }
    }

    fn push_blob(&self, _: &PackageName, blob: &Descriptor, bytes: &[u8]) -> Result<u64, RegistryError> {
        let path = self.blob_path(Digest::of_descriptor(blob).map_err(store::StoreError::from)?);
        if fs::metadata(&path).is_ok_and(|file| file.len() == blob.size()) {
            return Ok(0);
        }
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            whole_file::write(&path, bytes)
        };
        write().map_err(|source| RegistryError::Io { action: "write", path: path.clone(), source })?;
        Ok(bytes.len() as u64)
    }

    fn push_manifest(
        &self,
        name: &PackageName,
        tag: Option<&str>,
        manifest: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        self.push_blob(name, manifest, bytes)?;
        match tag {
            None => Ok(()),
            Some(tag) => self.change_index(name, |tags| {
                tags.insert(tag.to_owned(), manifest.clone());
                Ok(())
            }),
        }
    }

    fn referrers(
        &self,
        name: &PackageName,
        subject: Digest,
        kind: &str,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let bytes = match self.manifest(name, &Reference::Tag(referrers_tag(subject))) {
            Err(RegistryError::NotFound { .. }) => return Ok(Vec::new()),
            bytes => bytes?,
        };
        referrers_of(&bytes, kind).map_err(|reason| self.malformed(name, "the referrers", &reason))
    }

    fn push_referrer(
        &self,
        name: &PackageName,
        subject: Digest,
        manifest: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        self.push_blob(name, manifest, bytes)?;
        let tag = referrers_tag(subject);
        self.change_index(name, |tags| {
            let before = tags.get(&tag).and_then(|index| Digest::of_descriptor(index).ok());
            let before = match before {
                Some(digest) => Some(self.manifest(name, &Reference::Digest(digest))?),
                None => None,
            };
            let index = with_referrer(before.as_deref(), manifest);
            let descriptor = descriptor_of(MediaType::ImageIndex.as_ref(), &index);
            self.push_blob(name, &descriptor, &index)?;
            tags.insert(tag, descriptor);
            Ok(())
        })
    }
}

/// The tag under which the specification has the referrers of `subject`, where a registry has no API for them.
pub(super) fn referrers_tag(subject: Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// The manifests of one kind in an index of referrers.
pub(super) fn referrers_of(index: &[u8], kind: &str) -> Result<Vec<Descriptor>, String> {
    let index: ImageIndex = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let is_kind =
        |found: &&Descriptor| found.artifact_type().as_ref().is_some_and(|found| found.to_string() == kind);
    Ok(index.manifests().iter().filter(is_kind).cloned().collect())
}

/// An index of referrers with one more.
pub(super) fn with_referrer(before: Option<&[u8]>, manifest: &Descriptor) -> Vec<u8> {
    let before = before.and_then(|bytes| serde_json::from_slice::<ImageIndex>(bytes).ok());
    let mut manifests = before.map(|index| index.manifests().clone()).unwrap_or_default();
    manifests.retain(|found| found.digest() != manifest.digest());
    manifests.push(manifest.clone());
    canonical_json(&image_index(manifests))
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_DOCUMENT_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
