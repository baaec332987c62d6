//! A folder with `edgepkg.toml`: what a package is made from, and the packages it needs.

mod base;
mod budget;
mod check;
mod edit;
mod error;
mod request;
mod requirement;
mod schema;
mod template;

use std::fs;
use std::path::{Path, PathBuf};

pub use base::stand_on_base;
pub use budget::{check_budgets, target_isa};
pub use check::{Problem, check};
pub use edit::{NewDependency, add_dependency, remove_dependency};
pub(crate) use error::nearest;
pub use error::{Place, ProjectError};
pub use request::{
    DEFAULT_PERCENTILE, OutOfLimits, calibrator, check_limits, describe, int16_layers, label_names, request,
    rounding,
};
pub use requirement::{Requirement, RequirementError};
pub use schema::{
    CalibratorName, Dependency, ModelTable, PortTable, QuantizeTable, RoundingName, Schema, Target,
    TestsTable, Trust, TrustKey, Unsigned,
};
pub use template::create;

use edgepkg_quantize::package::{EXTENSION, PackageName, Version};

/// The file that makes a folder a project.
pub const PROJECT_FILE: &str = "edgepkg.toml";
/// What the dependency is called that a package stands on.
const BASE: &str = "base";
/// The largest file that is read as one.
const MAX_BYTES: u64 = 1 << 20;

/// A project, read and checked as far as its text alone allows.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// The text of its file.
    pub text: String,
    /// What the file says.
    pub schema: Schema,
}

impl Project {
    /// Reads the project of `folder`.
    ///
    /// # Errors
    ///
    /// When it has no file, or one that cannot be understood.
    pub fn read(folder: &Path) -> Result<Self, ProjectError> {
        let path = folder.join(PROJECT_FILE);
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => ProjectError::NotFound { folder: folder.into() },
            _ => ProjectError::Read { path: path.clone(), source },
        };
        let found_bytes = fs::metadata(&path).map_err(failed)?.len();
        if found_bytes > MAX_BYTES {
            return Err(ProjectError::TooLarge { path, found_bytes, limit_bytes: MAX_BYTES });
        }
        let bytes = fs::read(&path).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|_| ProjectError::NotUtf8 { path: path.clone() })?;
        let schema = Schema::parse(&path, &text)?;
        Ok(Self { folder: folder.into(), text, schema })
    }

    /// The project of `folder`, or of the nearest folder above it that is one; `None` where none is.
    ///
    /// # Errors
    ///
    /// When its file cannot be understood.
    pub fn find(folder: &Path) -> Result<Option<Self>, ProjectError> {
        let folder = std::path::absolute(folder)
            .map_err(|source| ProjectError::Read { path: folder.into(), source })?;
        match folder.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()) {
            Some(folder) => Self::read(&relative(folder)).map(Some),
            None => Ok(None),
        }
    }

    /// As [`find`](Self::find), from the folder one stands in.
    ///
    /// # Errors
    ///
    /// When there is none, or its file cannot be understood.
    pub fn here() -> Result<Self, ProjectError> {
        let here = Path::new(".");
        Self::find(here)?.ok_or_else(|| ProjectError::NotFound { folder: here.into() })
    }

    /// Its name.
    pub fn name(&self) -> &PackageName {
        &self.schema.package.name
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.schema.package.version
    }

    /// Where its file is.
    pub fn path(&self) -> PathBuf {
        self.folder.join(PROJECT_FILE)
    }

    /// Where its package is, once it is made.
    pub fn package_path(&self) -> PathBuf {
        self.folder.join(format!("{}.{EXTENSION}", self.name()))
    }

    /// The package that its own stands on, to the byte: the dependency called `base`.
    pub fn base(&self) -> Option<Requirement> {
        let (key, dependency) = self.schema.dependencies.iter().find(|(key, _)| key.as_str() == BASE)?;
        let name = dependency.package.clone().unwrap_or_else(|| key.clone());
        Some(Requirement { name, versions: dependency.versions.clone() })
    }

    /// A path that its file names: from its folder on.
    pub fn file(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }
}

/// A folder as seen from the one we stand in, where it is that or one above: messages then name files as short as a
/// user would.
fn relative(folder: &Path) -> PathBuf {
    let Ok(here) = std::env::current_dir() else { return folder.into() };
    match here.ancestors().position(|above| above == folder) {
        Some(0) => PathBuf::new(),
        Some(levels) => std::iter::repeat_n("..", levels).collect(),
        None => folder.into(),
    }
}

#[cfg(test)]
mod tests;
