//! Exported TensorFlow Lite files, read back: the same graphs and the same bytes.

use std::fs;
use std::path::PathBuf;

use edgepkg_quantize::export::tflite;
use edgepkg_quantize::graph::{Op, QuantizedGraph, Tensor as _};
use edgepkg_quantize::import;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::int8_tflite;
use edgepkg_tests::models;
use edgepkg_tests::random_graphs::{OPERATORS, Random, graph};
use edgepkg_tests::round_trip::as_kept_by_tflite;
use edgepkg_tests::tflm_ops::Cases;
use edgepkg_tests::zoo;

const GRAPHS_OF_AN_OPERATOR: u64 = 40;
const RANDOM_SAMPLES: usize = 4;

fn read(name: &str, bytes: &[u8]) -> QuantizedGraph {
    int8_tflite(bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn session(name: &str, graph: &QuantizedGraph) -> HostSession {
    HostSession::new(graph).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn there_and_back(name: &str, graph: &QuantizedGraph) -> QuantizedGraph {
    let file = tflite::write(graph, "").unwrap_or_else(|error| panic!("{name}: {error}"));
    read(name, &file)
}

/// Inputs of any bytes.
fn random_inputs(graph: &QuantizedGraph, random: &mut Random) -> Vec<Vec<u8>> {
    graph.inputs.iter().map(|&id| random.bytes(graph.tensor(id).len())).collect()
}

fn assert_same_bytes(name: &str, graph: &QuantizedGraph, back: &QuantizedGraph, samples: usize) {
    let (mut before, mut after) = (session(name, graph), session(name, back));
    let mut random = Random::new(1);
    for _ in 0..samples {
        let inputs = random_inputs(graph, &mut random);
        assert_eq!(before.run(&inputs), after.run(&inputs), "{name}");
    }
}

#[test]
fn every_int8_file_of_the_zoo_comes_back_as_the_same_graph() {
    let Some(zoo) = zoo::folder() else { return };
    let mut folders: Vec<PathBuf> = fs::read_dir(&zoo)
        .expect("a folder of models")
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("reference_int8.tflite").exists())
        .collect();
    folders.sort();
    for folder in &folders {
        let name = folder.file_name().expect("a name").to_string_lossy();
        let graph = read(&name, &fs::read(folder.join("reference_int8.tflite")).expect("it exists"));
        let back = there_and_back(&name, &graph);
        assert_eq!(back, as_kept_by_tflite(&graph), "{name}");
        assert_same_bytes(&name, &graph, &back, RANDOM_SAMPLES);
    }
    println!("{} models", folders.len());
}

#[test]
fn exported_models_give_tensorflow_lite_micros_bytes() {
    let in_zoo = ["ic", "vww", "ad"].into_iter().filter_map(models::zoo);
    for model in [models::kws()].into_iter().chain(in_zoo) {
        let back = there_and_back(&model.name, &read(&model.name, &model.tflite));
        let mut session = session(&model.name, &back);
        for (input, expected) in model.inputs.iter().zip(&model.outputs) {
            let outputs = session.run(std::slice::from_ref(input));
            assert_eq!(outputs, std::slice::from_ref(expected), "{}", model.name);
        }
    }
}

#[test]
fn every_single_operator_file_comes_back_as_the_same_graph() {
    let cases = Cases::load();
    let (mut same, mut refused) = (0, Vec::new());
    for case in &cases.cases {
        let Ok(imported) = import::tflite::read(cases.model(case)) else { continue };
        let Some(graph) = imported.into_quantized() else { continue };
        match tflite::write(&graph, "") {
            Ok(file) => {
                let back = read(&case.path, &file);
                assert_eq!(back, as_kept_by_tflite(&graph), "{}", case.path);
                same += 1;
            }
            // TensorFlow Lite's variables are read, and not written.
            Err(_) if graph.nodes.iter().any(|node| matches!(node.op, Op::Stateful(_))) => {}
            Err(error) => refused.push(format!("{}: {error}", case.path)),
        }
    }
    println!("{same} the same");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn every_operator_gives_the_same_bytes_after_the_way_there_and_back() {
    for operator in OPERATORS {
        let (mut same, mut refused) = (0, 0);
        for seed in 0..GRAPHS_OF_AN_OPERATOR {
            let name = format!("{operator} {seed}");
            let graph = graph(operator, seed);
            let before = HostSession::new(&graph);
            assert!(before.is_ok(), "{name}: {before:?}");
            match tflite::write(&graph, "") {
                Ok(file) => {
                    assert_same_bytes(&name, &graph, &read(&name, &file), RANDOM_SAMPLES);
                    same += 1;
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("neither as SAME nor as VALID"), "{name}: {error}");
                    refused += 1;
                }
            }
        }
        println!("{operator}: {same} the same, {refused} refused");
        assert!(refused == 0 || operator == "average_pool", "{operator}");
        assert!(same > 0, "{operator}");
    }
}

#[test]
fn constants_lie_where_tensorflow_lite_micro_reads_them_in_place() {
    let graph = read("kws", &models::kws().tflite);
    let file = tflite::write(&graph, "a description").expect("every operator is there");
    for tensor in &graph.tensors {
        let Some(data) = tensor.data.as_deref().filter(|data| data.len() >= 64) else { continue };
        let mut places = file.windows(data.len()).enumerate().filter(|(_, window)| *window == data);
        assert!(places.any(|(at, _)| at % 16 == 0), "{}", tensor.name);
    }
    assert!(file.windows(13).any(|window| window == b"a description"));
}
