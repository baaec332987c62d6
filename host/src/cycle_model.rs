//! Modelled cycles: what a core's instructions would take on hardware with memory that never waits,
//! counted by a plugin of the emulator (`host/cycle_plugin`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use edgepkg_boards::{Board, CycleModel};
use object::{File, Object as _, ObjectSymbol as _};

use crate::emulator::argument_path;
use crate::runners::{self, RunnerImage};

/// The library that the emulator loads, beside the runner images.
const PLUGIN_FILE: &str = "cycle-plugin.so";
/// The runner's functions between whose entries a window lies.
const START_SYMBOL: &str = "gauge_start";
const STOP_SYMBOL: &str = "gauge_stop";

/// What counts the cycles of one board's runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CyclePlugin {
    library: PathBuf,
    model: CycleModel,
    start: u64,
    stop: u64,
}

/// Why cycles cannot be modelled.
#[derive(Debug, thiserror::Error)]
pub enum CycleModelError {
    /// The runner is not an ELF file.
    #[error("the runner `{runner}` is no ELF file that can be read")]
    NotElf {
        /// Its name.
        runner: String,
        /// Why.
        source: object::Error,
    },
    /// The runner does not say where its gauge is.
    #[error("the runner `{runner}` has no symbol `{symbol}`")]
    NoSymbol {
        /// Its name.
        runner: String,
        /// The symbol's name.
        symbol: &'static str,
    },
    /// The plugin's figures cannot be read.
    #[error("cannot read what the emulator's cycle model wrote")]
    ReadWindows(#[source] io::Error),
    /// The plugin's figures are not as many as the runner's.
    #[error("the emulator's cycle model gave {given} figures, {expected} were expected")]
    Windows {
        /// Those that were expected.
        expected: usize,
        /// Those given.
        given: usize,
    },
    /// The plugin counted other work than the runner.
    #[error("the emulator's cycle model saw {seen} instructions where the runner counted {counted}")]
    OtherWork {
        /// The runner's count.
        counted: u64,
        /// The plugin's.
        seen: u64,
    },
}

impl CyclePlugin {
    /// What counts the cycles of `runner` on `board`; `None` where the board has no cycle model, or its
    /// library is not built.
    ///
    /// # Errors
    ///
    /// When the runner is not one whose cycles can be counted.
    pub fn find(board: &Board, runner: &RunnerImage) -> Result<Option<Self>, CycleModelError> {
        let model = board.emulator.as_ref().and_then(|emulator| emulator.cycle_model);
        let Some((model, library)) = model.zip(runners::find_file(PLUGIN_FILE)) else {
            return Ok(None);
        };
        let name = || runner.origin.clone();
        let file =
            File::parse(&*runner.elf).map_err(|source| CycleModelError::NotElf { runner: name(), source })?;
        let address = |symbol: &'static str| {
            let found = file.symbols().find(|found| found.name() == Ok(symbol));
            found.map(|found| found.address()).ok_or(CycleModelError::NoSymbol { runner: name(), symbol })
        };
        let (start, stop) = (address(START_SYMBOL)?, address(STOP_SYMBOL)?);
        Ok(Some(Self { library, model, start, stop }))
    }

    /// The emulator's arguments that load it, to write its figures to `windows`.
    pub(crate) fn arguments(&self, windows: &Path) -> [String; 2] {
        let Self { library, model, start, stop } = self;
        let value = format!(
            "{},model={},start={start:#x},stop={stop:#x},windows={}",
            argument_path(library),
            model.name(),
            argument_path(windows)
        );
        ["-plugin".to_owned(), value]
    }
}

/// What was counted between a start and a stop of the runner's gauge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    instructions: u64,
    cycles: u64,
}

/// The figures that the plugin writes while the emulator runs, read as they come. The first window is the
/// runner's own calibration, on nothing, and is taken off all others.
#[derive(Debug)]
pub struct WindowLog {
    path: PathBuf,
    /// Bytes of the file that were read.
    position: usize,
    overhead: Option<Window>,
}

impl WindowLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, position: 0, overhead: None }
    }

    /// The windows that were closed since the last call.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    fn take(&mut self) -> Result<Vec<Window>, CycleModelError> {
        let text = fs::read_to_string(&self.path).map_err(CycleModelError::ReadWindows)?;
        let fresh = &text[self.position..];
        let end = fresh.rfind('\n').map_or(0, |last| last + 1);
        self.position += end;
        let mut windows = fresh[..end].lines().filter_map(parse_window);
        if self.overhead.is_none() {
            self.overhead = windows.next();
        }
        let overhead = self.overhead.unwrap_or_default();
        let without_overhead = |window: Window| Window {
            instructions: window.instructions.saturating_sub(overhead.instructions),
            cycles: window.cycles.saturating_sub(overhead.cycles),
        };
        Ok(windows.map(without_overhead).collect())
    }

    /// The modelled cycles of the windows that were closed since the last call. `instructions` is what the
    /// runner itself counted in each; the plugin has counted the same.
    ///
    /// # Errors
    ///
    /// When it has not, or the file cannot be read.
    pub fn take_cycles(&mut self, instructions: &[u64]) -> Result<Vec<u64>, CycleModelError> {
        let windows = self.take()?;
        if windows.len() != instructions.len() {
            return Err(CycleModelError::Windows { expected: instructions.len(), given: windows.len() });
        }
        let cycles = windows.iter().zip(instructions).map(|(window, &counted)| match window.instructions {
            seen if seen == counted => Ok(window.cycles),
            seen => Err(CycleModelError::OtherWork { counted, seen }),
        });
        cycles.collect()
    }
}

fn parse_window(line: &str) -> Option<Window> {
    let (instructions, cycles) = line.split_once(' ')?;
    Some(Window { instructions: instructions.parse().ok()?, cycles: cycles.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_they_come_and_without_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windows");
        fs::write(&path, "10 15\n110 165\n4").unwrap();
        let mut log = WindowLog::new(path.clone());
        assert_eq!(log.take().unwrap(), [Window { instructions: 100, cycles: 150 }]);
        fs::write(&path, "10 15\n110 165\n40 50\n").unwrap();
        assert_eq!(log.take_cycles(&[30]).unwrap(), [35]);
        let refuses = |log: &mut WindowLog, expected: &str| {
            assert_eq!(log.take_cycles(&[30]).unwrap_err().to_string(), expected);
        };
        refuses(&mut log, "the emulator's cycle model gave 0 figures, 1 were expected");
        fs::write(&path, "10 15\n110 165\n40 50\n41 50\n").unwrap();
        refuses(&mut log, "the emulator's cycle model saw 31 instructions where the runner counted 30");
    }
}
