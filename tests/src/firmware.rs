//! Programs for emulated boards, compiled as their authors compile them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use edgepkg::device::transport::Transport as _;
use edgepkg::emulator::Emulator;
use edgepkg::runners::RunnerImage;
use edgepkg_boards::Board;
use edgepkg_toolchain::{Toolchain, is_installed};

/// What the examples are compiled for.
pub const TARGET: &str = "thumbv7em-none-eabihf";

/// QEMU as it stands for a Cortex-M4, with a program's semihosting on its standard output.
const EMULATOR: &str = "qemu-system-arm";
const EMULATOR_ARGUMENTS: [&str; 10] = [
    "-machine",
    "mps2-an386",
    "-display",
    "none",
    "-monitor",
    "none",
    "-serial",
    "none",
    "-semihosting-config",
    "enable=on,target=native",
];
/// How long a program may run.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// A workspace of programs.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    target: PathBuf,
    environment: Vec<(String, PathBuf)>,
}

/// What cargo said of a build.
#[derive(Clone, Debug)]
pub struct BuildLog {
    /// Whether it built.
    pub succeeded: bool,
    /// What it said, on standard error.
    pub messages: String,
}

impl Programs {
    /// The workspace in `folder`, whose compiled crates lie with those of the examples.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/examples");
        Self { folder: folder.into(), target, environment: Vec::new() }
    }

    /// The examples.
    pub fn examples() -> Self {
        Self::of(Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/examples"))
    }

    /// With an environment variable that is a path.
    #[must_use]
    pub fn environment(mut self, name: &str, path: &Path) -> Self {
        self.environment.push((name.to_owned(), path.to_owned()));
        self
    }

    /// Compiles one of them. `None`, said aloud, where nothing here compiles for the target.
    ///
    /// # Panics
    ///
    /// When cargo does not start.
    pub fn build(&self, name: &str) -> Option<BuildLog> {
        let Some(toolchain) = Toolchain::find(TARGET) else {
            println!("skipped: no toolchain here builds for {TARGET}");
            return None;
        };
        let output = toolchain
            .build(TARGET, &[])
            .args(["--release", "--package", name])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .envs(self.environment.iter().map(|(name, path)| (name, path)))
            .output()
            .expect("cargo starts");
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        Some(BuildLog { succeeded: output.status.success(), messages })
    }

    /// Where the compiled program lies.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join(TARGET).join("release").join(name)
    }

    /// What the build script of a program said in its last run.
    ///
    /// # Panics
    ///
    /// When it has never run.
    pub fn script_log(&self, name: &str) -> String {
        let folder = self.target.join(TARGET).join("release/build");
        let prefix = format!("{name}-");
        let scripts = std::fs::read_dir(folder).expect("programs were compiled").flatten();
        let logs = scripts
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .map(|entry| entry.path().join("output"))
            .filter(|log| log.is_file());
        let newest = logs.max_by_key(|log| log.metadata().and_then(|log| log.modified()).ok());
        std::fs::read_to_string(newest.expect("the script ran")).expect("its log is text")
    }
}

/// What the program in `elf` says on an emulated Cortex-M4 until it ends; `None`, said aloud, where there is no emulator.
///
/// # Panics
///
/// When it fails, or does not end within the time limit.
pub fn run(elf: &Path) -> Option<String> {
    if !is_installed(EMULATOR) {
        println!("skipped: {EMULATOR} is not installed");
        return None;
    }
    let mut child = Command::new(EMULATOR)
        .args(EMULATOR_ARGUMENTS)
        .arg("-kernel")
        .arg(elf)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the emulator starts");
    let mut stdout = child.stdout.take().expect("it was asked for");
    let reader = thread::spawn(move || {
        let mut said = String::new();
        stdout.read_to_string(&mut said).map(|_| said)
    });
    let deadline = Instant::now() + TIME_LIMIT;
    let status = loop {
        match child.try_wait().expect("it can be waited for") {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().expect("it can be ended");
                panic!("{} ran longer than {TIME_LIMIT:?}", elf.display());
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = reader.join().expect("its output is read").expect("its output is text");
    assert!(status.success(), "{} failed and said:\n{said}", elf.display());
    Some(said)
}

/// What an image writes to the serial port of `board`'s emulator, up to the line that begins with `last`.
///
/// # Panics
///
/// When it stops writing before.
pub fn serial_lines(board: &Board, elf: &Path, last: &str) -> Vec<String> {
    let bytes = std::fs::read(elf).expect("it is linked");
    let loaded = RunnerImage::of_elf(&board.name, bytes);
    let mut emulator = Emulator::start(board, &loaded, &[]).expect("it starts");
    let deadline = Instant::now() + TIME_LIMIT;
    let mut lines = vec![String::new()];
    loop {
        let byte = emulator.next_byte(deadline).expect("it goes on writing");
        let line = lines.last_mut().expect("there is one");
        match byte {
            b'\n' if line.starts_with(last) => return lines,
            b'\n' => lines.push(String::new()),
            byte => line.push(char::from(byte)),
        }
    }
}
