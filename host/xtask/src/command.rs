//! Other programs, run aloud.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Why a chore is not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A program does not start.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed")]
    Failed {
        /// The command line.
        command: String,
    },
    /// A text that is no public key.
    #[error("`{text}` is not a public key: `ed25519:` and 44 characters of base64")]
    NotAKey {
        /// The text.
        text: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Packages are missing and cannot be installed from here.
    #[error("this machine lacks {}", packages.join(", "))]
    MissingPackages {
        /// Debian's names for them.
        packages: Vec<String>,
    },
    /// Nothing on this machine builds for a target.
    #[error("no toolchain here builds for `{target}`")]
    NoToolchain {
        /// The target triple.
        target: String,
    },
    /// A linked image is not as expected.
    #[error("{}: {reason}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Failure {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Failure::MissingPackages { packages } => {
                Some(format!("as root: `apt-get install {}`, then again", packages.join(" ")))
            }
            Failure::NoToolchain { target } => {
                Some(format!("`rustup target add {target}`, or `cargo xtask setup`"))
            }
            Failure::NotAKey { .. } => Some("`edgepkg key export NAME` prints one".to_owned()),
            _ => None,
        }
    }
}

/// Attaches the path to an error about a file.
pub fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Failure {
    let path = path.into();
    move |source| Failure::File { path, source }
}

fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Runs `command` with its output shown.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let line = line(command);
    eprintln!("$ {line}");
    let status = command.status().map_err(|source| Failure::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    if status.success() { Ok(()) } else { Err(Failure::Failed { command: line }) }
}

/// Whether `command` starts and succeeds; its output is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
