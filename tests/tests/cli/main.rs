//! The command line, as its users see it: the real program, its results and every error.
//!
//! Each snapshot in `tests/cli/` is what a terminal shows. After a change that is meant, run the tests with
//! `INSTA_UPDATE=always` and look at the difference.

mod attacks;
mod broken_wire;
mod commands;
mod docker_registry;
mod errors;
#[cfg(feature = "onnx")]
mod import;
#[cfg(feature = "onnx")]
mod onnx;
mod oci;
mod packages;
#[cfg(unix)]
mod probe;
mod project;
mod sandbox;

/// Runs commands, one a line, in a sandbox and compares what a terminal shows with `tests/cli/NAME.snap`.
macro_rules! check {
    ($name:literal, $sandbox:expr, $commands:expr) => {{
        let shown = $sandbox.run($commands);
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/cli"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, shown) });
    }};
}
use check;
