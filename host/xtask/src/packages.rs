//! Debian's packages.

use std::process::Command;

use crate::command::{Failure, is_installed, run, succeeds};

/// How this user may install packages.
enum Privilege {
    Root,
    Sudo,
}

fn privilege() -> Option<Privilege> {
    if !is_installed("apt-get") {
        return None;
    }
    let is_root = crate::command::output(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
    if is_root {
        return Some(Privilege::Root);
    }
    succeeds(Command::new("sudo").args(["--non-interactive", "true"])).then_some(Privilege::Sudo)
}

/// Installs `packages` by apt-get.
///
/// Fails, naming them, where this is not Debian or its like, or the user may not.
pub fn install(packages: &[&str]) -> Result<(), Failure> {
    let apt_get = || -> Option<Command> {
        let mut command = match privilege()? {
            Privilege::Root => Command::new("apt-get"),
            Privilege::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["--non-interactive", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
                command
            }
        };
        command.env("DEBIAN_FRONTEND", "noninteractive");
        Some(command)
    };
    let missing =
        || Failure::MissingPackages { packages: packages.iter().map(|&name| name.to_owned()).collect() };
    run(apt_get().ok_or_else(missing)?.args(["--quiet", "update"]))?;
    let install = ["--quiet", "install", "--yes", "--no-install-recommends"];
    run(apt_get().ok_or_else(missing)?.args(install).args(packages))
}
