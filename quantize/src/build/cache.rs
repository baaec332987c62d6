//! Artifacts that were made before, by what they were made from.

use std::fs;
use std::path::{Path, PathBuf};

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{Artifact, Isa};
use sha2::{Digest as _, Sha256};

use super::source::Inputs;
use super::{Build, BuildError};
use crate::whole_file;

/// The environment variable that names the folder of kept artifacts.
pub const FOLDER_VARIABLE: &str = "EDGEPKG_CACHE";
/// The folder's name in cargo's target folder.
const FOLDER: &str = "edgepkg-cache";

/// This state of the quantizer, of which artifacts are a function beside their inputs.
const QUANTIZER: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("EDGEPKG_SOURCES"));

/// A digest of everything that an artifact follows from.
pub struct Key(String);

impl Key {
    /// The key of what `build` makes of `inputs` for `isa`.
    pub fn of(build: &Build, isa: Isa, inputs: &Inputs) -> Self {
        let Build {
            name: _,
            board: _,
            isa: _,
            model,
            calibration: _,
            label_names: _,
            state,
            import,
            options,
            choices,
        } = build;
        // The file's name is the model's; its folder is no matter.
        let named = model.file_name();
        let options = format!("{QUANTIZER} {isa} {named:?} {state:?} {import:?} {options:?} {choices:?}");
        let mut digest = Sha256::new();
        for part in std::iter::once(options.as_bytes()).chain(inputs.files()) {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Self(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A folder of artifacts.
pub struct Cache(PathBuf);

impl Cache {
    /// The folder that the variable names; else one in cargo's target folder, which debug and release builds and all
    /// programs there share; where `out` does not lie in one, `out` itself.
    pub fn of_build_script(out: &Path) -> Self {
        println!("cargo::rerun-if-env-changed={FOLDER_VARIABLE}");
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
            return Self(folder.into());
        }
        // TARGET/[TRIPLE/]PROFILE/build/PACKAGE-HASH/out
        let ancestor = |generation| out.ancestors().nth(generation);
        match (ancestor(2), ancestor(4)) {
            (Some(build), Some(target)) if build.ends_with("build") => Self(target.join(FOLDER)),
            _ => Self(out.join(FOLDER)),
        }
    }

    /// A cache in `folder`.
    #[cfg(test)]
    pub fn at(folder: &Path) -> Self {
        Self(folder.into())
    }

    /// The artifact kept under `key`. One that was damaged is made again.
    pub fn find(&self, key: &Key) -> Option<Vec<u8>> {
        let artifact = fs::read(self.path(key)).ok()?;
        let bytes = AlignedBytes::from(&artifact[..]);
        let sound = Artifact::parse(&bytes).is_ok_and(|parsed| parsed.verify_digest().is_ok());
        sound.then_some(artifact)
    }

    /// Keeps an artifact.
    pub fn keep(&self, key: &Key, artifact: &[u8]) -> Result<(), BuildError> {
        let path = self.path(key);
        let written = fs::create_dir_all(&self.0).and_then(|()| whole_file::write(&path, artifact));
        written.map_err(|source| BuildError::Write { path, source })
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.0.join(&key.0).with_extension("epa")
    }
}

/// Writes `bytes` to `path`, unless they are there: a file that is left alone is no reason to compile again.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    whole_file::write(path, bytes).map_err(|source| BuildError::Write { path: path.into(), source })
}
