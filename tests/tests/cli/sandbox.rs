//! A folder of its own for a test, and the program run in it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use edgepkg_quantize::tensor_file::TensorFile;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_edgepkg-under-test");

/// A temporary folder with what a test needs, and the environment commands run in.
pub struct Sandbox {
    folder: TempDir,
    environment: Vec<(&'static str, PathBuf)>,
    input: Option<PathBuf>,
    user: User,
}

/// Who runs the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Same,
    /// One who may write nothing.
    #[cfg(unix)]
    Nobody,
    /// The same one, whose files may not grow past 8 KiB.
    #[cfg(unix)]
    Limited,
}

impl Sandbox {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, environment: Vec::new(), input: None, user: User::Same }
    }

    /// A folder with the shipped int8 keyword-spotting model, `kws.tflite`, and inputs for it,
    /// `x_i8.npy`.
    pub fn with_kws() -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws");
        let read = |file: &str| fs::read(data.join(file)).expect("the repository has it");
        Self::new()
            .file("kws.tflite", &read("reference_int8.tflite"))
            .file("x_i8.npy", &read("tflm/inputs_i8.npy"))
            .file("labels.txt", &read("labels.txt"))
    }

    /// With a file in it.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.path(name), bytes).expect("the folder is ours");
        self
    }

    /// With a float32 tensor of one value.
    pub fn tensor(self, name: &str, shape: &[usize], value: f32) -> Self {
        let length = shape.iter().product();
        let bytes = TensorFile::from_f32(shape.to_vec(), vec![value; length]).to_bytes();
        self.file(name, &bytes)
    }

    /// With a folder in it.
    pub fn folder(self, name: &str) -> Self {
        fs::create_dir(self.path(name)).expect("the folder is ours");
        self
    }

    /// With an environment variable that names a path in it.
    pub fn environment(mut self, variable: &'static str, name: &str) -> Self {
        self.environment.push((variable, self.path(name)));
        self
    }

    /// With a file of it as the standard input of commands.
    pub fn input(mut self, name: &str) -> Self {
        self.input = Some(self.path(name));
        self
    }

    /// With commands run by a user who may write nothing, where there is one. Root may write everything.
    #[cfg(unix)]
    pub fn with_nobodys_rights(mut self) -> Self {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let everybody_reads = fs::Permissions::from_mode(0o555);
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        if is_root {
            fs::copy(PROGRAM, self.path("program")).expect("the program can be copied");
            fs::set_permissions(self.path("program"), everybody_reads.clone()).expect("it is ours");
            self.user = User::Nobody;
        }
        for entry in fs::read_dir(self.folder.path()).expect("it is ours").flatten() {
            if entry.path().is_dir() {
                fs::set_permissions(entry.path(), everybody_reads.clone()).expect("it is ours");
            }
        }
        fs::set_permissions(self.folder.path(), everybody_reads).expect("it is ours");
        self
    }

    /// With commands that cannot write files longer than 8 KiB.
    #[cfg(unix)]
    pub fn with_files_up_to_8_kib(mut self) -> Self {
        self.user = User::Limited;
        self
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file's bytes.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs commands, one a line, and gives what a terminal shows; an exit code that is not 0 stands before
    /// what was written.
    pub fn run(&self, commands: &str) -> String {
        self.run_in("", commands)
    }

    /// As [`run`](Self::run), in a folder of it.
    pub fn run_in(&self, folder: &str, commands: &str) -> String {
        let mut shown = String::new();
        for command in commands.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let output = self.output_in(folder, command);
            writeln!(shown, "{folder}$ edgepkg {command}").expect("memory");
            if output.status.code() != Some(0) {
                writeln!(shown, "? {}", output.status.code().unwrap_or(-1)).expect("memory");
            }
            for stream in [output.stdout, output.stderr] {
                shown.push_str(&String::from_utf8_lossy(&stream));
            }
            shown.push('\n');
        }
        let folder = self.folder.path().display().to_string();
        shown.replace(&folder, "[DIR]")
    }

    /// Runs one command.
    pub fn output(&self, command: &str) -> Output {
        self.output_in("", command)
    }

    /// Runs one command in a folder of it.
    pub fn output_in(&self, folder: &str, command: &str) -> Output {
        let mut process = self.process_in(folder, command);
        loop {
            match process.output() {
                // A process that another test starts may hold a fresh copy of the program open for writing
                // until it is itself.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => thread::yield_now(),
                output => return output.expect("the program runs"),
            }
        }
    }

    /// One command in a folder of it, not yet started.
    pub fn process_in(&self, folder: &str, command: &str) -> Command {
        let mut process = match self.user {
            User::Same => Command::new(PROGRAM),
            #[cfg(unix)]
            User::Nobody => {
                use std::os::unix::process::CommandExt as _;
                let mut process = Command::new(self.path("program"));
                process.uid(65534).gid(65534);
                process
            }
            #[cfg(unix)]
            User::Limited => {
                // 16 blocks of 512 bytes; the signal that would end the program is ignored.
                let mut process = Command::new("sh");
                process.args(["-c", "ulimit -f 16; trap '' XFSZ; exec \"$0\" \"$@\"", PROGRAM]);
                process
            }
        };
        process.current_dir(self.folder.path().join(folder)).args(command.split_whitespace());
        process.env("COLUMNS", "100");
        if let Some(path) = &self.input {
            process.stdin(fs::File::open(path).expect("the test has made it"));
        }
        for (variable, path) in &self.environment {
            process.env(variable, path);
        }
        process
    }
}

/// The runner image of the emulated Cortex-M4, where it is built.
pub fn runner() -> Option<Vec<u8>> {
    let board = edgepkg_boards::Board::find("qemu-cortex-m4").expect("it is shipped");
    match edgepkg::runners::find(&board) {
        Ok(image) => Some(image.elf),
        Err(error) => {
            println!("skipped: {error}; {}", error.hint().unwrap_or_default());
            None
        }
    }
}
