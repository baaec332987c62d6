//! A blob on its way into the store.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use oci_spec::image::Descriptor;
use sha2::{Digest as _, Sha256};

use super::{LOCKS, MAX_BLOB_BYTES, Store, StoreError};
use edgepkg_quantize::digest::Digest;

/// Takes a blob's bytes in their order. Others who want the same blob wait until it is done or dropped.
#[derive(Debug)]
pub struct BlobWriter<'s> {
    store: &'s Store,
    digest: Digest,
    expected_bytes: u64,
    path: PathBuf,
    file: File,
    hash: Sha256,
    written_bytes: u64,
    _lock: File,
}

impl Store {
    /// Begins a blob, or goes on with one that was begun; `None` where it is there already.
    ///
    /// # Errors
    ///
    /// When it is larger than what is stored, or the system refuses.
    pub fn writer(&self, descriptor: &Descriptor) -> Result<Option<BlobWriter<'_>>, StoreError> {
        let digest = Digest::of_descriptor(descriptor)?;
        let expected_bytes = descriptor.size();
        if expected_bytes > MAX_BLOB_BYTES {
            let limit_bytes = MAX_BLOB_BYTES;
            return Err(StoreError::TooLarge { digest, stated_bytes: expected_bytes, limit_bytes });
        }
        let lock = self.lock(&format!("{:02x}", digest.bytes()[0] % LOCKS))?;
        if self.has(descriptor) {
            return Ok(None);
        }
        let path = self.folder.join("partial").join(digest.hex());
        let (hash, written_bytes) =
            read_partial(&path).map_err(|source| self.failed("read", &path, source))?;
        let file = self.disk.append(&path).map_err(|source| self.failed("write", &path, source))?;
        let mut writer =
            BlobWriter { store: self, digest, expected_bytes, path, file, hash, written_bytes, _lock: lock };
        if writer.written_bytes > expected_bytes {
            writer.restart()?;
        }
        Ok(Some(writer))
    }
}

impl BlobWriter<'_> {
    /// How many bytes are there.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Begins anew.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        if self.written_bytes > 0 {
            let created = self.store.disk.create(&self.path);
            self.file = created.map_err(|source| self.store.failed("write", &self.path, source))?;
            self.hash = Sha256::new();
            self.written_bytes = 0;
        }
        Ok(())
    }

    /// Takes more bytes.
    ///
    /// # Errors
    ///
    /// When there are more than the blob has, or the system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let found_bytes = self.written_bytes + bytes.len() as u64;
        if found_bytes > self.expected_bytes {
            let (digest, expected_bytes) = (self.digest, self.expected_bytes);
            self.discard();
            return Err(StoreError::Length { digest, found_bytes, expected_bytes });
        }
        let written = self.store.disk.write(&mut self.file, bytes);
        written.map_err(|source| self.store.failed("write", &self.path, source))?;
        self.hash.update(bytes);
        self.written_bytes = found_bytes;
        Ok(())
    }

    /// Compares what came with the blob's digest and gives it its name.
    ///
    /// # Errors
    ///
    /// When it is cut short, which can be gone on from, or other bytes, of which nothing is kept.
    pub fn finish(mut self) -> Result<(), StoreError> {
        let (digest, expected_bytes) = (self.digest, self.expected_bytes);
        if self.written_bytes < expected_bytes {
            return Err(StoreError::Length { digest, found_bytes: self.written_bytes, expected_bytes });
        }
        let found = Digest::from(<[u8; 32]>::from(std::mem::take(&mut self.hash).finalize()));
        if found != digest {
            self.discard();
            return Err(StoreError::OtherBytes { found, expected: digest });
        }
        let disk = &self.store.disk;
        let path = self.store.blob_path(digest);
        let named = disk.sync(&self.file).and_then(|()| disk.rename(&self.path, &path));
        named.map_err(|source| self.store.failed("write", &path, source))
    }

    fn discard(&mut self) {
        let _ = self.store.disk.remove(&self.path);
    }
}

/// The hash of what is there of a blob, and its length.
fn read_partial(path: &std::path::Path) -> io::Result<(Sha256, u64)> {
    let mut hash = Sha256::new();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((hash, 0)),
        Err(error) => return Err(error),
    };
    let mut total = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hash, total)),
            count => {
                hash.update(&buffer[..count]);
                total += count as u64;
            }
        }
    }
}

/// A name for a temporary file that no other has.
pub(super) fn unique() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}
