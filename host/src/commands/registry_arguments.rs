//! What the commands for registries share.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use edgepkg_boards::Board;

use crate::catalog::Network;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::install::{Installed, Request, Update, install};
use crate::lock::LockedPackage;
use crate::progress::Progress;
use crate::project::{Project, Requirement};
use crate::registry::Registry;
use crate::release::Target;
use crate::store::{Home, Store};
use edgepkg_quantize::package::PackageName;

/// Which registry.
#[derive(Args, Clone, Debug)]
pub struct RegistryArguments {
    /// The registry: its name in `[registries]`, oci://HOST/PATH, or a folder [default: the one called default]
    #[arg(long, value_name = "REGISTRY")]
    registry: Option<String>,
}

impl RegistryArguments {
    /// The name or place that is given.
    pub(super) fn name(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// Opens it.
    pub(super) fn open(&self) -> Result<Box<dyn Registry>, Error> {
        let project = Project::find(Path::new("."))?;
        let configuration = Configuration::read(&Home::find()?, project.as_ref())?;
        Ok(configuration.registry(self.name())?)
    }
}

/// How the lock is used.
#[derive(Args, Clone, Copy, Debug)]
pub struct LockArguments {
    /// Fail where edgepkg.lock would have to change
    #[arg(long)]
    locked: bool,
    /// Ask no registry: what is in the store must do
    #[arg(long)]
    offline: bool,
    /// Both of these
    #[arg(long)]
    frozen: bool,
}

impl LockArguments {
    pub(super) fn update(self) -> Update {
        if self.locked || self.frozen { Update::Locked } else { Update::Needed }
    }

    pub(super) fn network(self) -> Network {
        if self.offline || self.frozen { Network::Offline } else { Network::Online }
    }
}

/// What is fetched of packages.
#[derive(Args, Clone, Debug)]
pub struct TargetArguments {
    /// Fetch only what this board needs; may be repeated
    #[arg(long, value_name = "BOARD")]
    board: Vec<String>,
    /// Fetch only what this instruction set needs; may be repeated
    #[arg(long, value_name = "ISA", value_parser = target)]
    target: Vec<Target>,
}

fn target(name: &str) -> Result<Target, String> {
    Target::from_name(name)
        .ok_or_else(|| "it is no instruction set; `edgepkg boards` names each board's".to_owned())
}

impl TargetArguments {
    pub(super) fn targets(&self) -> Result<Vec<Target>, Error> {
        let mut targets = self.target.clone();
        for board in &self.board {
            targets.push(Target::Isa(Board::find(board)?.isa));
        }
        if targets.is_empty() {
            targets.push(Target::Package);
        }
        targets.sort();
        targets.dedup();
        Ok(targets)
    }
}

/// What a project needs, as a request.
pub(super) fn project_request(project: &Project, update: Update, network: Network) -> Request {
    let mut places = BTreeMap::new();
    let mut needed = Vec::new();
    for (requirement, registry) in project.schema.requirements() {
        if let Some(registry) = registry {
            places.insert(requirement.name.clone(), registry.to_owned());
        }
        needed.push(requirement);
    }
    Request {
        folder: project.folder.clone(),
        needed,
        places,
        update,
        targets: vec![Target::Package],
        network,
    }
}

/// Installs what `request` says, with a progress bar.
pub(super) fn install_with_progress(
    request: &Request,
    project: Option<&Project>,
) -> Result<Installed, Error> {
    let home = Home::find()?;
    let store = Store::open(&home.store)?;
    let configuration = Configuration::read(&home, project)?;
    let progress = Progress::new("resolving");
    let show = |done: u64, total: u64| progress.show("fetching", done as usize, total as usize);
    let installed = install(request, &store, &configuration, &show)?;
    for (name, version) in &installed.yanked {
        eprintln!("warning: `{name}` {version} was yanked; `edgepkg update` takes another");
    }
    Ok(installed)
}

/// What changed in a lock: a line each.
pub(super) fn changes(installed: &Installed) -> Vec<String> {
    let (before, now) = (&installed.before.packages, &installed.lock.packages);
    let mut lines = Vec::new();
    for (name, LockedPackage { version, .. }) in now {
        match before.get(name) {
            None => lines.push(format!("  + {name} {version}")),
            Some(old) if old.version != *version => {
                lines.push(format!("  ~ {name} {} -> {version}", old.version))
            }
            Some(_) => {}
        }
    }
    lines.extend(
        before
            .iter()
            .filter(|(name, _)| !now.contains_key(*name))
            .map(|(name, old)| format!("  - {name} {}", old.version)),
    );
    lines
}

/// Warns of a name that looks like another that is there, so that it may be mistaken for that.
pub(super) fn warn_of_likeness(name: &PackageName, others: &[PackageName]) {
    if let Some(other) = look_alike(name, others) {
        eprintln!("warning: `{name}` looks like `{other}`, which is another package: see that you mean it");
    }
}

/// Of `others` one that a reader may take for `name`.
fn look_alike<'n>(name: &PackageName, others: &'n [PackageName]) -> Option<&'n PackageName> {
    let plain =
        |name: &PackageName| name.as_str().replace('0', "o").replace(['1', 'i'], "l").replace(['-', '_'], "");
    others.iter().find(|other| {
        let is_near = name.as_str().len() > 2 && strsim::osa_distance(name.as_str(), other.as_str()) == 1;
        *other != name && (is_near || plain(name) == plain(other))
    })
}

/// Packages that a new name could be mistaken for: those of its registry, as far as it lists them.
pub(super) fn neighbours(requirement: &Requirement, registry: &dyn Registry) -> Vec<PackageName> {
    match registry.packages() {
        Ok(names) if names.contains(&requirement.name) => names,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike() {
        let others: Vec<PackageName> =
            ["kws", "mobilenet", "vad", "a1"].map(|name| name.parse().unwrap()).to_vec();
        let alike =
            |name: &str| look_alike(&name.parse().unwrap(), &others).map(|name| name.as_str().to_owned());
        assert_eq!(alike("kvs").as_deref(), Some("kws"));
        assert_eq!(alike("mobi1enet").as_deref(), Some("mobilenet"));
        assert_eq!(alike("mobile-net").as_deref(), Some("mobilenet"));
        assert_eq!(alike("kws"), None);
        assert_eq!(alike("person"), None);
        assert_eq!(alike("b1"), None);
    }
}
