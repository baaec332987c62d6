//! Runners with a key built in: which models they run, and what asking costs, on emulated boards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use edgepkg::device::link::LinkDevice;
use edgepkg::device::{Device as _, OpenOptions};
use edgepkg::emulator::Emulator;
use edgepkg::fit;
use edgepkg::runners::RunnerImage;
use edgepkg::trust::{Key, Keys, sign_artifact};
use edgepkg_boards::{Board, Placement};
use edgepkg_format::artifact::DIGEST_RANGE;
use edgepkg_format::trailer::TRAILER_BYTES;
use edgepkg_tests::models::{Int8Model, kws};
use edgepkg_toolchain::Toolchain;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// The test's owner: a key that anyone can read here.
const SECRET: &str = "edgepkg-secret-ed25519:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
/// Its public part, RFC 8032's function of 32 bytes of 1.
const PUBLIC: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

/// What figures may grow by before the test fails, as a share.
const TOLERANCE: f64 = 0.005;

/// The committed figures.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    /// They compare only between programs of one compiler.
    compiler: String,
    board: BTreeMap<String, Cost>,
}

/// What a runner with a key costs more than one without.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Cost {
    /// Instructions to check the published keyword-spotting model: SHA-256 of all of it, and the signature.
    instructions: u64,
    code_bytes: u64,
    stack_bytes: u64,
}

struct Owners {
    owner: Key,
    stranger: Key,
    _folder: TempDir,
}

fn owners() -> Owners {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keys = Keys::within(folder.path());
    fs::create_dir(keys.folder()).expect("the folder is ours");
    fs::write(keys.folder().join("owner.key"), SECRET).expect("the folder is ours");
    let owner = keys.find(&"owner".parse().expect("a name")).expect("a key");
    let stranger = keys.make(&"stranger".parse().expect("a name")).expect("a key");
    Owners { owner, stranger, _folder: folder }
}

/// The runner of `board`, with the owner's key or without; `None`, said aloud, where nothing here compiles it.
fn runner(board: &Board, features: &[&str]) -> Option<RunnerImage> {
    let target = board.target.as_deref().expect("it has an image");
    let Some(toolchain) = Toolchain::find(target) else {
        println!("skipped: no toolchain here builds for {target}");
        return None;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("signed-{}.ld", board.name));
    let placement = Placement::of_runner(board).expect("it has memory");
    fs::write(&script, placement.linker_script()).expect("the folder is ours");
    let mut flags = vec!["--cfg=sha2_backend_soft=\"compact\"".to_owned()];
    flags.extend(board.compiler_flags());
    flags.push(format!("-Clink-arg=-T{}", script.display()));
    let target_folder = root.join("target/images");
    let output = toolchain
        .build(target, &flags)
        .args([
            "--locked",
            "--release",
            "--package",
            "edgepkg-image-cortex-m",
            "--features",
            &features.join(","),
        ])
        .current_dir(root.join("firmware/images"))
        .env("CARGO_TARGET_DIR", &target_folder)
        .env("EDGEPKG_TRUSTED_KEY", PUBLIC)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built: PathBuf = target_folder.join(target).join("release/cortex-m");
    let elf = folder.path().join("runner.elf");
    fs::copy(&built, &elf).expect("it was linked");
    Some(RunnerImage::of_elf(&board.name, fs::read(&elf).expect("it was linked")))
}

fn open(board: &Board, runner: &RunnerImage, artifact: &[u8]) -> Result<LinkDevice, String> {
    let emulator = Emulator::start(board, runner, artifact).expect("it starts");
    LinkDevice::open(Box::new(emulator), OpenOptions::default()).map_err(|error| error.to_string())
}

#[track_caller]
fn check_answers(mut device: LinkDevice, model: &Int8Model) {
    assert_eq!(device.run(&[&model.inputs[0]]).expect("it runs").outputs, [&model.outputs[0][..]]);
}

fn check_on_board(name: &str) -> Option<(String, Cost)> {
    let (board, model, owners) = (Board::find(name).expect("it is shipped"), kws(), owners());
    let artifact = model.artifact(board.isa);
    let plain = runner(&board, &[])?;
    let keyed = runner(&board, &[board.signature_feature()])?;
    let sign = |key: &Key, counter| sign_artifact(&artifact, key, counter).expect("it can be signed");
    let signed = sign(&owners.owner, 5);

    let device = open(&board, &keyed, &signed).expect("it is the owner's");
    check_answers(device.with_model(&sign(&owners.owner, 6)).expect("it is a newer one"), &model);
    // A runner without a key takes everybody's.
    check_answers(open(&board, &plain, &sign(&owners.stranger, 0)).expect("it has no key"), &model);

    let refused = "the board refuses its model: it is not signed by the key that its runner trusts";
    let changed = |at: usize| {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        changed
    };
    // A weight, with the digest that was signed and with its own; the counter; the signature.
    let weight = artifact.len() - 100;
    let mut other_digest = changed(weight);
    let digest = edgepkg_format::artifact::digest_of(&other_digest[..artifact.len()]);
    other_digest[DIGEST_RANGE].copy_from_slice(&digest);
    let counter = artifact.len() + 8;
    let last = signed.len() - 1;
    for wrong in [
        artifact.clone(),
        sign(&owners.stranger, 5),
        changed(weight),
        other_digest,
        changed(counter),
        changed(last),
        signed[..artifact.len() + TRAILER_BYTES - 16].to_vec(),
    ] {
        assert_eq!(open(&board, &keyed, &wrong).err().as_deref(), Some(refused));
    }
    let device = open(&board, &keyed, &signed).expect("it is the owner's");
    let older = device.with_model(&sign(&owners.owner, 4)).err().expect("it is an older one").to_string();
    let expected =
        "the board refuses its model: it is signed with counter 4, and its runner takes none below 5";
    assert_eq!(older, expected);

    let instructions = |runner, artifact: &[u8]| {
        let mut device = open(&board, runner, artifact).expect("it runs");
        let measured = device.measure(&[&model.inputs[0]]).expect("it runs");
        measured.parse.expect("it counts").value
    };
    let certificate = |runner: &RunnerImage| fit::certify(&board, &runner.elf, &artifact).expect("it fits");
    let [before, after] = [&plain, &keyed].map(certificate);
    let cost = Cost {
        instructions: instructions(&keyed, &signed) - instructions(&plain, &signed),
        code_bytes: after.flash.code_bytes - before.flash.code_bytes,
        stack_bytes: after.ram.stack_bytes - before.ram.stack_bytes,
    };
    println!("{name}: {cost:?}");
    let compiler = Toolchain::find(board.target.as_deref()?)?.compiler()?;
    Some((compiler, cost))
}

#[test]
fn a_runner_with_a_key_runs_its_owners_models_alone() {
    let mut measured = Figures { compiler: String::new(), board: BTreeMap::new() };
    // With `salty` and with `ed25519-dalek`.
    for name in ["qemu-cortex-m4", "qemu-cortex-m3"] {
        let Some((compiler, cost)) = check_on_board(name) else { return };
        measured.compiler = compiler;
        measured.board.insert(name.to_owned(), cost);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("signed_models.toml");
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let figures = toml::to_string(&measured).expect("figures are TOML");
        let text = format!(
            "# What a key costs a runner. Written by the test `signed_models` with `cargo xtask bless`.\n{figures}"
        );
        fs::write(&path, text).expect("the figures are written");
    }
    let committed = fs::read_to_string(path).expect("the figures are committed");
    let committed: Figures = toml::from_str(&committed).expect("figures");
    if measured.compiler != committed.compiler {
        println!("not compared: {} is another compiler", measured.compiler);
        return;
    }
    for (name, now) in &measured.board {
        let was = committed.board[name];
        for (what, was, now) in [
            ("instructions", was.instructions, now.instructions),
            ("code", was.code_bytes, now.code_bytes),
            ("stack", was.stack_bytes, now.stack_bytes),
        ] {
            assert!(now as f64 <= was as f64 * (1.0 + TOLERANCE), "{name}: {what} was {was}, is {now}");
        }
    }
}
