//! Takes the figures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use edgepkg::device::{self, Count, LayerCount, ModelCycles, OpenOptions};
use edgepkg::runners;
use edgepkg_boards::Board;
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::artifact;
use edgepkg_format::plan::PackedConv2d;
use edgepkg_format::{Artifact, Record};
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_tests::models::{self, Int8Model};
use object::{Object, ObjectSection, SectionKind};

use crate::figures::{Figures, ImageFigures, LayerFigures, Loops, ModelFigures};

/// The model in which channels change no output is also measured with all of them, under this name.
const WITH_DEAD_CHANNELS: (&str, &str) = ("vww", "vww-all-channels");
const BOARD_OF_ALL_CHANNELS: &str = "qemu-cortex-m4";

/// Images beside the boards' runners.
const MORE_IMAGES: &[&str] = &["qemu-cortex-m4-base"];

/// What one board gives: its image, and models by their names.
struct BoardFigures {
    image: ImageFigures,
    models: Vec<(String, ModelFigures)>,
}

/// The committed figures with those that can be taken here in their place.
pub fn all(committed: &Figures) -> Figures {
    let boards: Vec<Board> = Board::shipped().filter(|board| board.emulator.is_some()).collect();
    // Emulators count, and do not time: they may run side by side.
    let measured: Vec<BoardFigures> = thread::scope(|scope| {
        let running: Vec<_> = boards.iter().map(|board| scope.spawn(|| of_board(board))).collect();
        running.into_iter().map(|board| board.join().expect("the board is measured")).collect()
    });
    let mut figures = committed.clone();
    for name in MORE_IMAGES {
        let elf = runners::find_file(&format!("{name}.elf"))
            .unwrap_or_else(|| panic!("`cargo xtask runners` has not built {name}.elf"));
        figures.image.insert((*name).to_owned(), of_image(&elf));
    }
    for (board, of_board) in boards.iter().zip(measured) {
        figures.image.insert(board.name.clone(), of_board.image);
        for (model, of_model) in of_board.models {
            figures.model.entry(model).or_default().insert(board.name.clone(), of_model);
        }
    }
    figures
}

fn of_board(board: &Board) -> BoardFigures {
    let mut of_models = Vec::new();
    for model in models::on_board(board) {
        of_models.push((model.name.clone(), of_model(board, &model, DeadChannels::Drop)));
        let (name, with_all) = WITH_DEAD_CHANNELS;
        if model.name == name && board.name == BOARD_OF_ALL_CHANNELS {
            of_models.push((with_all.to_owned(), of_model(board, &model, DeadChannels::Keep)));
        }
    }
    let runner = runners::find(board).unwrap_or_else(|error| panic!("{error}"));
    BoardFigures { image: of_image(&runner.elf), models: of_models }
}

fn of_image(elf: &Path) -> ImageFigures {
    let compiler = fs::read_to_string(elf.with_extension("compiler")).unwrap_or_default();
    let bytes = fs::read(elf).expect("the runner image is a file");
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
    ImageFigures { compiler, code_bytes, static_ram_bytes }
}

fn of_model(board: &Board, model: &Int8Model, dead_channels: DeadChannels) -> ModelFigures {
    let emitted = model.emitted(board.isa, dead_channels);
    let options = OpenOptions { cycles: ModelCycles::WherePossible, ..OpenOptions::default() };
    let mut device = device::open(board, &emitted.artifact, options)
        .unwrap_or_else(|error| panic!("{} on {}: {error}", model.name, board.name));
    let inputs = [&model.inputs[0][..]];
    let cost = device.measure(&inputs).expect("the board runs the model");
    let operators = device.operator_counts(&inputs).expect("the board runs the model");
    let loops = loops(&emitted.artifact);
    let of_layer = |cost: &LayerCount| {
        let layer = &emitted.layers[cost.layer as usize];
        LayerFigures {
            layer: cost.layer,
            name: layer.name.clone(),
            operator: cost.kind.name().to_owned(),
            macs: layer.macs,
            instructions: cost.count.value,
            cycles: cost.count.modelled_cycles,
            loops: loops.get(&cost.layer).copied(),
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

/// By layer.
fn loops(artifact: &[u8]) -> BTreeMap<u32, Loops> {
    let bytes = AlignedBytes::from(artifact);
    let artifact = Artifact::parse(&bytes).expect("it was just written");
    let convolutions = artifact.plan().filter_map(|entry| {
        let entry = entry.expect("it was just written");
        let Record::PackedConv2d(op) = entry.record else { return None };
        let image = op.output_image;
        let pixels = u64::from(image.batches) * u64::from(image.height) * u64::from(image.width);
        let pixels = pixels.next_multiple_of(PackedConv2d::BLOCK_PIXELS.into());
        let outputs = pixels * u64::from(image.channels.next_multiple_of(PackedConv2d::BLOCK_CHANNELS));
        Some((entry.layer, Loops { macs: outputs * 4 * u64::from(op.units()), outputs }))
    });
    convolutions.collect()
}
