//! Packages that were installed, by name: `kws`, `kws@^1`.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::lock::{Lock, LockError};
use crate::project::{Project, ProjectError, Requirement};
use crate::release::{Release, ReleaseError, Target};
use crate::store::{Home, MAX_DOCUMENT_BYTES, NoHome, Store, StoreError};
use edgepkg_quantize::digest::Digest;
use edgepkg_quantize::package::{Package, PackageError, Version};

/// Why no installed package can be used.
#[derive(Debug, Error)]
pub enum InstalledError {
    /// There is none.
    #[error("there is no file `{0}`, and no such package is installed")]
    NotInstalled(String),
    /// No lock has it.
    #[error("`{0}` is not installed")]
    NotLocked(String),
    /// It is there for some instruction sets only.
    #[error("`{name}` {version} is installed for {targets} only")]
    NoPackage {
        /// Its name.
        name: String,
        /// Its version.
        version: Version,
        /// What it is installed for.
        targets: String,
    },
    /// Where it would be.
    #[error(transparent)]
    Home(#[from] NoHome),
    /// The project's file.
    #[error(transparent)]
    Project(#[from] Box<ProjectError>),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The release.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The package.
    #[error(transparent)]
    Package(#[from] PackageError),
}

impl InstalledError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            InstalledError::NotInstalled(name) => Some(format!(
                "paths start from the folder you stand in; `edgepkg install {name}` installs a package"
            )),
            InstalledError::NotLocked(name) => Some(format!("`edgepkg install {name}` installs it")),
            InstalledError::NoPackage { name, .. } => Some(format!(
                "`edgepkg install {name}` without `--board` and `--target` fetches the whole package"
            )),
            InstalledError::Store(error) => error.hint(),
            InstalledError::Lock(error) => error.hint().map(str::to_owned),
            InstalledError::Project(error) => error.hint(),
            InstalledError::Home(_) => Some("set `EDGEPKG_HOME` to a folder of yours".to_owned()),
            InstalledError::Release(_) | InstalledError::Package(_) => None,
        }
    }
}

/// The package that `requirement` names: what the project's lock has, else the newest that is installed.
///
/// # Errors
///
/// When there is none, or it is not sound.
pub fn find(requirement: &Requirement) -> Result<Package, InstalledError> {
    let store = Store::open(&Home::find()?.store)?;
    let (version, digest) = locked(requirement)?
        .map_or_else(|| newest(&store, requirement), |found| Ok(Some(found)))?
        .ok_or_else(|| InstalledError::NotInstalled(text(requirement)))?;
    let index = store.read(digest, MAX_DOCUMENT_BYTES)?;
    let release = Release::from_index(&requirement.name, &version, &index)?;
    let name = format!("{}@{version}", requirement.name);
    match release.targets.get(&Target::Package).filter(|manifest| store.has(manifest)) {
        Some(manifest) => Ok(Package::from_store(store.folder(), manifest.clone(), &name)?),
        None => {
            let there = release.targets.iter().filter(|(_, manifest)| store.has(manifest));
            let targets: Vec<_> = there.map(|(target, _)| target.name()).collect();
            Err(InstalledError::NoPackage {
                name: release.name.to_string(),
                version,
                targets: targets.join(", "),
            })
        }
    }
}

/// The folders whose locks name what is needed: those of projects that are still there, and the user's own.
///
/// # Errors
///
/// When the store cannot be read.
pub fn known_locks(store: &Store) -> Result<Vec<PathBuf>, StoreError> {
    let mut folders = store.projects()?;
    folders.push(store.folder().to_owned());
    folders.retain(|folder| folder.join(crate::lock::LOCK_FILE).is_file());
    folders.sort();
    folders.dedup();
    Ok(folders)
}

fn text(requirement: &Requirement) -> String {
    match requirement.is_any() {
        true => requirement.name.to_string(),
        false => requirement.to_string(),
    }
}

fn locked(requirement: &Requirement) -> Result<Option<(Version, Digest)>, InstalledError> {
    let Some(project) = Project::find(Path::new(".")).map_err(Box::new)? else { return Ok(None) };
    let lock = Lock::read(&project.folder)?.unwrap_or_default();
    let locked = lock.packages.get(&requirement.name).filter(|locked| requirement.matches(&locked.version));
    Ok(locked.map(|locked| (locked.version.clone(), locked.digest)))
}

fn newest(store: &Store, requirement: &Requirement) -> Result<Option<(Version, Digest)>, InstalledError> {
    let releases = store.releases()?.into_iter().rev();
    let mut matching =
        releases.filter(|found| found.name == requirement.name && requirement.matches(&found.version));
    Ok(matching.next().map(|found| (found.version, found.digest)))
}
