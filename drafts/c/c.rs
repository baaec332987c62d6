//! The runtime for C: its header, and the example, compiled by GCC and run on an emulated Cortex-M4.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edgepkg::embed::{self, Contents};
use edgepkg_boards::Board;
use edgepkg_quantize::package::Package;
use edgepkg_tests::firmware::{TARGET, run};
use edgepkg_tests::host_session::HostSession;
use edgepkg_toolchain::{Toolchain, is_installed};
use object::{Object as _, ObjectSection as _, SectionKind};

const PROGRAM: &str = env!("CARGO_BIN_EXE_edgepkg-under-test");
const BOARD: &str = "qemu-cortex-m4";
const BYTES_OF_RECORDING: usize = 490;
/// How much more code the C program may have than the Rust one that does as much, as a share.
const GREATEST_GROWTH: f64 = 0.25;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").to_owned()
}

/// The static library; `None`, said aloud, where nothing here compiles it.
fn library() -> Option<PathBuf> {
    let Some(toolchain) = Toolchain::find(TARGET) else {
        println!("skipped: no toolchain here builds for {TARGET}");
        return None;
    };
    let folder = target().join("images");
    let status = toolchain
        .build(TARGET, &[])
        .args(["--release", "--locked", "--package", "edgepkg-c"])
        .current_dir(root().join("firmware/images"))
        .env("CARGO_TARGET_DIR", &folder)
        .status()
        .expect("cargo starts");
    assert!(status.success());
    Some(folder.join(TARGET).join("release/libedgepkg.a"))
}

/// The linked example; `None`, said aloud, where it cannot be made here.
fn program(folder: &Path) -> Option<PathBuf> {
    for tool in ["arm-none-eabi-gcc", "make"] {
        if !is_installed(tool) {
            println!("skipped: {tool} is not installed");
            return None;
        }
    }
    let library = library()?;
    let output = Command::new("make")
        .arg("--no-builtin-rules")
        .arg(format!("OUT={}", folder.display()))
        .arg(format!("EDGEPKG={PROGRAM}"))
        .arg(format!("EDGEPKG_LIBRARY={}", library.display()))
        .current_dir(root().join("firmware/examples/c"))
        .output()
        .expect("make starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(folder.join("keywords.elf"))
}

fn package() -> Package {
    Package::read(&root().join("firmware/examples/keywords/model/keywords.edgepkg"))
        .expect("the example's package")
}

/// Bytes of code and constants in an ELF file.
fn loaded_bytes(elf: &Path) -> u64 {
    let bytes = fs::read(elf).expect("it is linked");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let is_loaded = |kind| matches!(kind, SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::Data);
    file.sections().filter(|section| is_loaded(section.kind())).map(|section| section.size()).sum()
}

#[test]
fn words_and_their_scores_are_the_hosts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(elf) = program(folder.path()) else { return };
    let Some(said) = run(&elf) else { return };
    println!("{said}");
    let words: Vec<&str> = said.lines().step_by(2).collect();
    assert_eq!(words, ["right", "on", "no", "go"]);
    let mut host = HostSession::new(&package().graph).expect("a host");
    let recordings = fs::read(root().join("firmware/examples/keywords/recordings.bin")).expect("recordings");
    let scores: Vec<Vec<i32>> = recordings
        .chunks_exact(BYTES_OF_RECORDING)
        .map(|recording| host.run(&[recording.to_vec()]).remove(0))
        .map(|scores| scores.into_iter().map(|score| i32::from(score as i8)).collect())
        .collect();
    let numbers = |line: &str| line.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let said: Vec<Vec<i32>> = said.lines().skip(1).step_by(2).map(numbers).collect();
    assert_eq!(said, scores);
}

/// The same model in the program that `edgepkg build --embed` makes: both have its artifact, its operators, and a page of code.
#[test]
fn the_c_program_is_about_as_small_as_the_rust_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(c) = program(folder.path()) else { return };
    let (board, package) = (Board::find(BOARD).expect("it is shipped"), package());
    let artifact = package.emit(board.isa, Default::default()).expect("it is lowered").artifact;
    let contents = Contents { name: "keywords", version: "0.1.0", artifact: &artifact, vectors: &[] };
    let (firmware, toolchain) =
        embed::write_firmware(&board, contents, folder.path()).expect("it is written");
    let target_folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embed").join(BOARD);
    let rust = firmware.build(&toolchain, &target_folder).unwrap_or_else(|error| panic!("{error}"));
    let model_bytes = artifact.len() as u64;
    let [c_bytes, rust_bytes] = [&c, &rust].map(|elf| loaded_bytes(elf) - model_bytes);
    println!("code: C {c_bytes} bytes, Rust {rust_bytes} bytes");
    let limit = rust_bytes as f64 * (1.0 + GREATEST_GROWTH) + (4 * BYTES_OF_RECORDING) as f64;
    assert!(c_bytes as f64 <= limit, "C {c_bytes}, Rust {rust_bytes}");
}

#[test]
fn the_header_is_made_of_the_sources() {
    let folder = root().join("firmware/c");
    let configuration = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("its configuration");
    let sources = ["lib.rs", "status.rs", "operators.rs"].map(|file| folder.join("src").join(file));
    let builder =
        sources.iter().fold(cbindgen::Builder::new().with_config(configuration), |builder, source| {
            builder.with_src(source)
        });
    let mut header = Vec::new();
    builder.generate().expect("sources that can be read").write(&mut header);
    let header = String::from_utf8(header).expect("text");
    let path = folder.join("include/edgepkg.h");
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        fs::write(&path, &header).expect("the header is written");
    }
    assert_eq!(fs::read_to_string(&path).expect("the header"), header);
}
