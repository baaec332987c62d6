//! `edgepkg key`.

use std::io::Write;

use clap::{Args, Subcommand};

use super::Outcome;
use crate::error::Error;
use crate::store::Home;
use crate::table::{Align, Table};
use crate::trust::Keys;
use edgepkg_quantize::package::PackageName;

/// Arguments of `edgepkg key`.
#[derive(Args, Debug)]
pub struct KeyArguments {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum KeyCommand {
    /// Make a key
    New {
        /// Its name
        #[arg(value_name = "NAME")]
        name: PackageName,
    },
    /// List your keys
    List,
    /// Print a public key, for those who are to trust it
    Export {
        /// The key's name
        #[arg(value_name = "NAME")]
        name: PackageName,
    },
}

/// Looks after keys.
///
/// # Errors
///
/// When there is none of that name, or the system refuses.
pub fn execute(arguments: &KeyArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let home = Home::find()?;
    let keys = Keys::within(&home.configuration);
    match &arguments.command {
        KeyCommand::New { name } => {
            let key = keys.make(name)?;
            writeln!(out, "{}", key.public())?;
            eprintln!("the secret part is in {}: keep a copy where nobody else is", keys.folder().display());
        }
        KeyCommand::List => {
            let mut table = Table::new([("key", Align::Left), ("id", Align::Left), ("public", Align::Left)]);
            for name in keys.names()? {
                let public = keys.find(&name)?.public();
                table.row([name.to_string(), public.id(), public.to_string()]);
            }
            match table.is_empty() {
                true => writeln!(out, "no keys; `edgepkg key new NAME` makes one")?,
                false => write!(out, "{table}")?,
            }
        }
        KeyCommand::Export { name } => writeln!(out, "{}", keys.find(name)?.public())?,
    }
    Ok(Outcome::Good)
}
