//! Installs what building and testing need and this machine lacks.

use std::collections::BTreeSet;

use edgepkg_boards::Board;

use edgepkg_toolchain::{Toolchain, is_installed};

use crate::command::Failure;
use crate::{packages, toolchain};

/// What tests of registries start, and the Debian packages that have it: a registry, and an independent client.
const REGISTRY_PROGRAMS: [(&str, &str); 2] = [("docker-registry", "docker-registry"), ("skopeo", "skopeo")];

/// Toolchains for every board's target, every board's emulator, and what tests of registries start.
pub fn setup() -> Result<(), Failure> {
    let mut needed = BTreeSet::<String>::new();
    for target in targets() {
        needed.extend(toolchain::prepare(&target)?.iter().map(|&package| package.to_owned()));
    }
    let registry = REGISTRY_PROGRAMS.map(|(program, package)| (program.to_owned(), package.to_owned()));
    for (program, package) in emulators().into_iter().chain(registry) {
        if is_installed(&program) {
            eprintln!("{program}: installed");
        } else {
            needed.insert(package);
        }
    }
    if !needed.is_empty() {
        let needed: Vec<_> = needed.into_iter().collect();
        eprintln!("installing {}", needed.join(", "));
        packages::install(needed)?;
    }
    match targets().into_iter().find(|target| Toolchain::find(target).is_none()) {
        Some(target) => Err(Failure::NoToolchain { target }),
        None => Ok(()),
    }
}

fn targets() -> BTreeSet<String> {
    Board::shipped().filter_map(|board| board.target).collect()
}

fn emulators() -> BTreeSet<(String, String)> {
    let emulators = Board::shipped().filter_map(|board| board.emulator);
    emulators.map(|emulator| (emulator.program, emulator.debian_package)).collect()
}
