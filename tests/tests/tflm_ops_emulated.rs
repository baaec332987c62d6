//! Every single-operator case of TensorFlow Lite Micro on an emulated Cortex-M4, in every byte: each of two
//! emulators is given model after model over the device link.

use std::thread;

use edgepkg::device::{Device, LinkDevice, OpenOptions};
use edgepkg::emulator::Emulator;
use edgepkg::runners;
use edgepkg_boards::Board;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit::{Options, emit};
use edgepkg_quantize::graph::QuantizedGraph;
use edgepkg_quantize::optimize::Optimize;
use edgepkg_tests::import::int8_tflite;
use edgepkg_tests::tflm_ops::{Case, Cases};

#[test]
fn every_case_on_a_cortex_m4_equals_tensorflow_lite_micro_in_every_byte() {
    let board = Board::find("qemu-cortex-m4").expect("it is shipped");
    let cases = Cases::load();
    let supported: Vec<&Case> = cases.cases.iter().filter(|case| case.is_supported()).collect();
    let failures: Vec<String> = thread::scope(|scope| {
        let halves = supported.chunks(supported.len().div_ceil(2));
        let running: Vec<_> = halves.map(|half| scope.spawn(|| differing(&board, &cases, half))).collect();
        running.into_iter().flat_map(|half| half.join().expect("it ends with a list")).collect()
    });
    println!("equal in every byte: {} of {} cases", supported.len() - failures.len(), supported.len());
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
    assert!(supported.len() > 1000, "{} cases", supported.len());
}

/// What differs in `some` of the cases, run one after the other.
fn differing(board: &Board, cases: &Cases, some: &[&Case]) -> Vec<String> {
    let mut device = None;
    let mut failures = Vec::new();
    for case in some {
        let graph = int8_tflite(cases.model(case)).expect("the host has read it");
        let loaded = load(board, device.take(), &artifact(board, &graph));
        match loaded.and_then(|mut loaded| check(cases, case, &graph, &mut loaded).map(|()| loaded)) {
            Ok(loaded) => device = Some(loaded),
            Err(difference) => failures.push(format!("{}: {difference}", case.path)),
        }
    }
    failures
}

fn artifact(board: &Board, graph: &QuantizedGraph) -> Vec<u8> {
    let options = Options {
        isa: board.isa,
        name: "test",
        version: "0.0.0",
        labels: &[],
        graph_digest: [0; 32],
        dead_channels: DeadChannels::Drop,
        optimize: Optimize::Speed,
    };
    emit(graph, &options).expect("the host has lowered it").artifact
}

/// `device`, or a new one, with `artifact` in its slot.
fn load(board: &Board, device: Option<LinkDevice>, artifact: &[u8]) -> Result<LinkDevice, String> {
    let loaded = match device {
        Some(device) => device.with_model(artifact),
        None => {
            let runner = runners::find(board).expect("`cargo xtask runners` has built it");
            let emulator = Emulator::start(board, &runner, &[]).expect("it is installed");
            LinkDevice::open_and_write(Box::new(emulator), artifact, OpenOptions::default())
        }
    };
    loaded.map_err(|error| error.to_string())
}

fn check(cases: &Cases, case: &Case, graph: &QuantizedGraph, device: &mut LinkDevice) -> Result<(), String> {
    let samples = cases.inputs(case).into_iter().zip(cases.outputs(case));
    for (sample, (inputs, expected)) in samples.enumerate() {
        let inputs = case.inputs_of(graph, inputs);
        let inputs: Vec<&[u8]> = inputs.iter().map(|input| &input[..]).collect();
        let report = device.run(&inputs).map_err(|error| error.to_string())?;
        let outputs = case.outputs_of(graph, &report.outputs);
        if outputs != expected {
            return Err(format!("sample {sample} gives {outputs:?}, not {expected:?}"));
        }
    }
    Ok(())
}
