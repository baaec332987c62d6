//! Boards that a debug probe reaches, at the virtual probe: the emulated chip keeps its flash from command to command.

use crate::check;
use crate::sandbox::{Sandbox, runner};

/// As [`check`], without sizes that follow from the runner's.
macro_rules! check_flashing {
    ($name:literal, $sandbox:expr, $commands:expr) => {{
        let shown = without_runner_sizes(&$sandbox.run($commands));
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/cli"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, shown) });
    }};
}

fn without_runner_sizes(shown: &str) -> String {
    let masked = |line: &str| {
        let digits: Vec<&str> = line.split(' ').collect();
        let is_size = |index: usize| {
            let next = digits.get(index + 1).copied().unwrap_or_default();
            ["KiB", "sectors", "(KiB"].iter().any(|unit| next.starts_with(unit))
        };
        let words = digits.iter().enumerate().map(|(index, word)| match is_size(index) {
            true if word.starts_with('(') => "([N]",
            true => "[N]",
            false => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let follows_runner = |line: &str| {
        ["  the runner: ", "an arena may have", "were written, read back"]
            .iter()
            .any(|part| line.contains(part))
    };
    let lines = shown.lines().map(|line| if follows_runner(line) { masked(line) } else { line.to_owned() });
    lines.map(|line| line + "\n").collect()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_kws().environment("EDGEPKG_HOME", "home");
    sandbox.run("quantize kws.tflite --label-names labels.txt -o kws.edgepkg");
    sandbox
}

#[test]
fn flash() {
    if runner().is_none() {
        return;
    }
    check_flashing!(
        "probe_flash",
        sandbox(),
        "status --board microbit --emulate
         flash kws.edgepkg --board microbit --emulate
         status --board microbit --emulate
         flash kws.edgepkg --board microbit --emulate
         quantize kws.tflite --name kws2 -o kws2.edgepkg
         flash kws2.edgepkg --board microbit --emulate --model-only
         reset --board microbit --emulate
         test kws2.edgepkg --board microbit --emulate
         status --board microbit --emulate
         erase --board microbit --emulate
         erase --board microbit --emulate --all
         status --board microbit --emulate"
    );
}

#[test]
fn flash_in_json() {
    if runner().is_none() {
        return;
    }
    let sandbox = sandbox();
    let json = |command: &str| -> serde_json::Value {
        serde_json::from_slice(&sandbox.output(command).stdout).expect("JSON")
    };
    let flashed = json("flash kws.edgepkg --board qemu-cortex-m4-probe --json");
    assert_eq!((&flashed["to"], &flashed["unchanged_bytes"]), (&"virtual probe".into(), &0.into()));
    assert!(flashed["written_bytes"].as_u64() > Some(100 << 10), "{flashed}");
    let status = json("status --board qemu-cortex-m4-probe --json");
    assert_eq!(status["model"]["digest"], flashed["artifact_digest"]);
    assert!(status["simulation"].as_str().is_some_and(|simulation| simulation.contains("simulated")));
    let again = json("flash kws.edgepkg --board qemu-cortex-m4-probe --json");
    assert_eq!(again["written_bytes"], 0);
}

/// None of them may reach a board that is plugged in here: each names a probe that nobody has, or ends before it looks.
#[test]
fn errors() {
    check!(
        "error_probe",
        sandbox(),
        "flash kws.edgepkg --board microbit --probe 1234
         flash kws.edgepkg --board microbit --probe 1209:0001
         flash kws.edgepkg --board nucleo-f411re --emulate
         flash kws.edgepkg --board qemu-cortex-m4 --model-only
         flash kws.edgepkg --board microbit --protocol spi
         status --board rpi
         reset
         erase --board qemu-cortex-m4
         bisect kws.edgepkg --board microbit --probe 1209:0001
         chips nosuchchip
         flash kws.edgepkg --chip nosuchchip
         flash kws.edgepkg --chip STM32F41
         flash kws.edgepkg --chip RP2040
         flash kws.edgepkg --chip STM32F103C8
         flash kws.edgepkg --chip nRF52840_xxAA --probe 1209:0001
         flash kws.edgepkg --chip nRF52840_xxAA --board microbit"
    );
}

#[test]
fn lists() {
    let sandbox = Sandbox::new();
    check!("chips", sandbox, "chips nrf51\nchips nRF52840_xxAA --json\nprobes --udev-rules");
}

#[test]
fn help() {
    check!(
        "help_probe",
        Sandbox::new(),
        "help bisect\nhelp status\nhelp reset\nhelp erase\nhelp probes\nhelp chips"
    );
}
