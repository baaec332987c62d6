//! Docker's own registry, started on a free port of this machine and ended with the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// [`USER`] with [`PASSWORD`].
    Password,
}

pub const USER: &str = "tester";
pub const PASSWORD: &str = "secret";
/// `htpasswd -Bbn tester secret`.
const HTPASSWD: &str = "tester:$2y$05$9JmXIOfd2VR3scUbXQR3F.UseJX4cul5UVMXZhwoQAi5PjWw0AUQu";

/// The programs that Debian has for it: the package, and what it installs.
const PROGRAMS: [&str; 2] = ["docker-registry", "registry"];
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running registry.
pub struct DockerRegistry {
    process: Child,
    port: u16,
    program: &'static str,
    folder: TempDir,
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has ports");
    listener.local_addr().expect("it is bound").port()
}

impl DockerRegistry {
    /// Starts one; `None`, said aloud, where this machine has none.
    pub fn start(access: Access) -> Option<Self> {
        let is_there = |program: &&&str| {
            let found =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            found.is_ok_and(|status| status.success())
        };
        let Some(program) = PROGRAMS.iter().find(is_there) else {
            println!("skipped: there is no docker-registry; `cargo xtask setup` installs it");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let mut configuration = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: \
             true\nhttp:\n  addr: 127.0.0.1:{port}\n",
            folder.path().join("data").display()
        );
        if access == Access::Password {
            let passwords = folder.path().join("htpasswd");
            fs::write(&passwords, format!("{HTPASSWD}\n")).expect("the folder is ours");
            configuration +=
                &format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", passwords.display());
        }
        fs::write(folder.path().join("config.yml"), configuration).expect("the folder is ours");
        let process = spawn(program, &folder, port);
        Some(Self { process, port, program, folder })
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it, as `kill -9` does, and starts it anew on what it has stored.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.program, &self.folder, self.port);
    }

    /// Ends it, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(program: &str, folder: &TempDir, port: u16) -> Child {
    let process = Command::new(program)
        .arg("serve")
        .arg(folder.path().join("config.yml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it is installed");
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < START_LIMIT, "docker-registry does not answer");
        thread::sleep(Duration::from_millis(20));
    }
    process
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.kill();
    }
}
