//! A Raspberry Pi's boot folder: what it holds boots, and a folder that is full or read-only stays as it
//! was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edgepkg::boot_folder::{self, BootFiles, BootFolderError};
use edgepkg::device::{Device, LinkDevice, OpenOptions};
use edgepkg::emulator::Emulator;
use edgepkg::runners::{self, RunnerImage};
use edgepkg_boards::Board;
use edgepkg_tests::models::kws;

fn rpi() -> Board {
    Board::find("rpi").unwrap()
}

fn runner() -> RunnerImage {
    runners::find(&rpi()).unwrap_or_else(|error| panic!("{error}"))
}

/// Flashes kws into `folder`.
fn flash(folder: &Path) -> Result<[boot_folder::WrittenFile; 3], BootFolderError> {
    let runner = runner().loaded;
    let artifact = kws().artifact(rpi().isa);
    let memory = rpi().memory.unwrap();
    boot_folder::write(folder, &BootFiles { runner: &runner, artifact: &artifact, memory: &memory })
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The emulator with exactly the files of the boot folder, placed where config.txt says.
#[test]
fn what_is_written_boots_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    flash(folder.path()).unwrap();
    let config = fs::read_to_string(folder.path().join("config.txt")).unwrap();
    let line = config.lines().find_map(|line| line.strip_prefix("initramfs ")).expect("an initramfs");
    let (file, address) = line.split_once(' ').unwrap();
    let mut board = rpi();
    let emulator = board.emulator.as_mut().unwrap();
    let model = format!("loader,file={},addr={address},force-raw=on", folder.path().join(file).display());
    for argument in &mut emulator.arguments {
        if argument.starts_with("loader,") {
            argument.clone_from(&model);
        }
    }
    let kernel = fs::read(folder.path().join("kernel8.img")).unwrap();
    let image = RunnerImage { loaded: kernel, ..runner() };
    let emulator = Emulator::start(&board, &image, &[]).expect("the emulator starts");
    let mut device = LinkDevice::open(Box::new(emulator), OpenOptions::default()).expect("it answers");
    let model = kws();
    let report = device.run(&[&model.inputs[0]]).unwrap();
    assert_eq!(report.outputs[0], model.outputs[0]);
}

#[test]
fn flashing_again_keeps_what_is_the_users() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.txt");
    fs::write(&config, "# mine\n[pi4]\ngpu_mem=32\n").unwrap();
    fs::write(folder.path().join("kernel8.img"), "Linux").unwrap();
    flash(folder.path()).unwrap();
    let once = fs::read_to_string(&config).unwrap();
    assert!(once.starts_with("# mine\n[pi4]\ngpu_mem=32\n"), "{once}");
    flash(folder.path()).unwrap();
    assert_eq!(fs::read_to_string(&config).unwrap(), once);
    assert_eq!(fs::read(folder.path().join("kernel8.img.bak")).unwrap(), b"Linux");
    assert_eq!(names(folder.path()), ["config.txt", "kernel8.img", "kernel8.img.bak", "model.epa"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Nobody creates files in sysfs, root included.
    let folder = Path::new("/sys/kernel");
    if !folder.is_dir() {
        println!("skipped: this system has no {}", folder.display());
        return;
    }
    let message = flash(folder).unwrap_err().to_string();
    assert!(message.starts_with("the boot folder `/sys/kernel` cannot be written: "), "{message}");
}

/// The limit on the size of files stands in for a full medium: it needs no rights. What is written
/// fails half-way.
#[test]
fn a_write_that_fails_half_way_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.txt"), "# mine\n").unwrap();
    // 16 blocks of 512 bytes; the signal that would end the program is ignored.
    let output = run_flash("ulimit -f 16; trap '' XFSZ; exec \"$0\" \"$@\"", &[], folder.path());
    check_full(&output, folder.path());
    assert_eq!(names(folder.path()), ["config.txt"]);
    assert_eq!(fs::read(folder.path().join("config.txt")).unwrap(), b"# mine\n");
}

/// A real full file system, where this process may make one.
#[test]
fn a_full_medium_is_told_in_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=64k tmpfs \"$BOOT\" || exit 77
        \"$0\" \"$@\"; code=$?
        [ -z \"$(ls -A \"$BOOT\")\" ] || exit 78
        exit $code";
    let output = run_flash(script, &["unshare", "--user", "--map-root-user", "--mount"], folder.path());
    let may_not_mount =
        output.status.code() == Some(77) || String::from_utf8_lossy(&output.stderr).contains("unshare");
    if may_not_mount {
        println!("skipped: this user may not mount a file system in a namespace");
        return;
    }
    assert_ne!(output.status.code(), Some(78), "files were left in the folder");
    check_full(&output, folder.path());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("65536 bytes are free"), "{text}");
}

fn check_full(output: &Output, folder: &Path) {
    let text: String = String::from_utf8_lossy(&output.stderr).split_whitespace().collect();
    let expected = format!("thebootfolder`{}`isfull:", folder.display());
    assert!(text.contains(&expected), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
}

/// This test program, told to flash `folder`, started by a shell script under `prefix`.
fn run_flash(script: &str, prefix: &[&str], folder: &Path) -> Output {
    let program: PathBuf = std::env::current_exe().unwrap();
    let mut words: Vec<&std::ffi::OsStr> = prefix.iter().map(std::ffi::OsStr::new).collect();
    let rest = ["sh", "-c", script].map(std::ffi::OsStr::new);
    words.extend(rest);
    words.push(program.as_os_str());
    words.extend(["--exact", "flashes_the_folder_it_is_given", "--nocapture"].map(std::ffi::OsStr::new));
    Command::new(words[0]).args(&words[1..]).env("BOOT", folder).output().expect("a shell")
}

/// Not a test of its own: what `run_flash` starts.
#[test]
fn flashes_the_folder_it_is_given() {
    let Some(folder) = std::env::var_os("BOOT") else {
        return;
    };
    if let Err(error) = flash(Path::new(&folder)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
