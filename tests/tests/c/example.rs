//! The example: what it says, how large it is, when it is made again.

use std::fs;
use std::path::{Path, PathBuf};

use edgepkg::embed::{self, Contents};
use edgepkg::model::Choices;
use edgepkg_boards::Board;
use edgepkg_quantize::package::Package;
use edgepkg_tests::firmware::run;
use edgepkg_tests::host_session::HostSession;
use edgepkg_toolchain::output;
use object::{Object as _, ObjectSection as _, SectionKind};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::build::{BOARD, PROGRAM, is_possible, succeed, text};
use crate::{example, root};

const RECORDING_BYTES: usize = 490;
/// What the figure may grow by before the test fails, as a share.
const TOLERANCE: f64 = 0.005;

/// The committed figures: bytes of code and constants of programs that hold the same model, which is not counted.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    /// Sizes compare only between programs of the same compilers.
    compilers: [String; 2],
    /// The example, without its recordings.
    c_bytes: u64,
    /// The image that `edgepkg build --embed` makes, without its test vector.
    rust_bytes: u64,
}

/// The linked example; `None`, said aloud, where it cannot be made here.
fn build(folder: &Path) -> Option<PathBuf> {
    if !is_possible(&["arm-none-eabi-gcc", "make"]) {
        return None;
    }
    make(folder, &package_file());
    Some(folder.join("keywords.elf"))
}

fn make(folder: &Path, package: &Path) -> String {
    let variables = [("OUT", text(folder)), ("EDGEPKG", PROGRAM), ("MODEL", text(package))]
        .map(|(name, value)| format!("{name}={value}"));
    succeed(&example(), "make", &variables.each_ref().map(String::as_str))
}

fn package_file() -> PathBuf {
    root().join("firmware/examples/keywords/model/keywords.edgepkg")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// What the host answers to the recordings.
pub fn host_scores(package: &Package) -> Vec<Vec<i32>> {
    let mut host = HostSession::new(&package.graph).expect("a host");
    let recordings = fs::read(root().join("firmware/examples/keywords/recordings.bin")).expect("recordings");
    let scores =
        recordings.chunks_exact(RECORDING_BYTES).map(|recording| host.run(&[recording.to_vec()]).remove(0));
    scores.map(|scores| scores.into_iter().map(|score| i32::from(score as i8)).collect()).collect()
}

pub fn numbers(line: &str) -> Vec<i32> {
    line.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

#[test]
fn words_and_their_scores_are_the_hosts() {
    let folder = folder();
    let Some(elf) = build(folder.path()) else { return };
    let Some(said) = run(&elf) else { return };
    println!("{said}");
    let words: Vec<&str> = said.lines().step_by(2).collect();
    assert_eq!(words, ["right", "on", "no", "go"]);
    let said: Vec<Vec<i32>> = said.lines().skip(1).step_by(2).map(numbers).collect();
    assert_eq!(said, host_scores(&Package::read(&package_file()).expect("the example's package")));
}

#[test]
fn the_model_is_made_again_when_its_package_changes_and_not_before() {
    let folder = folder();
    let package = folder.path().join("keywords.edgepkg");
    fs::copy(package_file(), &package).expect("it is copied");
    let out = folder.path().join("out");
    if !is_possible(&["arm-none-eabi-gcc", "make"]) {
        return;
    }
    assert!(make(&out, &package).contains("--emit c"));
    assert!(make(&out, &package).contains("up to date"));
    let later = fs::metadata(out.join("keywords.elf")).and_then(|made| made.modified()).expect("it was made")
        + std::time::Duration::from_secs(2);
    fs::File::options()
        .append(true)
        .open(&package)
        .and_then(|file| file.set_modified(later))
        .expect("it is ours");
    assert!(make(&out, &package).contains("--emit c"));
}

#[test]
fn cmake_builds_it() {
    if !is_possible(&["arm-none-eabi-gcc", "cmake"]) {
        return;
    }
    let folder = folder();
    let tool = format!("-DEDGEPKG={PROGRAM}");
    let toolchain = "-DCMAKE_TOOLCHAIN_FILE=arm-none-eabi.cmake";
    succeed(&example(), "cmake", &["-B", text(folder.path()), toolchain, &tool]);
    succeed(&example(), "cmake", &["--build", text(folder.path())]);
    let Some(said) = run(&folder.path().join("keywords")) else { return };
    assert!(said.starts_with("right\n"), "{said}");
}

/// Bytes of code and constants in an ELF file.
fn loaded_bytes(elf: &Path) -> u64 {
    let bytes = fs::read(elf).expect("it is linked");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let is_loaded = |kind| matches!(kind, SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::Data);
    file.sections().filter(|section| is_loaded(section.kind())).map(|section| section.size()).sum()
}

/// The same model in the program that `edgepkg build --embed` makes: both have its artifact, its operators, and a page of code.
#[test]
fn its_code_is_as_large_as_stated() {
    let folder = folder();
    let Some(c) = build(folder.path()) else { return };
    let board = Board::find(BOARD).expect("it is shipped");
    let package = Package::read(&package_file()).expect("the example's package");
    let artifact = package.emit(board.isa, Choices::default()).expect("it is lowered").artifact;
    let contents = Contents {
        name: "keywords",
        version: "0.1.0",
        artifact: &artifact,
        vectors: &package.vectors.vectors[..1],
    };
    let (firmware, toolchain) =
        embed::write_firmware(&board, contents, folder.path()).expect("it is written");
    let target_folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embed").join(BOARD);
    let rust = firmware.build(&toolchain, &target_folder).unwrap_or_else(|error| panic!("{error}"));
    let gcc = output(std::process::Command::new("arm-none-eabi-gcc").arg("-dumpfullversion"));
    let measured = Figures {
        compilers: [toolchain.compiler().unwrap_or_default(), format!("gcc {}", gcc.unwrap_or_default())],
        c_bytes: loaded_bytes(&c) - (artifact.len() + 4 * RECORDING_BYTES) as u64,
        rust_bytes: loaded_bytes(&rust) - (artifact.len() + RECORDING_BYTES) as u64,
    };
    println!("{measured:?}");
    let path = root().join("tests/c_code.toml");
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let figures = toml::to_string(&measured).expect("figures are TOML");
        let text = format!(
            "# Bytes on qemu-cortex-m4. Written by the test `c` with `cargo xtask bless`.\n{figures}"
        );
        fs::write(&path, text).expect("the figures are written");
    }
    let committed: Figures =
        toml::from_str(&fs::read_to_string(path).expect("the figures are committed")).expect("figures");
    if committed.compilers != measured.compilers {
        println!("not compared: {:?} are other compilers", measured.compilers);
        return;
    }
    let limit = committed.c_bytes as f64 * (1.0 + TOLERANCE);
    assert!(measured.c_bytes as f64 <= limit, "was {}, is {}", committed.c_bytes, measured.c_bytes);
}
