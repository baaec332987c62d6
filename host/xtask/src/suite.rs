//! Every check and every test.

use std::process::Command;

use edgepkg_boards::Board;
use edgepkg_toolchain::Toolchain;

use crate::command::{Failure, run};
use crate::{libraries, runners, setup, workspace};

/// The variable by which tests find the zoo of models.
const ZOO_VARIABLE: &str = "EDGEPKG_ZOO";
/// The crates whose arithmetic also runs with overflow checks.
const FIRMWARE_CRATES: [&str; 3] = ["edgepkg-format", "edgepkg-kernels", "edgepkg-runtime"];

/// Sets up, builds the runners, checks form and lints, runs every test.
pub fn run_all() -> Result<(), Failure> {
    setup::setup()?;
    runners::build_all()?;
    check_form()?;
    check_lints()?;
    check_image_lints()?;
    check_documentation()?;
    test_with_overflow_checks()?;
    test()
}

fn check_form() -> Result<(), Failure> {
    run(workspace::cargo().args(["fmt", "--all", "--check"]))?;
    run(workspace::cargo().args(["fmt", "--check"]).current_dir(workspace::images()))?;
    run(workspace::cargo().args(["fmt", "--all", "--check"]).current_dir(workspace::examples()))
}

fn check_lints() -> Result<(), Failure> {
    run(workspace::cargo()
        .args(["clippy", "--workspace", "--all-targets", "--release", "--locked"])
        .args(["--", "--deny", "warnings"]))?;
    // What is optional for firmware.
    run(workspace::cargo()
        .args([
            "clippy",
            "--package",
            "edgepkg-runtime",
            "--features",
            "defmt,serde",
            "--release",
            "--locked",
        ])
        .args(["--", "--deny", "warnings"]))
}

fn check_image_lints() -> Result<(), Failure> {
    for board in Board::shipped() {
        let features = board.image_features().join(",");
        let Some((runner, target)) = board.runner.zip(board.target) else {
            continue;
        };
        let packages = [&format!("edgepkg-image-{}", runner.image), libraries::CRATE];
        if !matches!(Toolchain::find(&target), Some(Toolchain::Installed)) {
            eprintln!("skipped: lints of `{}` need the library of `{target}`, by rustup", packages[0]);
            continue;
        }
        for (package, features) in packages.into_iter().zip([features.as_str(), ""]) {
            run(workspace::cargo()
                .current_dir(workspace::images())
                .env("CARGO_TARGET_DIR", workspace::target().join("images"))
                .args(["clippy", "--release", "--locked", "--target", &target, "--package", package])
                .args(["--features", features])
                .args(["--", "--deny", "warnings"]))?;
        }
    }
    Ok(())
}

fn check_documentation() -> Result<(), Failure> {
    run(workspace::cargo()
        .args(["doc", "--workspace", "--no-deps", "--release", "--locked"])
        .env("RUSTDOCFLAGS", "--deny warnings"))
}

fn test_with_overflow_checks() -> Result<(), Failure> {
    let packages = FIRMWARE_CRATES.iter().flat_map(|package| ["--package", package]);
    run(workspace::cargo().args(["test", "--locked"]).args(packages))
}

fn test() -> Result<(), Failure> {
    run(with_zoo(workspace::cargo().args(["test", "--workspace", "--release", "--locked", "--no-fail-fast"])))
}

/// `command` with the zoo beside the checkout, where there is one and none is named.
pub fn with_zoo(command: &mut Command) -> &mut Command {
    let beside = workspace::root().join("../shared/zoo");
    match (std::env::var_os(ZOO_VARIABLE), beside.canonicalize()) {
        (None, Ok(zoo)) => command.env(ZOO_VARIABLE, zoo),
        _ => command,
    }
}
