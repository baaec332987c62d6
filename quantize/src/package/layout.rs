//! An OCI image layout, in one tar file or unpacked in a folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Read as _};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use oci_spec::image::{Descriptor, DigestAlgorithm, ImageIndex, ImageManifest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{PackageError, compression, media_type};
use crate::digest::{self, canonical_json};

/// The largest package file, and the largest blob.
const MAX_BYTES: u64 = 512 << 20;
/// The largest JSON document.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;
/// The most files in a tar file.
const MAX_FILES: usize = 4096;
/// A tar file's unit.
const TAR_BLOCK_BYTES: usize = 512;

pub const INDEX_FILE: &str = "index.json";
const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT_VERSION: &str = "1.0.0";

/// `sha256:` and the digest in hexadecimal.
pub fn digest_text(digest: &[u8]) -> String {
    digest.iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}

/// A layout to be read.
pub struct Layout {
    path: PathBuf,
    files: Files,
}

enum Files {
    Tar {
        bytes: Vec<u8>,
        ranges: BTreeMap<String, Range<usize>>,
    },
    Folder(PathBuf),
    /// A folder with many packages, of which the manifest names one.
    Store {
        folder: PathBuf,
        manifest: Box<Descriptor>,
    },
}

impl Layout {
    /// Opens a tar file or a folder.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => PackageError::NotFound(path.into()),
            _ => PackageError::Io { action: "read", path: path.into(), source },
        };
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            if !path.join(INDEX_FILE).is_file() {
                let reason = format!("the folder has no `{INDEX_FILE}`");
                return Err(PackageError::NotAPackage { path: path.into(), reason });
            }
            return Ok(Self { path: path.into(), files: Files::Folder(path.into()) });
        }
        if metadata.len() > MAX_BYTES {
            let reason = format!("it has {} bytes, the limit is {MAX_BYTES}", metadata.len());
            return Err(PackageError::NotAPackage { path: path.into(), reason });
        }
        Self::from_tar(fs::read(path).map_err(failed)?, path)
    }

    /// The package whose manifest `manifest` names in a layout of many; `name` is what errors call it.
    pub fn in_store(folder: &Path, manifest: Descriptor, name: &Path) -> Self {
        Self {
            path: name.into(),
            files: Files::Store { folder: folder.into(), manifest: Box::new(manifest) },
        }
    }

    /// A layout in a tar file's bytes.
    pub fn from_tar(bytes: Vec<u8>, path: &Path) -> Result<Self, PackageError> {
        let ranges =
            tar_ranges(&bytes).map_err(|reason| PackageError::NotAPackage { path: path.into(), reason })?;
        Ok(Self { path: path.into(), files: Files::Tar { bytes, ranges } })
    }

    /// The one manifest of the layout, its digest checked.
    pub fn manifest(&self) -> Result<ImageManifest, PackageError> {
        if let Files::Store { manifest, .. } = &self.files {
            return self.package_manifest(manifest);
        }
        let index: ImageIndex = self.document(INDEX_FILE, &self.file(INDEX_FILE, MAX_DOCUMENT_BYTES)?)?;
        let layout: Value = self.document(LAYOUT_FILE, &self.file(LAYOUT_FILE, MAX_DOCUMENT_BYTES)?)?;
        if layout.get("imageLayoutVersion").and_then(Value::as_str) != Some(LAYOUT_VERSION) {
            return Err(self.not_a_package(format!("its OCI layout is not of version {LAYOUT_VERSION}")));
        }
        let [descriptor] = &index.manifests()[..] else {
            let count = index.manifests().len();
            return Err(self.not_a_package(format!("it holds {count} packages, there should be one")));
        };
        self.package_manifest(descriptor)
    }

    fn package_manifest(&self, descriptor: &Descriptor) -> Result<ImageManifest, PackageError> {
        let bytes = self.blob(descriptor, "manifest")?;
        let manifest: ImageManifest = self.document("manifest", &bytes)?;
        match manifest.artifact_type() {
            Some(kind) if kind.to_string() == media_type::ARTIFACT_TYPE => Ok(manifest),
            _ => Err(self.not_a_package("it is another kind of OCI artifact".into())),
        }
    }

    /// The bytes of a layer: what `descriptor` names, decompressed where it is compressed.
    pub fn layer(&self, descriptor: &Descriptor, name: &str) -> Result<Vec<u8>, PackageError> {
        let bytes = self.blob(descriptor, name)?;
        if !descriptor.media_type().as_ref().ends_with(media_type::ZSTD_SUFFIX) {
            return Ok(bytes);
        }
        let annotations = descriptor.annotations().as_ref();
        let size = annotations.and_then(|all| all.get(media_type::SIZE_ANNOTATION)?.parse().ok());
        compression::decompress(&bytes, size, MAX_BYTES).map_err(|reason| PackageError::Malformed {
            path: self.path.clone(),
            blob: name.into(),
            reason,
        })
    }

    /// The bytes that `descriptor` names, their length and digest checked; `name` is what errors call
    /// them.
    pub fn blob(&self, descriptor: &Descriptor, name: &str) -> Result<Vec<u8>, PackageError> {
        let digest = descriptor.digest();
        if *digest.algorithm() != DigestAlgorithm::Sha256 {
            let reason = format!("its digest is of an unknown kind, {}", digest.algorithm());
            return Err(PackageError::Malformed { path: self.path.clone(), blob: name.into(), reason });
        }
        let length = |found_bytes, expected_bytes| PackageError::Length {
            path: self.path.clone(),
            blob: name.into(),
            found_bytes,
            expected_bytes,
        };
        if descriptor.size() > MAX_BYTES {
            return Err(length(descriptor.size(), MAX_BYTES));
        }
        let file = format!("blobs/sha256/{}", digest.digest());
        let bytes = self.file(&file, descriptor.size() + 1).map_err(|error| match error {
            PackageError::Missing { path, .. } => PackageError::Missing { path, blob: name.into() },
            other => other,
        })?;
        if bytes.len() as u64 != descriptor.size() {
            return Err(length(bytes.len() as u64, descriptor.size()));
        }
        let found = digest_text(&Sha256::digest(&bytes));
        if found != digest.to_string() {
            let (path, blob) = (self.path.clone(), name.to_owned());
            return Err(PackageError::Changed { path, blob, found, expected: digest.to_string() });
        }
        Ok(bytes.into_owned())
    }

    /// The bytes of a file of the layout, cut off after `limit`.
    fn file(&self, name: &str, limit: u64) -> Result<Cow<'_, [u8]>, PackageError> {
        match &self.files {
            Files::Tar { bytes, ranges } => {
                let range = ranges.get(name).ok_or_else(|| self.missing(name))?;
                let file = &bytes[range.clone()];
                Ok(Cow::Borrowed(&file[..file.len().min(limit as usize)]))
            }
            Files::Folder(folder) | Files::Store { folder, .. } => {
                let failed = |source: io::Error| match source.kind() {
                    io::ErrorKind::NotFound => self.missing(name),
                    _ => PackageError::Io { action: "read", path: folder.join(name), source },
                };
                let mut bytes = Vec::new();
                let file = fs::File::open(folder.join(name)).map_err(failed)?;
                file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// The error for a blob that the manifest should name and does not.
    pub fn missing(&self, name: &str) -> PackageError {
        PackageError::Missing { path: self.path.clone(), blob: name.into() }
    }

    fn document<T: DeserializeOwned>(&self, name: &str, bytes: &[u8]) -> Result<T, PackageError> {
        serde_json::from_slice(bytes).map_err(|error| PackageError::Malformed {
            path: self.path.clone(),
            blob: name.into(),
            reason: error.to_string(),
        })
    }

    fn not_a_package(&self, reason: String) -> PackageError {
        PackageError::NotAPackage { path: self.path.clone(), reason }
    }
}

/// Where each file of a tar file lies.
fn tar_ranges(bytes: &[u8]) -> Result<BTreeMap<String, Range<usize>>, String> {
    let mut archive = tar::Archive::new(Cursor::new(bytes));
    let mut ranges = BTreeMap::new();
    for entry in archive.entries().map_err(|error| error.to_string())? {
        if ranges.len() == MAX_FILES {
            return Err(format!("it has more than {MAX_FILES} files"));
        }
        let entry = entry.map_err(|error| not_a_tar(bytes, &error))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            tar::EntryType::Directory => continue,
            tar::EntryType::Regular => {}
            _ => return Err(format!("`{name}` in it is not a plain file")),
        }
        // Nothing is unpacked here; other tools do.
        let leads_out = |part: Component<'_>| !matches!(part, Component::Normal(_) | Component::CurDir);
        if Path::new(&name).components().any(leads_out) {
            return Err(format!("`{name}` in it leads out of it"));
        }
        let start = entry.raw_file_position() as usize;
        let end = start.checked_add(entry.size() as usize).filter(|&end| end <= bytes.len());
        let range = start..end.ok_or_else(|| format!("it is cut short in `{name}`"))?;
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        if ranges.insert(name.clone(), range).is_some() {
            return Err(format!("`{name}` is in it twice"));
        }
    }
    if ranges.is_empty() {
        return Err("it is not a tar file".into());
    }
    let end = bytes.len().saturating_sub(2 * TAR_BLOCK_BYTES);
    if !bytes.len().is_multiple_of(TAR_BLOCK_BYTES) || bytes[end..].iter().any(|&byte| byte != 0) {
        return Err("it is cut short".into());
    }
    Ok(ranges)
}

fn not_a_tar(bytes: &[u8], error: &io::Error) -> String {
    let is_tar = bytes.get(257..262) == Some(b"ustar");
    if is_tar { format!("it is cut short or damaged ({error})") } else { "it is not a tar file".into() }
}

/// A layout to be written.
#[derive(Default)]
pub struct LayoutWriter {
    files: BTreeMap<String, Vec<u8>>,
}

impl LayoutWriter {
    /// Adds a blob and gives the descriptor that names it.
    pub fn add_blob(&mut self, kind: &str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = digest::descriptor_of(kind, &bytes);
        self.files.insert(format!("blobs/sha256/{}", descriptor.digest().digest()), bytes);
        descriptor
    }

    /// Adds a blob that holds a JSON document.
    pub fn add_document(&mut self, kind: &str, document: &impl Serialize) -> Descriptor {
        self.add_blob(kind, canonical_json(document))
    }

    /// Adds the index, which names the one manifest.
    pub fn add_index(&mut self, index: &ImageIndex) {
        self.files.insert(INDEX_FILE.into(), canonical_json(index));
        let layout = BTreeMap::from([("imageLayoutVersion", LAYOUT_VERSION)]);
        self.files.insert(LAYOUT_FILE.into(), canonical_json(&layout));
    }

    /// The blobs.
    pub fn into_blobs(self) -> Vec<Vec<u8>> {
        self.files.into_values().collect()
    }

    /// The tar file's bytes: the files sorted by name, with no time and no owner.
    pub fn into_tar(self) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in self.files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_entry_type(tar::EntryType::Regular);
            archive.append_data(&mut header, name, &bytes[..]).expect("writing to memory cannot fail");
        }
        archive.into_inner().expect("writing to memory cannot fail")
    }
}
