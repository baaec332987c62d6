//! `edgepkg.lock`: the exact versions and digests that a project was resolved to.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::release::{Release, Target};
use edgepkg_quantize::digest::Digest;
use edgepkg_quantize::package::{PackageName, Version};

/// The file beside `edgepkg.toml`.
pub const LOCK_FILE: &str = "edgepkg.lock";
/// The schema that is written.
const SCHEMA_VERSION: u32 = 1;
/// The largest file that is read as one.
const MAX_BYTES: u64 = 16 << 20;
const HEAD: &str = "# Made by edgepkg: the versions and digests that edgepkg.toml was resolved to. Keep it with the project.\n\n";

/// What a project was resolved to, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The packages.
    pub packages: BTreeMap<PackageName, LockedPackage>,
}

/// One package of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub registry: String,
    /// The digest of its release, which names all of it.
    pub digest: Digest,
    /// The length of the release's index, in bytes.
    pub index_bytes: u64,
    /// Names of the packages it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<PackageName>,
    /// The digest of the manifest for each target.
    #[serde(default)]
    pub targets: BTreeMap<String, Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    schema_version: u32,
    #[serde(default)]
    package: Vec<LockedPackage>,
}

/// Why a lock cannot be used.
#[derive(Debug, Error)]
pub enum LockError {
    /// The system refuses.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Text that is no lock.
    #[error("`{}` cannot be understood: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl LockError {
    /// The way out.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            LockError::Malformed { .. } => {
                Some("take it back from version control, or remove it: `edgepkg install` makes it anew")
            }
            LockError::Io { .. } => None,
        }
    }
}

impl LockedPackage {
    /// The lock's entry for a release from `registry`.
    pub fn of(release: &Release, registry: &str) -> Self {
        let digest = |(target, descriptor): (&Target, &oci_spec::image::Descriptor)| {
            Some((target.name().to_owned(), Digest::of_descriptor(descriptor).ok()?))
        };
        Self {
            name: release.name.clone(),
            version: release.version.clone(),
            registry: registry.to_owned(),
            digest: release.digest,
            index_bytes: release.index_bytes,
            dependencies: release.dependencies.iter().map(|needed| needed.name.clone()).collect(),
            targets: release.targets.iter().filter_map(digest).collect(),
        }
    }
}

impl Lock {
    /// The lock of `folder`; `None` where it has none.
    ///
    /// # Errors
    ///
    /// When it cannot be read or understood.
    pub fn read(folder: &Path) -> Result<Option<Self>, LockError> {
        let path = folder.join(LOCK_FILE);
        let malformed = |reason: String| LockError::Malformed { path: path.clone(), reason };
        match fs::metadata(&path) {
            Ok(file) if file.len() > MAX_BYTES => {
                return Err(malformed(format!("it has {} bytes, the limit is {MAX_BYTES}", file.len())));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let bytes =
            fs::read(&path).map_err(|source| LockError::Io { action: "read", path: path.clone(), source })?;
        let text = String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".into()))?;
        let raw: RawLock = toml::from_str(&text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            malformed(format!("line {line}: {}", error.message()))
        })?;
        if raw.schema_version != SCHEMA_VERSION {
            let found = raw.schema_version;
            return Err(malformed(format!(
                "it has schema version {found}, this program reads {SCHEMA_VERSION}"
            )));
        }
        let packages = raw.package.into_iter().map(|package| (package.name.clone(), package)).collect();
        Ok(Some(Self { packages }))
    }

    /// Writes the lock of `folder`, where it differs from what is there.
    ///
    /// # Errors
    ///
    /// When the system refuses; what was there is then as it was.
    pub fn write(&self, folder: &Path) -> Result<(), LockError> {
        let path = folder.join(LOCK_FILE);
        let text = self.to_text();
        if fs::read(&path).is_ok_and(|before| before == text.as_bytes()) {
            return Ok(());
        }
        edgepkg_quantize::whole_file::write(&path, text.as_bytes()).map_err(|source| LockError::Io {
            action: "write",
            path,
            source,
        })
    }

    fn to_text(&self) -> String {
        let raw =
            RawLock { schema_version: SCHEMA_VERSION, package: self.packages.values().cloned().collect() };
        HEAD.to_owned() + &toml::to_string(&raw).expect("a lock is plain tables")
    }
}
