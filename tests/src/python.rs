//! Python, for tests that compare with other people's tools.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What the environment holds.
const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
/// Making the environment, and each script, may take so long.
const TIME_LIMIT: Duration = Duration::from_secs(400);

/// The interpreter of an environment with `tests/python/requirements.txt`, made in the target folder when it is
/// first asked for. Where it cannot be made a test that needs it passes, and this says why.
pub fn interpreter() -> Option<PathBuf> {
    static INTERPRETER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match INTERPRETER.get_or_init(|| environment().map_err(|error| error.to_string())) {
        Ok(interpreter) => Some(interpreter.clone()),
        Err(reason) => {
            println!("skipped: no Python with ai-edge-litert and onnxruntime: {reason}");
            None
        }
    }
}

/// Runs `tests/python/SCRIPT` with `arguments`.
///
/// # Panics
///
/// When it fails, with what it says, or takes too long.
pub fn run(interpreter: &Path, script: &str, arguments: &[&Path]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = Command::new(interpreter);
    command.arg(&script).args(arguments);
    if let Err(error) = within_time(&mut command, log.path()) {
        panic!("{}: {error}", script.display());
    }
}

fn environment() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let deps = program.parent().and_then(Path::parent).ok_or(io::ErrorKind::NotFound)?;
    let folder = deps.join("python");
    fs::create_dir_all(&folder)?;
    // Tests run in processes of their own: one makes the environment, the others wait.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let environment = folder.join("environment");
    let interpreter = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let made_of = environment.join("made_of.txt");
    if fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == REQUIREMENTS) {
        return Ok(interpreter);
    }
    if environment.exists() {
        fs::remove_dir_all(&environment)?;
    }
    let log = folder.join("log.txt");
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    within_time(Command::new("python3").args(["-m", "venv"]).arg(&environment), &log)?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "--timeout",
        "20",
    ];
    within_time(Command::new(&interpreter).args(pip).arg("--requirement").arg(&requirements), &log)?;
    fs::write(&made_of, REQUIREMENTS)?;
    Ok(interpreter)
}

/// Runs `command`, whose words go to the file `log`.
///
/// # Errors
///
/// When it cannot be started, fails, or takes longer than [`TIME_LIMIT`]: then it is stopped.
fn within_time(command: &mut Command, log: &Path) -> io::Result<()> {
    let words = File::create(log)?;
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |reason: String| {
        let words = fs::read_to_string(log).unwrap_or_default();
        io::Error::other(format!("`{name}` {reason} {}", words.trim()))
    };
    command.stdin(Stdio::null()).stdout(words.try_clone()?).stderr(words);
    let mut child = command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
    let start = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(failed(format!("failed ({status}):"))),
            None if start.elapsed() > TIME_LIMIT => {
                child.kill()?;
                child.wait()?;
                return Err(failed(format!("took longer than {} s", TIME_LIMIT.as_secs())));
            }
            None => sleep(Duration::from_millis(50)),
        }
    }
}
