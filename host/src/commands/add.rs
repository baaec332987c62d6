//! `edgepkg add`.

use std::io::Write;

use clap::Args;

use super::Outcome;
use super::registry_arguments::{neighbours, warn_of_likeness};
use crate::configuration::{Configuration, ConfigurationError};
use crate::error::Error;
use crate::project::{self, NewDependency, Project, Requirement};
use crate::registry::{self, Published, Registry, RegistryError, Yanked};
use crate::store::Home;
use edgepkg_quantize::package::PackageName;

/// Arguments of `edgepkg add`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg add kws                        the newest version, and what is compatible with it
  edgepkg add kws@^1.2
  edgepkg add mobilenet@^1.2 --as base")]
pub struct AddArguments {
    /// A package and the versions that will do: kws@^1.2, kws@1.2.3 for that one alone
    #[arg(value_name = "NAME@VERSIONS", required = true)]
    requirements: Vec<Requirement>,
    /// What the project calls it; `base` is what its own package stands on [default: the package's name]
    #[arg(long = "as", value_name = "NAME")]
    key: Option<PackageName>,
    /// The registry it is in, by its name in `[registries]` [default: the one called default]
    #[arg(long, value_name = "NAME")]
    registry: Option<String>,
}

/// Adds dependencies.
///
/// # Errors
///
/// When the registry has no such version, or the project's file cannot be understood or written.
pub fn execute(arguments: &AddArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    for requirement in &arguments.requirements {
        let project = Project::here()?;
        let place = arguments.registry.as_deref();
        let configuration = Configuration::read(&Home::find()?, Some(&project))?;
        let requirement = match configuration.registry(place) {
            Ok(registry) => {
                warn_of_likeness(&requirement.name, &neighbours(requirement, &*registry));
                published(requirement, &*registry)?
            }
            // Which versions will do is said: where they are can be said later.
            Err(ConfigurationError::NoRegistry) if !requirement.is_any() => requirement.clone(),
            Err(error) => return Err(error.into()),
        };
        let key = arguments.key.as_ref().unwrap_or(&requirement.name);
        project::add_dependency(
            &project,
            &NewDependency { key, requirement: &requirement, registry: place },
        )?;
        writeln!(out, "added {requirement} to {}", project.path().display())?;
    }
    Ok(Outcome::Good)
}

/// The requirement, of which the registry must have a version; where it says none, what is compatible with the newest.
fn published(requirement: &Requirement, registry: &dyn Registry) -> Result<Requirement, Error> {
    let name = &requirement.name;
    let published = registry::versions(registry, name)?;
    let will_do = |found: &&Published| {
        let is_offered = found.yanked == Yanked::No && requirement.matches(&found.version);
        is_offered || (requirement.is_exactly(&found.version))
    };
    let newest = published.iter().rev().find(will_do).ok_or_else(|| RegistryError::NotFound {
        registry: registry.location().to_string(),
        name: name.clone(),
        what: format!("version {}", requirement.versions),
    })?;
    match requirement.is_any() {
        true => Ok(Requirement::new(name.clone(), &format!("^{}", newest.version))
            .map_err(project::ProjectError::from)?),
        false => Ok(requirement.clone()),
    }
}
