//! Tells the crate its instruction set: stable Rust shows no `cfg` for Arm's M-profile.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-check-cfg=cfg(isa, values(\"armv6m\", \"armv7m\", \"armv7em\", \"armv8m.main\", \"aarch64\"))"
    );
    let target = std::env::var("TARGET").unwrap_or_default();
    let bare_metal = target.ends_with("-none") || target.contains("-none-");
    let isa = match target.split('-').next() {
        Some("thumbv6m") => "armv6m",
        Some("thumbv7m") => "armv7m",
        Some("thumbv7em") => "armv7em",
        Some("thumbv8m.main") => "armv8m.main",
        Some("aarch64") if bare_metal => "aarch64",
        _ => return,
    };
    println!("cargo::rustc-cfg=isa=\"{isa}\"");
}
