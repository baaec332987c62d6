//! Attention with masks: what is masked does not cost what is left its precision.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use support::Random;
use support::onnx_file::{OnnxFile, int};

const TOKENS: usize = 6;
const HEADS: usize = 2;
const SAMPLES: usize = 40;
/// What probabilities in int8 keep at least.
const LEAST_DECIBELS: f64 = 26.0;

/// Probabilities of scores and a mask of 1 for what counts, as exporters write them, with this for what does not.
fn padded(masked: f32) -> OnnxFile {
    let mut file = OnnxFile::new(17);
    file.input("scores", &[1, HEADS, TOKENS, TOKENS]);
    file.index_input("mask", &[1, TOKENS]);
    let axes = file.ints(&[1, 2]);
    let mask = file.node("Unsqueeze", &["mask", &axes], vec![]);
    let mask = file.node("Cast", &[&mask], vec![int("to", 1)]);
    let one = file.floats(&[], vec![1.0]);
    let mask = file.node("Sub", &[&one, &mask], vec![]);
    let masked = file.floats(&[], vec![masked]);
    let mask = file.node("Mul", &[&mask, &masked], vec![]);
    for _ in 0..2 {
        let sum = file.node("Add", &["scores", &mask], vec![]);
        let y = file.node("Softmax", &[&sum], vec![int("axis", -1)]);
        file.output(&y);
    }
    file
}

/// Probabilities of scores of a token and those before it.
fn causal(masked: f32) -> OnnxFile {
    let mut file = OnnxFile::new(17);
    file.input("scores", &[1, HEADS, TOKENS, TOKENS]);
    let value = |place: usize| if place % TOKENS > place / TOKENS { masked } else { 0.0 };
    let mask = file.floats(&[1, 1, TOKENS, TOKENS], (0..TOKENS * TOKENS).map(value).collect());
    let sum = file.node("Add", &["scores", &mask], vec![]);
    let y = file.node("Softmax", &[&sum], vec![int("axis", -1)]);
    file.output(&y);
    file
}

fn decibels(file: &OnnxFile, int16_layers: Int16Layers) -> f64 {
    let mut random = Random::new(5);
    let graph = simplify(support::read_onnx(&file.bytes()).expect("a model"));
    let scores = random.floats(SAMPLES * HEADS * TOKENS * TOKENS).iter().map(|value| 4.0 * value).collect();
    let mut arrays = vec![Array { shape: vec![SAMPLES, HEADS, TOKENS, TOKENS], elements: scores }];
    if graph.inputs.len() == 2 {
        let counts: Vec<usize> = (0..SAMPLES).map(|_| random.within(1..=TOKENS)).collect();
        let row = |&count: &usize| (0..TOKENS).map(move |token| f32::from(u8::from(token < count)));
        let elements = counts.iter().flat_map(row).collect();
        arrays.push(Array { shape: vec![SAMPLES, TOKENS], elements });
    }
    let samples = Samples::new(&graph, arrays).expect("they fit");
    let options = Options { int16_layers, ..Options::default() };
    let quantized = quantize(graph, &samples, None, &options, &mut |_| {}).expect("it can be quantized");
    quantized.report.sqnr_db.expect("there are outputs")
}

#[test]
fn masked_scores_leave_the_others_their_precision() {
    for masked in [-1e4, -1e9, f32::MIN] {
        for (name, file) in [("padded", padded(masked)), ("causal", causal(masked))] {
            let (int8, int16) = (decibels(&file, Int16Layers::None), decibels(&file, Int16Layers::All));
            println!("{name} with {masked:e}: {int8:.1} dB of int8, {int16:.1} dB of int16");
            assert!(
                int8 >= LEAST_DECIBELS && int16 >= int8,
                "{name} with {masked:e}: {int8:.1}, {int16:.1} dB"
            );
        }
    }
}
