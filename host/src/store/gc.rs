//! What is damaged in the store, and what nobody needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{MAX_BLOB_BYTES, MAX_DOCUMENT_BYTES, Store, StoreError, StoredRelease};
use edgepkg_quantize::digest::Digest;

/// A blob that is not what its name says, and was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Its file.
    pub path: PathBuf,
    /// What was found.
    pub reason: String,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Releases that nobody needs.
    pub releases: usize,
    /// Blobs that no release needs.
    pub blobs: usize,
    /// Their length together.
    pub bytes: u64,
}

impl Store {
    /// Compares every blob with its name, and removes those that differ.
    ///
    /// Gives the number of blobs that are sound, and those that were not.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn verify(&self) -> Result<(usize, Vec<Damage>), StoreError> {
        let (mut sound, mut damaged) = (0, Vec::new());
        for path in self.blob_files()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let reason = match format!("sha256:{name}").parse::<Digest>() {
                Err(error) => error.to_string(),
                Ok(digest) => match self.read(digest, MAX_BLOB_BYTES) {
                    Ok(_) => {
                        sound += 1;
                        continue;
                    }
                    Err(error @ (StoreError::Changed { .. } | StoreError::TooLarge { .. })) => {
                        error.to_string()
                    }
                    Err(StoreError::Missing(_)) => continue,
                    Err(error) => return Err(error),
                },
            };
            self.disk.remove(&path).map_err(|source| self.failed("remove", &path, source))?;
            damaged.push(Damage { path, reason });
        }
        Ok((sound, damaged))
    }

    /// Notes that the lock in `folder` names what is needed.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn remember_project(&self, folder: &Path) -> Result<(), StoreError> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let folder = std::path::absolute(folder).map_err(|source| self.failed("read", folder, source))?;
        let text = folder.to_string_lossy();
        let path = self.folder.join("projects").join(Digest::of(text.as_bytes()).hex());
        match path.is_file() {
            true => Ok(()),
            false => self.replace(&path, text.as_bytes()),
        }
    }

    /// The folders whose locks name what is needed.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn projects(&self) -> Result<Vec<PathBuf>, StoreError> {
        let read = |path: PathBuf| fs::read_to_string(path).ok().map(PathBuf::from);
        Ok(self.files("projects")?.into_iter().filter_map(read).collect())
    }

    /// Removes the releases that are not in `needed`, the blobs that only they had, and what was begun and not finished.
    ///
    /// # Errors
    ///
    /// When the system refuses; what was not removed is sound.
    pub fn collect(&self, needed: &BTreeSet<Digest>) -> Result<Collected, StoreError> {
        let _alone = self.lock(super::USE_LOCK)?;
        let releases = self.releases()?;
        let kept: Vec<&StoredRelease> =
            releases.iter().filter(|release| needed.contains(&release.digest)).collect();
        let mut collected = Collected { releases: releases.len() - kept.len(), ..Collected::default() };
        self.retain_releases(|release| needed.contains(&release.digest))?;
        let mut reachable = BTreeSet::new();
        for digest in needed {
            self.reach(*digest, &mut reachable);
        }
        for path in self.blob_files()?.into_iter().chain(self.files("partial")?) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let digest = format!("sha256:{name}").parse::<Digest>();
            let is_blob = path.parent().is_some_and(|folder| folder.ends_with("blobs/sha256"));
            if is_blob && digest.is_ok_and(|digest| reachable.contains(&digest)) {
                continue;
            }
            let bytes = fs::metadata(&path).map_or(0, |file| file.len());
            self.disk.remove(&path).map_err(|source| self.failed("remove", &path, source))?;
            collected.blobs += 1;
            collected.bytes += bytes;
        }
        Ok(collected)
    }

    /// The blobs that `digest` leads to: every digest that its documents name.
    fn reach(&self, digest: Digest, reachable: &mut BTreeSet<Digest>) {
        if !reachable.insert(digest) {
            return;
        }
        let path = self.blob_path(digest);
        if fs::metadata(&path).map_or(true, |file| file.len() > MAX_DOCUMENT_BYTES) {
            return;
        }
        let Ok(bytes) = self.read(digest, MAX_DOCUMENT_BYTES) else { return };
        let Ok(document) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return };
        let one = ["config", "subject"].iter().filter_map(|key| document.get(key));
        let many = ["manifests", "layers"].iter().filter_map(|key| document.get(key)?.as_array()).flatten();
        let named = one.chain(many).filter_map(|descriptor| descriptor.get("digest")?.as_str()?.parse().ok());
        for digest in named.collect::<Vec<Digest>>() {
            self.reach(digest, reachable);
        }
    }

    fn blob_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        self.files("blobs/sha256")
    }

    fn files(&self, folder: &str) -> Result<Vec<PathBuf>, StoreError> {
        let folder = self.folder.join(folder);
        let failed = |source| self.failed("read", &folder, source);
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
        files.sort();
        Ok(files)
    }
}
