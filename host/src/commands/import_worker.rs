//! `edgepkg import-worker`: what [`crate::import_worker`] starts.

use std::io::Write;

use clap::Args;

use super::Outcome;
use crate::error::Error;
use crate::import_worker::serve::serve;

/// Arguments of `edgepkg import-worker`.
#[derive(Args, Debug)]
pub struct WorkerArguments {
    /// Address space it may have
    #[arg(long)]
    memory_bytes: u64,
    /// Processor time it may take
    #[arg(long)]
    cpu_seconds: u64,
}

/// Reads one model file.
///
/// # Errors
///
/// When the limits cannot be set or the pipes fail.
pub fn execute(arguments: &WorkerArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    serve(arguments.memory_bytes, arguments.cpu_seconds, out)?;
    Ok(Outcome::Good)
}
