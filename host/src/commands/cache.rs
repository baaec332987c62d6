//! `edgepkg cache`.

use std::collections::BTreeSet;
use std::io::Write;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::OutputArguments;
use crate::error::Error;
use crate::install::InstallError;
use crate::installed;
use crate::lock::Lock;
use crate::store::{Collected, Damage, Home, Store};
use crate::table::{Bytes, counted};

/// Arguments of `edgepkg cache`.
#[derive(Args, Debug)]
pub struct CacheArguments {
    #[command(subcommand)]
    command: CacheCommand,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum CacheCommand {
    /// Compare every blob with its digest, and remove those that were changed
    Verify,
    /// Remove what no project's lock names any more
    Gc,
    /// Show where the store is
    Path,
}

#[derive(Serialize)]
struct VerifyResult<'a> {
    sound: usize,
    removed: &'a [Damage],
}

/// Looks after the store.
///
/// # Errors
///
/// When it cannot be read or changed.
pub fn execute(arguments: &CacheArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let store = Store::open(&Home::find()?.store)?;
    match arguments.command {
        CacheCommand::Path => writeln!(out, "{}", store.folder().display())?,
        CacheCommand::Verify => {
            let (sound, removed) = store.verify()?;
            if arguments.format.json {
                write_json(out, &VerifyResult { sound, removed: &removed })?;
            } else {
                for Damage { reason, .. } in &removed {
                    writeln!(out, "removed: {reason}")?;
                }
                writeln!(out, "{} as their digests say", counted(sound, "blob"))?;
            }
            if !removed.is_empty() {
                return Err(Error::Damaged { blobs: counted(removed.len(), "blob") });
            }
        }
        CacheCommand::Gc => {
            let collected = collect(&store)?;
            if arguments.format.json {
                write_json(out, &collected)?;
            } else {
                let (releases, blobs) =
                    (counted(collected.releases, "release"), counted(collected.blobs, "blob"));
                writeln!(out, "removed {releases} and {blobs} ({})", Bytes(collected.bytes))?;
            }
        }
    }
    Ok(Outcome::Good)
}

fn collect(store: &Store) -> Result<Collected, Error> {
    let mut needed = BTreeSet::new();
    for folder in installed::known_locks(store)? {
        let lock = Lock::read(&folder).map_err(InstallError::from)?.unwrap_or_default();
        needed.extend(lock.packages.values().map(|locked| locked.digest));
    }
    Ok(store.collect(&needed)?)
}
