//! Registries: where packages are published and installed from. Each offers what OCI distribution offers; what edgepkg
//! makes of that, versions, yankeds, signatures, is the same for all.

mod error;
mod folder;
mod location;
mod oci;
mod yank;

use oci_spec::image::Descriptor;

use edgepkg_quantize::digest::Digest;
use edgepkg_quantize::package::{PackageName, Version};

pub use error::RegistryError;
pub use folder::FolderRegistry;
pub use location::Location;
pub use oci::{CredentialError, OciRegistry, log_in};
pub use yank::{Yanked, is_yanked, yank};

/// Takes a blob's bytes as they come.
pub type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), RegistryError> + 'a;

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A name that can be moved.
    Tag(String),
    /// What it is.
    Digest(Digest),
}

/// A registry, with a repository for each package.
pub trait Registry: Send + Sync {
    /// What messages and locks call it.
    fn location(&self) -> &Location;

    /// Every package it has, sorted.
    ///
    /// # Errors
    ///
    /// When it cannot be asked, or does not say.
    fn packages(&self) -> Result<Vec<PackageName>, RegistryError>;

    /// The tags of a package.
    ///
    /// # Errors
    ///
    /// When there is no such package, or it cannot be asked.
    fn tags(&self, name: &PackageName) -> Result<Vec<String>, RegistryError>;

    /// A manifest's bytes; where it is asked for by its digest they have that.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be asked.
    fn manifest(&self, name: &PackageName, reference: &Reference) -> Result<Vec<u8>, RegistryError>;

    /// A blob's bytes from `from` on, in pieces. They are not compared with its digest.
    ///
    /// # Errors
    ///
    /// When there is none, it cannot be asked, or `sink` does not take them.
    fn blob(
        &self,
        name: &PackageName,
        blob: &Descriptor,
        from: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), RegistryError>;

    /// Puts a blob there, where it is not there yet. Gives the bytes that were sent.
    ///
    /// # Errors
    ///
    /// When it is not taken.
    fn push_blob(&self, name: &PackageName, blob: &Descriptor, bytes: &[u8]) -> Result<u64, RegistryError>;

    /// Puts a manifest there, under a tag where there is one.
    ///
    /// # Errors
    ///
    /// When it is not taken.
    fn push_manifest(
        &self,
        name: &PackageName,
        tag: Option<&str>,
        manifest: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), RegistryError>;

    /// The manifests that refer to `subject`, of one kind.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    fn referrers(
        &self,
        name: &PackageName,
        subject: Digest,
        kind: &str,
    ) -> Result<Vec<Descriptor>, RegistryError>;

    /// Puts a manifest there that refers to `subject`.
    ///
    /// # Errors
    ///
    /// When it is not taken.
    fn push_referrer(
        &self,
        name: &PackageName,
        subject: Digest,
        manifest: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), RegistryError>;
}

/// Opens the registry in a place. Nothing is asked of it yet.
///
/// # Errors
///
/// When it cannot be used at all.
pub fn open(location: &Location) -> Result<Box<dyn Registry>, RegistryError> {
    match location {
        Location::Folder(folder) => Ok(Box::new(FolderRegistry::new(folder))),
        Location::Oci(path) => Ok(Box::new(OciRegistry::new(path)?)),
    }
}

/// The tag of a version: `+` stands in none.
pub fn tag(version: &Version) -> String {
    version.as_str().replace('+', "_")
}

/// The versions that a registry has of a package, ascending, with those that were yanked.
///
/// # Errors
///
/// When there is no such package, or it cannot be asked.
pub fn versions(registry: &dyn Registry, name: &PackageName) -> Result<Vec<Published>, RegistryError> {
    let tags = registry.tags(name)?;
    let mut published = Vec::new();
    for version in tags.iter().filter_map(|tag| tag.replacen('_', "+", 1).parse::<Version>().ok()) {
        let is_marked = tags.contains(&yank::tag(&version));
        let yanked = match is_marked {
            true => yank::read(registry, name, &version)?,
            false => Yanked::No,
        };
        published.push(Published { version, yanked });
    }
    published.sort_by_key(|published| published.version.number());
    Ok(published)
}

/// A version that a registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The version.
    pub version: Version,
    /// Whether it was yanked.
    pub yanked: Yanked,
}
