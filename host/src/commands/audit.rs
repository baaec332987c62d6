//! `edgepkg verify` and `edgepkg audit`.

use std::io::Write;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::catalog::{Catalog, Network};
use crate::cli::OutputArguments;
use crate::configuration::Configuration;
use edgepkg_quantize::error_text::message;

use crate::error::Error;
use crate::install::InstallError;
use crate::installed::InstalledError;
use crate::lock::{Lock, LockedPackage};
use crate::model::ModelError;
use crate::project::{Project, Requirement};
use crate::registry::{self, Yanked};
use crate::release::{Release, Target};
use crate::store::{Home, MAX_BLOB_BYTES, MAX_DOCUMENT_BYTES, Store};
use crate::table::counted;
use crate::trust::{self, Verdict};
use edgepkg_quantize::package::Package;

/// Arguments of `edgepkg verify`.
#[derive(Args, Debug)]
pub struct VerifyArguments {
    /// Packages [default: all that the project one stands in needs, else all that were installed by name]
    #[arg(value_name = "NAME@VERSIONS")]
    requirements: Vec<Requirement>,
    #[command(flatten)]
    format: OutputArguments,
}

/// Arguments of `edgepkg audit`.
#[derive(Args, Debug)]
pub struct AuditArguments {
    /// Ask no registry: what was yanked is then not known
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    format: OutputArguments,
}

/// Whose lock it is.
struct Locked {
    what: String,
    lock: Lock,
    store: Store,
    configuration: Configuration,
    project: Option<Project>,
}

impl Locked {
    fn here() -> Result<Self, Error> {
        let home = Home::find()?;
        let store = Store::open(&home.store)?;
        let project = Project::find(Path::new("."))?;
        let configuration = Configuration::read(&home, project.as_ref())?;
        let (folder, what) = match &project {
            Some(project) => (project.folder.clone(), format!("`{}`", project.name())),
            None => (store.folder().to_owned(), "this user".to_owned()),
        };
        let lock = Lock::read(&folder).map_err(InstallError::from)?.unwrap_or_default();
        Ok(Self { what, lock, store, configuration, project })
    }

    /// What is locked here where that has all of `requirements`, else what the user has installed by name.
    fn with(requirements: &[Requirement]) -> Result<Self, Error> {
        let mut here = Self::here()?;
        if requirements.iter().any(|needed| !here.has(needed)) {
            here.lock = Lock::read(here.store.folder()).map_err(InstallError::from)?.unwrap_or_default();
        }
        match requirements.iter().find(|needed| !here.has(needed)) {
            Some(missing) => Err(ModelError::from(InstalledError::NotLocked(missing.to_string())).into()),
            None => Ok(here),
        }
    }

    fn has(&self, needed: &Requirement) -> bool {
        self.lock.packages.get(&needed.name).is_some_and(|locked| needed.matches(&locked.version))
    }

    /// Reads all of a package that is in the store and judges it.
    fn verify(&self, locked: &LockedPackage) -> Result<Verdict, Error> {
        let index = self.store.read(locked.digest, MAX_DOCUMENT_BYTES)?;
        let release = Release::from_index(&locked.name, &locked.version, &index);
        let release = release.map_err(InstalledError::from).map_err(ModelError::from)?;
        for (target, manifest) in release.targets.iter().filter(|(_, manifest)| self.store.has(manifest)) {
            let name = format!("{}@{}", locked.name, locked.version);
            if *target == Target::Package {
                Package::from_store(self.store.folder(), manifest.clone(), &name)?;
            }
            let digest = edgepkg_quantize::digest::Digest::of_descriptor(manifest)
                .map_err(crate::store::StoreError::from)?;
            let bytes = self.store.read(digest, MAX_DOCUMENT_BYTES)?;
            let image: oci_spec::image::ImageManifest =
                serde_json::from_slice(&bytes).map_err(std::io::Error::from)?;
            for blob in crate::release::blobs_of(&image) {
                let digest = edgepkg_quantize::digest::Digest::of_descriptor(&blob)
                    .map_err(crate::store::StoreError::from)?;
                self.store.read(digest, MAX_BLOB_BYTES)?;
            }
        }
        let envelopes = self.store.signatures(locked.digest);
        let judged = trust::judge(&release, &envelopes, &self.configuration.trust);
        Ok(judged.map_err(InstallError::from)?)
    }
}

#[derive(Serialize)]
struct VerifyResult {
    packages: Vec<Verified>,
}

#[derive(Serialize)]
struct Verified {
    name: String,
    version: String,
    digest: String,
    /// The key that signed it, where the policy asks for one.
    signed_by: Option<String>,
}

/// Verifies installed packages.
///
/// # Errors
///
/// When one was changed, is not there, or the policy does not let it in.
pub fn verify(arguments: &VerifyArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let here = Locked::with(&arguments.requirements)?;
    let wanted = |locked: &&LockedPackage| {
        let mut all = arguments.requirements.iter();
        arguments.requirements.is_empty()
            || all.any(|needed| needed.name == locked.name && needed.matches(&locked.version))
    };
    let mut packages = Vec::new();
    for locked in here.lock.packages.values().filter(wanted) {
        let signed_by = match here.verify(locked)? {
            Verdict::Signed(key) => Some(key),
            Verdict::NotNeeded => None,
        };
        let (name, version) = (locked.name.to_string(), locked.version.to_string());
        packages.push(Verified { name, version, digest: locked.digest.to_string(), signed_by });
    }
    if arguments.format.json {
        write_json(out, &VerifyResult { packages })?;
        return Ok(Outcome::Good);
    }
    for Verified { name, version, digest, signed_by } in &packages {
        let by = signed_by
            .as_ref()
            .map_or_else(|| "no signature asked for".to_owned(), |key| format!("signed by {key}"));
        writeln!(out, "{name} {version}: every byte as {digest} says, {by}")?;
    }
    if packages.is_empty() {
        writeln!(out, "{} needs no packages", here.what)?;
    }
    Ok(Outcome::Good)
}

#[derive(Serialize)]
struct AuditResult {
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    name: String,
    version: String,
    problem: String,
}

/// Looks for what is wrong with the packages of a lock.
///
/// # Errors
///
/// When something is, or it cannot be looked for.
pub fn audit(arguments: &AuditArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let here = Locked::here()?;
    let network = if arguments.offline { Network::Offline } else { Network::Online };
    let places = here.project.iter().flat_map(|project| project.schema.requirements().collect::<Vec<_>>());
    let places = places.filter_map(|(needed, place)| Some((needed.name, place?.to_owned()))).collect();
    let catalog = Catalog::new(&here.store, &here.configuration, network, places, &here.lock);
    let catalog = catalog.map_err(InstallError::from)?;
    let mut findings = Vec::new();
    for locked in here.lock.packages.values() {
        let mut add = |problem: String| {
            let (name, version) = (locked.name.to_string(), locked.version.to_string());
            findings.push(Finding { name, version, problem });
        };
        if let Err(error) = here.verify(locked) {
            add(message(&error));
        }
        if network == Network::Online {
            let registry = catalog.registry(&locked.name).map_err(InstallError::from)?;
            if let Yanked::Because(reason) = registry::is_yanked(&*registry, &locked.name, &locked.version)? {
                add(if reason.is_empty() {
                    "it was yanked".to_owned()
                } else {
                    format!("it was yanked: {reason}")
                });
            }
            // What the registry has under that version now.
            if let Err(error) = catalog.release(&locked.name, &locked.version) {
                add(message(&error));
            }
        }
    }
    let count = findings.len();
    if arguments.format.json {
        write_json(out, &AuditResult { findings })?;
    } else {
        for Finding { name, version, problem } in &findings {
            writeln!(out, "{name} {version}: {problem}")?;
        }
    }
    match count {
        0 if arguments.format.json => Ok(Outcome::Good),
        0 => {
            writeln!(out, "nothing is wrong with {}", counted(here.lock.packages.len(), "package"))?;
            Ok(Outcome::Good)
        }
        count => Err(Error::Findings { findings: counted(count, "problem"), what: here.what }),
    }
}
