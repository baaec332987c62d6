//! The releases that may be chosen: those of registries, or offline those of the store.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use oci_spec::image::MediaType;
use thiserror::Error;

use crate::configuration::{Configuration, ConfigurationError};
use crate::lock::{Lock, LockedPackage};
use crate::project::Requirement;
use crate::registry::{self, Published, Reference, Registry, RegistryError, Yanked};
use crate::release::{Release, ReleaseError};
use crate::resolve::Source;
use crate::store::{MAX_DOCUMENT_BYTES, Store, StoreError};
use edgepkg_quantize::digest::{Digest, descriptor_of};
use edgepkg_quantize::package::{PackageName, Version};

/// Whether registries are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// They are.
    Online,
    /// What the store has must do.
    Offline,
}

/// Why releases cannot be known.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Which registry.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A release that makes no sense.
    #[error("`{name}` {version} of {registry}: {source}")]
    Release {
        /// The package.
        name: PackageName,
        /// Its version.
        version: Version,
        /// The registry.
        registry: String,
        /// What is wrong.
        source: ReleaseError,
    },
    /// A release that was another when it was installed.
    #[error("{release} of {registry} is not what it was: its digest is {found}, it was {expected}")]
    Replaced {
        /// Its name and version.
        release: String,
        /// The registry.
        registry: String,
        /// The digest that is there now.
        found: Digest,
        /// The digest that is known.
        expected: Digest,
    },
    /// A package that is not in the store.
    #[error("the store has no `{0}`, and registries are not asked")]
    Offline(PackageName),
}

impl CatalogError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            CatalogError::Registry(error) => error.hint(),
            CatalogError::Configuration(error) => error.hint(),
            CatalogError::Store(error) => error.hint(),
            CatalogError::Replaced { .. } => Some(
                "a version is published once: ask its publisher. `edgepkg cache gc` forgets what no project uses"
                    .to_owned(),
            ),
            CatalogError::Offline(_) => Some("leave out `--offline` and `--frozen` once".to_owned()),
            CatalogError::Release { .. } => None,
        }
    }
}

/// Releases, each read once.
pub struct Catalog<'a> {
    store: &'a Store,
    configuration: &'a Configuration,
    network: Network,
    /// The registry of each package that is not in the default one.
    places: BTreeMap<PackageName, String>,
    lock: Lock,
    /// Digests of what was installed.
    known: HashMap<(PackageName, Version), Digest>,
    registries: RefCell<HashMap<Option<String>, std::sync::Arc<dyn Registry>>>,
    published: RefCell<HashMap<PackageName, Vec<Published>>>,
    releases: RefCell<HashMap<(PackageName, Version), Release>>,
}

impl<'a> Catalog<'a> {
    /// Releases of the configuration's registries; `places` names those of packages that are not in the default one.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn new(
        store: &'a Store,
        configuration: &'a Configuration,
        network: Network,
        places: BTreeMap<PackageName, String>,
        lock: &Lock,
    ) -> Result<Self, CatalogError> {
        let installed = store.releases()?;
        Ok(Self {
            store,
            configuration,
            network,
            places,
            lock: lock.clone(),
            known: installed.into_iter().map(|found| ((found.name, found.version), found.digest)).collect(),
            registries: RefCell::default(),
            published: RefCell::default(),
            releases: RefCell::default(),
        })
    }

    /// The registry of a package.
    ///
    /// # Errors
    ///
    /// When none is named.
    pub fn registry(&self, name: &PackageName) -> Result<std::sync::Arc<dyn Registry>, CatalogError> {
        let place = self.places.get(name).cloned();
        if let Some(registry) = self.registries.borrow().get(&place) {
            return Ok(registry.clone());
        }
        let registry: std::sync::Arc<dyn Registry> = self.configuration.registry(place.as_deref())?.into();
        self.registries.borrow_mut().insert(place, registry.clone());
        Ok(registry)
    }

    /// What the lock calls the registry of a package.
    ///
    /// # Errors
    ///
    /// When none is named.
    pub fn registry_name(&self, name: &PackageName) -> Result<String, CatalogError> {
        match (self.network, self.lock.packages.get(name)) {
            (Network::Offline, Some(locked)) => Ok(locked.registry.clone()),
            _ => {
                let place = self.places.get(name).map(String::as_str);
                Ok(self.configuration.location(place)?.to_string())
            }
        }
    }

    /// The versions of a package, yanked ones too.
    ///
    /// # Errors
    ///
    /// When there is no such package, or it cannot be said.
    pub fn published(&self, name: &PackageName) -> Result<Vec<Published>, CatalogError> {
        if let Some(published) = self.published.borrow().get(name) {
            return Ok(published.clone());
        }
        let published = match self.network {
            Network::Online => registry::versions(&*self.registry(name)?, name)?,
            Network::Offline => {
                let of_name = self.known.keys().filter(|(found, _)| found == name);
                let stored =
                    of_name.map(|(_, version)| Published { version: version.clone(), yanked: Yanked::No });
                let mut stored: Vec<Published> = stored.collect();
                stored.sort_by_key(|published| published.version.number());
                match stored.is_empty() {
                    true => return Err(CatalogError::Offline(name.clone())),
                    false => stored,
                }
            }
        };
        self.published.borrow_mut().insert(name.clone(), published.clone());
        Ok(published)
    }

    /// What a release says of itself. Its index is in the store afterwards.
    ///
    /// # Errors
    ///
    /// When there is none, or it is not what it was.
    pub fn release(&self, name: &PackageName, version: &Version) -> Result<Release, CatalogError> {
        let key = (name.clone(), version.clone());
        if let Some(release) = self.releases.borrow().get(&key) {
            return Ok(release.clone());
        }
        let known = self.known.get(&key).copied();
        let bytes = match (self.network, known) {
            (Network::Offline, None) => return Err(CatalogError::Offline(name.clone())),
            (Network::Offline, Some(digest)) => self.store.read(digest, MAX_DOCUMENT_BYTES)?,
            (Network::Online, _) => {
                self.registry(name)?.manifest(name, &Reference::Tag(registry::tag(version)))?
            }
        };
        let registry = self.registry_name(name)?;
        let found = Digest::of(&bytes);
        if let Some(expected) = known.filter(|expected| *expected != found) {
            let release = format!("`{name}` {version}");
            return Err(CatalogError::Replaced { release, registry, found, expected });
        }
        let release = Release::from_index(name, version, &bytes).map_err(|source| CatalogError::Release {
            name: name.clone(),
            version: version.clone(),
            registry,
            source,
        })?;
        self.store.write(&descriptor_of(MediaType::ImageIndex.as_ref(), &bytes), &bytes)?;
        self.releases.borrow_mut().insert(key, release.clone());
        Ok(release)
    }

    /// The release that a lock names, and no other.
    ///
    /// # Errors
    ///
    /// When it is neither in the store nor in its registry.
    pub fn locked(&self, locked: &LockedPackage) -> Result<Release, CatalogError> {
        let LockedPackage { name, version, digest, .. } = locked;
        let bytes = match self.store.read(*digest, MAX_DOCUMENT_BYTES) {
            Ok(bytes) => bytes,
            Err(StoreError::Missing(_)) if self.network == Network::Online => {
                let bytes = self.registry(name)?.manifest(name, &Reference::Digest(*digest))?;
                self.store.write(&descriptor_of(MediaType::ImageIndex.as_ref(), &bytes), &bytes)?;
                bytes
            }
            Err(StoreError::Missing(_)) => return Err(CatalogError::Offline(name.clone())),
            Err(error) => return Err(error.into()),
        };
        let registry = locked.registry.clone();
        Release::from_index(name, version, &bytes).map_err(|source| CatalogError::Release {
            name: name.clone(),
            version: version.clone(),
            registry,
            source,
        })
    }
}

impl Source for Catalog<'_> {
    type Error = CatalogError;

    /// Those that were not yanked, and what the lock has.
    fn versions(&self, name: &PackageName) -> Result<Vec<Version>, CatalogError> {
        let locked = self.lock.packages.get(name).map(|locked| &locked.version);
        let offered =
            |published: &Published| published.yanked == Yanked::No || locked == Some(&published.version);
        Ok(self.published(name)?.into_iter().filter(offered).map(|published| published.version).collect())
    }

    fn dependencies(&self, name: &PackageName, version: &Version) -> Result<Vec<Requirement>, CatalogError> {
        Ok(self.release(name, version)?.dependencies)
    }
}
