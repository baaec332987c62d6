//! Installs packages: resolves them, fetches what is missing, and writes the lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use oci_spec::image::{Descriptor, ImageManifest};
use thiserror::Error;

use crate::catalog::{Catalog, CatalogError, Network};
use crate::configuration::Configuration;
use crate::lock::{Lock, LockError, LockedPackage};
use crate::project::Requirement;
use crate::registry::{self, Registry, RegistryError};
use crate::release::{Release, Target, blobs_of};
use crate::resolve::{self, ResolveError};
use crate::store::{MAX_DOCUMENT_BYTES, Store, StoreError, StoredRelease};
use crate::trust::{self, TrustError};
use edgepkg_quantize::digest::Digest;
use edgepkg_quantize::package::{PackageName, Version};

/// Packages that are fetched at once.
const WORKERS: usize = 8;

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder whose lock it is.
    pub folder: PathBuf,
    /// What is needed.
    pub needed: Vec<Requirement>,
    /// The registry of each package that is not in the default one.
    pub places: BTreeMap<PackageName, String>,
    /// What becomes of the lock.
    pub update: Update,
    /// What is fetched of each package.
    pub targets: Vec<Target>,
    /// Whether registries are asked.
    pub network: Network,
}

/// What becomes of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It must do as it is.
    Locked,
    /// It stays as far as it can.
    Needed,
    /// These packages take the newest version that will do.
    Packages(Vec<PackageName>),
    /// Every package does.
    All,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// The lock as it is now.
    pub lock: Lock,
    /// The lock as it was.
    pub before: Lock,
    /// Bytes that came from registries.
    pub fetched_bytes: u64,
    /// Packages of the lock that were yanked since, where registries were asked.
    pub yanked: Vec<(PackageName, Version)>,
}

/// Why it cannot be installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The lock's file.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The releases.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Versions that do not go together.
    #[error(transparent)]
    Resolve(#[from] ResolveError<CatalogError>),
    /// A lock that does not do any more.
    #[error("the lock is not what edgepkg.toml needs: {reason}")]
    Outdated {
        /// What is missing.
        reason: String,
    },
    /// A registry that offers less than it did.
    #[error(
        "{registry} does not have `{name}` {locked} any more, which the lock has: {offered} would be a step back"
    )]
    StepBack {
        /// The registry.
        registry: String,
        /// The package.
        name: PackageName,
        /// The version in the lock.
        locked: Version,
        /// The version that would take its place.
        offered: Version,
    },
    /// A release that the policy does not let in.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Something that the package was not published for.
    #[error("`{name}` {version} was not published for {target}")]
    NoTarget {
        /// The package.
        name: PackageName,
        /// Its version.
        version: Version,
        /// What is missing.
        target: &'static str,
        /// What there is.
        targets: Vec<&'static str>,
    },
    /// A manifest that makes no sense.
    #[error("a manifest of `{name}` {version} cannot be read: {reason}")]
    Manifest {
        /// The package.
        name: PackageName,
        /// Its version.
        version: Version,
        /// What is wrong.
        reason: String,
    },
}

impl From<RegistryError> for InstallError {
    fn from(error: RegistryError) -> Self {
        CatalogError::from(error).into()
    }
}

impl From<StoreError> for InstallError {
    fn from(error: StoreError) -> Self {
        CatalogError::from(error).into()
    }
}

impl InstallError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            InstallError::Lock(error) => error.hint().map(str::to_owned),
            InstallError::Catalog(error) | InstallError::Resolve(ResolveError::Source(error)) => error.hint(),
            InstallError::Resolve(ResolveError::NoSolution { .. }) => Some(
                "ask for other versions in `[dependencies]`; `edgepkg versions NAME` lists what is there"
                    .to_owned(),
            ),
            InstallError::Outdated { .. } => {
                Some("`edgepkg install` without `--locked` and `--frozen` brings it up to date".to_owned())
            }
            InstallError::StepBack { locked, .. } => Some(format!(
                "someone may be showing you an old registry. If it was removed there on purpose, ask for `<{locked}`"
            )),
            InstallError::NoTarget { targets, .. } => {
                Some(format!("it was published for {}; `package` is for any board", targets.join(", ")))
            }
            InstallError::Trust(error) => error.hint(),
            InstallError::Manifest { .. } => None,
        }
    }
}

/// Installs what `request` says; `progress` is told how many of how many bytes are there.
///
/// # Errors
///
/// When it cannot be; the lock is then as it was, and what was fetched stays in the store.
pub fn install(
    request: &Request,
    store: &Store,
    configuration: &Configuration,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Installed, InstallError> {
    let before = Lock::read(&request.folder)?.unwrap_or_default();
    let _hold = store.hold()?;
    let catalog = Catalog::new(store, configuration, request.network, request.places.clone(), &before)?;
    let releases = match (&request.update, missing(&before, &request.needed)) {
        (Update::Locked | Update::Needed, None) => locked_releases(&catalog, &before, &request.needed)?,
        (Update::Locked, Some(reason)) => return Err(InstallError::Outdated { reason }),
        _ => resolved_releases(&catalog, &before, request)?,
    };
    for release in &releases {
        judge(release, &catalog, store, configuration, request)?;
    }
    let mut lock = Lock::default();
    for release in &releases {
        let registry = match before.packages.get(&release.name) {
            Some(locked) if locked.digest == release.digest => locked.registry.clone(),
            _ => catalog.registry_name(&release.name)?,
        };
        lock.packages.insert(release.name.clone(), LockedPackage::of(release, &registry));
    }
    let fetched_bytes = fetch(&releases, &catalog, store, request, progress)?;
    let stored = |release: &Release| StoredRelease {
        name: release.name.clone(),
        version: release.version.clone(),
        digest: release.digest,
        index_bytes: release.index_bytes,
    };
    store.add_releases(&releases.iter().map(stored).collect::<Vec<_>>())?;
    store.remember_project(&request.folder)?;
    lock.write(&request.folder)?;
    Ok(Installed { yanked: yanked(&catalog, &lock, request), lock, before, fetched_bytes })
}

/// Judges a release by the trust policy, with the signatures that are kept, else with those of its registry.
fn judge(
    release: &Release,
    catalog: &Catalog<'_>,
    store: &Store,
    configuration: &Configuration,
    request: &Request,
) -> Result<(), InstallError> {
    let policies = &configuration.trust;
    let kept = store.signatures(release.digest);
    match trust::judge(release, &kept, policies) {
        Err(TrustError::Unsigned { .. } | TrustError::Untrusted { .. })
            if request.network == Network::Online =>
        {
            let envelopes = trust::fetch(release, &*catalog.registry(&release.name)?)?;
            trust::judge(release, &envelopes, policies)?;
            store.keep_signatures(release.digest, &envelopes)?;
            Ok(())
        }
        judged => Ok(judged.map(|_| ())?),
    }
}

/// What of `needed` the lock does not have.
fn missing(lock: &Lock, needed: &[Requirement]) -> Option<String> {
    for requirement in needed {
        match lock.packages.get(&requirement.name) {
            None => return Some(format!("it does not have `{}`", requirement.name)),
            Some(locked) if !requirement.matches(&locked.version) => {
                let (name, versions) = (&requirement.name, &requirement.versions);
                return Some(format!("it has `{name}` {}, needed is {versions}", locked.version));
            }
            Some(_) => {}
        }
    }
    let mut all = lock.packages.values().flat_map(|locked| &locked.dependencies);
    all.find(|name| !lock.packages.contains_key(*name)).map(|name| format!("it does not have `{name}`"))
}

/// The releases of the lock that `needed` leads to.
fn locked_releases(
    catalog: &Catalog<'_>,
    lock: &Lock,
    needed: &[Requirement],
) -> Result<Vec<Release>, InstallError> {
    let mut names: VecDeque<&PackageName> = needed.iter().map(|requirement| &requirement.name).collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = names.pop_front() {
        if seen.insert(name) {
            names.extend(&lock.packages[name].dependencies);
        }
    }
    seen.into_iter().map(|name| Ok(catalog.locked(&lock.packages[name])?)).collect()
}

fn resolved_releases(
    catalog: &Catalog<'_>,
    before: &Lock,
    request: &Request,
) -> Result<Vec<Release>, InstallError> {
    let is_kept = |name: &PackageName| match &request.update {
        Update::All => false,
        Update::Packages(names) => !names.contains(name),
        Update::Locked | Update::Needed => true,
    };
    let locked = before.packages.values().filter(|locked| is_kept(&locked.name));
    let preferred: BTreeMap<_, _> =
        locked.map(|locked| (locked.name.clone(), locked.version.clone())).collect();
    let chosen = resolve::resolve(catalog, &request.needed, &preferred)?;
    for (name, offered) in &chosen {
        if let Some(locked) = before.packages.get(name)
            && is_step_back(catalog, request, locked, offered)?
        {
            let (registry, locked) = (catalog.registry_name(name)?, locked.version.clone());
            let (name, offered) = (name.clone(), offered.clone());
            return Err(InstallError::StepBack { registry, name, locked, offered });
        }
    }
    chosen.iter().map(|(name, version)| Ok(catalog.release(name, version)?)).collect()
}

/// Whether `offered` is older than what is locked, though nothing asks for that and the locked version is not there
/// any more, not even as one that was yanked.
fn is_step_back(
    catalog: &Catalog<'_>,
    request: &Request,
    locked: &LockedPackage,
    offered: &Version,
) -> Result<bool, InstallError> {
    let needed = request.needed.iter().filter(|requirement| requirement.name == locked.name);
    let is_wanted = needed.into_iter().all(|requirement| requirement.matches(&locked.version));
    if offered.number() >= locked.version.number() || !is_wanted {
        return Ok(false);
    }
    let published = catalog.published(&locked.name)?;
    Ok(!published.iter().any(|published| published.version == locked.version))
}

/// What of the lock was yanked; where it cannot be said, nothing: it is only told.
fn yanked(catalog: &Catalog<'_>, lock: &Lock, request: &Request) -> Vec<(PackageName, Version)> {
    if request.network == Network::Offline
        || request.update == Update::Needed
        || request.update == Update::Locked
    {
        return Vec::new();
    }
    let is_yanked = |locked: &&LockedPackage| {
        let registry = catalog.registry(&locked.name).ok();
        let yanked =
            registry.and_then(|registry| registry::is_yanked(&*registry, &locked.name, &locked.version).ok());
        matches!(yanked, Some(registry::Yanked::Because(_)))
    };
    let found = lock.packages.values().filter(is_yanked);
    found.map(|locked| (locked.name.clone(), locked.version.clone())).collect()
}

/// One manifest that is to be fetched with its blobs.
struct Job<'a> {
    release: &'a Release,
    manifest: &'a Descriptor,
    registry: Option<std::sync::Arc<dyn Registry>>,
}

/// Fetches the manifests of the targets and their blobs, as far as they are not there. Gives the bytes that came.
fn fetch(
    releases: &[Release],
    catalog: &Catalog<'_>,
    store: &Store,
    request: &Request,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<u64, InstallError> {
    let mut jobs = VecDeque::new();
    for release in releases {
        for &target in &request.targets {
            let manifest = release.targets.get(&target).ok_or_else(|| InstallError::NoTarget {
                name: release.name.clone(),
                version: release.version.clone(),
                target: target.name(),
                targets: release.targets.keys().map(|target| target.name()).collect(),
            })?;
            if is_whole(store, manifest) {
                continue;
            }
            let registry = match request.network {
                Network::Online => Some(catalog.registry(&release.name)?),
                Network::Offline => return Err(CatalogError::Offline(release.name.clone()).into()),
            };
            jobs.push_back(Job { release, manifest, registry });
        }
    }
    let (done, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let jobs = Mutex::new(jobs);
    let failure: Mutex<Option<InstallError>> = Mutex::new(None);
    let work = || {
        while let Some(job) = take(&jobs, &failure) {
            let report = |came: u64, more: u64| {
                let total = total.fetch_add(more, Ordering::Relaxed) + more;
                progress(done.fetch_add(came, Ordering::Relaxed) + came, total);
            };
            if let Err(error) = fetch_manifest(&job, store, &report) {
                failure.lock().expect("no worker panics").get_or_insert(error);
            }
        }
    };
    let workers = jobs.lock().expect("not shared yet").len().min(WORKERS);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    match failure.into_inner().expect("no worker panics") {
        Some(error) => Err(error),
        None => Ok(done.into_inner()),
    }
}

/// The next job, unless one has failed.
fn take<'a>(jobs: &Mutex<VecDeque<Job<'a>>>, failure: &Mutex<Option<InstallError>>) -> Option<Job<'a>> {
    match failure.lock().expect("no worker panics").is_some() {
        true => None,
        false => jobs.lock().expect("no worker panics").pop_front(),
    }
}

/// Whether a manifest and all it names are in the store.
fn is_whole(store: &Store, manifest: &Descriptor) -> bool {
    let Ok(digest) = Digest::of_descriptor(manifest) else { return false };
    let Ok(bytes) = store.read(digest, MAX_DOCUMENT_BYTES) else { return false };
    serde_json::from_slice::<ImageManifest>(&bytes)
        .is_ok_and(|manifest| blobs_of(&manifest).iter().all(|blob| store.has(blob)))
}

fn fetch_manifest(job: &Job<'_>, store: &Store, report: &dyn Fn(u64, u64)) -> Result<(), InstallError> {
    let Some(registry) = &job.registry else { return Ok(()) };
    let name = &job.release.name;
    let digest = Digest::of_descriptor(job.manifest).map_err(StoreError::from)?;
    let bytes = registry.manifest(name, &registry::Reference::Digest(digest))?;
    let malformed = |reason: String| InstallError::Manifest {
        name: name.clone(),
        version: job.release.version.clone(),
        reason,
    };
    let manifest: ImageManifest =
        serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    report(bytes.len() as u64, bytes.len() as u64);
    for blob in blobs_of(&manifest) {
        let Some(mut writer) = store.writer(&blob)? else { continue };
        let from = writer.written_bytes();
        report(0, blob.size() - from);
        let mut sink = |piece: &[u8]| {
            writer.write(piece)?;
            report(piece.len() as u64, 0);
            Ok(())
        };
        registry.blob(name, &blob, from, &mut sink)?;
        writer.finish()?;
    }
    // The manifest last: what it names is there.
    store.write(job.manifest, &bytes)?;
    Ok(())
}

/// Copies a release from the store to a registry, as far as it is there. Gives the bytes that were sent.
///
/// # Errors
///
/// When it is not sound, or the registry does not take it.
pub fn copy(store: &Store, locked: &LockedPackage, registry: &dyn Registry) -> Result<u64, RegistryError> {
    let name = &locked.name;
    let index_bytes = store.read(locked.digest, MAX_DOCUMENT_BYTES)?;
    let malformed = |what: &str, reason: String| RegistryError::Malformed {
        registry: "the store".to_owned(),
        name: name.clone(),
        what: what.to_owned(),
        reason,
    };
    let release = Release::from_index(name, &locked.version, &index_bytes)
        .map_err(|error| malformed("the release", error.to_string()))?;
    let mut sent = 0;
    for manifest in release.targets.values().filter(|manifest| store.has(manifest)) {
        let digest = Digest::of_descriptor(manifest).map_err(StoreError::from)?;
        let bytes = store.read(digest, MAX_DOCUMENT_BYTES)?;
        let image: ImageManifest =
            serde_json::from_slice(&bytes).map_err(|error| malformed("a manifest", error.to_string()))?;
        for blob in blobs_of(&image) {
            let digest = Digest::of_descriptor(&blob).map_err(StoreError::from)?;
            sent += registry.push_blob(name, &blob, &store.read(digest, crate::store::MAX_BLOB_BYTES)?)?;
        }
        registry.push_manifest(name, None, manifest, &bytes)?;
    }
    let index =
        edgepkg_quantize::digest::descriptor_of("application/vnd.oci.image.index.v1+json", &index_bytes);
    registry.push_manifest(name, Some(&registry::tag(&locked.version)), &index, &index_bytes)?;
    Ok(sent)
}
