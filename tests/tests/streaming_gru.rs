//! A float model that is handed its state from run to run, made to keep it: fed row by row it gives the bytes that it gives for
//! all rows at once.

#![cfg(feature = "onnx")]

use std::num::NonZeroUsize;

use edgepkg::device::{self, Device, OpenOptions};
use edgepkg::{fit, runners};
use edgepkg_boards::Board;
use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit;
use edgepkg_quantize::graph::{Op, QuantizedGraph, Recurrent, Start};
use edgepkg_quantize::keep_state::{StatePair, keep_state};
use edgepkg_quantize::optimize::Optimize;
use edgepkg_quantize::pipeline::{Options, Quantized, quantize};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use edgepkg_quantize::simulate::quantize_values;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::float_onnx;
use edgepkg_tests::samples::integer_samples;

/// Rows of a picture, columns of a row, units of the layer.
const ROWS: usize = 8;
const COLUMNS: usize = 8;
const UNITS: usize = 32;

/// int8 loses at most so much.
const LEAST_DECIBELS: f64 = 30.0;

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits");
    std::fs::read(format!("{folder}/{name}")).expect("it is there")
}

/// The pictures' rows, one behind the other.
fn rows(name: &str) -> Vec<f32> {
    integer_samples(&file(name)).concat().into_iter().map(f32::from).collect()
}

/// The model, quantized, which keeps its hidden state.
fn model(int16_layers: Int16Layers) -> Quantized {
    let pair = StatePair { input: "h_in".into(), output: "h_out".into(), initial: None };
    let graph = float_onnx(&file("streaming_gru/model.onnx")).expect("the model is read");
    let graph = simplify(keep_state(graph, &[pair]).expect("the model has these ports"));
    let elements = rows("images/calibration_x.npy");
    let array = Array { shape: vec![elements.len() / COLUMNS, COLUMNS], elements };
    let samples = Samples::new(&graph, vec![array]).expect("they fit");
    let samples = samples.in_streams_of(NonZeroUsize::new(ROWS).expect("a picture has rows"));
    let options = Options { int16_layers, ..Options::default() };
    quantize(graph, &samples, None, &options, &mut |_| {}).expect("it is quantized")
}

/// The same model on all rows of a picture at once, which it starts anew.
fn at_once(graph: &QuantizedGraph) -> QuantizedGraph {
    let mut graph = graph.clone();
    for tensor in graph.tensors.iter_mut().filter(|tensor| tensor.data.is_none()) {
        assert_eq!(tensor.shape[0], 1, "`{}`", tensor.name);
        tensor.shape[0] = ROWS;
    }
    for node in &mut graph.nodes {
        if let Op::Recurrent(op) = &mut node.op {
            assert_eq!(op.start, Start::Kept, "{}", node.name);
            *op = Recurrent { start: Start::Anew, ..*op };
        }
    }
    graph
}

/// Raw pictures, as inputs of the model for all rows.
fn pictures(graph: &QuantizedGraph, count: usize) -> Vec<Vec<u8>> {
    let input = graph.tensor(graph.inputs[0]);
    let rows = rows("images/test_x.npy");
    let raw = |picture: &[f32]| quantize_values(picture, input).into_iter().map(|byte| byte as u8).collect();
    rows.chunks(ROWS * COLUMNS).take(count).map(raw).collect()
}

#[test]
fn rows_one_by_one_give_the_bytes_of_whole_pictures() {
    for int16_layers in [Int16Layers::None, Int16Layers::All] {
        let Quantized { graph, report } = model(int16_layers.clone());
        let decibels = report.sqnr_db.expect("the float model answers");
        assert!(decibels >= LEAST_DECIBELS, "{int16_layers:?}: {decibels:.1} dB");
        let (mut by_row, mut whole) =
            (HostSession::new(&graph).unwrap(), HostSession::new(&at_once(&graph)).unwrap());
        for (index, picture) in pictures(&graph, 100).into_iter().enumerate() {
            let expected = whole.run(std::slice::from_ref(&picture)).remove(0);
            let mut found = || -> Vec<u8> {
                let rows = picture.chunks(picture.len() / ROWS);
                rows.flat_map(|row| by_row.run(&[row.to_vec()]).remove(0)).collect()
            };
            assert_eq!(found(), expected, "picture {index}");
            assert_ne!(found(), expected, "picture {index}, without a reset, goes on where it ended");
            by_row.reset_state();
        }
    }
}

fn artifact(graph: &QuantizedGraph, board: &Board) -> Vec<u8> {
    let options = emit::Options {
        isa: board.isa,
        name: "rows",
        version: "0.1.0",
        labels: &[],
        graph_digest: [0; 32],
        dead_channels: DeadChannels::Keep,
        optimize: Optimize::Speed,
    };
    emit::emit(graph, &options).expect("it fits").artifact
}

#[test]
fn an_emulated_board_keeps_the_state_and_resets_it() {
    let board = Board::find("qemu-cortex-m4").expect("a shipped board");
    for int16_layers in [Int16Layers::None, Int16Layers::All] {
        let graph = model(int16_layers).graph;
        let mut whole = HostSession::new(&at_once(&graph)).unwrap();
        let mut device: Box<dyn Device> =
            device::open(&board, &artifact(&graph, &board), OpenOptions::default())
                .unwrap_or_else(|error| panic!("{error} {}", error.hint().unwrap_or_default()));
        for picture in pictures(&graph, 3) {
            device.reset_state().expect("the board resets it");
            let mut found = Vec::new();
            for row in picture.chunks(picture.len() / ROWS) {
                found.extend(device.run(&[row]).expect("the board runs the model").outputs.concat());
            }
            assert_eq!(found, whole.run(&[picture]).remove(0));
        }
    }
}

#[test]
fn the_certificate_counts_what_is_kept() {
    let board = Board::find("qemu-cortex-m4").expect("a shipped board");
    let runner = runners::find(&board).unwrap_or_else(|error| panic!("{error}"));
    let graph = model(Int16Layers::None).graph;
    let ram = |graph: &QuantizedGraph| {
        fit::certify(&board, &runner.elf, &artifact(graph, &board)).expect("it fits").ram
    };
    // The hidden state of int16, and the step's units.
    assert_eq!(ram(&graph).state_bytes, 2 * 2 * UNITS as u64);
    assert_eq!(ram(&at_once(&graph)).state_bytes, 0);
    assert!(ram(&graph).arena_bytes >= 2 * 2 * UNITS as u64);
}

/// What int16 gives beyond int8 at least, in dB: the weights are int8 in both.
const LEAST_GAIN_OF_INT16_DB: f64 = 12.0;

#[test]
fn int16_is_nearer_to_the_float_model() {
    let streaming = |layers| model(layers).report.sqnr_db;
    check_gain("streaming_gru", streaming);
    let whole = |int16_layers| {
        let graph = simplify(float_onnx(&file("gru/model.onnx")).expect("the model is read"));
        let elements = rows("images/calibration_x.npy");
        let count = elements.len() / (ROWS * COLUMNS);
        let array = Array { shape: vec![count, ROWS, COLUMNS], elements };
        let samples = Samples::new(&graph, vec![array]).expect("they fit");
        let options = Options { int16_layers, ..Options::default() };
        quantize(graph, &samples, None, &options, &mut |_| {}).expect("it is quantized").report.sqnr_db
    };
    check_gain("gru", whole);
}

fn check_gain(name: &str, sqnr_db: impl Fn(Int16Layers) -> Option<f64>) {
    let decibels = |layers| sqnr_db(layers).expect("the float model answers");
    let (int8, int16) = (decibels(Int16Layers::None), decibels(Int16Layers::All));
    println!("{name}: {int8:.2} dB of int8, {int16:.2} dB of int16");
    assert!(int16 >= int8 + LEAST_GAIN_OF_INT16_DB, "{name}: {int16:.2} dB, {int8:.2} dB of int8");
}
