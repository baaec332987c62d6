//! Tells the crate its instruction set: stable Rust shows no `cfg` for Arm's M-profile.

/// Cores of Armv8-M Mainline that have the DSP extension, as rustc calls them.
const DSP_CORES: [&str; 3] = ["cortex-m33", "cortex-m35p", "star-mc1"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-check-cfg=cfg(isa, values(\"armv6m\", \"armv7m\", \"armv7em\", \"armv8m.main\", \"armv8m.main+dsp\", \"aarch64\"))"
    );
    println!("cargo::rustc-check-cfg=cfg(dsp)");
    let target = std::env::var("TARGET").unwrap_or_default();
    let bare_metal = target.ends_with("-none") || target.contains("-none-");
    let isa = match target.split('-').next() {
        Some("thumbv6m") => "armv6m",
        Some("thumbv7m") => "armv7m",
        Some("thumbv7em") => "armv7em",
        Some("thumbv8m.main") if has_dsp() => "armv8m.main+dsp",
        Some("thumbv8m.main") => "armv8m.main",
        Some("aarch64") if bare_metal => "aarch64",
        _ => return,
    };
    println!("cargo::rustc-cfg=isa=\"{isa}\"");
    if matches!(isa, "armv7em" | "armv8m.main+dsp") {
        println!("cargo::rustc-cfg=dsp");
    }
}

/// Whether the compiler is told of a core that has the extension.
fn has_dsp() -> bool {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let flags = flags.split('\u{1f}').map(|flag| flag.trim_start_matches("-C"));
    let core = flags.filter_map(|flag| flag.strip_prefix("target-cpu=")).next_back();
    core.is_some_and(|core| DSP_CORES.contains(&core))
}
