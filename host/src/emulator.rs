//! Starts a board's emulator with a model in its slot.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use edgepkg_boards::{Board, Memory};
use edgepkg_format::slot::Commit;
use tempfile::TempDir;

use crate::boot_folder::slot_file;
use crate::cycle_model::{CyclePlugin, WindowLog};
use crate::device::transport::{Pipes, Transport};
use crate::runners::RunnerImage;

/// A running emulator, stopped when it is dropped. The device link runs over its serial port: its
/// standard input and output.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    serial_port: Pipes<ChildStdin>,
    program: String,
    /// The files it loaded, and its own messages.
    files: TempDir,
}

/// Why an emulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The board has none.
    #[error("board `{board}` has no emulator")]
    NoEmulator {
        /// The board's name.
        board: String,
    },
    /// The program is not on this machine.
    #[error("the emulator `{program}` of board `{board}` is not installed")]
    NotInstalled {
        /// The program.
        program: String,
        /// The Debian package that has it.
        debian_package: String,
        /// The board's name.
        board: String,
    },
    /// The program does not start.
    #[error("the emulator `{program}` does not start")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The files it loads cannot be written.
    #[error("cannot write the files for the emulator")]
    Files(#[source] io::Error),
    /// The artifact does not fit the model slot.
    #[error("the model has {model_bytes} bytes, the model slot of `{board}` takes {limit_bytes}")]
    ModelTooLarge {
        /// Bytes of the artifact.
        model_bytes: u64,
        /// Bytes that the slot takes.
        limit_bytes: u64,
        /// The board's name.
        board: String,
    },
}

impl EmulatorError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            EmulatorError::NotInstalled { program, debian_package, .. } => Some(format!(
                "install `{program}`: on Debian and Ubuntu `apt-get install {debian_package}`, or in a checkout \
                 `cargo xtask setup`"
            )),
            _ => None,
        }
    }
}

impl Emulator {
    /// Starts the emulator of `board` with its runner image, and `artifact` and its commit record in the
    /// model slot.
    ///
    /// # Errors
    ///
    /// Where the board has no emulator, it is not installed, or the model does not fit its slot.
    pub fn start(board: &Board, runner: &RunnerImage, artifact: &[u8]) -> Result<Self, EmulatorError> {
        Self::launch(board, runner, artifact, None)
    }

    /// As [`start`](Self::start), with the cycles of what it executes modelled, which makes it slower.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_modelling_cycles(
        board: &Board,
        runner: &RunnerImage,
        artifact: &[u8],
        plugin: &CyclePlugin,
    ) -> Result<(Self, WindowLog), EmulatorError> {
        let emulator = Self::launch(board, runner, artifact, Some(plugin))?;
        let log = WindowLog::new(emulator.files.path().join(WINDOWS_FILE));
        Ok((emulator, log))
    }

    fn launch(
        board: &Board,
        runner: &RunnerImage,
        artifact: &[u8],
        plugin: Option<&CyclePlugin>,
    ) -> Result<Self, EmulatorError> {
        let no_emulator = || EmulatorError::NoEmulator { board: board.name.clone() };
        let emulator = board.emulator.as_ref().ok_or_else(no_emulator)?;
        let memory = board.memory.as_ref().ok_or_else(no_emulator)?;
        if artifact.len() as u64 > memory.model_limit_bytes() {
            return Err(EmulatorError::ModelTooLarge {
                model_bytes: artifact.len() as u64,
                limit_bytes: memory.model_limit_bytes(),
                board: board.name.clone(),
            });
        }
        let files = write_files(runner, artifact).map_err(EmulatorError::Files)?;
        let messages = File::create(files.path().join(MESSAGES_FILE)).map_err(EmulatorError::Files)?;
        let arguments = emulator.arguments.iter().map(|argument| fill_in(argument, files.path(), memory));
        let plugin = plugin.map(|plugin| plugin.arguments(&files.path().join(WINDOWS_FILE)));
        let mut child = Command::new(&emulator.program)
            .args(arguments)
            .args(plugin.into_iter().flatten())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(messages)
            .spawn()
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => EmulatorError::NotInstalled {
                    program: emulator.program.clone(),
                    debian_package: emulator.debian_package.clone(),
                    board: board.name.clone(),
                },
                _ => EmulatorError::Start { program: emulator.program.clone(), source },
            })?;
        let ports = child.stdin.take().zip(child.stdout.take());
        let (to_device, from_device) = ports.expect("both were asked for");
        let serial_port = Pipes::new(to_device, from_device);
        Ok(Self { child, serial_port, program: emulator.program.clone(), files })
    }

    /// `error` of the serial port; where the emulator has stopped, with what it said.
    fn explain(&mut self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::TimedOut {
            return error;
        }
        let messages = fs::read_to_string(self.files.path().join(MESSAGES_FILE)).unwrap_or_default();
        match messages.trim() {
            "" => io::Error::new(error.kind(), format!("`{}` stopped", self.program)),
            messages => io::Error::new(error.kind(), format!("`{}` stopped: {messages}", self.program)),
        }
    }
}

impl Transport for Emulator {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = self.serial_port.send(bytes);
        sent.map_err(|error| self.explain(error))
    }

    fn next_byte(&mut self, deadline: Instant) -> io::Result<u8> {
        let byte = self.serial_port.next_byte(deadline);
        byte.map_err(|error| self.explain(error))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have stopped by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const RUNNER_FILE: &str = "runner.img";
const MODEL_FILE: &str = "model.epa";
const COMMIT_FILE: &str = "commit.bin";
const SLOT_FILE: &str = "slot.bin";
const MESSAGES_FILE: &str = "messages.txt";
/// What its cycle model wrote.
const WINDOWS_FILE: &str = "windows.txt";
/// A fresh slot's first model.
const COUNTER: u32 = 1;

fn write_files(runner: &RunnerImage, artifact: &[u8]) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("edgepkg-emulator-").tempdir()?;
    let program = folder.path().join(RUNNER_FILE);
    fs::write(&program, &runner.loaded)?;
    make_executable(&program)?;
    fs::write(folder.path().join(MODEL_FILE), artifact)?;
    fs::write(folder.path().join(COMMIT_FILE), Commit::of(artifact, COUNTER).to_bytes())?;
    fs::write(folder.path().join(SLOT_FILE), slot_file(artifact, COUNTER))?;
    Ok(folder)
}

/// Emulators of a processor under Linux start nothing that Linux would not.
fn make_executable(program: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = program;
    Ok(())
}

/// `path` as a value in an argument: QEMU ends a value at a comma and takes two for one.
pub(crate) fn argument_path(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn fill_in(argument: &str, folder: &Path, memory: &Memory) -> String {
    argument
        .replace("{runner}", &argument_path(&folder.join(RUNNER_FILE)))
        .replace("{model}", &argument_path(&folder.join(MODEL_FILE)))
        .replace("{slot_file}", &argument_path(&folder.join(SLOT_FILE)))
        .replace("{model_address}", &format!("{:#x}", memory.model_slot.start))
        .replace("{commit}", &argument_path(&folder.join(COMMIT_FILE)))
        .replace("{commit_address}", &format!("{:#x}", memory.commit_address()))
}
