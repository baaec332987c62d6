//! Workers that misbehave: whatever they do, the program that waits for them gets an error, in time.

#![cfg(all(unix, feature = "onnx"))]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use edgepkg::import_worker::{Limits, Worker, WorkerError};
use edgepkg::model::{Importer, ModelError, import};
use edgepkg_quantize::import::ImportOptions;
use edgepkg_tests::onnx_file::{Constant, single};

const PROGRAM: &str = env!("CARGO_BIN_EXE_edgepkg-under-test");
const UNVALIDATED: &str = env!("CARGO_BIN_EXE_unvalidated-worker");

fn kws() -> (Vec<u8>, std::path::PathBuf) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws/model.onnx");
    (fs::read(&path).expect("the repository has it"), path)
}

/// What comes of a worker that is this shell script.
fn error_of(script: &str) -> WorkerError {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("worker");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("the folder is ours");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
    let importer = Importer::Worker(Worker { program, limits: Limits { memory_mib: 1024, seconds: 2 } });
    let (bytes, path) = kws();
    let started = Instant::now();
    let error = import(&bytes, &path, &ImportOptions::default(), &importer).expect_err("it gives no model");
    assert!(started.elapsed() < Duration::from_secs(10), "{error}");
    match error {
        ModelError::Worker { source, .. } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn a_worker_that_never_answers_is_ended() {
    for script in ["exec sleep 60", "cat > /dev/null; exec sleep 60", "exec >&-; exec sleep 60"] {
        assert!(matches!(error_of(script), WorkerError::Time { limit_seconds: 2 }), "{script}");
    }
}

#[test]
fn a_worker_that_dies_is_told_of() {
    for (script, status) in
        [("kill -9 $$", "signal: 9"), ("kill -6 $$", "signal: 6"), ("exit 3", "exit status: 3")]
    {
        match error_of(script) {
            WorkerError::Died { status: found, .. } => assert!(found.contains(status), "{found}"),
            other => panic!("{other}"),
        }
    }
    let script = "echo memory allocation of 9 bytes failed >&2; kill -6 $$";
    assert!(matches!(error_of(script), WorkerError::Memory { limit_mib: 1024 }));
}

#[test]
fn an_answer_that_is_none_is_refused() {
    for script in [
        "true",
        "cat > /dev/null; echo hello",
        "printf '\\377\\377\\377\\377'",
        "head -c 100000 /dev/urandom",
    ] {
        assert!(matches!(error_of(script), WorkerError::Answer(_)), "{script}");
    }
}

#[test]
fn a_program_that_is_none_is_named() {
    let program = "/no/such/program".into();
    let importer = Importer::Worker(Worker { program, limits: Limits::default() });
    let (bytes, path) = kws();
    let error =
        import(&bytes, &path, &ImportOptions::default(), &importer).expect_err("it cannot be started");
    assert!(matches!(error, ModelError::Worker { source: WorkerError::Start { .. }, .. }), "{error}");
}

#[test]
fn a_worker_gives_what_this_process_gives() {
    let worker = Importer::Worker(Worker { program: PROGRAM.into(), limits: Limits::default() });
    let (bytes, path) = kws();
    let options = ImportOptions::default();
    let [mut here, mut there] =
        [Importer::InProcess, worker].map(|importer| import(&bytes, &path, &options, &importer));
    assert_eq!(here.as_mut().expect("a model file"), there.as_mut().expect("a model file"));
    let cut = &bytes[..20_000];
    let worker = Importer::Worker(Worker { program: PROGRAM.into(), limits: Limits::default() });
    let [here, there] = [Importer::InProcess, worker]
        .map(|importer| import(cut, &path, &options, &importer).expect_err("it is cut").to_string());
    assert_eq!(here, there);
}

/// What made the library behind the importer panic, take all memory, or never end.
#[test]
fn files_made_to_harm_are_refused() {
    let kernel = || vec![Constant::zeros(&[3, 2, 3, 3])];
    let text = || Constant { data_type: 8, dims: vec![3, 2, 3, 3], raw_data: vec![b'a'; 7] };
    let conv = |attributes: &[(&str, &[i64])]| single("Conv", true, &kernel(), attributes, "y");
    let transpose = |perm: &[i64]| single("Transpose", true, &[], &[("perm", perm)], "y");
    let huge = || Constant::ints(&[1 << 20, 1 << 17]);
    let files = [
        ("string raw_data", single("Conv", true, &[text()], &[], "y"), "type string"),
        ("stride 0", conv(&[("strides", &[0, 1])]), "`strides` of 0"),
        ("short pads", conv(&[("pads", &[1, 1])]), "4 values are needed"),
        ("missing graph output", single("Relu", true, &[], &[], "nowhere"), "no node writes its output"),
        ("flatten axis -99", single("Flatten", true, &[], &[("axis", &[-99])], "y"), "`axis` of -99"),
        ("zero kernel", single("Conv", true, &[Constant::zeros(&[3, 2, 0, 3])], &[], "y"), "[3, 2, 0, 3]"),
        ("negative pad", conv(&[("pads", &[-1, 0, 0, 0])]), "`pads` of -1"),
        ("perm out of range", transpose(&[0, 1, 2, 5]), "`perm` [0, 1, 2, 5]"),
        ("perm of one axis", transpose(&[0, 0, 0, 0]), "`perm` [0, 0, 0, 0]"),
        ("512 GiB", single("ConstantOfShape", false, &[huge()], &[], "y"), "makes a tensor of shape"),
        (
            "128 GiB",
            single("Expand", false, &[Constant::zeros(&[1, 1]), huge()], &[], "y"),
            "makes a tensor of shape",
        ),
        ("conv pads 2^40", conv(&[("pads", &[1 << 40; 4])]), "`pads` of 1099511627776"),
    ];
    for (what, file, part) in files {
        let limits = Limits { memory_mib: 128, seconds: 10 };
        let importer = Importer::Worker(Worker { program: PROGRAM.into(), limits });
        let started = Instant::now();
        let found = import(&file, Path::new("harmful.onnx"), &ImportOptions::default(), &importer);
        let error = found.expect_err(what);
        assert!(started.elapsed() < Duration::from_secs(5), "{what}");
        let ModelError::Import { source, .. } = &error else { panic!("{what}: {error:?}") };
        assert!(source.to_string().contains(part), "{what}: {source}");
    }
}

/// What the importer refuses, given to the library behind it as it is: all memory, or all time.
#[cfg(target_os = "linux")]
#[test]
fn limits_hold_where_nothing_validates() {
    let error_of = |file: &[u8], limits: Limits| {
        let importer = Importer::Worker(Worker { program: UNVALIDATED.into(), limits });
        let found = import(file, Path::new("harmful.onnx"), &ImportOptions::default(), &importer);
        match found.expect_err("it gives no model") {
            ModelError::Worker { source, .. } => source,
            other => panic!("{other}"),
        }
    };
    // Without a limit this one took 8 GB.
    let transpose = single("Transpose", true, &[], &[("perm", &[0, 0, 0, 0])], "y");
    let memory = error_of(&transpose, Limits { memory_mib: 128, seconds: 60 });
    assert!(matches!(memory, WorkerError::Memory { limit_mib: 128 }), "{memory}");
    let kernel = [Constant::zeros(&[3, 2, 3, 3])];
    let conv = single("Conv", true, &kernel, &[("pads", &[1 << 40; 4])], "y");
    let time = error_of(&conv, Limits { memory_mib: 128, seconds: 2 });
    // The system's own limit, of the processor's time, may be met first.
    let is_time = matches!(time, WorkerError::Time { limit_seconds: 2 });
    assert!(is_time || time.to_string().contains("SIGXCPU"), "{time}");
}
