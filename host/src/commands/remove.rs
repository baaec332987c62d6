//! `edgepkg remove`.

use std::io::Write;

use clap::Args;

use super::Outcome;
use crate::error::Error;
use crate::project::{self, Project};
use edgepkg_quantize::package::PackageName;

/// Arguments of `edgepkg remove`.
#[derive(Args, Debug)]
pub struct RemoveArguments {
    /// The dependency, by the name that the project has for it
    #[arg(value_name = "NAME", required = true)]
    names: Vec<PackageName>,
}

/// Removes dependencies.
///
/// # Errors
///
/// When there is none of a name, or the file cannot be written.
pub fn execute(arguments: &RemoveArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    for name in &arguments.names {
        let project = Project::here()?;
        project::remove_dependency(&project, name)?;
        writeln!(out, "removed {name} from {}", project.path().display())?;
    }
    Ok(Outcome::Good)
}
