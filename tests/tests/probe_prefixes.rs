//! Power may go after any change of the flash. The changes of one flashing are recorded, and the board is started with each
//! prefix of them: it never runs half a runner or half a model.
//!
//! Page boundaries and 300 others of each are tried; with `EDGEPKG_FAULTS=all` (`cargo xtask faults --all`) every one, and
//! `PROBE_PREFIXES.md` is written.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::Path;

use edgepkg::deploy::{FlashKept, Reach, connect, virtual_chip};
use edgepkg::device::probed::{ProbedRunner, RunnerChoice};
use edgepkg::device::{Device, LinkDevice, OpenOptions, runner_state};
use edgepkg_boards::Board;
use edgepkg_format::artifact::digest_of;
use edgepkg_tests::models::{Int8Model, of_reference};
use edgepkg_tests::random_graphs::Random;
use edgepkg_vprobe::{Change, SharedChip, TracedChange};

const RANDOM_PREFIXES: usize = 300;
const PAGE_BYTES: u32 = 1024;
/// nRF51822's RAM.
const RAM: Range<u32> = 0x2000_0000..0x2000_4000;

/// What a board runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Runs {
    Nothing,
    NoModel,
    Old,
    New,
    Wrong,
}

struct Bench {
    board: Board,
    runner: ProbedRunner,
    model: Int8Model,
    old: Vec<u8>,
    new: Vec<u8>,
    chip: SharedChip,
}

impl Bench {
    fn new() -> Self {
        let board = Board::find("microbit").unwrap();
        let model = of_reference("digits_mlp");
        let renamed = Int8Model { name: "old".to_owned(), ..model.clone() };
        let (old, new) = (renamed.artifact(board.isa), model.artifact(board.isa));
        let (runner, chip) =
            (ProbedRunner::of(&board).unwrap(), virtual_chip(&board, FlashKept::Nowhere).unwrap());
        Self { board, runner, model, old, new, chip }
    }

    /// The flash before `artifact` is flashed, and how that changes it.
    fn record(&self, artifact: &[u8]) -> (Vec<u8>, Vec<TracedChange>) {
        let before = self.chip.lock().unwrap().flash().unwrap().to_vec();
        self.chip.lock().unwrap().record();
        let mut connection = connect(&self.board, Reach::Virtual(self.chip.clone())).unwrap();
        let plan = self.runner.plan(&self.board, &mut connection, artifact).unwrap();
        connection.write(&plan, &mut |_| ()).unwrap();
        drop(connection);
        (before, self.chip.lock().unwrap().take_trace())
    }

    fn runs(&self, flash: &[u8]) -> Runs {
        self.chip.lock().unwrap().load_flash(flash).unwrap();
        if self.chip.lock().unwrap().is_locked_up() {
            return Runs::Nothing;
        }
        let connection = || connect(&self.board, Reach::Virtual(self.chip.clone())).unwrap();
        let Ok(transport) = connection().find_runner() else { return Runs::Wrong };
        let Ok(state) = runner_state(Box::new(transport), OpenOptions::default()) else { return Runs::Wrong };
        let runs = match state.model {
            None => return Runs::NoModel,
            Some(model) if model.digest == digest_of(&self.new) => Runs::New,
            Some(model) if model.digest == digest_of(&self.old) => Runs::Old,
            Some(_) => return Runs::Wrong,
        };
        let device = self.runner.start(connection(), OpenOptions::default(), RunnerChoice::Keep);
        let outputs = device.and_then(|mut device: LinkDevice| device.run(&[&self.model.inputs[0]]));
        match outputs {
            Ok(report) if report.outputs == [&self.model.outputs[0][..]] => runs,
            _ => Runs::Wrong,
        }
    }

    /// What the board runs after how many of the prefixes in `chosen`.
    fn try_prefixes(
        &self,
        before: &[u8],
        trace: &[TracedChange],
        chosen: &BTreeSet<usize>,
    ) -> BTreeMap<Runs, usize> {
        let mut counts = BTreeMap::new();
        let mut flash = before.to_vec();
        let mut applied = 0;
        for &length in chosen {
            trace[applied..length].iter().for_each(|change| change.change.apply(&mut flash));
            applied = length;
            let runs = self.runs(&flash);
            assert_ne!(runs, Runs::Wrong, "after {length} of {} changes", trace.len());
            *counts.entry(runs).or_default() += 1;
        }
        counts
    }
}

/// Every change is one that the chip's flash algorithm made, from RAM, and nothing else changed the flash.
#[track_caller]
fn check_written_by_the_core(before: &[u8], trace: &[TracedChange], after: &[u8]) {
    assert!(trace.iter().all(|traced| RAM.contains(&traced.program_counter)));
    let mut flash = before.to_vec();
    trace.iter().for_each(|traced| traced.change.apply(&mut flash));
    assert!(flash == after);
}

/// Prefixes that end where a page does or an erasure is, and random ones; or all.
fn chosen(trace: &[TracedChange], seed: u64) -> BTreeSet<usize> {
    if is_thorough() {
        return (0..=trace.len()).collect();
    }
    let ends_page = |change: &TracedChange| match change.change {
        Change::Erased { .. } => true,
        Change::Written { address, .. } => address % PAGE_BYTES == PAGE_BYTES - 4,
    };
    let boundaries =
        trace.iter().enumerate().filter(|(_, change)| ends_page(change)).map(|(index, _)| index + 1);
    let mut random = Random::new(seed);
    let others = (0..RANDOM_PREFIXES).map(|_| random.below(trace.len() + 1));
    boundaries.chain(others).chain([0, trace.len() - 1, trace.len()]).collect()
}

fn is_thorough() -> bool {
    std::env::var_os("EDGEPKG_FAULTS").is_some_and(|faults| faults == "all")
}

#[test]
fn no_prefix_of_the_changes_leaves_a_board_that_runs_half_of_something() {
    let bench = Bench::new();
    let mut rows = String::new();
    let mut check = |name: &str, artifact: &[u8], seed: u64, allowed: &[Runs]| {
        let (before, trace) = bench.record(artifact);
        let after = bench.chip.lock().unwrap().flash().unwrap().to_vec();
        check_written_by_the_core(&before, &trace, &after);
        let chosen = chosen(&trace, seed);
        let counts = bench.try_prefixes(&before, &trace, &chosen);
        assert!(counts.keys().all(|runs| allowed.contains(runs)), "{name}: {counts:?}");
        bench.chip.lock().unwrap().load_flash(&after).unwrap();
        let of = |runs: Runs| counts.get(&runs).copied().unwrap_or_default();
        let _ = writeln!(
            rows,
            "| {name} | {} | {} | {} | {} | {} | {} | 0 |",
            trace.len(),
            chosen.len(),
            of(Runs::Nothing),
            of(Runs::NoModel),
            of(Runs::Old),
            of(Runs::New)
        );
    };
    check("runner and model onto an empty chip", &bench.old, 1, &[Runs::Nothing, Runs::Old]);
    check("another model beside it", &bench.new, 2, &[Runs::Old, Runs::New]);
    if is_thorough() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("PROBE_PREFIXES.md"), format!("{HEAD}{rows}"))
            .unwrap();
    }
}

const HEAD: &str = "\
# Power cuts, one after every change of the flash

Every change that flashing makes on the board `microbit --emulate` (a page erased, a word written by nRF51's own flash
algorithm) is recorded, and the board is started with every prefix of them in its flash. Written by `cargo xtask faults --all`;
CI tries page boundaries and 300 others of each. A page that is half erased and a word that is half written are not among them: the
emulated flash has neither.

| what is flashed | changes | prefixes started | ran nothing | ran without a model | ran the old model | ran the new model | ran something wrong |
|---|---:|---:|---:|---:|---:|---:|---:|
";
