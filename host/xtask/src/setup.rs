//! Installs what building and testing need and this machine lacks.

use std::collections::BTreeSet;
use std::path::Path;

use edgepkg_boards::Board;

use edgepkg_toolchain::{Toolchain, is_installed};

use crate::command::Failure;
use crate::{packages, toolchain};

/// What tests start beside emulators, and the Debian packages that have it: a registry and an independent client, an SSH
/// server and client, what reads FAT, and what compiles programs in C.
const TEST_PROGRAMS: [(&str, &str); 8] = [
    ("docker-registry", "docker-registry"),
    ("skopeo", "skopeo"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("mcopy", "mtools"),
    ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
    ("make", "make"),
    ("cmake", "cmake"),
];

/// Toolchains for every board's target, every board's emulator, and what tests start beside.
pub fn setup() -> Result<(), Failure> {
    let mut needed = BTreeSet::<String>::new();
    for target in targets() {
        needed.extend(toolchain::prepare(&target)?.iter().map(|&package| package.to_owned()));
    }
    for (program, package) in emulators() {
        if is_installed(&program) {
            eprintln!("{program}: installed");
        } else {
            needed.insert(package);
        }
    }
    for (program, package) in TEST_PROGRAMS {
        if is_installed(program) || Path::new("/usr/sbin").join(program).is_file() {
            eprintln!("{program}: installed");
        } else {
            needed.insert(package.to_owned());
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
