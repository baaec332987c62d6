//! Flash and RAM of every runner image and model, and what the models cost on the emulated boards,
//! against `sizes.toml`. `cargo xtask sizes` shows them, `cargo xtask bless` writes the file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use edgepkg::device::{self, OpenOptions};
use edgepkg::runners;
use edgepkg_boards::Board;
use edgepkg_format::artifact;
use edgepkg_tests::models::{Int8Model, kws, zoo};
use object::{Object, ObjectSection, SectionKind};
use serde::{Deserialize, Serialize};

const BOARDS: [&str; 2] = ["qemu-cortex-m4", "rpi"];

/// What the committed file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sizes {
    /// By board.
    #[serde(default)]
    image: BTreeMap<String, ImageSizes>,
    /// By model and board.
    #[serde(default)]
    model: BTreeMap<String, BTreeMap<String, ModelSizes>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageSizes {
    /// What built it: other compilers give other code.
    compiler: String,
    code_bytes: u64,
    static_ram_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelSizes {
    artifact_bytes: u64,
    arena_bytes: u64,
    stack_bytes: u64,
    parse_instructions: u64,
    session_instructions: u64,
    run_instructions: u64,
}

/// What a figure may at most be.
struct Limit {
    model: &'static str,
    arena_bytes: u64,
    start_instructions: u64,
}

const CODE_LIMIT_BYTES: u64 = 48 << 10;
const LIMITS: [Limit; 4] = [
    Limit { model: "kws", arena_bytes: 16_896, start_instructions: 20_000 },
    Limit { model: "ad", arena_bytes: 1 << 10, start_instructions: u64::MAX },
    Limit { model: "ic", arena_bytes: 49 << 10, start_instructions: u64::MAX },
    Limit { model: "vww", arena_bytes: 56 << 10, start_instructions: 40_000 },
];

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sizes.toml")
}

fn image_sizes(board: &Board) -> ImageSizes {
    let image = runners::find(board).unwrap_or_else(|error| panic!("{error}"));
    let bytes = fs::read(&image.elf).expect("the runner image is a file");
    let elf = object::File::parse(&*bytes).expect("the runner image is an ELF file");
    let (mut code_bytes, mut static_ram_bytes) = (0, 0);
    for section in elf.sections() {
        match section.kind() {
            SectionKind::Text | SectionKind::ReadOnlyData => code_bytes += section.size(),
            // Its initial values lie with the code.
            SectionKind::Data => {
                code_bytes += section.size();
                static_ram_bytes += section.size();
            }
            SectionKind::UninitializedData => static_ram_bytes += section.size(),
            _ => {}
        }
    }
    let compiler = fs::read_to_string(image.elf.with_extension("compiler")).unwrap_or_default();
    ImageSizes { compiler, code_bytes, static_ram_bytes }
}

fn model_sizes(board: &Board, model: &Int8Model) -> ModelSizes {
    let artifact = model.artifact(board.isa);
    let mut device = device::open(board, &artifact, OpenOptions::default())
        .unwrap_or_else(|error| panic!("{} on {}: {error}", model.name, board.name));
    let cost = device.measure(&[&model.inputs[0]]).expect("the board runs the model");
    let instructions = |count: Option<device::Count>| count.expect("an emulated board counts").value;
    ModelSizes {
        artifact_bytes: artifact::stated_bytes(&artifact).expect("an artifact") as u64,
        arena_bytes: u64::from(cost.arena_bytes),
        stack_bytes: u64::from(cost.stack_bytes.expect("an emulated board measures its stack")),
        parse_instructions: instructions(cost.parse),
        session_instructions: instructions(cost.session),
        run_instructions: instructions(cost.run),
    }
}

/// The committed figures with those that can be taken here in their place.
fn measured(committed: &Sizes) -> Sizes {
    let mut sizes = committed.clone();
    let models =
        LIMITS.iter().filter_map(|limit| if limit.model == "kws" { Some(kws()) } else { zoo(limit.model) });
    let models: Vec<Int8Model> = models.collect();
    if models.len() < LIMITS.len() {
        println!("skipped: set EDGEPKG_ZOO to the folder of models to measure all of them");
    }
    for board in BOARDS.map(|name| Board::find(name).expect("a shipped board")) {
        sizes.image.insert(board.name.clone(), image_sizes(&board));
        for model in &models {
            let of_model = sizes.model.entry(model.name.clone()).or_default();
            of_model.insert(board.name.clone(), model_sizes(&board, model));
        }
    }
    sizes
}

/// Names every figure that is another than the committed one. Those that depend on the compiler count
/// only for the same one, and from a hundredth on: the linker's order of functions is not fixed.
fn differences(committed: &Sizes, measured: &Sizes) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: String, committed: u64, measured: u64, tolerance: u64| {
        if committed.abs_diff(measured) > committed / 100 * tolerance {
            differences.push(format!("{what}: {measured}, was {committed}"));
        }
    };
    let same_compiler = |board: &String| {
        let of = |sizes: &Sizes| sizes.image.get(board).map(|image| image.compiler.clone());
        of(committed) == of(measured)
    };
    for (board, now) in measured.image.iter().filter(|(board, _)| same_compiler(board)) {
        if let Some(was) = committed.image.get(board) {
            compare(format!("{board}: code_bytes"), was.code_bytes, now.code_bytes, 1);
            compare(format!("{board}: static_ram_bytes"), was.static_ram_bytes, now.static_ram_bytes, 0);
        }
    }
    for (model, boards) in &measured.model {
        for (board, now) in boards {
            let Some(was) = committed.model.get(model).and_then(|boards| boards.get(board)) else {
                continue;
            };
            let mut compare = |name, was, now, tolerance| {
                compare(format!("{model} on {board}: {name}"), was, now, tolerance)
            };
            compare("artifact_bytes", was.artifact_bytes, now.artifact_bytes, 0);
            compare("arena_bytes", was.arena_bytes, now.arena_bytes, 0);
            if same_compiler(board) {
                compare("stack_bytes", was.stack_bytes, now.stack_bytes, 1);
                compare("parse_instructions", was.parse_instructions, now.parse_instructions, 1);
                compare("session_instructions", was.session_instructions, now.session_instructions, 1);
                compare("run_instructions", was.run_instructions, now.run_instructions, 1);
            }
        }
    }
    differences
}

fn show(sizes: &Sizes) {
    println!("{:<16} {:>10} {:>10}", "image", "code B", "static B");
    for (board, image) in &sizes.image {
        println!("{board:<16} {:>10} {:>10}   {}", image.code_bytes, image.static_ram_bytes, image.compiler);
    }
    println!(
        "{:<6} {:<16} {:>10} {:>8} {:>8} {:>8} {:>8} {:>12}",
        "model", "board", "artifact B", "arena B", "stack B", "parse", "session", "run"
    );
    for (model, boards) in &sizes.model {
        for (board, of) in boards {
            println!(
                "{model:<6} {board:<16} {:>10} {:>8} {:>8} {:>8} {:>8} {:>12}",
                of.artifact_bytes,
                of.arena_bytes,
                of.stack_bytes,
                of.parse_instructions,
                of.session_instructions,
                of.run_instructions
            );
        }
    }
}

#[test]
fn sizes_are_the_committed_ones_and_below_the_limits() {
    let text = fs::read_to_string(file()).unwrap_or_default();
    let committed: Sizes = toml::from_str(&text).expect("sizes.toml is of this schema");
    let measured = measured(&committed);
    show(&measured);

    let code_bytes = measured.image["qemu-cortex-m4"].code_bytes;
    assert!(code_bytes <= CODE_LIMIT_BYTES, "{code_bytes} bytes of code");
    for limit in &LIMITS {
        let Some(of) = measured.model.get(limit.model).and_then(|boards| boards.get("qemu-cortex-m4")) else {
            continue;
        };
        assert!(of.arena_bytes <= limit.arena_bytes, "{}: an arena of {} bytes", limit.model, of.arena_bytes);
        let start = of.parse_instructions + of.session_instructions;
        assert!(start <= limit.start_instructions, "{}: {start} instructions to start", limit.model);
    }

    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let text = toml::to_string(&measured).expect("sizes are TOML");
        fs::write(
            file(),
            format!("# Written by `cargo xtask bless`, compared by `cargo xtask test`.\n\n{text}"),
        )
        .expect("sizes.toml can be written");
        return;
    }
    let differences = differences(&committed, &measured);
    assert!(
        differences.is_empty(),
        "{}\n`cargo xtask bless` makes these the committed ones",
        differences.join("\n")
    );
}
