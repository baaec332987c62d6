//! Builds programs in C as their authors do, by the tool and a compiler.

use std::path::Path;
use std::process::Command;

use edgepkg::runners::find_file;
use edgepkg_boards::Board;
use edgepkg_toolchain::is_installed;

/// The tool.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_edgepkg-under-test");
/// What programs are built for.
pub const BOARD: &str = "qemu-cortex-m4";

/// Whether `tools` and the library for the board are here; says aloud what is not.
pub fn is_possible(tools: &[&str]) -> bool {
    let library = Board::find(BOARD).expect("it is shipped").library().expect("it has a core");
    let missing =
        tools.iter().find(|tool| !is_installed(tool)).map(|tool| format!("{tool} is not installed"));
    let missing = missing.or_else(|| {
        find_file(&library)
            .is_none()
            .then(|| format!("there is no {library}: `cargo xtask runners` builds it"))
    });
    if let Some(missing) = &missing {
        println!("skipped: {missing}");
    }
    missing.is_none()
}

/// Runs a command in `folder` that has to succeed, and gives what it said.
pub fn succeed(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("it starts");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}:\n{messages}");
    String::from_utf8(output.stdout).expect("text")
}

/// The path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
