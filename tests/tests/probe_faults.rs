//! Everything that can be made to go wrong between a probe and a chip: what is said, what the board does then, and that
//! flashing it again mends it. The table is `PROBE_FAULTS.md`.
#![cfg(unix)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use edgepkg::deploy::{DeployError, FlashKept, Reach, connect, virtual_chip};
use edgepkg::device::probed::{ProbedRunner, RunnerChoice};
use edgepkg::device::{Device, OpenOptions};
use edgepkg_boards::Board;
use edgepkg_tests::models::{Int8Model, kws};
use edgepkg_vprobe::{Fault, Rule, SharedChip, When};

/// What is on the board before.
#[derive(Clone, Copy)]
enum Before {
    /// Nothing.
    Empty,
    /// Runner and another model.
    OldModel,
}

struct Case {
    name: &'static str,
    before: Before,
    rule: Rule,
}

const CASES: &[Case] = &[
    case("power cut while what is there is read", Before::OldModel, Fault::PowerCut, When::Transfer(2_000)),
    case(
        "power cut at the first change of the flash",
        Before::OldModel,
        Fault::PowerCut,
        When::FlashChange(1),
    ),
    case("power cut in the middle of the model", Before::OldModel, Fault::PowerCut, When::FlashChange(1_000)),
    case("power cut in the middle of the runner", Before::Empty, Fault::PowerCut, When::FlashChange(2_000)),
    case("no answer while programming", Before::Empty, Fault::NoAnswer, When::FlashChange(600)),
    case("FAULT while what is there is read", Before::OldModel, Fault::FaultAnswer, When::Transfer(2_000)),
    case("probe unplugged while programming", Before::Empty, Fault::Unplugged, When::FlashChange(700)),
    case("chip locks itself from the start", Before::OldModel, Fault::Locked, When::Transfer(1)),
    case("chip locks itself while programming", Before::Empty, Fault::Locked, When::FlashChange(700)),
    case(
        "a bit of the model turns over before it is verified",
        Before::OldModel,
        Fault::FlippedBit { address: 0x2_e400, bit: 3 },
        When::FlashChange(5_000),
    ),
];

const fn case(name: &'static str, before: Before, fault: Fault, when: When) -> Case {
    Case { name, before, rule: Rule { fault, when } }
}

struct Bench {
    board: Board,
    runner: ProbedRunner,
    model: Int8Model,
}

impl Bench {
    fn flash(&self, chip: &SharedChip, artifact: &[u8]) -> Result<(), DeployError> {
        let mut connection = connect(&self.board, Reach::Virtual(chip.clone()))?;
        let plan = self.runner.plan(&self.board, &mut connection, artifact).map_err(|error| match error {
            edgepkg::device::DeviceError::Deploy(error) => error,
            other => panic!("{other}"),
        })?;
        connection.write(&plan, &mut |_| ())?;
        connection.reset()
    }

    /// What the board says it runs: `new`, `old`, nothing at all, or that it has no model.
    fn runs(&self, chip: &SharedChip, old: &[u8], new: &[u8]) -> &'static str {
        chip.lock().unwrap().power_off().unwrap();
        chip.lock().unwrap().power_on().unwrap();
        if chip.lock().unwrap().is_locked_up() {
            return "nothing";
        }
        let connection = connect(&self.board, Reach::Virtual(chip.clone())).unwrap();
        let transport = connection.find_runner().unwrap();
        let state = edgepkg::device::runner_state(Box::new(transport), OpenOptions::default()).unwrap();
        let digest = |artifact: &[u8]| edgepkg_format::artifact::digest_of(artifact);
        match state.model {
            Some(model) if model.digest == digest(new) => "the new model",
            Some(model) if model.digest == digest(old) => "the old model",
            Some(_) => "SOMETHING ELSE",
            None => "the runner, without a model",
        }
    }

    fn computes_what_the_host_does(&self, chip: &SharedChip) {
        let connection = connect(&self.board, Reach::Virtual(chip.clone())).unwrap();
        let mut device = self.runner.start(connection, OpenOptions::default(), RunnerChoice::Keep).unwrap();
        let outputs = device.run(&[&self.model.inputs[0]]).unwrap().outputs;
        assert_eq!(outputs, [&self.model.outputs[0][..]]);
    }
}

/// An artifact of another digest: the same model by another name.
fn other(model: &Int8Model, board: &Board) -> Vec<u8> {
    Int8Model { name: "old".to_owned(), ..model.clone() }.artifact(board.isa)
}

#[test]
fn every_fault_is_named_leaves_what_is_said_and_is_mended_by_flashing_again() {
    let board = Board::find("microbit").unwrap();
    let bench = Bench { runner: ProbedRunner::of(&board).unwrap(), model: kws(), board };
    let (old, new) = (other(&bench.model, &bench.board), bench.model.artifact(bench.board.isa));
    assert_ne!(old, new);
    let mut table = String::from(HEAD);
    for Case { name, before, rule } in CASES {
        let chip = virtual_chip(&bench.board, FlashKept::Nowhere).unwrap();
        if let Before::OldModel = before {
            bench.flash(&chip, &old).unwrap();
        }
        chip.lock().unwrap().set_rules(vec![*rule]);
        let error = bench.flash(&chip, &new).expect_err(name);
        chip.lock().unwrap().mend().unwrap();
        let runs = bench.runs(&chip, &old, &new);
        chip.lock().unwrap().set_rules(Vec::new());
        bench.flash(&chip, &new).unwrap_or_else(|error| panic!("{name}: again: {error}"));
        bench.computes_what_the_host_does(&chip);
        let hint = error.hint().unwrap_or_default();
        let _ =
            writeln!(table, "| {name} | {error} | {runs} | {hint} | flashed again: it runs the new model |");
    }
    check_file("PROBE_FAULTS.md", &table);
}

fn check_file(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        fs::write(&path, table).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), table, "`cargo xtask bless` writes it");
}

const HEAD: &str = "\
# Faults between probe and chip

Made to happen on the virtual probe (`host/vprobe`), on the board `microbit --emulate`: a runner and one model of two slots are
flashed, the fault happens, power comes back or the probe is plugged in again (a chip that locked itself is erased, which unlocks
it), the board starts, and is flashed again. Written by `cargo xtask bless`; `tests/tests/probe_faults.rs` compares.

| what happens | what is said | what the board runs then | the way on | afterwards |
|---|---|---|---|---|
";
