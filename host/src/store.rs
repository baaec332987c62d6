//! The store: every blob once, named by its digest, verified whenever it is read.
//!
//! It is an OCI image layout. Blobs are written into `partial/` and get their name when they are whole and have their
//! digest, so that whatever ends a process, what is under `blobs/` is sound; what was fetched by then is gone on from.
//! Any number of processes may use one store.

mod disk;
mod gc;
mod home;
mod index;
mod signatures;
mod writer;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::Descriptor;
use thiserror::Error;

use edgepkg_quantize::digest::{Digest, DigestError};

pub use disk::{Disk, SystemDisk};
pub use gc::{Collected, Damage};
pub use home::{Home, NoHome};
pub use index::StoredRelease;
pub use writer::BlobWriter;

/// The largest blob that is stored: as much as the largest package file.
pub const MAX_BLOB_BYTES: u64 = 512 << 20;
/// The largest manifest or index.
pub const MAX_DOCUMENT_BYTES: u64 = 4 << 20;
/// Files that writers of blobs lock: a blob's first byte says which.
const LOCKS: u8 = 64;
/// The file that those who fetch share, and who collects has alone.
const USE_LOCK: &str = "use";

/// While there is one, nothing is collected.
#[derive(Debug)]
pub struct Hold(#[allow(dead_code)] File);

/// A store.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Nothing says where it is.
    #[error(transparent)]
    Home(#[from] NoHome),
    /// The system refuses.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// `read`, `write`, `lock`, `remove`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A blob that is not there.
    #[error("the store lacks the blob {0}")]
    Missing(Digest),
    /// A blob whose bytes are not those its digest names.
    #[error("blob {expected} in `{}` has been changed: its digest is {found}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The digest of its bytes.
        found: Digest,
        /// The digest that names it.
        expected: Digest,
    },
    /// Bytes that are not those that were asked for.
    #[error("what came as blob {expected} has the digest {found}")]
    OtherBytes {
        /// The digest of what came.
        found: Digest,
        /// The digest that was asked for.
        expected: Digest,
    },
    /// A blob of another length than stated.
    #[error("blob {digest} has {found_bytes} bytes, it should have {expected_bytes}")]
    Length {
        /// The blob.
        digest: Digest,
        /// Its length; at least this, where it was cut off.
        found_bytes: u64,
        /// What is stated.
        expected_bytes: u64,
    },
    /// A blob past what is stored.
    #[error("blob {digest} is said to have {stated_bytes} bytes, the limit is {limit_bytes}")]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// What is stated.
        stated_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A digest of a kind that is not known.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A document that makes no sense.
    #[error("`{}` cannot be read: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl StoreError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            StoreError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Some(
                "make room there, or move the store with `EDGEPKG_HOME`; `edgepkg cache gc` removes what no project \
                 uses. What was fetched is kept"
                    .to_owned(),
            ),
            StoreError::Io { .. } => {
                Some("see that the folder is there and yours to write; `EDGEPKG_HOME` moves the store".to_owned())
            }
            StoreError::Missing(_) => Some("`edgepkg install` fetches what is missing".to_owned()),
            StoreError::Changed { .. } | StoreError::Malformed { .. } => {
                Some("`edgepkg cache verify` removes what is damaged, `edgepkg install` fetches it again".to_owned())
            }
            StoreError::OtherBytes { .. } | StoreError::Length { .. } => {
                Some("nothing of it was kept: the registry, or something on the way, is at fault".to_owned())
            }
            StoreError::Home(_) => Some("set `EDGEPKG_HOME` to a folder of yours".to_owned()),
            StoreError::TooLarge { .. } | StoreError::Digest(_) => None,
        }
    }
}

impl Store {
    /// The store in `folder`, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::on_disk(folder, Arc::new(SystemDisk))
    }

    /// The store in `folder` of a disk.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn on_disk(folder: &Path, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let store = Self { folder: folder.into(), disk };
        for folder in ["blobs/sha256", "partial", "locks", "projects", "signatures"] {
            let path = store.folder.join(folder);
            if !path.is_dir() {
                store.disk.create_folder(&path).map_err(|source| store.failed("write", &path, source))?;
            }
        }
        let layout = store.folder.join("oci-layout");
        if !layout.is_file() {
            store.replace(&layout, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        }
        Ok(store)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a blob is.
    pub fn blob_path(&self, digest: Digest) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.hex())
    }

    /// Whether it has a blob of this digest and length.
    pub fn has(&self, descriptor: &Descriptor) -> bool {
        let Ok(digest) = Digest::of_descriptor(descriptor) else { return false };
        std::fs::metadata(self.blob_path(digest))
            .is_ok_and(|file| file.is_file() && file.len() == descriptor.size())
    }

    /// A blob's bytes, compared with its digest.
    ///
    /// # Errors
    ///
    /// When it is not there, larger than `limit_bytes`, or has been changed.
    pub fn read(&self, digest: Digest, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_path(digest);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => StoreError::Missing(digest),
            _ => self.failed("read", &path, source),
        };
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(failed)?;
        file.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit_bytes {
            return Err(StoreError::TooLarge { digest, stated_bytes: bytes.len() as u64, limit_bytes });
        }
        match Digest::of(&bytes) {
            found if found == digest => Ok(bytes),
            found => Err(StoreError::Changed { path, found, expected: digest }),
        }
    }

    /// Stores bytes that are here, and says under which digest.
    ///
    /// # Errors
    ///
    /// When the system refuses; nothing of them is then there.
    pub fn write(&self, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), StoreError> {
        if self.has(descriptor) {
            return Ok(());
        }
        let Some(mut writer) = self.writer(descriptor)? else { return Ok(()) };
        writer.restart()?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// Gives a file its content, whole or not at all.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = self.folder.join("partial").join(format!("{name}.{}", writer::unique()));
        let write = || {
            let mut file = self.disk.create(&temporary)?;
            self.disk.write(&mut file, bytes)?;
            self.disk.sync(&file)?;
            drop(file);
            self.disk.rename(&temporary, path)
        };
        write().map_err(|source| {
            let _ = self.disk.remove(&temporary);
            self.failed("write", path, source)
        })
    }

    /// Keeps others from collecting what is fetched, until the hold is dropped.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn hold(&self) -> Result<Hold, StoreError> {
        self.lock_with(USE_LOCK, File::lock_shared).map(Hold)
    }

    /// Waits until no other process holds the lock of this name, and holds it until the file is dropped.
    fn lock(&self, name: &str) -> Result<File, StoreError> {
        self.lock_with(name, File::lock)
    }

    fn lock_with(&self, name: &str, lock: impl Fn(&File) -> io::Result<()>) -> Result<File, StoreError> {
        let path = self.folder.join("locks").join(name);
        let locked = || {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            lock(&file)?;
            Ok(file)
        };
        locked().map_err(|source| self.failed("lock", &path, source))
    }

    #[allow(clippy::unused_self)]
    fn failed(&self, action: &'static str, path: &Path, source: io::Error) -> StoreError {
        StoreError::Io { action, path: path.into(), source }
    }
}

#[cfg(test)]
mod tests;
