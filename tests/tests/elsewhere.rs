//! Runners that are somewhere else: behind a real SSH server on this machine's loopback, at a serial port, at a TCP
//! address. Each is the real runner, in an emulator.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use edgepkg::runners;
use edgepkg_boards::Board;
use edgepkg_tests::samples::integer_samples;
use edgepkg_toolchain::{is_installed, output};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_edgepkg-under-test");
const PATIENCE: Duration = Duration::from_secs(30);

/// Stops a program when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder with kws as a package, its inputs, and the runner of `board`.
fn folder_with_kws(board: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws");
    fs::copy(data.join("reference_int8.tflite"), folder.path().join("kws.tflite")).unwrap();
    fs::copy(data.join("tflm/inputs_i8.npy"), folder.path().join("x.npy")).unwrap();
    let runner = runners::find(&Board::find(board).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let program = folder.path().join("runner.elf");
    fs::write(&program, runner.loaded).unwrap();
    make_executable(&program);
    edgepkg(folder.path(), "quantize kws.tflite -o kws.edgepkg", None);
    folder
}

/// Runs a command, which must succeed; gives what it prints.
#[track_caller]
fn edgepkg(folder: &Path, command: &str, ssh_config: Option<&Path>) -> String {
    let mut process = Command::new(PROGRAM);
    process.current_dir(folder).args(command.split_whitespace());
    if let Some(config) = ssh_config {
        process.env("EDGEPKG_SSH_CONFIG", config);
    }
    let output = process.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "edgepkg {command}\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the package's vectors and TensorFlow Lite Micro's on the runner that `place` names: every byte must be equal.
#[track_caller]
fn check_outputs(folder: &Path, place: &str, ssh_config: Option<&Path>) {
    let tested = edgepkg(folder, &format!("test kws.edgepkg {place}"), ssh_config);
    assert!(tested.contains("every byte equal"), "{tested}");
    edgepkg(folder, &format!("run kws.edgepkg {place} --raw --input x.npy --output y.npy"), ssh_config);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws/tflm/outputs_i8.npy");
    let outputs = |path: PathBuf| integer_samples(&fs::read(path).unwrap());
    assert_eq!(outputs(folder.join("y.npy")), outputs(data));
}

/// An SSH server on the loopback, with keys and settings of its own, to whose sessions this machine is an aarch64.
struct SshServer {
    _server: Running,
    /// What `ssh` must be told to reach it as `loopback`.
    config: PathBuf,
}

const SERVER: &str = "/usr/sbin/sshd";
const FILE_SERVER: &str = "/usr/lib/openssh/sftp-server";

impl SshServer {
    fn start(folder: &Path) -> Option<Self> {
        let missing = [SERVER, FILE_SERVER].into_iter().find(|program| !Path::new(program).is_file());
        let missing = missing.or_else(|| ["ssh", "scp"].into_iter().find(|program| !is_installed(program)));
        if let Some(program) = missing {
            println!("skipped: there is no {program}; `cargo xtask setup` installs it");
            return None;
        }
        let user = output(Command::new("id").arg("-un"))?;
        if user == "root" {
            // Where the server puts its unprivileged part; a system that starts it by itself has it.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let path = |name: &str| folder.join(name).display().to_string();
        for key in ["host_key", "user_key"] {
            output(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]))?;
        }
        fs::copy(path("user_key.pub"), path("authorized_keys")).unwrap();
        write_script(&path("uname"), "echo aarch64");
        write_script(
            &path("session"),
            &format!(
                "PATH={}:$PATH; export PATH\ncase \"$SSH_ORIGINAL_COMMAND\" in {FILE_SERVER}*) exec {FILE_SERVER};; esac\n\
                 exec sh -c \"$(printf %s \"$SSH_ORIGINAL_COMMAND\" | sed 's|exec ./runner|exec qemu-aarch64 ./runner|')\"",
                folder.display()
            ),
        );
        let port = free_port();
        let server_config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nForceCommand {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n\
             Subsystem sftp {FILE_SERVER}\n",
            path("host_key"),
            path("authorized_keys"),
            path("session"),
        );
        fs::write(path("sshd_config"), server_config).unwrap();
        let host_key = fs::read_to_string(path("host_key.pub")).unwrap();
        fs::write(path("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let client_config = format!(
            "Host loopback\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  LogLevel ERROR\n",
            path("user_key"),
            path("known_hosts"),
        );
        fs::write(path("ssh_config"), client_config).unwrap();
        let server = Command::new(SERVER)
            .args(["-D", "-e", "-f", &path("sshd_config")])
            .stdin(Stdio::null())
            .stderr(fs::File::create(path("sshd.log")).unwrap())
            .spawn()
            .unwrap();
        let server = Running(server);
        wait_for(port);
        Some(Self { _server: server, config: folder.join("ssh_config") })
    }
}

fn write_script(path: &str, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    make_executable(Path::new(path));
}

fn make_executable(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn wait_for(port: u16) {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < PATIENCE, "nothing listens at port {port}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn lacks(program: &str) -> bool {
    let lacks = !is_installed(program);
    if lacks {
        println!("skipped: there is no {program}; `cargo xtask setup` installs it");
    }
    lacks
}

#[test]
fn a_model_goes_to_a_computer_by_ssh_and_answers_there() {
    if lacks("qemu-aarch64") {
        return;
    }
    let folder = folder_with_kws("rpi-linux");
    let server_folder = tempfile::tempdir().unwrap();
    let Some(server) = SshServer::start(server_folder.path()) else { return };
    let there = server_folder.path().join("edgepkg");
    let place = format!("--board rpi-linux --host loopback:{}", there.display());

    let flashed = edgepkg(folder.path(), &format!("flash kws.edgepkg {place}"), Some(&server.config));
    assert_eq!(flashed.matches("copied and compared").count(), 2, "{flashed}");
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&there), ["model.epa", "runner"]);
    assert_eq!(fs::read(there.join("runner")).unwrap(), fs::read(folder.path().join("runner.elf")).unwrap());

    check_outputs(folder.path(), &place, Some(&server.config));
    let again = edgepkg(folder.path(), &format!("flash kws.edgepkg {place}"), Some(&server.config));
    assert_eq!(again.matches("was there already").count(), 2, "{again}");

    // What was damaged there is put right, and only that.
    let model = fs::read(there.join("model.epa")).unwrap();
    fs::write(there.join("model.epa"), &model[..100]).unwrap();
    let mended = edgepkg(folder.path(), &format!("flash kws.edgepkg {place}"), Some(&server.config));
    assert_eq!(mended.matches("copied and compared").count(), 1, "{mended}");
    assert_eq!(fs::read(there.join("model.epa")).unwrap(), model);
}

#[test]
fn a_runner_for_linux_listens() {
    if lacks("qemu-aarch64") {
        return;
    }
    let folder = folder_with_kws("rpi-linux");
    let address = format!("127.0.0.1:{}", free_port());
    let runner = Command::new("qemu-aarch64")
        .args(["runner.elf", "--listen", &address])
        .current_dir(folder.path())
        .spawn()
        .unwrap();
    let _runner = Running(runner);
    wait_for(address.rsplit(':').next().unwrap().parse().unwrap());
    check_outputs(folder.path(), &format!("--board rpi-linux --tcp {address}"), None);
}

#[test]
fn a_runner_at_a_serial_port_takes_a_model() {
    if lacks("qemu-system-arm") {
        return;
    }
    let folder = folder_with_kws("qemu-cortex-m4");
    let emulator = Command::new("qemu-system-arm")
        .args(["-machine", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "pty"])
        .args(["-icount", "shift=0", "-kernel", "runner.elf"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut emulator = Running(emulator);
    let mut line = String::new();
    let output = emulator.0.stdout.take().unwrap();
    let mut errors = BufReader::new(emulator.0.stderr.take().unwrap());
    // `char device redirected to /dev/pts/3 (label serial0)`, to one or the other.
    let mut output = BufReader::new(output);
    output.read_line(&mut line).unwrap();
    if line.is_empty() {
        errors.read_line(&mut line).unwrap();
    }
    let port = line.split_whitespace().find(|word| word.starts_with("/dev/")).expect(&line);
    check_outputs(folder.path(), &format!("--board qemu-cortex-m4 --serial {port}"), None);
}
