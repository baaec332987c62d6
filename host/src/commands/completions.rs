//! `edgepkg completions` and `edgepkg man`.

use std::io::Write;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Outcome;
use crate::cli::Cli;
use crate::error::Error;

/// Arguments of `edgepkg completions`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg completions bash > ~/.local/share/bash-completion/completions/edgepkg
  edgepkg completions zsh > ~/.zfunc/_edgepkg
  edgepkg completions fish > ~/.config/fish/completions/edgepkg.fish")]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes what a shell completes command lines by.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn execute(arguments: &CompletionsArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "edgepkg", &mut text);
    out.write_all(&text)?;
    Ok(Outcome::Good)
}

/// Writes the manual's page, in roff.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write_manual(out: &mut dyn Write) -> Result<Outcome, Error> {
    clap_mangen::Man::new(Cli::command()).render(&mut &mut *out)?;
    Ok(Outcome::Good)
}
