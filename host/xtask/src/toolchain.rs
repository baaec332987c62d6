//! Makes this machine build bare-metal images.

use std::process::Command;

use edgepkg_toolchain::{DEBIAN_PACKAGES, Toolchain, debian_is_installed, is_installed};

use crate::command::{Failure, succeeds};

/// Makes this machine build for `target`: the target's library by rustup; where that can download
/// nothing, Debian's packages. Gives the packages that are still needed.
pub fn prepare(target: &str) -> Result<&'static [&'static str], Failure> {
    if Toolchain::find(target).is_some() {
        eprintln!("{target}: there is a toolchain");
        return Ok(&[]);
    }
    if is_installed("rustup") {
        eprintln!("{target}: adding it by rustup");
        if succeeds(Command::new("rustup").args(["target", "add", target])) {
            return Ok(&[]);
        }
        eprintln!("{target}: rustup cannot download it");
    }
    if debian_is_installed() {
        // Its compiler is there, so what is missing is a linker.
        return Ok(if target.starts_with("thumb") {
            &["binutils-arm-none-eabi"]
        } else {
            &["binutils-aarch64-linux-gnu"]
        });
    }
    Ok(&DEBIAN_PACKAGES)
}
