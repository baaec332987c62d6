//! What a project needs: a package by name, and which versions will do.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use edgepkg_quantize::package::{NameError, PackageName, Version};

/// A package and the versions of it that will do: `kws@^1.2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Requirement {
    /// The package.
    pub name: PackageName,
    /// The versions, as Cargo understands them: `^1.2`, `~1.2`, `=1.2.3`, `>=1, <1.5`, `*`.
    pub versions: semver::VersionReq,
}

/// A text that is no requirement.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequirementError {
    /// The name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The versions.
    #[error("`{text}` says no versions: {reason}")]
    Versions {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Requirement {
    /// A requirement of `name` with versions as `text` says.
    ///
    /// # Errors
    ///
    /// When it says none.
    pub fn new(name: PackageName, text: &str) -> Result<Self, RequirementError> {
        let versions = text.parse().map_err(|error: semver::Error| RequirementError::Versions {
            text: text.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { name, versions })
    }

    /// One version and no other.
    pub fn exactly(name: PackageName, version: &Version) -> Self {
        let number = version.number();
        let comparator = semver::Comparator {
            op: semver::Op::Exact,
            major: number.major,
            minor: Some(number.minor),
            patch: Some(number.patch),
            pre: number.pre,
        };
        Self { name, versions: semver::VersionReq { comparators: vec![comparator] } }
    }

    /// Whether it lets every version pass that is no pre-release.
    pub fn is_any(&self) -> bool {
        self.versions == semver::VersionReq::STAR
    }

    /// Whether it is of `version` alone.
    pub fn is_exactly(&self, version: &Version) -> bool {
        *self == Self::exactly(self.name.clone(), version)
    }

    /// Whether `version` will do.
    pub fn matches(&self, version: &Version) -> bool {
        self.versions.matches(&version.number())
    }
}

impl TryFrom<String> for Requirement {
    type Error = RequirementError;

    /// `NAME@VERSIONS`, or `NAME` for any; `NAME@1.2.3` is that version alone.
    fn try_from(text: String) -> Result<Self, RequirementError> {
        let Some((name, versions)) = text.split_once('@') else {
            return Self::new(text.parse()?, "*");
        };
        match versions.parse::<Version>() {
            Ok(version) => Ok(Self::exactly(name.parse()?, &version)),
            Err(_) => Self::new(name.parse()?, versions),
        }
    }
}

impl std::str::FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        text.to_owned().try_into()
    }
}

impl From<Requirement> for String {
    fn from(requirement: Requirement) -> Self {
        requirement.to_string()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.versions)
    }
}
