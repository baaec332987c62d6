//! The package that a project's own stands on, to the byte.

use edgepkg_quantize::package::{Base, Package};

use super::{Project, ProjectError, Requirement};
use crate::error::Error;
use crate::install::InstallError;
use crate::installed;
use crate::lock::Lock;
use crate::model::ModelError;

/// Compares the base of `package` with that of the package which its project names as its base, and writes into it which
/// that is, by its digest. Does nothing where the project names none.
///
/// # Errors
///
/// When it is not installed, or the weights differ.
pub fn stand_on_base(project: &Project, package: &mut Package) -> Result<(), Error> {
    let Some(needed) = project.base() else { return Ok(()) };
    let lock = Lock::read(&project.folder).map_err(InstallError::from)?.unwrap_or_default();
    let locked = lock.packages.get(&needed.name).filter(|locked| needed.matches(&locked.version));
    let locked = locked.ok_or_else(|| ProjectError::BaseNotInstalled(needed.to_string()))?;
    let base =
        installed::find(&Requirement::exactly(needed.name, &locked.version)).map_err(ModelError::from)?;
    let digest = |package: &Package| {
        package.base_digest().map_err(|source| crate::publish::PublishError::Release(source.into()))
    };
    let reason = match (digest(package)?, digest(&base)?) {
        (None, _) => "`[model]` names no `head`",
        (_, None) => "that has no head of its own, so no base to be shared",
        (Some(own), Some(base)) if own != base => "the weights below the head differ",
        _ => {
            let (name, version) = (locked.name.clone(), locked.version.clone());
            package.manifest.base = Some(Base { name, version, digest: locked.digest });
            return Ok(());
        }
    };
    let base = format!("{} {}", locked.name, locked.version);
    Err(ProjectError::OtherBase { base, reason: reason.to_owned() }.into())
}
