//! Debian's packages.

use std::process::Command;

use edgepkg_toolchain::{is_installed, output};

use crate::command::{Failure, run, succeeds};

/// How this user may install packages.
enum Privilege {
    Root,
    Sudo,
}

fn privilege() -> Option<Privilege> {
    if !is_installed("apt-get") {
        return None;
    }
    let is_root = output(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
    if is_root {
        return Some(Privilege::Root);
    }
    succeeds(Command::new("sudo").args(["--non-interactive", "true"])).then_some(Privilege::Sudo)
}

fn apt_get(privilege: &Privilege) -> Command {
    let mut command = match privilege {
        Privilege::Root => Command::new("apt-get"),
        Privilege::Sudo => {
            let mut command = Command::new("sudo");
            command.args(["--non-interactive", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
            command
        }
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Installs `packages` by apt-get.
///
/// Fails, naming them, where this is not Debian or its like, or the user may not.
pub fn install(packages: Vec<String>) -> Result<(), Failure> {
    let Some(privilege) = privilege() else {
        return Err(Failure::MissingPackages { packages });
    };
    let (mut update, mut install) = (apt_get(&privilege), apt_get(&privilege));
    run(update.args(["--quiet", "update"]))?;
    run(install.args(["--quiet", "install", "--yes", "--no-install-recommends"]).args(packages))
}
