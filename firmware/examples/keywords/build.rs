//! Lowers the package for the board, and links with the board's memory.

use edgepkg_quantize::build::Build;

fn main() {
    Build::of("model/keywords.edgepkg").board("qemu-cortex-m4").generate();

    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo::rustc-link-search={folder}");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rerun-if-changed=build.rs");
}
