//! Installs what building and testing need and this machine lacks.

use std::collections::BTreeSet;

use edgepkg_boards::Board;

use edgepkg_toolchain::{Toolchain, is_installed};

use crate::command::Failure;
use crate::{packages, toolchain};

/// Toolchains for every board's target, every board's emulator, and what compiles C.
pub fn setup() -> Result<(), Failure> {
    let mut needed = BTreeSet::<String>::new();
    for target in targets() {
        needed.extend(toolchain::prepare(&target)?.iter().map(|&package| package.to_owned()));
    }
    for (program, package) in programs() {
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

/// What compiles the example in C, and the Debian packages that have it.
const C_TOOLS: [(&str, &str); 2] = [("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("make", "make")];

/// Programs that tests start, and the Debian packages that have them.
fn programs() -> BTreeSet<(String, String)> {
    let emulators = Board::shipped().filter_map(|board| board.emulator);
    let emulators = emulators.map(|emulator| (emulator.program, emulator.debian_package));
    let c_tools = C_TOOLS.map(|(program, package)| (program.to_owned(), package.to_owned()));
    emulators.chain(c_tools).collect()
}
