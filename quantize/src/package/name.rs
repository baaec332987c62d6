//! Names and versions of packages.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name and version.
const MAX_BYTES: usize = 64;

/// A package's name: lower-case letters, digits, `-` and `_`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

/// A package's semantic version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

/// A name or version that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not a name.
    #[error("`{0}` is not a package name: up to 64 of a-z, 0-9, `-` and `_`, a letter or digit first")]
    Name(String),
    /// Not a version.
    #[error("`{0}` is not a version like 1.2.3 or 1.2.3-beta.1")]
    Version(String),
}

impl PackageName {
    /// The name nearest to `text`: lower case, with `-` for what names do not have; `model` where
    /// nothing is left.
    pub fn nearest(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let kept: String = lower
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
            .take(MAX_BYTES)
            .collect();
        let trimmed = kept.trim_matches(['-', '_']);
        Self(if trimmed.is_empty() { "model" } else { trimmed }.to_owned())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Version {
    /// `0.1.0`: what a package is before anyone said otherwise.
    pub fn initial() -> Self {
        Self("0.1.0".to_owned())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its numbers, by which versions are ordered and matched.
    pub fn number(&self) -> semver::Version {
        semver::Version::parse(&self.0).expect("checked when it was made")
    }
}

impl TryFrom<String> for PackageName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if first && text.len() <= MAX_BYTES && text.bytes().all(sound) {
            Ok(Self(text))
        } else {
            Err(NameError::Name(text))
        }
    }
}

impl TryFrom<String> for Version {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.len() <= MAX_BYTES && semver::Version::parse(&text).is_ok() {
            Ok(Self(text))
        } else {
            Err(NameError::Version(text))
        }
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.0
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl std::str::FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.to_owned().try_into()
    }
}

impl std::str::FromStr for Version {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for version in ["0.1.0", "1.2.3-beta.1", "1.0.0-x-y+build.007", "10.20.30+a"] {
            assert!(version.parse::<Version>().is_ok(), "{version}");
        }
        for version in
            ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3", "1.2.x"]
        {
            assert!(version.parse::<Version>().is_err(), "{version}");
        }
    }

    #[test]
    fn names() {
        for name in ["kws", "person-detect_2", "0x"] {
            assert!(name.parse::<PackageName>().is_ok(), "{name}");
        }
        for name in ["", "-kws", "Kws", "a/b", "a b", &"x".repeat(65)] {
            assert!(name.parse::<PackageName>().is_err(), "{name}");
        }
        assert_eq!(PackageName::nearest("My Model (v2)").as_str(), "my-model--v2");
        assert_eq!(PackageName::nearest("Größe").as_str(), "gr--e");
        assert_eq!(PackageName::nearest("…").as_str(), "model");
    }
}
