//! Reads model files in a process of its own.
//!
//! A model file may come from anyone, and what reads it was written by many: it may take all memory, never
//! end, or abort. So this program starts itself anew with the hidden subcommand [`SUBCOMMAND`]. The worker
//! first limits itself ([`limits`]), then takes the file from its standard input, and answers on its
//! standard output with what the import found. Whatever becomes of the worker, here it is an error.

pub mod limits;
mod request;
pub mod serve;

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use edgepkg_quantize::import::{ImportError, ImportOptions, Imported, transfer};
use thiserror::Error;

pub use self::limits::Limits;
use self::request::Request;
use crate::model::ModelFormat;

/// The subcommand that makes this program a worker.
pub const SUBCOMMAND: &str = "import-worker";
/// The longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 1 << 29;
/// How much of what a worker says when it dies is read.
const MAX_LAST_WORDS_BYTES: u64 = 1 << 12;
/// What Rust says when memory is refused.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// A program that can be a worker, and what it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The absolute path of a program whose `main` is [`crate::program::main`].
    pub program: PathBuf,
    /// What it may take.
    pub limits: Limits,
}

/// Why a worker gave no answer.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// It cannot be started, or spoken to.
    #[error("`{}`, which reads it, cannot be started", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It needs more memory than it may take.
    #[error("reading it takes more than the {limit_mib} MiB of memory that are allowed beside its own size")]
    Memory {
        /// The limit.
        limit_mib: u64,
    },
    /// It does not come to an end.
    #[error("reading it takes longer than the {limit_seconds} s that are allowed")]
    Time {
        /// The limit.
        limit_seconds: u64,
    },
    /// It ended for a reason of its own.
    #[error("the process that reads it, limited to {limit_mib} MiB, ended without an answer ({status})")]
    Died {
        /// How it ended, in the system's words.
        status: String,
        /// The limit.
        limit_mib: u64,
    },
    /// It answered with what is no answer.
    #[error("the process that reads it gave no sound answer: {0}")]
    Answer(String),
}

/// How a worker's time ended.
enum Ending {
    /// Its standard output ended with these bytes.
    Answered(Vec<u8>),
    /// It had to be ended.
    TimedOut,
}

impl Worker {
    /// What the model in `file` is.
    ///
    /// # Errors
    ///
    /// The outer error when the worker gave no answer, the inner one when the file cannot be imported.
    pub fn import(
        &self,
        format: ModelFormat,
        file: &[u8],
        options: &ImportOptions,
    ) -> Result<Result<Imported, ImportError>, WorkerError> {
        let failed = |source| WorkerError::Start { program: self.program.clone(), source };
        let mut child = self.command(file, options).spawn().map_err(failed)?;
        let request = Request::new(format, file, options);
        let (ending, last_words) = thread::scope(|scope| {
            let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            // A worker that dies early does not read to the end: that it died is what counts.
            scope.spawn(move || stdin.map(|mut stdin| request.write(file, &mut stdin)));
            let last_words = scope.spawn(move || read_up_to(stderr, MAX_LAST_WORDS_BYTES));
            let (sender, receiver) = mpsc::channel();
            scope.spawn(move || sender.send(read_up_to(stdout, MAX_ANSWER_BYTES + 1)));
            let deadline = Instant::now() + Duration::from_secs(self.limits.seconds);
            let ending = match receiver.recv_timeout(Duration::from_secs(self.limits.seconds)) {
                Ok(answer) if has_ended(&mut child, deadline) => Ending::Answered(answer),
                _ => Ending::TimedOut,
            };
            // Where it has ended already there is nothing to kill; the pipes' threads end with it.
            let _ = child.kill();
            (ending, last_words.join().unwrap_or_default())
        });
        let status = child.wait().map_err(failed)?;
        match ending {
            Ending::TimedOut => Err(WorkerError::Time { limit_seconds: self.limits.seconds }),
            Ending::Answered(_) if !status.success() => Err(self.death(status, &last_words)),
            Ending::Answered(answer) if answer.len() as u64 > MAX_ANSWER_BYTES => {
                Err(WorkerError::Answer(format!("it has more than {MAX_ANSWER_BYTES} bytes")))
            }
            Ending::Answered(answer) => {
                transfer::read(&answer).map_err(|error| WorkerError::Answer(error.to_string()))
            }
        }
    }

    fn command(&self, file: &[u8], options: &ImportOptions) -> Command {
        let memory_bytes = self.limits.memory_bytes(file.len());
        let mut command = Command::new(&self.program);
        command.arg(SUBCOMMAND);
        command.args(["--memory-bytes", &memory_bytes.to_string()]);
        command.args(["--cpu-seconds", &self.limits.seconds.to_string()]);
        if let Some(folder) = options.folder.as_ref().filter(|folder| !folder.as_os_str().is_empty()) {
            command.current_dir(folder);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn death(&self, status: ExitStatus, last_words: &[u8]) -> WorkerError {
        let limit_mib = self.limits.memory_mib;
        if String::from_utf8_lossy(last_words).contains(OUT_OF_MEMORY) {
            WorkerError::Memory { limit_mib }
        } else {
            WorkerError::Died { status: status.to_string(), limit_mib }
        }
    }
}

/// Waits until `child` has ended; `false` when it has not at `deadline`.
fn has_ended(child: &mut Child, deadline: Instant) -> bool {
    loop {
        match child.try_wait() {
            Ok(Some(_)) | Err(_) => return true,
            Ok(None) if Instant::now() >= deadline => return false,
            Ok(None) => thread::sleep(Duration::from_micros(200)),
        }
    }
}

/// The first `limit` bytes of `pipe`, or those before it fails.
fn read_up_to(pipe: Option<impl Read>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(limit).read_to_end(&mut bytes);
    }
    bytes
}
