//! Model files that are damaged, or made to harm: an error or a model, in time, without a panic.
//!
//! `EDGEPKG_MUTANTS` says how many are tried; `MUTANTS.md` has the figures of 20,000 and more.

#![cfg(feature = "onnx")]

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use edgepkg::import_worker::{Limits, Worker};
use edgepkg::model::{Importer, ModelError, import};
use edgepkg_quantize::import::{ImportOptions, Imported, ImportedGraph};
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::mutants::{Damage, Random};
use edgepkg_tests::onnx_file::{Dim, chain};
use edgepkg_tests::tflm_ops::Cases;

const PROGRAM: &str = env!("CARGO_BIN_EXE_edgepkg-under-test");
/// How many are tried where nobody says.
const MUTANTS: usize = 1800;
/// One of so many is also read by a worker.
const WORKER_SHARE: usize = 50;
/// What one may take.
const LONGEST: Duration = Duration::from_secs(5);
const WORKER_MEMORY_MIB: u64 = 256;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// What became of the mutants of one kind.
#[derive(Default)]
struct Tally {
    mutants: usize,
    models: usize,
    errors: usize,
    panics: usize,
    longest: Duration,
    by_worker: usize,
    longest_worker: Duration,
}

fn worker() -> Importer {
    let limits = Limits { memory_mib: WORKER_MEMORY_MIB, seconds: LONGEST.as_secs() };
    Importer::Worker(Worker { program: PROGRAM.into(), limits })
}

fn read(bytes: &[u8], path: &Path, importer: &Importer) -> Result<Imported, ModelError> {
    import(bytes, path, &ImportOptions::default(), importer)
}

impl Tally {
    fn try_one(&mut self, bytes: &[u8], path: &Path) {
        self.mutants += 1;
        let (started, panics) = (Instant::now(), PANICS.load(Ordering::Relaxed));
        let found = catch_unwind(AssertUnwindSafe(|| {
            let found = read(bytes, path, &Importer::InProcess);
            if let Ok(Imported { graph: ImportedGraph::Float(graph), .. }) = &found {
                let _ = simplify(graph.clone());
            }
            found
        }));
        let took = started.elapsed();
        self.longest = self.longest.max(took);
        self.panics += PANICS.load(Ordering::Relaxed) - panics;
        match &found {
            Ok(Ok(_)) => self.models += 1,
            _ => self.errors += 1,
        }
        if let (Ok(here), 0) = (found, self.mutants % WORKER_SHARE) {
            let started = Instant::now();
            let there = read(bytes, path, &worker());
            self.by_worker += 1;
            self.longest_worker = self.longest_worker.max(started.elapsed());
            let words = |error: ModelError| format!("{error:?}");
            // Floats that are no numbers are equal to nothing, in their words they are.
            let words =
                |found: Result<Imported, _>| found.map(|imported| format!("{imported:?}")).map_err(words);
            assert_eq!(words(here), words(there));
        }
    }

    fn row(&self, table: &mut String, name: &str) {
        let Self { mutants, models, errors, panics, by_worker, .. } = self;
        let (longest, longest_worker) = (self.longest.as_millis(), self.longest_worker.as_millis());
        writeln!(table, "| {name} | {mutants} | {errors} | {models} | {panics} | {longest} | {by_worker} | {longest_worker} |")
            .expect("memory");
    }
}

/// The most memory that this process has had, in MiB; `None` where the system does not say.
fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? >> 10)
}

#[test]
fn mutants_are_read_or_refused() {
    std::panic::set_hook(Box::new(|_| {
        PANICS.fetch_add(1, Ordering::Relaxed);
    }));
    let count = std::env::var("EDGEPKG_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(MUTANTS);
    let kws = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws");
    let data = |file: &str| std::fs::read(kws.join(file)).expect("the repository has it");
    let cases = Cases::load();
    let mut tflite: Vec<Vec<u8>> = cases
        .cases
        .iter()
        .map(|case| cases.model(case).to_vec())
        .filter(|model| model.len() < 4096)
        .collect();
    tflite.push(data("reference_int8.tflite"));
    let dims = || [Dim::Fixed(1), Dim::Fixed(2), Dim::Fixed(6), Dim::Fixed(6)];
    let onnx = [data("model.onnx"), chain(&["Relu", "GlobalAveragePool", "Flatten", "Softmax"], &dims())];
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut table = String::from(
        "| files | mutants | errors | models | panics | longest, ms | by a worker too | longest, ms |\n",
    );
    table.push_str("|---|---:|---:|---:|---:|---:|---:|---:|\n");
    let mut panics = 0;
    for damage in Damage::ALL {
        let (mut from_onnx, mut from_tflite) = (Tally::default(), Tally::default());
        for _ in 0..count / (2 * Damage::ALL.len()) {
            let model = &onnx[random.below(onnx.len())];
            from_onnx.try_one(&damage.of_onnx(model, &mut random), &PathBuf::from("mutant.onnx"));
            let model = &tflite[random.below(tflite.len())];
            from_tflite.try_one(&damage.of_tflite(model, &mut random), &PathBuf::from("mutant.tflite"));
        }
        for (format, tally) in [("ONNX", from_onnx), ("TensorFlow Lite", from_tflite)] {
            tally.row(&mut table, &format!("{format}, {}", format!("{damage:?}").to_lowercase()));
            assert!(tally.longest < LONGEST, "{table}");
            panics += tally.panics;
        }
    }
    println!("{table}");
    if let Some(peak) = peak_memory_mib() {
        println!("most memory of this process: {peak} MiB; workers were limited to {WORKER_MEMORY_MIB} MiB");
    }
    assert_eq!(panics, 0);
}
