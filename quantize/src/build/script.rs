//! What a build script tells cargo.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use edgepkg_boards::Board;
use edgepkg_format::{Artifact, Isa};

use super::{BuildError, Built, Origin};
use crate::error_text;

/// Instructions to cargo and lines of its log, in order.
#[derive(Debug, Default)]
pub struct Script(String);

impl Script {
    /// Asks to run the script again when the file changes, appears or goes.
    pub fn rerun_if_changed(&mut self, path: &Path) {
        self.line(format_args!("cargo::rerun-if-changed={}", path.display()));
    }

    /// Shows a warning.
    pub fn warning(&mut self, name: &str, text: &str) {
        text.lines().for_each(|line| self.line(format_args!("cargo::warning={name}: {line}")));
    }

    /// Fails the build, when the script has ended, with the error and the way out.
    pub fn error(&mut self, error: &BuildError) {
        let text = error_text::message(error);
        let hint = error.hint().map(|hint| format!("hint: {hint}"));
        for line in text.lines().chain(hint.iter().flat_map(|hint| hint.lines())) {
            self.line(format_args!("cargo::error={line}"));
        }
    }

    /// The board called so; a file of the user's own is watched.
    pub fn board(&mut self, name: &str) -> Result<Board, BuildError> {
        if name.ends_with(".toml") {
            self.rerun_if_changed(Path::new(name));
        }
        Ok(Board::find(name)?)
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        self.0 += &format!("{line}\n");
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says in the log what was made: `cargo build -vv` shows it.
pub fn announce(script: &mut Script, name: &str, built: &Built, artifact: &Artifact<'_>, took: Duration) {
    let how = match built.origin {
        Origin::Made => "made",
        Origin::Kept => "taken from an earlier build",
    };
    let (isa, seconds) = (artifact.isa(), took.as_secs_f64());
    let (flash, arena) = (artifact.bytes().len(), artifact.arena_bytes());
    script.line(format_args!(
        "edgepkg: {name} for {isa}: {how} in {seconds:.3} s, {flash} bytes of flash, {arena} bytes of arena"
    ));
}

/// The instruction set that the program is compiled for.
pub fn isa_of_target() -> Isa {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    let flags = flags.split('\u{1f}').map(|flag| flag.trim_start_matches("-C"));
    let core = flags.filter_map(|flag| flag.strip_prefix("target-cpu=")).next_back();
    Isa::of_target(&variable("TARGET"), core)
}
