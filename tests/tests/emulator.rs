//! int8 models on emulated boards give the bytes that TensorFlow Lite Micro gives.

use std::collections::BTreeSet;

use edgepkg::device::{
    self, CountUnit, Device, HostDevice, LinkDevice, ModelCycles, OpenOptions, OperatorDigest,
};
use edgepkg::emulator::Emulator;
use edgepkg::runners;
use edgepkg_boards::{Board, CycleModel, Deploy};
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{Artifact, Isa, Record};
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit::{Options, emit};
use edgepkg_quantize::graph::{QuantizedGraph, Rounding};
use edgepkg_quantize::optimize::Optimize;
use edgepkg_tests::models::{self, Int8Model, kws};
use edgepkg_tests::random_chains::chains;
use edgepkg_tests::random_graphs::Random;

fn open(board: &Board, model: &Int8Model) -> Box<dyn Device> {
    let artifact = model.artifact(board.isa);
    device::open(board, &artifact, OpenOptions::default())
        .unwrap_or_else(|error| panic!("{} on {}: {error} {}", model.name, board.name, hint(&error)))
}

fn hint(error: &device::DeviceError) -> String {
    error.hint().unwrap_or_default()
}

/// Runs every input of `model` on `board` and compares the outputs with TFLM's.
fn check_outputs(board: &Board, model: &Int8Model) {
    let mut device = open(board, model);
    for (index, (input, expected)) in model.inputs.iter().zip(&model.outputs).enumerate() {
        let report = device.run(&[input]).expect("the board runs the model");
        assert_eq!(
            &report.outputs[..],
            std::slice::from_ref(expected),
            "{} on {}, input {index}",
            model.name,
            board.name
        );
    }
}

#[test]
fn models_on_every_board_are_as_in_tflm() {
    for board in models::boards() {
        for model in models::on_board(&board) {
            check_outputs(&board, &model);
        }
    }
}

/// What each operator wrote, whatever kind of record a board computes it by.
fn written(device: &mut dyn Device, inputs: &[&[u8]]) -> Vec<(u32, u32, u32)> {
    let digests = device.operator_digests(inputs).expect("the device runs the model");
    digests.into_iter().map(|OperatorDigest { record, layer, crc32, .. }| (record, layer, crc32)).collect()
}

#[test]
fn every_operator_writes_what_it_writes_on_the_host() {
    let model = kws();
    let host = Board::find("host").unwrap();
    let mut on_host = HostDevice::open(&model.artifact(host.isa)).unwrap();
    let expected = written(&mut on_host, &[&model.inputs[0]]);
    for board in models::boards() {
        let mut device = open(&board, &model);
        assert_eq!(written(&mut *device, &[&model.inputs[0]]), expected, "{}", board.name);
    }
}

fn artifact(graph: &QuantizedGraph, isa: Isa, optimize: Optimize) -> Vec<u8> {
    let options = Options {
        isa,
        name: &graph.name,
        version: "0.1.0",
        labels: &[],
        graph_digest: [0; 32],
        dead_channels: DeadChannels::Keep,
        optimize,
    };
    emit(graph, &options).expect("every operator is there").artifact
}

/// Of each packed record, what its kernel branches on.
fn packed_variants(artifact: &[u8]) -> BTreeSet<String> {
    let bytes = AlignedBytes::from(artifact);
    let artifact = Artifact::parse(&bytes).unwrap();
    let variants = artifact.plan().flat_map(|entry| match entry.unwrap().record {
        Record::PackedConv2d(op) => {
            let windows = match (op.reads_words(), op.has_tails()) {
                (true, _) => "in place",
                (false, false) => "gathered",
                (false, true) => "gathered, with tails",
            };
            let blocks = match op.output_image.channels {
                0..4 => "narrow",
                channels if channels % 4 == 0 => "whole",
                _ => "overlapping",
            };
            let rounding = op.rounding;
            vec![
                format!("conv2d {rounding:?}, windows {windows}"),
                format!("conv2d {rounding:?}, {blocks} blocks"),
            ]
        }
        Record::PackedDepthwiseConv2d(op) => {
            let strips = if op.strip < op.outer().output { "strips of " } else { "" };
            let rounding = op.rounding;
            let window = match (op.is_3_by_3(), op.window.stride_width) {
                (true, stride) => format!("3 by 3 moved by {stride}"),
                (false, _) => "any window".to_owned(),
            };
            vec![format!("depthwise {rounding:?}, {window}, {strips}{:?}", op.traversal)]
        }
        Record::PackedFullyConnected(op) => vec![format!("fully connected {:?}", op.rounding)],
        _ => Vec::new(),
    });
    variants.collect()
}

/// Models of some chains each, with which every packed kernel runs.
const RANDOM_MODELS: u64 = 16;
const CHAINS_OF_A_MODEL: usize = 16;
/// 2 roundings of 3 kinds of windows, of 3 ways from blocks to channels, of 3 windows and 3 ways through a plane, of fully
/// connected layers.
const PACKED_VARIANTS: usize = 2 * (3 + 3 + 3 * 3 + 1);

#[test]
fn random_layers_on_a_cortex_m4_write_what_they_write_on_the_host() {
    let board = Board::find("qemu-cortex-m4").unwrap();
    let mut variants = BTreeSet::new();
    for seed in 0..RANDOM_MODELS {
        let rounding = Rounding::ALL[seed as usize % 2];
        let optimize = Optimize::ALL[seed as usize / 2 % 2];
        let graph = chains(seed, CHAINS_OF_A_MODEL, rounding);
        let mut random = Random::new(seed);
        let inputs: Vec<Vec<u8>> =
            graph.inputs.iter().map(|&id| random.bytes(graph.tensor(id).shape.iter().product())).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(|input| &input[..]).collect();
        let mut on_host = HostDevice::open(&artifact(&graph, Isa::Portable, optimize)).unwrap();
        let lowered = artifact(&graph, board.isa, optimize);
        variants.extend(packed_variants(&lowered));
        let mut device = device::open(&board, &lowered, OpenOptions::default()).unwrap();
        if device.run(&inputs).unwrap().outputs == on_host.run(&inputs).unwrap().outputs {
            continue;
        }
        let (found, expected) = (written(&mut *device, &inputs), written(&mut on_host, &inputs));
        let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        let node = first.map(|((_, layer, _), _)| &graph.nodes[*layer as usize]);
        panic!("model {seed}: {node:?}");
    }
    assert_eq!(variants.len(), PACKED_VARIANTS, "{variants:#?}");
}

#[test]
fn counts_are_exact_and_repeatable() {
    let model = kws();
    let board = Board::find("qemu-cortex-m4").unwrap();
    let measure = || {
        let mut device = open(&board, &model);
        let first = device.measure(&[&model.inputs[0]]).unwrap();
        let again = device.measure(&[&model.inputs[0]]).unwrap();
        assert_eq!(first.run, again.run, "the same run costs the same");
        (device.operator_counts(&[&model.inputs[0]]).unwrap(), first)
    };
    let (operators, whole) = measure();
    assert_eq!(measure(), (operators.clone(), whole), "a restart changes nothing");
    let run = whole.run.expect("the emulator counts");
    assert_eq!(run.unit, CountUnit::Instructions);
    let sum: u64 = operators.iter().map(|operator| operator.count.value).sum();
    assert!(sum < run.value && run.value - sum < run.value / 100, "{sum} of {}", run.value);
    println!("{whole:?}");
}

#[test]
fn modelled_cycles_are_repeatable_and_those_of_the_instructions_counted() {
    if !cfg!(target_os = "linux") {
        println!("skipped: the cycle model is built on Linux");
        return;
    }
    let model = kws();
    let board = Board::find("qemu-cortex-m4").unwrap();
    let options = OpenOptions { cycles: ModelCycles::WherePossible, ..OpenOptions::default() };
    let mut device = device::open(&board, &model.artifact(board.isa), options).unwrap();
    let mut plain = open(&board, &model);
    let (whole, without) =
        (device.measure(&[&model.inputs[0]]).unwrap(), plain.measure(&[&model.inputs[0]]).unwrap());
    for (with, without) in
        [(whole.parse, without.parse), (whole.session, without.session), (whole.run, without.run)]
    {
        let (with, without) = (with.unwrap(), without.unwrap());
        assert_eq!((with.value, with.unit), (without.value, without.unit), "counting costs nothing");
        assert_eq!(without.modelled_cycles, None);
        // No instruction takes less than a cycle, and few take more than two.
        let cycles = with.modelled_cycles.expect("`cargo xtask runners` has built the cycle model");
        assert!(cycles > with.value && cycles < 3 * with.value, "{with:?}");
    }
    assert_eq!(device.run(&[&model.inputs[0]]).unwrap().count, whole.run, "the same run costs the same");
    let operators = device.operator_counts(&[&model.inputs[0]]).unwrap();
    let sum: u64 = operators.iter().map(|operator| operator.count.modelled_cycles.unwrap()).sum();
    let run = whole.run.unwrap().modelled_cycles.unwrap();
    assert!(sum < run && run - sum < run / 100, "{sum} of {run}");
}

#[test]
fn every_cortex_m_counts_the_instructions_that_its_emulator_executes() {
    if !cfg!(target_os = "linux") {
        println!("skipped: the cycle model is built on Linux");
        return;
    }
    let model = kws();
    let mut boards = 0;
    let is_cortex_m = |board: &Board| {
        board.deploy == Deploy::Emulator
            && board.target.as_ref().is_some_and(|target| target.starts_with("thumb"))
    };
    for mut board in Board::shipped().filter(is_cortex_m) {
        let emulator = board.emulator.as_mut().expect("each of them is an emulator");
        // The model sees every instruction, and a count of the runner that is another is refused.
        emulator.cycle_model = Some(CycleModel::CortexM4);
        let options = OpenOptions { cycles: ModelCycles::WherePossible, ..OpenOptions::default() };
        let mut device = device::open(&board, &model.artifact(board.isa), options)
            .unwrap_or_else(|error| panic!("{}: {error}", board.name));
        let run = device.measure(&[&model.inputs[0]]).unwrap().run.expect("it counts");
        assert!(run.modelled_cycles.is_some(), "{}", board.name);
        boards += 1;
    }
    assert!(boards >= 4, "{boards}");
}

#[test]
fn input_of_the_wrong_size_is_refused() {
    let model = kws();
    let board = Board::find("qemu-cortex-m4").unwrap();
    let mut device = open(&board, &model);
    let error = device.run(&[&model.inputs[0][1..]]).unwrap_err();
    assert_eq!(error.to_string(), "input 0 takes 490 bytes, 489 were given");
    let error = device.run(&[]).unwrap_err();
    assert_eq!(error.to_string(), "the model takes 1 inputs, 0 were given");
}

#[test]
fn a_runner_refuses_what_is_not_for_it_and_says_why() {
    let model = kws();
    let board = Board::find("qemu-cortex-m4").unwrap();
    let check = |artifact: &[u8], expected: &str| {
        let error = device::open(&board, artifact, OpenOptions::default()).err().expect("it is refused");
        assert_eq!(error.to_string(), expected);
    };
    let host = Board::find("host").unwrap();
    check(&model.artifact(host.isa), "the board refuses its model: it is lowered for portable");
    let artifact = model.artifact(board.isa);
    check(
        &artifact[..artifact.len() - 16],
        "the board refuses its model: it is not an artifact that its runner reads",
    );
    check(&[], "the board refuses its model: it is not an artifact that its runner reads");
}

#[test]
fn a_board_without_a_model_takes_one_over_the_link() {
    let model = kws();
    let board = Board::find("qemu-cortex-m4").unwrap();
    let empty = || Box::new(Emulator::start(&board, &runners::find(&board).unwrap(), &[]).unwrap());
    let error = LinkDevice::open(empty(), OpenOptions::default()).err().expect("there is no model");
    assert!(error.to_string().starts_with("the board refuses its model"), "{error}");
    let artifact = model.artifact(board.isa);
    let mut device = LinkDevice::open_and_write(empty(), &artifact, OpenOptions::default()).unwrap();
    assert_eq!(device.run(&[&model.inputs[0]]).unwrap().outputs, [&model.outputs[0][..]]);
}

/// The board with a line of its file replaced.
fn changed(from: &str, to: &str) -> Board {
    let file = include_str!("../../boards/qemu-cortex-m4.toml");
    assert!(file.contains(from), "{from}");
    Board::from_toml("qemu-cortex-m4.toml", &file.replace(from, to)).unwrap()
}

#[test]
fn an_emulator_that_is_not_installed_is_named_with_its_package() {
    let board = changed("program = \"qemu-system-arm\"", "program = \"qemu-system-missing\"");
    let error = device::open(&board, &[], OpenOptions::default()).err().unwrap();
    let expected = "the emulator `qemu-system-missing` of board `qemu-cortex-m4` is not installed";
    assert_eq!(error.to_string(), expected);
    assert!(hint(&error).contains("apt-get install qemu-system-arm"), "{}", hint(&error));
}

#[test]
fn an_emulator_that_stops_says_why() {
    let board = changed("\"mps2-an386\"", "\"no-such-machine\"");
    let error = device::open(&board, &[], OpenOptions::default()).err().unwrap().to_string();
    assert!(error.contains("`qemu-system-arm` stopped") && error.contains("unsupported machine"), "{error}");
}

#[test]
fn a_model_larger_than_the_slot_is_refused_before_anything_starts() {
    let board = Board::find("qemu-cortex-m4").unwrap();
    let error = device::open(&board, &vec![0; 4 << 20], OpenOptions::default()).err().unwrap();
    let expected = "the model has 4194304 bytes, the model slot of `qemu-cortex-m4` takes 3670000";
    assert_eq!(error.to_string(), expected);
}
