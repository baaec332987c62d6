//! Minimal images: a firmware of its own for one model on one board, without the device link and other operators.
//!
//! Unlike runners these are compiled on the user's machine, as the crate that is left for the user to go on from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use edgepkg_boards::{Board, RunnerLayout, embedded_linker_script};
use edgepkg_format::Artifact;
use edgepkg_toolchain::Toolchain;
use thiserror::Error;

use edgepkg_quantize::package::TestVector;

/// The environment variable that names a checkout of edgepkg.
pub const SOURCES_VARIABLE: &str = "EDGEPKG_SOURCES";
/// The firmware's crates in a checkout, and the one whose presence shows that they are there.
const FIRMWARE: &str = "firmware";
const IMAGE_MANIFEST: &str = "images/cortex-m/Cargo.toml";
const LOCK_FILE: &str = "images/Cargo.lock";

/// Test vectors past this many bytes of inputs are left out, all but the first: they lie in the board's flash.
const VECTORS_LIMIT_BYTES: usize = 16 << 10;

const MANIFEST: &str = include_str!("embed/template/manifest.toml");
const CONFIGURATION: &str = include_str!("embed/template/config.toml");
const README: &str = include_str!("embed/template/README.md");
const BUILD_SCRIPT: &str = include_str!("embed/template/build.rs");
const PROGRAM: &str = include_str!("embed/template/main.rs");

/// The last lines of a failed build that are shown.
const SHOWN_LINES: usize = 20;

/// A crate that makes a minimal image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// Its folder.
    pub folder: PathBuf,
    name: String,
    target: String,
    /// For the compiler.
    flags: Vec<String>,
}

/// Why there is no minimal image.
#[derive(Debug, Error)]
pub enum EmbedError {
    /// The board's images are not made from its file.
    #[error("minimal images are made for boards with a Cortex-M, and `{board}` is none")]
    NoSuchImage {
        /// The board's name.
        board: String,
    },
    /// Nothing here compiles for the board.
    #[error(
        "no Rust toolchain on this machine builds for `{target}`, which the minimal image of `{board}` needs"
    )]
    NoToolchain {
        /// The target triple.
        target: String,
        /// The board's name.
        board: String,
    },
    /// The firmware's crates are not at hand.
    #[error("the sources of edgepkg's firmware, which a minimal image is compiled from, are not here")]
    NoSources {
        /// Where they were looked for, if a folder was named.
        named: Option<PathBuf>,
    },
    /// A file of the crate.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Cargo does not start.
    #[error("cannot start cargo")]
    Start(#[source] io::Error),
    /// Cargo failed.
    #[error("the minimal image does not build in `{}`:\n{messages}", folder.display())]
    Build {
        /// The crate.
        folder: PathBuf,
        /// Its last lines.
        messages: String,
    },
}

impl EmbedError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            EmbedError::NoSuchImage { .. } => Some("leave out `--embed` for the board's runner".to_owned()),
            EmbedError::NoToolchain { target, .. } => Some(format!(
                "`rustup target add {target}`; or leave out `--embed` for the board's runner, which needs no toolchain"
            )),
            EmbedError::NoSources { named: Some(folder) } => {
                Some(format!("{SOURCES_VARIABLE} is `{}`; set it to a checkout of edgepkg", folder.display()))
            }
            EmbedError::NoSources { named: None } => Some(format!(
                "set {SOURCES_VARIABLE} to a checkout of edgepkg of this version ({}); or leave out `--embed` for the \
                 board's runner, which needs no sources",
                env!("CARGO_PKG_VERSION")
            )),
            EmbedError::Build { .. } => {
                Some("the crates it stands on are downloaded once: see that this machine may".to_owned())
            }
            EmbedError::Write { .. } | EmbedError::Start(_) => None,
        }
    }
}

/// What a minimal image is made of.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The model's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The model, lowered for the board: whole.
    pub artifact: &'a [u8],
    /// What its program runs: all of them, or the first ones where all are large.
    pub vectors: &'a [TestVector],
}

/// Makes the crate of `contents` for `board`, in a folder in `parent`.
///
/// # Errors
///
/// Where the board is none that such images are for, or what compiles them is not here.
pub fn write_firmware(
    board: &Board,
    contents: Contents<'_>,
    parent: &Path,
) -> Result<(Firmware, Toolchain), EmbedError> {
    let no_such_image = || EmbedError::NoSuchImage { board: board.name.clone() };
    let generated = board.runner.as_ref().is_some_and(|runner| runner.layout == RunnerLayout::Generated);
    let target = board.target.clone().filter(|_| generated).ok_or_else(no_such_image)?;
    let script = embedded_linker_script(board).ok_or_else(no_such_image)?;
    let sources = sources()?;
    let toolchain = Toolchain::find(&target)
        .ok_or_else(|| EmbedError::NoToolchain { target: target.clone(), board: board.name.clone() })?;
    let name = format!("firmware-{}", contents.name);
    let flags: Vec<String> = board.compiler_flags().collect();
    let firmware = Firmware { folder: parent.join(&name), name, target, flags };
    let flags_in_toml: Vec<String> = firmware.flags.iter().map(|flag| format!("\"{flag}\"")).collect();
    let flags_in_toml = format!("[{}]", flags_in_toml.join(", "));
    let features = match board.image_features() {
        [] => "default".to_owned(),
        features => features.join("\", \""),
    };
    let isa = board.isa.to_string();
    let sources_in_toml = sources.display().to_string().replace('\\', "/");
    let fill_in = |template: &str| {
        [
            ("{crate}", &*firmware.name),
            ("{name}", contents.name),
            ("{version}", contents.version),
            ("{board}", &board.name),
            ("{isa}", &isa),
            ("{target}", &firmware.target),
            ("{flags}", &flags_in_toml),
            ("{features}", &features),
            ("{sources}", &sources_in_toml),
        ]
        .into_iter()
        .fold(template.to_owned(), |text, (place, value)| text.replace(place, value))
    };
    let lock_path = sources.join(LOCK_FILE);
    let lock = fs::read(&lock_path).map_err(|_| EmbedError::NoSources { named: Some(sources.clone()) })?;
    firmware.write("Cargo.toml", fill_in(MANIFEST).as_bytes())?;
    firmware.write("Cargo.lock", &lock)?;
    firmware.write(".cargo/config.toml", fill_in(CONFIGURATION).as_bytes())?;
    firmware.write("README.md", fill_in(README).as_bytes())?;
    firmware.write("build.rs", BUILD_SCRIPT.as_bytes())?;
    firmware.write("link.ld", script.as_bytes())?;
    firmware.write("src/main.rs", PROGRAM.as_bytes())?;
    firmware.write("model.epa", contents.artifact)?;
    firmware.write("inputs.bin", &inputs(&contents))?;
    Ok((firmware, toolchain))
}

/// The inputs of the vectors up to the limit; where there are none, zeros for one run.
fn inputs(contents: &Contents<'_>) -> Vec<u8> {
    let mut inputs = Vec::new();
    for vector in contents.vectors {
        let of_vector = vector.inputs.concat();
        if !inputs.is_empty() && inputs.len() + of_vector.len() > VECTORS_LIMIT_BYTES {
            break;
        }
        inputs.extend(of_vector);
    }
    if inputs.is_empty() {
        let ports = Artifact::compiled_in(contents.artifact).inputs();
        let bytes = ports.iter().flatten().filter_map(|port| port.bytes()).sum::<u32>();
        inputs.resize(bytes as usize, 0);
    }
    inputs
}

impl Firmware {
    /// Its manifest, by which cargo knows it.
    pub fn manifest(&self) -> PathBuf {
        self.folder.join("Cargo.toml")
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), EmbedError> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        let written =
            fs::create_dir_all(folder).and_then(|()| edgepkg_quantize::whole_file::write(&path, bytes));
        written.map_err(|source| EmbedError::Write { path, source })
    }

    /// Where cargo puts what it compiles, if nothing else is said.
    pub fn target_folder(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.folder.join("target"), PathBuf::from)
    }

    /// Compiles it in `target_folder`, and gives the path of the linked ELF file.
    ///
    /// # Errors
    ///
    /// When it does not compile.
    pub fn build(&self, toolchain: &Toolchain, target_folder: &Path) -> Result<PathBuf, EmbedError> {
        let target_folder = std::path::absolute(target_folder).map_err(EmbedError::Start)?;
        let output = toolchain
            .build(&self.target, &self.flags)
            .args(["--release", "--quiet"])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &target_folder)
            .output()
            .map_err(EmbedError::Start)?;
        if !output.status.success() {
            let messages = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<&str> = messages.trim_end().lines().collect();
            let messages = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
            return Err(EmbedError::Build { folder: self.folder.clone(), messages });
        }
        Ok(target_folder.join(&self.target).join("release").join(&self.name))
    }
}

/// The folder of the firmware's crates: in the checkout that the variable names, and only there when it is set; else
/// in the one that this program was built in.
fn sources() -> Result<PathBuf, EmbedError> {
    let firmware = |checkout: &Path| {
        let folder = std::path::absolute(checkout.join(FIRMWARE)).ok()?;
        folder.join(IMAGE_MANIFEST).is_file().then_some(folder)
    };
    if let Some(checkout) = std::env::var_os(SOURCES_VARIABLE).map(PathBuf::from) {
        return firmware(&checkout).ok_or(EmbedError::NoSources { named: Some(checkout) });
    }
    let program = std::env::current_exe().ok();
    let mut ancestors = program.as_deref().into_iter().flat_map(Path::ancestors);
    ancestors.find_map(firmware).ok_or(EmbedError::NoSources { named: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(bytes: usize) -> TestVector {
        TestVector { inputs: vec![vec![0; bytes]], outputs: Vec::new() }
    }

    fn input_bytes(vectors: &[TestVector]) -> usize {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware/runtime/tests/data/kws.epa");
        let artifact = &fs::read(path).unwrap();
        inputs(&Contents { name: "kws", version: "1.0.0", artifact, vectors }).len()
    }

    #[test]
    fn vectors_are_taken_up_to_the_limit_and_the_first_one_always() {
        assert_eq!(input_bytes(&[vector(6 << 10), vector(6 << 10), vector(6 << 10)]), 12 << 10);
        assert_eq!(input_bytes(&[vector(20 << 10), vector(1)]), 20 << 10);
    }

    #[test]
    fn without_vectors_the_model_runs_on_zeros() {
        assert_eq!(input_bytes(&[]), 490);
    }

    #[test]
    fn a_missing_toolchain_is_named_with_the_way_to_it() {
        let error =
            EmbedError::NoToolchain { target: "thumbv7em-none-eabihf".to_owned(), board: "b".to_owned() };
        let said = "no Rust toolchain on this machine builds for `thumbv7em-none-eabihf`, which the minimal image of \
                    `b` needs";
        assert_eq!(error.to_string(), said);
        assert!(error.hint().unwrap().starts_with("`rustup target add thumbv7em-none-eabihf`"));
    }
}
