//! Takes the figures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use edgepkg::device::{self, Count, LayerCount, ModelCycles, OpenOptions};
use edgepkg::runners;
use edgepkg_boards::{Board, Transport};
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::artifact;
use edgepkg_format::plan::{Image, PackedConv2d, PackedFullyConnected};
use edgepkg_format::{Artifact, Record};
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_tests::minimal_image;
use edgepkg_tests::models::{self, Int8Model};
use object::{Object, ObjectSection, SectionKind};

use crate::figures::{Figures, ImageFigures, LayerFigures, Loops, ModelFigures};

/// The model in which channels change no output is also measured with all of them, under this name.
const WITH_DEAD_CHANNELS: (&str, &str) = ("vww", "vww-all-channels");
const BOARD_OF_ALL_CHANNELS: &str = "qemu-cortex-m4";

/// Images beside the boards' runners.
const MORE_IMAGES: &[&str] = &["qemu-cortex-m4-base"];

/// A minimal image, and the board that it is for: of keyword spotting, without what it holds of the model.
const MINIMAL_IMAGE: (&str, &str) = ("qemu-cortex-m4-kws-embedded", "qemu-cortex-m4");

/// What one board gives: its image, and models by their names.
struct BoardFigures {
    image: ImageFigures,
    models: Vec<(String, ModelFigures)>,
}

/// The committed figures with those that can be taken here in their place.
pub fn all(committed: &Figures) -> Figures {
    // An emulator of Linux counts nothing, and one at the virtual probe runs no plugin.
    let counts =
        |board: &Board| board.emulator.is_some() && board.transport != Transport::Pipe && !board.is_probed();
    let boards: Vec<Board> = Board::shipped().filter(counts).collect();
    // Emulators count, and do not time: they may run side by side.
    let measured: Vec<BoardFigures> = thread::scope(|scope| {
        let running: Vec<_> = boards.iter().map(|board| scope.spawn(|| of_board(board))).collect();
        running.into_iter().map(|board| board.join().expect("the board is measured")).collect()
    });
    let mut figures = committed.clone();
    for name in MORE_IMAGES {
        let elf = runners::find_file(&format!("{name}.elf"))
            .unwrap_or_else(|| panic!("`cargo xtask runners` has not built {name}.elf"));
        let elf = fs::read(elf).expect("the runner image is a file");
        figures.image.insert((*name).to_owned(), of_runner(name, &elf));
    }
    let (name, board) = MINIMAL_IMAGE;
    let board = Board::find(board).expect("it is shipped");
    if let Some(image) = minimal_image::build(&board, &models::kws(), Path::new(env!("CARGO_TARGET_TMPDIR")))
    {
        let held = image.artifact.len() as u64 + image.input_bytes;
        let mut of_image = of_image(&image.bytes, image.compiler);
        of_image.code_bytes -= held;
        figures.image.insert(name.to_owned(), of_image);
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
    BoardFigures { image: of_runner(&runner.origin, &runner.elf), models: of_models }
}

fn of_runner(name: &str, elf: &[u8]) -> ImageFigures {
    let compiler = runners::find_file(&format!("{name}.compiler"))
        .and_then(|file| fs::read_to_string(file).ok())
        .unwrap_or_default();
    of_image(elf, compiler)
}

fn of_image(elf: &[u8], compiler: String) -> ImageFigures {
    let elf = object::File::parse(elf).expect("the image is an ELF file");
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
    let layers = artifact.plan().filter_map(|entry| {
        let entry = entry.expect("it was just written");
        Some((entry.layer, loops_of(&entry.record)?))
    });
    layers.collect()
}

/// What the inner loop of a packed kernel goes through, and the cycles that it takes by the instructions in it.
fn loops_of(record: &Record) -> Option<Loops> {
    let (macs, outputs, cycles) = match record {
        Record::PackedConv2d(op) => {
            let outputs = pixels(&op.output_image).next_multiple_of(PackedConv2d::BLOCK_PIXELS.into())
                * u64::from(op.output_image.channels.next_multiple_of(PackedConv2d::BLOCK_CHANNELS));
            let macs = outputs * 4 * u64::from(op.units());
            // For 2 pixels and 4 channels, a pair of inputs: 8 SMLAD, 2 SXTB16; 4 LDR in a row, 5.
            (macs, outputs, macs * 15 / 16)
        }
        Record::PackedDepthwiseConv2d(op) => {
            let (inner, outer) = (op.inner(), op.outer());
            let pairs = u64::from(op.output_image.batches)
                * u64::from(op.output_image.channels)
                * u64::from(inner.output.div_ceil(2))
                * u64::from(outer.output);
            let macs = 2 * pairs * u64::from(outer.taps) * u64::from(inner.taps);
            let cycles = match (op.is_3_by_3(), inner.stride) {
                // 12 multiplications; the first sum, 2; 3 LDR in a row, 4, for each column of pairs.
                (true, 1) => 18,
                (true, _) => 22,
                // For each pair of taps 2 SMLAD and 3 LDR, 4; 10 more for each row of taps.
                _ => u64::from(outer.taps) * (6 * u64::from(op.tap_pairs()) + 10),
            };
            (macs, 2 * pairs, pairs * cycles)
        }
        Record::PackedFullyConnected(op) => {
            let columns = u64::from(op.output_depth.next_multiple_of(PackedFullyConnected::BLOCK_COLUMNS));
            let macs = u64::from(op.rows) * columns * u64::from(op.input_depth);
            // For 4 inputs and 8 columns 16 SMLAD, 8 SXTB16, 4 LDRD, 3 each; 4 to load and widen the inputs.
            (macs, u64::from(op.rows) * columns, macs * 40 / 32)
        }
        _ => return None,
    };
    Some(Loops { macs, outputs, cycles })
}

fn pixels(image: &Image) -> u64 {
    u64::from(image.batches) * u64::from(image.height) * u64::from(image.width)
}
