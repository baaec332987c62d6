//! `edgepkg yank`.

use std::io::Write;

use clap::Args;

use super::Outcome;
use super::registry_arguments::RegistryArguments;
use crate::error::Error;
use crate::registry::{self, Yanked};
use edgepkg_quantize::package::{PackageName, Version};

/// Arguments of `edgepkg yank`.
#[derive(Args, Debug)]
#[command(after_help = "A yanked version is not chosen any more; locks that have it keep it.")]
pub struct YankArguments {
    /// The version
    #[arg(value_name = "NAME@VERSION", value_parser = release)]
    release: (PackageName, Version),
    /// Why, for those who have it
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Offer it again
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

fn release(text: &str) -> Result<(PackageName, Version), String> {
    let (name, version) = text.split_once('@').ok_or("it has the form NAME@1.2.3")?;
    let name = name.parse().map_err(|error: edgepkg_quantize::package::NameError| error.to_string())?;
    let version = version.parse().map_err(|error: edgepkg_quantize::package::NameError| error.to_string())?;
    Ok((name, version))
}

/// Yanks a version.
///
/// # Errors
///
/// When there is none, or the registry does not take the record.
pub fn execute(arguments: &YankArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let registry = arguments.registry.open()?;
    let (name, version) = &arguments.release;
    let (yanked, what) = match arguments.undo {
        true => (Yanked::No, "offered again"),
        false => (Yanked::Because(arguments.reason.clone()), "yanked"),
    };
    registry::yank(&*registry, name, version, &yanked)?;
    writeln!(out, "{name} {version} is {what} in {}", registry.location())?;
    Ok(Outcome::Good)
}
