//! The zoo's models, quantized here and exported: TensorFlow Lite and ONNX Runtime answer as we do.
#![cfg(feature = "onnx")]

use edgepkg_quantize::export::tflite;
use edgepkg_quantize::graph::QuantizedGraph;
use edgepkg_quantize::multiplier::quantize as quantized;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::Samples;
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::data_sets::data_set;
use edgepkg_tests::elsewhere::{Elsewhere, Tool};
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::{float_onnx, int8_tflite};
use edgepkg_tests::zoo;

const MODELS: [&str; 14] = [
    "kws",
    "ic",
    "vww",
    "ad",
    "kws_alibaba",
    "mnist_cntk",
    "hello_world_sine",
    "digits_cnn",
    "digits_dsres",
    "digits_mlp",
    "sww",
    "mnist_emlearn",
    "magic_wand",
    "micro_speech",
];
/// Those whose answers are numbers, not classes.
const REGRESSIONS: [&str; 2] = ["ad", "hello_world_sine"];
/// The least share of values within a step of TensorFlow Lite's.
const LEAST_SHARE_WITHIN_A_STEP: f64 = 0.99;
/// Samples of a model that are compared at most.
const MOST_SAMPLES: usize = 200;

/// `[sample][input]`, as the model stores them.
fn as_int8(graph: &QuantizedGraph, samples: &Samples) -> Vec<Vec<Vec<u8>>> {
    let input = |(real, &id): (&[f32], _)| {
        let quantization = &graph.tensor(id).quantization;
        real.iter().map(|&real| quantized(real, quantization).clamp(-128, 127) as i8 as u8).collect()
    };
    let sample = |sample: Vec<&[f32]>| sample.into_iter().zip(&graph.inputs).map(input).collect();
    samples.iter().take(MOST_SAMPLES).map(sample).collect()
}

fn top_1(values: &[i8]) -> usize {
    // The first of the greatest.
    (0..values.len()).rev().max_by_key(|&index| values[index]).unwrap_or(0)
}

/// The exported TensorFlow Lite file, read back, gives the same bytes.
fn assert_read_back(model: &str, graph: &QuantizedGraph, samples: &[Vec<Vec<u8>>]) {
    let file = tflite::write(graph, "").expect("every operator is there");
    let back = int8_tflite(&file).expect("what was written is read");
    let session = |graph| HostSession::new(graph).expect("the model runs");
    let (mut before, mut after) = (session(graph), session(&back));
    for inputs in samples {
        assert_eq!(before.run(inputs), after.run(inputs), "{model}");
    }
}

#[test]
fn exported_models_answer_as_ours() {
    let Some(zoo) = zoo::folder() else { return };
    let mut elsewhere = Elsewhere::new();
    for model in MODELS {
        let bytes = std::fs::read(zoo.join(model).join("model.onnx")).expect("the zoo holds the model");
        let float = simplify(float_onnx(&bytes).expect("the model is read"));
        let data = data_set(&zoo, model, &float);
        let own = quantize(float, &data.calibration, None, &Options::default(), &mut |_| {});
        let graph = own.expect("the model is quantized").graph;
        let samples = as_int8(&graph, &data.test);
        assert_read_back(model, &graph, &samples);
        let refusals = elsewhere.add(model, &graph, &samples);
        assert!(refusals.is_empty(), "{model}: {refusals:?}");
    }
    let Some(all) = elsewhere.run() else { return };
    for answers in &all {
        let pairs = answers.ours.iter().zip(&answers.theirs);
        let agreeing = pairs.filter(|(ours, theirs)| top_1(ours) == top_1(theirs)).count();
        let (name, tool, samples) = (&answers.name, answers.tool, answers.ours.len());
        println!("{name:<14} {tool:?}: {agreeing} of {samples} agree; {}", answers.steps);
    }
    for answers in &all {
        let pairs = answers.ours.iter().zip(&answers.theirs);
        let agreeing = pairs.filter(|(ours, theirs)| top_1(ours) == top_1(theirs)).count();
        let least = match answers.tool {
            Tool::Tflite => answers.ours.len(),
            Tool::OnnxRuntime => (answers.ours.len() as f64 * 0.98) as usize,
        };
        assert!(agreeing >= least, "{} in {:?}", answers.name, answers.tool);
        if answers.tool == Tool::Tflite {
            let share = answers.steps.share_within(1);
            assert!(share >= LEAST_SHARE_WITHIN_A_STEP, "{}: {}", answers.name, answers.steps);
            let is_regression = REGRESSIONS.contains(&&*answers.name);
            assert!(!is_regression || answers.steps.largest() <= 1, "{}: {}", answers.name, answers.steps);
        }
    }
}
