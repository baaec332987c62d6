//! `edgepkg new`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::error::Error;
use crate::project;
use edgepkg_quantize::package::PackageName;

/// Arguments of `edgepkg new`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg new kws
  edgepkg new . --name keyword-spotting")]
pub struct NewArguments {
    /// The folder, which is made where it is not there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Name of the package [default: the folder's]
    #[arg(long)]
    name: Option<PackageName>,
}

/// Makes a project.
///
/// # Errors
///
/// When the folder is one already, or the system refuses.
pub fn execute(arguments: &NewArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let folder = &arguments.folder;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => {
            let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            PackageName::nearest(&whole.file_name().unwrap_or_default().to_string_lossy())
        }
    };
    project::create(folder, &name)?;
    writeln!(out, "made {}", folder.join(project::PROJECT_FILE).display())?;
    writeln!(out, "put a model and its calibration samples there, then `edgepkg quantize`")?;
    Ok(Outcome::Good)
}
