//! Takes the figures.

use std::fs;

use edgepkg::device::{self, Count, LayerCount, ModelCycles, OpenOptions};
use edgepkg::runners;
use edgepkg_boards::Board;
use edgepkg_format::artifact;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_tests::models::{Int8Model, kws, zoo};
use object::{Object, ObjectSection, SectionKind};

use crate::figures::{Figures, ImageFigures, LayerFigures, ModelFigures};

/// A model in the table, as it is executed.
struct Entry {
    /// What the table calls it.
    name: &'static str,
    /// What the zoo calls it.
    model: &'static str,
    dead_channels: DeadChannels,
    boards: &'static [&'static str],
}

const BOARDS: &[&str] = &["qemu-cortex-m4", "rpi"];

const ENTRIES: [Entry; 5] = [
    Entry { name: "kws", model: "kws", dead_channels: DeadChannels::Drop, boards: BOARDS },
    Entry { name: "ad", model: "ad", dead_channels: DeadChannels::Drop, boards: BOARDS },
    Entry { name: "ic", model: "ic", dead_channels: DeadChannels::Drop, boards: BOARDS },
    Entry { name: "vww", model: "vww", dead_channels: DeadChannels::Drop, boards: BOARDS },
    // The only one in which some change no output.
    Entry {
        name: "vww-all-channels",
        model: "vww",
        dead_channels: DeadChannels::Keep,
        boards: &["qemu-cortex-m4"],
    },
];

/// The committed figures with those that can be taken here in their place.
pub fn all(committed: &Figures) -> Figures {
    let mut figures = committed.clone();
    for board in BOARDS {
        figures.image.insert((*board).to_owned(), of_image(&find(board)));
    }
    for entry in ENTRIES {
        let Some(model) = (if entry.model == "kws" { Some(kws()) } else { zoo(entry.model) }) else {
            println!("skipped: set EDGEPKG_ZOO to the folder of models to measure {}", entry.name);
            continue;
        };
        let of_model = figures.model.entry(entry.name.to_owned()).or_default();
        for board in entry.boards {
            of_model.insert((*board).to_owned(), of_model_on(&find(board), &model, entry.dead_channels));
        }
    }
    figures
}

fn find(board: &str) -> Board {
    Board::find(board).expect("a shipped board")
}

fn of_image(board: &Board) -> ImageFigures {
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
    ImageFigures { compiler, code_bytes, static_ram_bytes }
}

fn of_model_on(board: &Board, model: &Int8Model, dead_channels: DeadChannels) -> ModelFigures {
    let emitted = model.emitted(board.isa, dead_channels);
    let options = OpenOptions { cycles: ModelCycles::WherePossible, ..OpenOptions::default() };
    let mut device = device::open(board, &emitted.artifact, options)
        .unwrap_or_else(|error| panic!("{} on {}: {error}", model.name, board.name));
    let inputs = [&model.inputs[0][..]];
    let cost = device.measure(&inputs).expect("the board runs the model");
    let operators = device.operator_counts(&inputs).expect("the board runs the model");
    let of_layer = |cost: &LayerCount| {
        let layer = &emitted.layers[cost.layer as usize];
        LayerFigures {
            layer: cost.layer,
            name: layer.name.clone(),
            operator: cost.kind.name().to_owned(),
            macs: layer.macs,
            instructions: cost.count.value,
            cycles: cost.count.modelled_cycles,
        }
    };
    let instructions = |count: Option<Count>| count.expect("an emulated board counts").value;
    ModelFigures {
        artifact_bytes: artifact::stated_bytes(&emitted.artifact).expect("an artifact") as u64,
        arena_bytes: u64::from(cost.arena_bytes),
        stack_bytes: u64::from(cost.stack_bytes.expect("an emulated board measures its stack")),
        parse_instructions: instructions(cost.parse),
        session_instructions: instructions(cost.session),
        run_instructions: instructions(cost.run),
        run_cycles: cost.run.and_then(|count| count.modelled_cycles),
        layers: LayerCount::of_operators(&operators).iter().map(of_layer).collect(),
    }
}
