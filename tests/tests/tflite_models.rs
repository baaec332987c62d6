//! Whole int8 TensorFlow Lite models: every output byte is TensorFlow Lite Micro's, and arenas are as
//! small as stated.

use std::fs;
use std::path::{Path, PathBuf};

use edgepkg_quantize::import::tflite;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::samples::integer_samples;
use edgepkg_tests::zoo;

fn session(folder: &Path) -> HostSession {
    let model = fs::read(folder.join("reference_int8.tflite")).expect("the folder holds an int8 model");
    let graph = tflite::read(&model).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    HostSession::new(&graph).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// Runs the model in `folder` on the inputs that TensorFlow Lite Micro was given.
fn assert_equal_to_tensorflow_lite_micro(folder: &Path, arena_limit_bytes: u32) {
    let mut session = session(folder);
    let memory = &session.emitted().memory;
    println!(
        "{}: arena {} bytes, of which {} are alive at once",
        folder.display(),
        memory.arena_bytes,
        memory.lower_bound_bytes
    );
    assert!(memory.arena_bytes <= arena_limit_bytes, "{} needs {memory:?}", folder.display());
    let samples = |name| integer_samples(&fs::read(folder.join("tflm").join(name)).expect("samples"));
    let inputs = samples("inputs_i8.npy");
    let expected = samples("outputs_i8.npy");
    assert_eq!(inputs.len(), expected.len());
    for (index, (input, expected)) in inputs.into_iter().zip(expected).enumerate() {
        assert_eq!(session.run(&[input]), [expected], "{}: sample {index}", folder.display());
    }
}

#[test]
fn keyword_spotting_equals_tensorflow_lite_micro() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws");
    assert_equal_to_tensorflow_lite_micro(&folder, 16 * 1024 + 512);
}

#[test]
fn mlperf_tiny_equals_tensorflow_lite_micro() {
    let Some(zoo) = zoo::folder() else { return };
    for (model, arena_limit_kib) in [("ic", 49), ("vww", 56), ("ad", 1)] {
        assert_equal_to_tensorflow_lite_micro(&zoo.join(model), arena_limit_kib * 1024);
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
        let mut session = session(folder);
        let memory = &session.emitted().memory;
        println!("{}: arena {} of {} bytes", folder.display(), memory.arena_bytes, memory.lower_bound_bytes);
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
