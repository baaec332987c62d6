//! A QEMU process with its two sockets. The core stands still when it has started.

#![allow(unsafe_code, reason = "what a child does between fork and exec is unsafe to say")]

use std::fs::{self, File};
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ChipError;
use crate::gdb::Gdb;
use crate::qtest::Qtest;

/// How long QEMU may take to connect.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const MESSAGES_FILE: &str = "messages.txt";

/// How QEMU is started. In the arguments `{gdb}` and `{qtest}` stand for the paths of its sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulation {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// The process, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Qemu {
    pub gdb: Gdb,
    pub qtest: Qtest,
    child: Child,
    files: TempDir,
}

impl Qemu {
    /// Starts it.
    pub fn start(emulation: &Emulation) -> Result<Self, ChipError> {
        let emulator = |source| ChipError::Emulator { program: emulation.program.clone(), source };
        let files = tempfile::Builder::new().prefix("edgepkg-vprobe-").tempdir().map_err(ChipError::Files)?;
        let (gdb, qtest) = (files.path().join("gdb"), files.path().join("qtest"));
        let listen = |path: &Path| UnixListener::bind(path).map_err(ChipError::Files);
        let (gdb_listener, qtest_listener) = (listen(&gdb)?, listen(&qtest)?);
        let messages = File::create(files.path().join(MESSAGES_FILE)).map_err(ChipError::Files)?;
        let fill_in = |argument: &String| {
            argument.replace("{gdb}", &socket_name(&gdb)).replace("{qtest}", &socket_name(&qtest))
        };
        let mut command = Command::new(&emulation.program);
        command.args(emulation.arguments.iter().map(fill_in));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(messages);
        end_with_this_process(&mut command);
        let mut child = command.spawn().map_err(emulator)?;
        let connected = accept(&qtest_listener, &mut child)
            .and_then(Qtest::new)
            .and_then(|qtest| Ok((qtest, Gdb::new(accept(&gdb_listener, &mut child)?)?)));
        match connected {
            Ok((qtest, gdb)) => Ok(Self { gdb, qtest, child, files }),
            Err(error) => {
                end(&mut child);
                let messages = fs::read_to_string(files.path().join(MESSAGES_FILE)).unwrap_or_default();
                let source = match messages.trim() {
                    "" => error,
                    messages => io::Error::new(error.kind(), messages.to_owned()),
                };
                Err(emulator(source))
            }
        }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// What it wrote to its standard error.
    pub fn messages(&self) -> String {
        fs::read_to_string(self.files.path().join(MESSAGES_FILE)).unwrap_or_default()
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself; then there is nothing to do.
    let _ = child.kill();
    let _ = child.wait();
}

/// `path` in an argument: QEMU ends a value at a comma and takes two for one.
fn socket_name(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// The connection that `child` makes.
fn accept(listener: &UnixListener, child: &mut Child) -> io::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("it ended: {status}")));
        }
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Lets the kernel end the child with the thread that starts it, so that no core is left running if this process is
/// killed.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn end_with_this_process(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;

    // SAFETY: between fork and exec only one system call is made, which neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            Ok(())
        });
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn end_with_this_process(_command: &mut Command) {}
