//! Builds the runner images.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgepkg_boards::{Board, Deploy, Placement, Runner, RunnerFormat};
use edgepkg_format::OperatorKind;
use edgepkg_format::info::OperatorSet;
use edgepkg_toolchain::Toolchain;

use crate::command::{Failure, at, run};
use crate::flat_image::flat_image;
use crate::{libraries, workspace};

/// The variable by which the image is told its operators while it is built.
const OPERATORS_VARIABLE: &str = "EDGEPKG_OPERATORS";

/// What tells the compiler to take the SHA-256 with a sixth of the fast one's code.
pub const COMPACT_SHA256: &str = "--cfg=sha2_backend_soft=\"compact\"";

/// The cycle model's crate, and what its library is called among the runners.
const CYCLE_PLUGIN_CRATE: &str = "edgepkg-cycle-plugin";
const CYCLE_PLUGIN: &str = "cycle-plugin.so";

/// The board on which what operators cost is followed, and the kinds of those whose cost is: the int8 operators of
/// the first release, so that later ones are no reason for these to grow.
const BASE_BOARD: &str = "qemu-cortex-m4";
const BASE_KINDS: RangeInclusive<u16> = 1..=16;

/// Which operators a runner links.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operators {
    All,
    Base,
}

impl Operators {
    fn set(self) -> OperatorSet {
        let kinds = OperatorKind::ALL.iter().copied();
        match self {
            Operators::All => OperatorSet::of(OperatorKind::ALL),
            Operators::Base => kinds
                .filter(|&kind| BASE_KINDS.contains(&(kind as u16)))
                .fold(OperatorSet::EMPTY, OperatorSet::with),
        }
    }
}

/// The variable by which the image is told the key that it trusts.
const KEY_VARIABLE: &str = "EDGEPKG_TRUSTED_KEY";

/// [`build_all`], with a public key built into each runner where one is given.
pub fn build(trust: Option<&str>) -> Result<(), Failure> {
    let Some(text) = trust else { return build_all() };
    let key = text.strip_prefix("ed25519:").and_then(|key| STANDARD.decode(key).ok());
    let key = key.filter(|key| key.len() == 32).ok_or_else(|| Failure::NotAKey { text: text.to_owned() })?;
    build_trusting(Some(key.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Builds what every board's runner is made of, in `target/runners`: `IMAGE-ISA-LINK.elf`, one for all boards that share
/// these, with its relocations kept and an archive of what was linked, `.link.tar`; `BOARD.elf`, and `.img` where the
/// board loads that, for images with a memory map of their own; one with the base operators alone, `BOARD-base.elf`,
/// whose size is compared; what programs in C include and link; and the emulators' cycle model, `cycle-plugin.so`.
pub fn build_all() -> Result<(), Failure> {
    build_trusting(None)
}

fn build_trusting(key: Option<String>) -> Result<(), Failure> {
    let key = key.as_deref();
    let folder = workspace::runners();
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let mut built = BTreeSet::new();
    for board in Board::shipped() {
        let Some(runner) = &board.runner else { continue };
        let (name, layout) = match board.prebuilt_runner() {
            Some(name) => (name, Layout::Prebuilt),
            None => (board.name.clone(), Layout::Own),
        };
        if built.insert(name.clone()) {
            build_image(
                &Image { board: &board, runner, name, layout, operators: Operators::All, key },
                &folder,
            )?;
        }
        if board.name == BASE_BOARD {
            let name = format!("{}-base", board.name);
            let image =
                Image { board: &board, runner, name, layout: Layout::Board, operators: Operators::Base, key };
            build_image(&image, &folder)?;
        }
    }
    libraries::build_all(&folder)?;
    if cfg!(target_os = "linux") { build_cycle_plugin(&folder) } else { Ok(()) }
}

/// Whether a file of this name is one that users need.
pub fn is_shipped(file: &str) -> bool {
    let of_board = |board: &Board| {
        board.runner.is_some().then(|| board.prebuilt_runner().unwrap_or_else(|| board.name.clone()))
    };
    let is_runner = |stem: &str| Board::shipped().any(|board| of_board(&board).as_deref() == Some(stem));
    match file.rsplit_once('.') {
        Some((stem, "elf" | "img")) => is_runner(stem),
        Some((_, "a")) => Board::shipped().any(|board| board.library().as_deref() == Some(file)),
        _ => file == CYCLE_PLUGIN || file == libraries::HEADER,
    }
}

/// Where an image is placed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Where the tool moves it from to any board.
    Prebuilt,
    /// In the board's memory.
    Board,
    /// By a linker script of its own.
    Own,
}

/// An image to build.
struct Image<'a> {
    board: &'a Board,
    runner: &'a Runner,
    name: String,
    layout: Layout,
    operators: Operators,
    /// Whose models it runs, in hexadecimal; everybody's where there is none.
    key: Option<&'a str>,
}

fn build_cycle_plugin(folder: &Path) -> Result<(), Failure> {
    run(workspace::cargo().args(["build", "--release", "--locked", "--package", CYCLE_PLUGIN_CRATE]))?;
    let name = CYCLE_PLUGIN_CRATE.replace('-', "_");
    let built = workspace::target().join("release").join(format!("lib{name}.so"));
    fs::copy(&built, folder.join(CYCLE_PLUGIN)).map_err(at(&built)).map(drop)
}

fn build_image(image: &Image<'_>, folder: &Path) -> Result<(), Failure> {
    let Image { board, runner, name, layout, operators, key } = image;
    let target = board.target.as_deref().unwrap_or_default();
    let toolchain =
        Toolchain::find(target).ok_or_else(|| Failure::NoToolchain { target: target.to_owned() })?;
    let mut flags = vec![COMPACT_SHA256.to_owned()];
    flags.extend(board.compiler_flags());
    let placement = match layout {
        Layout::Prebuilt => Some(Placement::of_prebuilt()),
        Layout::Board => Placement::of_runner(board),
        Layout::Own => None,
    };
    if let Some(placement) = placement {
        let path = folder.join(format!("{name}.ld"));
        fs::write(&path, placement.linker_script()).map_err(at(&path))?;
        flags.push(format!("-Clink-arg=-T{}", path.display()));
    }
    let mut link_archive = None;
    if *layout == Layout::Prebuilt {
        flags.push("-Clink-arg=--emit-relocs".to_owned());
        flags.push("-Cstrip=debuginfo".to_owned());
        if toolchain.links_by_lld() {
            let archive = folder.join(format!("{name}.link.tar"));
            flags.push(format!("-Clink-arg=--reproduce={}", archive.display()));
            link_archive = Some(archive);
        }
    }
    // Where Linux is, there is room for faster code.
    let profile = if board.deploy == Deploy::Ssh { "fast" } else { "release" };
    let build_folder = workspace::target().join("images");
    let package = format!("edgepkg-image-{}", runner.image);
    if link_archive.is_some_and(|archive| !archive.exists()) {
        // Only linking writes it, and Cargo does not see that it is gone.
        run(workspace::cargo()
            .args(["clean", "--package", &package, "--target", target, "--profile", profile])
            .current_dir(workspace::images())
            .env("CARGO_TARGET_DIR", &build_folder))?;
    }
    let mut features = board.image_features().to_vec();
    features.extend(key.map(|_| board.signature_feature()));
    run(toolchain
        .build(target, &flags)
        .args(["--locked", "--profile", profile, "--package", &package])
        .args(["--features", &features.join(",")])
        .current_dir(workspace::images())
        .envs(key.map(|key| (KEY_VARIABLE, key)))
        .env(OPERATORS_VARIABLE, format!("{:x}", operators.set().bits()))
        .env("CARGO_TARGET_DIR", &build_folder))?;
    let linked = build_folder.join(target).join(profile).join(&runner.image);
    let elf = folder.join(format!("{name}.elf"));
    fs::copy(&linked, &elf).map_err(at(&linked))?;
    if runner.format == RunnerFormat::Raw {
        let image = folder.join(format!("{name}.img"));
        fs::write(&image, flat_image(&elf)?).map_err(at(&image))?;
    }
    // Sizes and counts compare only between images of one compiler.
    let compiler = folder.join(format!("{name}.compiler"));
    fs::write(&compiler, toolchain.compiler().unwrap_or_default()).map_err(at(&compiler))
}
