//! `edgepkg install` and `edgepkg update`.

use std::io::Write;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::registry_arguments::{
    LockArguments, RegistryArguments, TargetArguments, changes, install_with_progress, neighbours,
    project_request, warn_of_likeness,
};
use super::{Outcome, write_json};
use crate::catalog::Network;
use crate::cli::OutputArguments;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::install::{Installed, Request, Update};
use crate::lock::{Lock, LockedPackage};
use crate::project::{Project, Requirement};
use crate::registry;
use crate::store::{Home, Store};
use crate::table::{Bytes, counted};
use edgepkg_quantize::package::PackageName;

/// Arguments of `edgepkg install`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg install                          what the project one stands in needs
  edgepkg install --frozen                 exactly what its edgepkg.lock says, from the store
  edgepkg install kws@^1 --board qemu-cortex-m4
  edgepkg run kws --input x.npy            what was installed, by its name")]
pub struct InstallArguments {
    /// Packages to be used by name, outside any project [default: what the project one stands in needs]
    #[arg(value_name = "NAME@VERSIONS")]
    requirements: Vec<Requirement>,
    #[command(flatten)]
    targets: TargetArguments,
    #[command(flatten)]
    lock: LockArguments,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    format: OutputArguments,
}

/// Arguments of `edgepkg update`.
#[derive(Args, Debug)]
pub struct UpdateArguments {
    /// Packages that take the newest version that will do [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<PackageName>,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct InstallResult<'a> {
    packages: Vec<&'a LockedPackage>,
    changes: Vec<String>,
    fetched_bytes: u64,
}

/// Installs packages.
///
/// # Errors
///
/// When they cannot be resolved, fetched or trusted.
pub fn execute(arguments: &InstallArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let targets = arguments.targets.targets()?;
    let (update, network) = (arguments.lock.update(), arguments.lock.network());
    let installed = if arguments.requirements.is_empty() {
        let project = Project::here()?;
        let request = Request { targets, ..project_request(&project, update, network) };
        install_with_progress(&request, Some(&project))?
    } else {
        install_for_user(arguments, Request { targets, ..user_request(update, network)? })?
    };
    write_result(&installed, arguments.format, out)
}

/// What the user has installed outside any project.
fn user_request(update: Update, network: Network) -> Result<Request, Error> {
    let store = Store::open(&Home::find()?.store)?;
    let folder = store.folder().to_owned();
    let lock = Lock::read(&folder).map_err(crate::install::InstallError::from)?.unwrap_or_default();
    // What was installed before stays as it is.
    let kept = |locked: &LockedPackage| Requirement::exactly(locked.name.clone(), &locked.version);
    let needed = lock.packages.values().map(kept).collect();
    let places =
        lock.packages.values().map(|locked| (locked.name.clone(), locked.registry.clone())).collect();
    Ok(Request { folder, needed, places, update, targets: Vec::new(), network })
}

fn install_for_user(arguments: &InstallArguments, mut request: Request) -> Result<Installed, Error> {
    let project = Project::find(Path::new("."))?;
    let configuration = Configuration::read(&Home::find()?, project.as_ref())?;
    for requirement in &arguments.requirements {
        let name = &requirement.name;
        request.needed.retain(|needed| needed.name != *name);
        request.places.remove(name);
        if request.network == Network::Online {
            // By its place, whole: what is installed so is used from any folder.
            let location = configuration.location(arguments.registry.name())?.absolute();
            let registry = registry::open(&location)?;
            warn_of_likeness(name, &neighbours(requirement, &*registry));
            request.places.insert(name.clone(), location.to_string());
        }
    }
    request.needed.extend(arguments.requirements.iter().cloned());
    if request.update == Update::Needed {
        request.update =
            Update::Packages(arguments.requirements.iter().map(|needed| needed.name.clone()).collect());
    }
    install_with_progress(&request, project.as_ref())
}

/// Takes the newest versions that will do.
///
/// # Errors
///
/// When they cannot be resolved, fetched or trusted.
pub fn execute_update(arguments: &UpdateArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let project = Project::here()?;
    let update = match &arguments.names[..] {
        [] => Update::All,
        names => Update::Packages(names.to_vec()),
    };
    let request = project_request(&project, update, Network::Online);
    let installed = install_with_progress(&request, Some(&project))?;
    write_result(&installed, arguments.format, out)
}

fn write_result(
    installed: &Installed,
    format: OutputArguments,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let changes = changes(installed);
    let packages = &installed.lock.packages;
    if format.json {
        let (packages, fetched_bytes) = (packages.values().collect(), installed.fetched_bytes);
        write_json(out, &InstallResult { packages, changes, fetched_bytes })?;
        return Ok(Outcome::Good);
    }
    for line in &changes {
        writeln!(out, "{line}")?;
    }
    let (count, fetched) = (counted(packages.len(), "package"), Bytes(installed.fetched_bytes));
    match installed.fetched_bytes {
        0 => writeln!(out, "{count}, nothing to fetch")?,
        _ => writeln!(out, "{count}, {fetched} fetched")?,
    }
    Ok(Outcome::Good)
}
