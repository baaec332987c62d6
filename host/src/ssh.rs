//! Puts a runner and a model on a computer that is reached by ssh, and talks to the runner there.
//!
//! It is the system's own `ssh` and `scp` that connect, with the user's own keys, hosts and settings.

mod destination;

use std::fs;
use std::io;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

pub use self::destination::{Destination, DestinationError};
use crate::boot_folder::slot_file;
use crate::device::transport::{Pipes, Transport};

/// The environment variable that names a configuration for `ssh` and `scp` in place of the user's own.
pub const CONFIG_VARIABLE: &str = "EDGEPKG_SSH_CONFIG";

/// The runner's name in the folder, and the model's: what its slot holds.
const RUNNER_FILE: &str = "runner";
const MODEL_FILE: &str = "model.epa";
/// What a file is called until it is whole.
const NEW: &str = ".new";
/// The counter of the commit record in a file that is written whole.
const COUNTER: u32 = 1;
const CONNECT_SECONDS: u32 = 15;

/// Why a computer is not reached, or does not hold what it should.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SshError {
    #[error("`{program}` is not installed")]
    NotInstalled { program: &'static str },
    #[error("`{program}` does not start")]
    Start { program: &'static str, source: io::Error },
    #[error("cannot write the files for `{host}`")]
    Files { host: String, source: io::Error },
    #[error("`{host}` cannot be reached, or does not do what it is asked: {message}")]
    Refused { host: String, message: String },
    #[error("`{host}` has a processor of another kind: {found}, and the runner is for aarch64")]
    Machine { host: String, found: String },
    #[error("`{host}` does not hold what was copied to `{folder}`: {message}")]
    Differs { host: String, folder: String, message: String },
}

impl SshError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            SshError::NotInstalled { .. } => Some(
                "install OpenSSH's client: on Debian and Ubuntu `apt-get install openssh-client`".to_owned(),
            ),
            SshError::Refused { host, .. } => {
                Some(format!("see that `ssh {host} uname -m` answers; keys and hosts are those of your ssh"))
            }
            SshError::Machine { .. } => Some("install the 64-bit system on it".to_owned()),
            SshError::Differs { .. } => Some("see that its disk has room, and try again".to_owned()),
            SshError::Start { .. } | SshError::Files { .. } => None,
        }
    }
}

/// A file on the computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where it is: `FOLDER/NAME`.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Whether it was there already.
    pub was_there: bool,
}

/// Puts `runner` and `artifact` into the destination's folder. What is there already is left; what is not is copied under another name, compared by its digest there,
/// and only then gets its own.
///
/// # Errors
///
/// When the computer is not reached, is of another kind, or does not hold what was copied.
pub fn deploy(
    destination: &Destination,
    runner: &[u8],
    artifact: &[u8],
) -> Result<[RemoteFile; 2], SshError> {
    let model = slot_file(artifact, COUNTER);
    let contents = [(RUNNER_FILE, runner), (MODEL_FILE, &model)];
    let folder = &destination.folder;
    let asked = format!(
        "uname -m; mkdir -p {folder} && cd {folder} && {{ sha256sum {RUNNER_FILE} {MODEL_FILE} 2>/dev/null || true; }}"
    );
    let answer = run(destination, &asked)?;
    let machine = answer.lines().next().unwrap_or_default();
    if !RUNS_ON.contains(&machine) {
        let (host, found) = (destination.host.clone(), machine.to_owned());
        return Err(SshError::Machine { host, found });
    }
    let files = contents.map(|(name, bytes)| {
        let sha256 = hexadecimal(bytes);
        let was_there = answer.lines().any(|line| line.split_whitespace().eq([sha256.as_str(), name]));
        RemoteFile { path: format!("{folder}/{name}"), bytes: bytes.len() as u64, sha256, was_there }
    });
    let new: Vec<_> = contents
        .iter()
        .zip(&files)
        .filter(|(_, file)| !file.was_there)
        .map(|((name, bytes), file)| (*name, *bytes, file))
        .collect();
    if new.is_empty() {
        return Ok(files);
    }
    copy(destination, &new)?;
    let mut steps = vec![format!("cd {folder}")];
    for (name, _, file) in &new {
        steps.push(format!("echo '{}  {name}{NEW}' | sha256sum -c", file.sha256));
    }
    steps.push(format!("chmod 755 ./*{NEW}"));
    steps.push("sync".to_owned());
    // The model first: whichever runner starts then finds a whole one.
    steps.extend(new.iter().rev().map(|(name, ..)| format!("mv -f {name}{NEW} {name}")));
    run(destination, &steps.join(" && ")).map_err(|error| match error {
        SshError::Refused { host, message } => SshError::Differs { host, folder: folder.clone(), message },
        error => error,
    })?;
    Ok(files)
}

/// What `uname -m` says of computers that the runner is for. An emulator of one may stand on any other.
const RUNS_ON: [&str; 2] = ["aarch64", "arm64"];

fn copy(destination: &Destination, files: &[(&str, &[u8], &RemoteFile)]) -> Result<(), SshError> {
    let failed = |source| SshError::Files { host: destination.host.clone(), source };
    let local = tempfile::Builder::new().prefix("edgepkg-ssh-").tempdir().map_err(failed)?;
    let mut command = program("scp");
    command.arg("-q").arg("--");
    for (name, bytes, _) in files {
        let path = local.path().join(format!("{name}{NEW}"));
        fs::write(&path, bytes).map_err(failed)?;
        command.arg(path);
    }
    command.arg(format!("{}:{}/", destination.host, destination.folder));
    finish(destination, "scp", &mut command).map(drop)
}

/// Runs `script` on the computer; gives what it prints.
fn run(destination: &Destination, script: &str) -> Result<String, SshError> {
    let mut command = program("ssh");
    command.arg("-T").arg("--").arg(&destination.host).arg(script).stdin(Stdio::null());
    finish(destination, "ssh", &mut command)
}

fn program(name: &'static str) -> Command {
    let mut command = Command::new(name);
    if let Some(file) = std::env::var_os(CONFIG_VARIABLE) {
        command.arg("-F").arg(file);
    }
    command.arg("-o").arg(format!("ConnectTimeout={CONNECT_SECONDS}"));
    command
}

fn finish(
    destination: &Destination,
    program: &'static str,
    command: &mut Command,
) -> Result<String, SshError> {
    let Output { status, stdout, stderr } =
        command.output().map_err(|source| start_error(program, source))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&stderr).trim().to_owned();
    let message = if message.is_empty() { format!("`{program}` ended with {status}") } else { message };
    Err(SshError::Refused { host: destination.host.clone(), message })
}

fn start_error(program: &'static str, source: io::Error) -> SshError {
    match source.kind() {
        io::ErrorKind::NotFound => SshError::NotInstalled { program },
        _ => SshError::Start { program, source },
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A runner on the computer, at the far end of a pipe through ssh; it ends when this is dropped.
#[derive(Debug)]
pub struct Connection {
    child: Child,
    pipes: Pipes<ChildStdin>,
}

impl Connection {
    /// Starts what [`deploy`] has put there.
    ///
    /// # Errors
    ///
    /// When `ssh` does not start.
    pub fn start(destination: &Destination) -> Result<Self, SshError> {
        let folder = &destination.folder;
        let script = format!("cd {folder} && exec ./{RUNNER_FILE} --model {MODEL_FILE}");
        let mut child = program("ssh")
            .arg("-T")
            .arg("--")
            .arg(&destination.host)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| start_error("ssh", source))?;
        let ports = child.stdin.take().zip(child.stdout.take());
        let (to_device, from_device) = ports.expect("both were asked for");
        Ok(Self { child, pipes: Pipes::new(to_device, from_device) })
    }
}

impl Transport for Connection {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pipes.send(bytes)
    }

    fn next_byte(&mut self, deadline: Instant) -> io::Result<u8> {
        self.pipes.next_byte(deadline)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The runner ends with its input; ssh may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
