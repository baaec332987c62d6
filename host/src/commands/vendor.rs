//! `edgepkg vendor`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use super::registry_arguments::{LockArguments, install_with_progress, project_request};
use crate::error::Error;
use crate::install::{self, InstallError};
use crate::project::Project;
use crate::registry::FolderRegistry;
use crate::store::{Home, Store};
use crate::table::{Bytes, counted};

/// Arguments of `edgepkg vendor`.
#[derive(Args, Debug)]
pub struct VendorArguments {
    /// The folder, which becomes a registry
    #[arg(value_name = "FOLDER", default_value = "vendor")]
    folder: PathBuf,
    #[command(flatten)]
    lock: LockArguments,
}

/// Copies what a project needs into a folder that is a registry itself.
///
/// # Errors
///
/// When it cannot be resolved or fetched, or the folder cannot be written.
pub fn execute(arguments: &VendorArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let project = Project::here()?;
    let request = project_request(&project, arguments.lock.update(), arguments.lock.network());
    let installed = install_with_progress(&request, Some(&project))?;
    let store = Store::open(&Home::find()?.store)?;
    let registry = FolderRegistry::new(&arguments.folder);
    let mut bytes = 0;
    for locked in installed.lock.packages.values() {
        bytes += install::copy(&store, locked, &registry).map_err(InstallError::from)?;
    }
    let (count, bytes) = (counted(installed.lock.packages.len(), "package"), Bytes(bytes));
    let folder = arguments.folder.display();
    writeln!(out, "{count} in {folder} ({bytes} written)")?;
    writeln!(out, "to use it: in [registries], default = \"{folder}\"")?;
    Ok(Outcome::Good)
}
