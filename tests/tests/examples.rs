//! The examples, compiled and run on an emulated Cortex-M4 as their readers do, and compared with the host.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use edgepkg_quantize::graph::QuantizedGraph;
use edgepkg_quantize::import;
use edgepkg_quantize::package::Package;
use edgepkg_quantize::pipeline::{self, Options};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use edgepkg_quantize::tensor_file;
use edgepkg_tests::firmware::{Programs, run};
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::tflm_ops;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/examples").join(path)
}

fn read(path: &str) -> Vec<u8> {
    fs::read(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compiles and runs an example; `None`, said aloud, where that is not possible here.
fn output_of(name: &str) -> Option<String> {
    let programs = Programs::examples();
    let built = programs.build(name)?;
    assert!(built.succeeded, "{}", built.messages);
    run(&programs.program(name))
}

/// The sine model as the host quantizes it.
fn sine() -> QuantizedGraph {
    let graph = import::tflite::read(&read("sine/model/sine.tflite")).unwrap().into_float().unwrap();
    let graph = simplify(graph);
    let calibration = tensor_file::read(&file("sine/model/calibration.npy")).unwrap();
    let array = Array { elements: calibration.to_f32(), shape: calibration.shape };
    let samples = Samples::new(&graph, vec![array]).unwrap();
    pipeline::quantize(graph, &samples, None, &Options::default(), &mut |_| {}).unwrap().graph
}

fn keywords() -> QuantizedGraph {
    Package::read(&file("keywords/model/keywords.edgepkg")).unwrap().graph
}

/// What the host answers to the recordings, a line each.
fn keyword_scores() -> Vec<Vec<i32>> {
    let mut host = HostSession::new(&keywords()).unwrap();
    let recordings = read("keywords/recordings.bin");
    let scores = recordings.chunks_exact(490).map(|recording| host.run(&[recording.to_vec()]).remove(0));
    scores.map(|scores| scores.into_iter().map(|score| i32::from(score as i8)).collect()).collect()
}

/// The whole numbers at the start of a line.
fn numbers(line: &str) -> Vec<i32> {
    line.split_whitespace().map_while(|word| word.parse().ok()).collect()
}

#[test]
fn the_sine_is_the_hosts() {
    let Some(said) = output_of("sine") else { return };
    println!("{said}");
    let mut host = HostSession::new(&sine()).unwrap();
    let points: Vec<Vec<i32>> = said.lines().map(numbers).collect();
    assert_eq!(points.len(), 32);
    for point in points {
        let [input, output] = point[..] else { panic!("{point:?}") };
        let expected = host.run(&[vec![input as u8]]).remove(0)[0];
        assert_eq!(output, i32::from(expected as i8), "of {input}");
    }
}

#[test]
fn words_and_their_scores_are_the_hosts() {
    let Some(said) = output_of("keywords") else { return };
    println!("{said}");
    let words: Vec<&str> = said.lines().step_by(2).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, ["right", "on", "no", "go"]);
    let scores: Vec<Vec<i32>> = said.lines().skip(1).step_by(2).map(numbers).collect();
    assert_eq!(scores, keyword_scores());
}

#[test]
fn two_models_share_an_arena_in_tasks() {
    let Some(said) = output_of("embassy") else { return };
    println!("{said}");
    let of = |word: &str| -> Vec<Vec<i32>> {
        said.lines().filter_map(|line| line.strip_prefix(word)).map(numbers).collect()
    };
    assert_eq!(of("keywords "), keyword_scores());
    let mut host = HostSession::new(&sine()).unwrap();
    let points = of("sine ");
    assert_eq!(points.len(), 8);
    for point in points {
        let expected = host.run(&[vec![point[0] as u8]]).remove(0)[0];
        assert_eq!(point[1], i32::from(expected as i8), "of {}", point[0]);
    }
    // In between the 13 operators of 4 runs, the third task has run.
    assert!(of("beats ")[0][0] >= 4 * 13, "{said}");
}

/// The seconds and the words of the log's line of a model.
fn log_line(log: &str, name: &str) -> (String, f64) {
    let line = log.lines().find_map(|line| line.strip_prefix(&format!("edgepkg: {name} for armv7em: ")));
    let (how, rest) = line.unwrap_or_else(|| panic!("{log}")).split_once(" in ").expect("a time");
    (how.to_owned(), rest.split(' ').next().unwrap().parse().expect("seconds"))
}

#[test]
fn an_unchanged_model_is_quantized_once() {
    let folder = tempfile::tempdir().unwrap();
    let caches = ["first", "second"].map(|name| folder.path().join(name));
    let build = |cache: &Path| {
        // Another folder of kept artifacts is a reason for cargo to run the script again.
        let programs = Programs::examples().environment("EDGEPKG_CACHE", cache);
        let built = programs.build("sine")?;
        assert!(built.succeeded, "{}", built.messages);
        Some((log_line(&programs.script_log("sine"), "sine"), built.messages))
    };
    let Some(((how, made_seconds), _)) = build(&caches[0]) else { return };
    assert_eq!(how, "made");
    // Nothing has changed, and cargo runs no script.
    let (_, messages) = build(&caches[0]).expect("it was built before");
    assert!(!messages.contains("Compiling"), "{messages}");
    // The script runs again, with what was kept.
    fs::create_dir(&caches[1]).unwrap();
    for kept in fs::read_dir(&caches[0]).unwrap().flatten() {
        fs::copy(kept.path(), caches[1].join(kept.file_name())).unwrap();
    }
    let ((how, taken_seconds), _) = build(&caches[1]).expect("it was built before");
    assert_eq!(how, "taken from an earlier build");
    println!("made in {made_seconds} s, taken in {taken_seconds} s");
}

/// A program of three models, each with a problem of its own.
#[test]
fn compile_errors_name_the_models_problem_and_the_way_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let board = include_str!("../../boards/qemu-cortex-m4.toml")
        .replace("name = \"qemu-cortex-m4\"", "name = \"my-board\"")
        .replace("length = \"512 KiB\"", "length = \"16 KiB\"")
        .replace("\"0x0008_0000\", length = \"3584 KiB\"", "\"0x0000_4000\", length = \"8 KiB\"")
        .replace("length = \"4 MiB\"", "length = \"16 KiB\"");
    // Dependencies and profiles of an example, so that what was compiled for that is not compiled again.
    let workspace = String::from_utf8(read("Cargo.toml")).unwrap();
    let (_, profiles) = workspace.split_once("[profile.dev]").unwrap();
    let manifest = format!(
        "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\ncortex-m = {{ version = \"0.7\", features = [\"critical-section-single-core\"] }}\n\
         cortex-m-rt = \"0.7\"\ncortex-m-semihosting = \"0.6\"\npanic-semihosting = \"0.7\"\n\
         edgepkg-runtime = {{ path = \"{root}/firmware/runtime\" }}\n\n\
         [build-dependencies]\nedgepkg-quantize = {{ path = \"{root}/quantize\", default-features = false }}\n\n\
         [profile.dev]{profiles}",
        root = root.display()
    );
    let script = "\
use edgepkg_quantize::build::Build;

fn main() {
    Build::of(\"model/absent.tflite\").generate();
    Build::of(\"model/unsupported.tflite\").generate();
    Build::of(\"model/keywords.edgepkg\").board(\"my-board.toml\").generate();
}
";
    fs::create_dir_all(folder.path().join("src")).unwrap();
    fs::create_dir(folder.path().join("model")).unwrap();
    let files: BTreeMap<&str, Vec<u8>> = BTreeMap::from([
        ("Cargo.toml", manifest.into_bytes()),
        ("Cargo.lock", read("Cargo.lock")),
        ("build.rs", script.into()),
        ("src/main.rs", "#![no_std]\n#![no_main]\n".into()),
        ("my-board.toml", board.into_bytes()),
        ("model/unsupported.tflite", tflm_ops::with_unsupported_operator()),
        ("model/keywords.edgepkg", read("keywords/model/keywords.edgepkg")),
    ]);
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let Some(built) = Programs::of(folder.path()).build("program") else { return };
    assert!(!built.succeeded);
    let said: Vec<&str> = built.messages.lines().skip_while(|line| !line.starts_with("error")).collect();
    insta::assert_snapshot!(said.join("\n"));
}
