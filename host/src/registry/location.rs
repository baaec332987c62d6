//! Where a registry is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::RegistryError;

/// A folder, or a host and a path on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// A folder of this machine, or one that is mounted here.
    Folder(PathBuf),
    /// An OCI registry: `ghcr.io/owner/models`.
    Oci(String),
}

impl Location {
    /// As `text` says, folders from `folder` on.
    ///
    /// # Errors
    ///
    /// When it says none.
    pub fn within(folder: &Path, text: &str) -> Result<Self, RegistryError> {
        Ok(match text.parse()? {
            Location::Folder(path) => Location::Folder(folder.join(path)),
            oci => oci,
        })
    }

    /// The same place, as it is called from any folder.
    pub fn absolute(self) -> Self {
        match self {
            Location::Folder(path) => Location::Folder(std::path::absolute(&path).unwrap_or(path)),
            oci => oci,
        }
    }
}

impl FromStr for Location {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let wrong = || RegistryError::Location(text.chars().take(200).collect());
        if let Some(path) = text.strip_prefix("oci://") {
            let path = path.trim_end_matches('/');
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:[]".contains(c);
            return match path.is_empty() || !path.chars().all(is_plain) {
                true => Err(wrong()),
                false => Ok(Location::Oci(path.to_owned())),
            };
        }
        let path = text.strip_prefix("file://").unwrap_or(text);
        match path.is_empty() || path.contains("://") {
            true => Err(wrong()),
            false => Ok(Location::Folder(path.into())),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Folder(path) => write!(f, "{}", path.display()),
            Location::Oci(path) => write!(f, "oci://{path}"),
        }
    }
}
