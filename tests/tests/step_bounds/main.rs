//! How long one step of a run takes at most, and what stepping costs: instructions on an emulated Cortex-M4.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use edgepkg::embed::{self, Contents};
use edgepkg_boards::Board;
use edgepkg_tests::firmware::serial_lines;
use edgepkg_tests::models;
use edgepkg_toolchain::Toolchain;
use serde::Deserialize;

const BOARD: &str = "qemu-cortex-m4";
const MODELS: [&str; 3] = ["kws", "ic", "vww"];
/// What stepping may cost, as a share of a run.
const GREATEST_COST: f64 = 0.01;
/// What figures may grow by before the test fails, as a share.
const TOLERANCE: f64 = 0.005;

/// The committed figures.
#[derive(Debug, Deserialize)]
struct Figures {
    /// Counts compare only between programs of one compiler.
    compiler: String,
    model: BTreeMap<String, Counts>,
}

/// Instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Counts {
    /// Of `run`.
    run: u64,
    /// Of `step` until nothing is left.
    steps: u64,
    /// Of the longest step.
    longest_step: u64,
    /// The number of its record.
    longest_record: u64,
}

fn figures_file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("step_bounds.toml")
}

/// Compiles the program and gives what it counts, with its compiler; `None`, said aloud, where that cannot be done here.
fn measure() -> Option<Figures> {
    let board = Board::find(BOARD).expect("it is shipped");
    let target = board.target.as_deref().expect("it has an image");
    if Toolchain::find(target).is_none() {
        println!("skipped: no toolchain here builds for {target}");
        return None;
    }
    let artifacts: Vec<Vec<u8>> = MODELS
        .iter()
        .map(|name| models::named(name).map(|model| model.artifact(board.isa)))
        .collect::<Option<_>>()?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let contents = Contents { name: "steps", version: "0.1.0", artifact: &artifacts[0], vectors: &[] };
    let (firmware, toolchain) =
        embed::write_firmware(&board, contents, folder.path()).expect("it is written");
    fs::write(firmware.folder.join("src/main.rs"), include_str!("program.rs")).expect("the program");
    for (name, artifact) in MODELS.iter().zip(&artifacts) {
        fs::write(firmware.folder.join(format!("{name}.epa")), artifact).expect("a model");
    }
    let target_folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embed").join(BOARD);
    let elf = firmware.build(&toolchain, &target_folder).unwrap_or_else(|error| panic!("{error}"));
    let counts = |line: &String| {
        let (name, rest) = line.split_once(' ').expect("figures");
        let numbers: Vec<u64> = rest.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [run, steps, longest_step, longest_record] = numbers[..] else { panic!("{line}") };
        (name.to_owned(), Counts { run, steps, longest_step, longest_record })
    };
    let lines = serial_lines(&board, &elf, "end");
    let model = lines.iter().take(MODELS.len()).map(counts).collect();
    Some(Figures { compiler: toolchain.compiler().unwrap_or_default(), model })
}

fn written(figures: &Figures) -> String {
    let mut text =
        "# Instructions on qemu-cortex-m4. Written by the test `step_bounds` with `cargo xtask bless`.\n"
            .to_owned();
    let _ = writeln!(text, "compiler = {:?}", figures.compiler);
    for (name, counts) in &figures.model {
        let Counts { run, steps, longest_step, longest_record } = counts;
        let _ = write!(
            text,
            "\n[model.{name}]\nrun = {run}\nsteps = {steps}\nlongest_step = {longest_step}\n\
             longest_record = {longest_record}\n"
        );
    }
    text
}

#[test]
fn steps_are_bounded_and_cost_less_than_a_hundredth() {
    let Some(measured) = measure() else { return };
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        fs::write(figures_file(), written(&measured)).expect("the figures are written");
    }
    let committed = fs::read_to_string(figures_file()).expect("the figures are committed");
    let committed: Figures = toml::from_str(&committed).expect("figures");
    for (name, now) in &measured.model {
        println!("{name}: {now:?}");
        let cost = now.steps as f64 / now.run as f64 - 1.0;
        assert!(cost < GREATEST_COST, "{name}: stepping costs {:.2} %", 100.0 * cost);
        if measured.compiler != committed.compiler {
            println!("not compared: {} is another compiler than {}", measured.compiler, committed.compiler);
            continue;
        }
        let was = committed.model[name];
        for (what, was, now) in [
            ("run", was.run, now.run),
            ("steps", was.steps, now.steps),
            ("longest_step", was.longest_step, now.longest_step),
        ] {
            let limit = was as f64 * (1.0 + TOLERANCE);
            assert!(now as f64 <= limit, "{name}: {what} was {was}, is {now}");
        }
    }
}
