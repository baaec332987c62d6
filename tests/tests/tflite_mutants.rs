//! Damaged TensorFlow Lite files: an error or a model that runs, never a panic.

use edgepkg_quantize::graph::Tensor;
use edgepkg_quantize::import::{ImportedGraph, tflite};
use edgepkg_quantize::interpret::Interpreter;
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::int8_tflite;
use edgepkg_tests::tflite_reference::References;
use edgepkg_tests::tflm_ops::{Case, Cases};

const MUTANTS: usize = 2000;
/// Elements of a damaged model's largest tensor, past which it is not run: that its shape is possible is
/// not that it is small.
const MOST_ELEMENTS: usize = 1 << 20;

/// Marsaglia's xorshift: the same mutants on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn damage(model: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = model.to_vec();
    if random.below(8) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    for _ in 0..1 + random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        bytes[at] = match random.below(4) {
            0 => 0,
            1 => 0xff,
            2 => bytes[at].wrapping_add(1),
            _ => random.below(256) as u8,
        };
    }
    bytes
}

#[test]
fn damaged_files_give_an_error_or_a_model_that_runs() {
    let cases = Cases::load();
    let readable = |case: &&Case| int8_tflite(cases.model(case)).is_ok();
    let small = cases.cases.iter().filter(|case| cases.model(case).len() < 4096);
    let small: Vec<&Case> = small.filter(readable).collect();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let (mut unreadable, mut refused, mut ran) = (0, 0, 0);
    for _ in 0..MUTANTS {
        let case = small[random.below(small.len())];
        let mutant = damage(cases.model(case), &mut random);
        let graph = match tflite::read(&mutant).map(|imported| imported.graph) {
            Ok(ImportedGraph::Quantized(graph)) => graph,
            Ok(ImportedGraph::Float(_)) | Err(_) => {
                unreadable += 1;
                continue;
            }
        };
        match HostSession::new(&graph) {
            Ok(mut session) => {
                session.run_filled(0x5a);
                ran += 1;
            }
            Err(_) => refused += 1,
        }
    }
    println!("{unreadable} unreadable, {refused} refused, {ran} ran");
    assert!(unreadable > 100 && ran > 100, "mutants of every kind");
}

#[test]
fn damaged_float_files_give_an_error_or_a_model_that_runs() {
    let references = References::load();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut unreadable, mut ran) = (0, 0);
    for index in 0..MUTANTS {
        let made = &references.index.float[index % references.index.float.len()];
        let mutant = damage(references.model(&made.name), &mut random);
        let Ok(ImportedGraph::Float(graph)) = tflite::read(&mutant).map(|imported| imported.graph) else {
            unreadable += 1;
            continue;
        };
        let graph = simplify(graph);
        if graph.tensors.iter().all(|tensor| tensor.len() <= MOST_ELEMENTS) {
            let input = |&id| vec![0.5; graph.tensor(id).len()];
            let inputs: Vec<Vec<f32>> = graph.inputs.iter().map(input).collect();
            let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
            Interpreter::new(&graph).run(&inputs, |_, _| ());
            ran += 1;
        }
    }
    println!("{unreadable} unreadable, {ran} ran");
    assert!(unreadable > 100 && ran > 100, "mutants of every kind");
}

#[test]
fn damaged_metadata_is_left_out() {
    let references = References::load();
    let model = references.model("labels_deflated");
    let mut random = Random(0x1234_5678_9abc_def1);
    let (mut whole, mut left_out) = (0, 0);
    for index in 0..MUTANTS {
        // The archive and the flatbuffer before it, or anything.
        let start = if index % 2 == 0 { model.len() - 512 } else { 0 };
        let mutant = [&model[..start], &damage(&model[start..], &mut random)].concat();
        let Ok(imported) = tflite::read(&mutant) else { continue };
        match imported.metadata.labels.iter().any(|labels| !labels.is_empty()) {
            true => whole += 1,
            false => left_out += 1,
        }
    }
    println!("{whole} whole, {left_out} left out");
    assert!(whole > 100 && left_out > 100, "mutants of every kind");
}
