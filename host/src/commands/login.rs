//! `edgepkg login`.

use std::io::{self, Read as _, Write};

use clap::Args;

use super::Outcome;
use crate::error::Error;
use crate::registry::log_in;

/// The longest password.
const MAX_PASSWORD_BYTES: u64 = 64 << 10;

/// Arguments of `edgepkg login`.
#[derive(Args, Debug)]
#[command(after_help = "\
The password, or token, is read from standard input and stored where Docker stores it:
  edgepkg login ghcr.io --username NAME < token.txt")]
pub struct LoginArguments {
    /// The registry's host
    #[arg(value_name = "HOST")]
    host: String,
    /// Who you are there
    #[arg(long, value_name = "NAME")]
    username: String,
}

/// Stores a registry's password.
///
/// # Errors
///
/// When the registry does not accept it, or it cannot be stored.
pub fn execute(arguments: &LoginArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let mut password = String::new();
    io::stdin().lock().take(MAX_PASSWORD_BYTES).read_to_string(&mut password)?;
    let host = arguments.host.trim_start_matches("oci://").split('/').next().unwrap_or_default();
    log_in(host, &arguments.username, password.trim_end_matches(['\r', '\n']))?;
    writeln!(out, "{host} knows you as {}", arguments.username)?;
    Ok(Outcome::Good)
}
