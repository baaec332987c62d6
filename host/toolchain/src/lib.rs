//! What builds bare-metal images here: a Rust compiler with the target's library, or Debian's with its source.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian's packages of a Rust compiler that brings its standard library's source.
pub const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// A way to build for a bare-metal target.
pub enum Toolchain {
    /// The one in use, which has the target's standard library.
    Installed,
    /// Debian's, which builds the standard library from source, and this linker.
    Debian {
        /// An lld, or GNU's linker for the target.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The way to build for `target` that this machine has.
    pub fn find(target: &str) -> Option<Self> {
        let sysroot = sysroot(&mut Command::new("rustc"));
        if sysroot
            .as_ref()
            .is_some_and(|sysroot| sysroot.join("lib/rustlib").join(target).join("lib").is_dir())
        {
            return Some(Toolchain::Installed);
        }
        if !debian_is_installed() {
            return None;
        }
        Some(Toolchain::Debian { linker: linker(sysroot.as_deref(), target)? })
    }

    /// `cargo build` for `target` in this toolchain, with `flags` for the compiler.
    pub fn build(&self, target: &str, flags: &[String]) -> Command {
        let mut flags = flags.to_vec();
        let mut command = match self {
            Toolchain::Installed => {
                let mut command = Command::new("cargo");
                command.arg("build");
                command
            }
            Toolchain::Debian { linker } => {
                flags.push(format!("-Clinker={}", linker.display()));
                let mut command = Command::new(DEBIAN_CARGO);
                // Building the standard library is unstable; this compiler is the one its source is for.
                command
                    .args(["build", "-Zbuild-std=core"])
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        };
        command.args(["--target", target]).env_remove("RUSTFLAGS");
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        command
    }

    /// Whether it links by an lld, which takes arguments that GNU's linkers do not.
    pub fn links_by_lld(&self) -> bool {
        match self {
            Toolchain::Installed => true,
            Toolchain::Debian { linker } => {
                linker.file_name().is_some_and(|name| ["rust-lld", "ld.lld"].iter().any(|lld| name == *lld))
            }
        }
    }

    /// The compiler's name and version, by which sizes are comparable.
    pub fn compiler(&self) -> Option<String> {
        match self {
            Toolchain::Installed => output(Command::new("rustc").arg("--version")),
            Toolchain::Debian { .. } => output(Command::new(DEBIAN_RUSTC).arg("--version")),
        }
    }
}

fn sysroot(rustc: &mut Command) -> Option<PathBuf> {
    output(rustc.args(["--print", "sysroot"])).map(PathBuf::from)
}

/// Whether Debian's compiler is here with the source of its standard library.
pub fn debian_is_installed() -> bool {
    let source = |sysroot: PathBuf| sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file();
    Path::new(DEBIAN_CARGO).is_file() && sysroot(&mut Command::new(DEBIAN_RUSTC)).is_some_and(source)
}

/// An lld on this machine: that of the Rust toolchain in use, or the system's.
pub fn lld() -> Option<PathBuf> {
    let system = || ["rust-lld", "ld.lld"].into_iter().find(|program| is_installed(program));
    rust_lld(sysroot(&mut Command::new("rustc")).as_deref()).or_else(|| system().map(PathBuf::from))
}

fn rust_lld(sysroot: Option<&Path>) -> Option<PathBuf> {
    let host = output(Command::new("rustc").arg("-vV"))
        .and_then(|version| version.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned)));
    sysroot
        .zip(host)
        .map(|(sysroot, host)| sysroot.join("lib/rustlib").join(host).join("bin/rust-lld"))
        .filter(|linker| linker.is_file())
}

/// Debian's compiler has no linker for bare metal: the other toolchain's, or one of the system.
fn linker(sysroot: Option<&Path>, target: &str) -> Option<PathBuf> {
    let system = || {
        let own = if target.starts_with("thumb") { "arm-none-eabi-ld" } else { "aarch64-linux-gnu-ld" };
        ["rust-lld", "ld.lld", own].into_iter().find(|program| is_installed(program)).map(PathBuf::from)
    };
    rust_lld(sysroot).or_else(system)
}

/// What `command` prints, without the last line break; `None` where it fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

/// Whether a program of this name is on the search path.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
