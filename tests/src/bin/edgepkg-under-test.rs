//! The program `edgepkg`, where this package's tests can find it: Cargo builds only a package's own programs
//! for its tests.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    edgepkg::program::main()
}
