//! Whole int8 TensorFlow Lite models: every output byte is TensorFlow Lite Micro's, and arenas are as
//! small as stated.

use std::fs;
use std::path::PathBuf;

use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::int8_tflite;
use edgepkg_tests::models::{self, Int8Model};
use edgepkg_tests::samples::integer_samples;
use edgepkg_tests::zoo;

fn session(name: &str, tflite: &[u8]) -> HostSession {
    let graph = int8_tflite(tflite).unwrap_or_else(|error| panic!("{name}: {error}"));
    HostSession::new(&graph).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn assert_equal_to_tensorflow_lite_micro(model: &Int8Model, arena_limit_bytes: u32) {
    let mut session = session(&model.name, &model.tflite);
    let memory = &session.emitted().memory;
    println!("{}: arena {} of {} bytes", model.name, memory.arena_bytes, memory.lower_bound_bytes);
    assert!(memory.arena_bytes <= arena_limit_bytes, "{} needs {memory:?}", model.name);
    assert_eq!(model.inputs.len(), model.outputs.len());
    for (index, (input, expected)) in model.inputs.iter().zip(&model.outputs).enumerate() {
        let outputs = session.run(std::slice::from_ref(input));
        assert_eq!(outputs, std::slice::from_ref(expected), "{}: sample {index}", model.name);
    }
}

#[test]
fn keyword_spotting_equals_tensorflow_lite_micro() {
    assert_equal_to_tensorflow_lite_micro(&models::kws(), 10 * 1024);
}

#[test]
fn mlperf_tiny_equals_tensorflow_lite_micro() {
    if zoo::folder().is_none() {
        return;
    }
    for (name, arena_limit_kib) in [("ic", 35), ("vww", 40), ("ad", 1)] {
        let model = models::zoo(name).expect("the zoo has it");
        assert_equal_to_tensorflow_lite_micro(&model, arena_limit_kib * 1024);
    }
}

#[test]
fn every_int8_model_of_the_zoo_runs() {
    let Some(zoo) = zoo::folder() else { return };
    let mut folders: Vec<PathBuf> = fs::read_dir(&zoo)
        .expect("a folder of models")
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("reference_int8.tflite").exists())
        .collect();
    folders.sort();
    for folder in &folders {
        let tflite = fs::read(folder.join("reference_int8.tflite")).expect("the folder holds an int8 model");
        let mut session = session(&folder.to_string_lossy(), &tflite);
        session.run_filled(0);
        for case in 0.. {
            let sample = |port: &str| fs::read(folder.join(format!("io/case{case}_int8_{port}.npy")));
            let (Ok(input), Ok(expected)) = (sample("in0"), sample("out0")) else { break };
            let whole = |npy: &[u8]| integer_samples(npy).concat();
            assert_eq!(
                session.run(&[whole(&input)]),
                [whole(&expected)],
                "{}: case {case}",
                folder.display()
            );
        }
    }
}
