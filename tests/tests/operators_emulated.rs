//! Operators that no case of TensorFlow Lite Micro has, on an emulated Cortex-M4: every byte is the host's, run after run.

use edgepkg::device::{self, OpenOptions};
use edgepkg_boards::Board;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit::{Options, emit};
use edgepkg_quantize::graph::QuantizedGraph;
use edgepkg_quantize::import::tflite;
use edgepkg_quantize::optimize::Optimize;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::tflite_file::{FileGraph, FileOperator, FileTensor, code, file, kind};

const RUNS: usize = 8;

fn int8(name: &'static str, shape: &[i32], scale: f32) -> FileTensor {
    FileTensor::new(name, kind::INT8, shape).scaled(&[scale], 3)
}

fn read(
    tensors: Vec<FileTensor>,
    operator: FileOperator,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
) -> QuantizedGraph {
    let graph = FileGraph { name: "single", tensors, inputs, outputs, operators: vec![operator] };
    tflite::read(&file(&[graph])).expect("a model file").into_quantized().expect("an int8 model")
}

fn check(graph: &QuantizedGraph) {
    let board = Board::find("qemu-cortex-m4").expect("a shipped board");
    let options = Options {
        isa: board.isa,
        name: "single",
        version: "0.1.0",
        labels: &[],
        graph_digest: [0; 32],
        dead_channels: DeadChannels::Keep,
        optimize: Optimize::Speed,
    };
    let artifact = emit(graph, &options).expect("it can be lowered").artifact;
    let mut device = device::open(&board, &artifact, OpenOptions::default())
        .unwrap_or_else(|error| panic!("{error} {}", error.hint().unwrap_or_default()));
    let mut host = HostSession::new(graph).expect("it can be run");
    for run in 0..RUNS {
        let bytes = |input: usize| -> Vec<u8> {
            let count: usize = graph.tensor(graph.inputs[input]).shape.iter().product();
            // Few values, so that some are equal, and all signs.
            (0..count).map(|at| ((at * 37 + run * 91 + input * 17) % 23 * 11) as u8).collect()
        };
        let inputs: Vec<Vec<u8>> = (0..graph.inputs.len()).map(bytes).collect();
        let given: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let found = device.run(&given).expect("the board runs the model").outputs;
        assert_eq!(found, host.run(&inputs), "run {run}");
    }
}

#[test]
fn quotients() {
    let tensors = vec![int8("a", &[4, 30], 0.03), int8("b", &[1, 30], 0.07), int8("y", &[4, 30], 0.05)];
    check(&read(tensors, FileOperator::new(code::DIV, &[0, 1], 2), vec![0, 1], vec![2]));
}

#[test]
fn the_greatest_elements() {
    let tensors = vec![
        int8("x", &[5, 40], 0.1),
        FileTensor::new("count", kind::INT32, &[]).holding(&7i32.to_le_bytes()),
        int8("values", &[5, 7], 0.1),
        FileTensor::new("indices", kind::INT32, &[5, 7]),
    ];
    let operator = FileOperator::new(code::TOPK_V2, &[0, 1], 2).and_output(3);
    check(&read(tensors, operator, vec![0], vec![2, 3]));
}

#[test]
fn what_a_circular_buffer_keeps() {
    let tensors = vec![int8("x", &[1, 1, 3, 4], 0.1), int8("y", &[1, 5, 3, 4], 0.1).variable()];
    check(&read(tensors, FileOperator::custom("CIRCULAR_BUFFER", &[], &[0], 1), vec![0], vec![1]));
}
