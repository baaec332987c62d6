//! `edgepkg check`.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{ImportArguments, OutputArguments};
use crate::error::Error;
use crate::project::{self, Problem, Project};
use crate::table::{counted, printable};

/// Arguments of `edgepkg check`.
#[derive(Args, Debug)]
pub struct CheckArguments {
    #[command(flatten)]
    import: ImportArguments,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct CheckResult<'a> {
    name: &'a str,
    version: &'a str,
    problems: &'a [Problem],
}

/// Compares a project with its files.
///
/// # Errors
///
/// When its file cannot be understood, or something is not as it says.
pub fn execute(arguments: &CheckArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let project = Project::here()?;
    let problems = project::check(&project, &arguments.import.importer());
    let (name, version) = (project.name().as_str(), project.version().as_str());
    if arguments.format.json {
        write_json(out, &CheckResult { name, version, problems: &problems })?;
    } else {
        for Problem { table, message, hint } in &problems {
            writeln!(out, "{table}: {}", printable(message))?;
            if let Some(hint) = hint {
                writeln!(out, "  hint: {}", printable(hint))?;
            }
        }
    }
    match problems.len() {
        0 if arguments.format.json => {}
        0 => writeln!(out, "{name} {version}: all is as {} says", project.path().display())?,
        count => return Err(Error::Problems { path: project.path(), problems: counted(count, "problem") }),
    }
    Ok(Outcome::Good)
}
