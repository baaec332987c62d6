//! `edgepkg probes`.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::OutputArguments;
use crate::deploy::{self, PERMISSION_HINT, ProbeEntry, UDEV_RULE};
use crate::error::Error;
use crate::table::{Align, Table, printable};

/// Arguments of `edgepkg probes`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg probes
  edgepkg probes --udev-rules | sudo tee /etc/udev/rules.d/70-edgepkg-probes.rules")]
pub struct ProbesArguments {
    /// Write rules for udev that let whoever sits at the computer use debug probes (Linux)
    #[arg(long)]
    udev_rules: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct ProbeList {
    probes: Vec<ProbeEntry>,
}

/// Lists the probes that are plugged in.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn execute(arguments: &ProbesArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    if arguments.udev_rules {
        out.write_all(UDEV_RULE.as_bytes())?;
        return Ok(Outcome::Good);
    }
    let probes = deploy::list_probes();
    if arguments.output.json {
        write_json(out, &ProbeList { probes })?;
        return Ok(Outcome::Good);
    }
    write_list(out, &probes)?;
    Ok(Outcome::Good)
}

fn write_list(out: &mut dyn Write, probes: &[ProbeEntry]) -> Result<(), Error> {
    if probes.is_empty() {
        writeln!(out, "no debug probe is plugged in")?;
        return Ok(());
    }
    let mut table =
        Table::new([("probe", Align::Left), ("may be used", Align::Left), ("what it is", Align::Left)]);
    for probe in probes {
        let permitted = if probe.is_permitted { "yes" } else { "no" };
        table.row([probe.selector.clone(), permitted.to_owned(), printable(&probe.name)]);
    }
    write!(out, "{table}")?;
    if probes.iter().any(|probe| !probe.is_permitted) {
        writeln!(out, "\nto be allowed to use them: {PERMISSION_HINT}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(probes: &[ProbeEntry]) -> String {
        let mut out = Vec::new();
        write_list(&mut out, probes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn says_which_probes_may_not_be_used_and_how_they_may() {
        let probe = |selector: &str, is_permitted| ProbeEntry {
            name: "BBC micro:bit CMSIS-DAP".to_owned(),
            selector: selector.to_owned(),
            is_permitted,
        };
        assert_eq!(shown(&[]), "no debug probe is plugged in\n");
        let text = shown(&[probe("0d28:0204:9900", true), probe("2e8a:000c", false)]);
        assert!(text.contains("  0d28:0204:9900  yes          BBC micro:bit CMSIS-DAP\n"), "{text}");
        assert!(text.contains("  2e8a:000c       no           BBC micro:bit CMSIS-DAP\n"), "{text}");
        assert!(text.contains("udevadm control --reload"), "{text}");
        assert!(!shown(&[probe("0d28:0204", true)]).contains("udevadm"));
    }
}
