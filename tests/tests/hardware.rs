//! The tests that need a board: `tests/HARDWARE.md` says how to run them. Without one they say aloud that they skip.

use std::fs;
use std::path::Path;
use std::process::Command;

use edgepkg_tests::samples::integer_samples;

const PROGRAM: &str = env!("CARGO_BIN_EXE_edgepkg-under-test");

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Runs a command in `folder`, which must succeed; gives what it prints.
#[track_caller]
fn edgepkg(folder: &Path, command: &str) -> String {
    let output = Command::new(PROGRAM).current_dir(folder).args(command.split_whitespace()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "edgepkg {command}\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Flashes keyword spotting to the board that `place` names and compares what it answers, byte for byte.
#[track_caller]
fn check(place: &str) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws");
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [("reference_int8.tflite", "kws.tflite"), ("tflm/inputs_i8.npy", "x.npy")] {
        fs::copy(data.join(from), folder.path().join(to)).unwrap();
    }
    edgepkg(folder.path(), "quantize kws.tflite -o kws.edgepkg");
    println!("{}", edgepkg(folder.path(), &format!("flash kws.edgepkg {place}")));
    println!("{}", edgepkg(folder.path(), &format!("test kws.edgepkg {place}")));
    edgepkg(folder.path(), &format!("run kws.edgepkg {place} --raw --input x.npy --output y.npy"));
    let outputs = |path: &Path| integer_samples(&fs::read(path).unwrap());
    assert_eq!(outputs(&folder.path().join("y.npy")), outputs(&data.join("tflm/outputs_i8.npy")));
    println!("{}", edgepkg(folder.path(), &format!("bench kws.edgepkg {place}")));
}

#[test]
fn a_board_at_a_probe_answers_as_the_host_does() {
    let Some((board, probe)) = variable("EDGEPKG_BOARD").zip(variable("EDGEPKG_PROBE")) else {
        println!("skipped: no board; EDGEPKG_BOARD and EDGEPKG_PROBE name one (tests/HARDWARE.md)");
        return;
    };
    check(&format!("--board {board} --probe {probe}"));
}

#[test]
fn a_raspberry_pi_answers_as_the_host_does() {
    let Some(host) = variable("EDGEPKG_HOST") else {
        println!("skipped: no Raspberry Pi; EDGEPKG_HOST names one (tests/HARDWARE.md)");
        return;
    };
    check(&format!("--board rpi-linux --host {host}"));
}
