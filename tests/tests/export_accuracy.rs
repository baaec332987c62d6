//! The zoo's models, quantized here and exported: TensorFlow Lite and ONNX Runtime answer as we do.
#![cfg(feature = "onnx")]

use std::sync::Arc;

use edgepkg_quantize::export::{onnx_qdq, tflite};
use edgepkg_quantize::graph::{Node, Quantization, QuantizedGraph, Rounding, TensorId};
use edgepkg_quantize::multiplier::quantize as quantized;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::Samples;
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::data_sets::data_set;
use edgepkg_tests::elsewhere::{Elsewhere, Tool};
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::{float_onnx, int8_onnx, int8_tflite};
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
/// The least share of values within a step of those of the tool that rounds alike. ONNX Runtime sums means in
/// float32: at a half they go either way.
const LEAST_SHARE_WITHIN_A_STEP: [(Tool, f64); 2] = [(Tool::Tflite, 0.99), (Tool::OnnxRuntime, 0.95)];
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

/// An input's shape, and its bytes where it is constant.
type Input = (Vec<usize>, Option<Arc<[u8]>>);

/// A layer without names.
#[derive(PartialEq)]
struct Layer {
    operator: &'static str,
    /// Shapes of what it reads, and the values of constants.
    inputs: Vec<Input>,
    output_shape: Vec<usize>,
    output: Quantization,
}

fn layers(graph: &QuantizedGraph) -> Vec<Layer> {
    let input = |&id: &TensorId| {
        let tensor = graph.tensor(id);
        (tensor.shape.clone(), tensor.data.clone())
    };
    let layer = |node: &Node| {
        let output = graph.tensor(node.output());
        Layer {
            operator: node.op.name(),
            inputs: node.inputs.iter().map(input).collect(),
            output_shape: output.shape.clone(),
            output: output.quantization.clone(),
        }
    };
    graph.nodes.iter().map(layer).collect()
}

fn assert_same_layers(model: &str, found: &QuantizedGraph, expected: &QuantizedGraph) {
    let (found, expected) = (layers(found), layers(expected));
    let names = |layers: &[Layer]| layers.iter().map(|layer| layer.operator).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{model}");
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(found == expected, "{model}: layer {index}, {}", expected.operator);
    }
}

/// The exported file of the tool that rounds as the graph does, read back, gives the same bytes.
fn assert_read_back(model: &str, graph: &QuantizedGraph, samples: &[Vec<Vec<u8>>]) {
    let back = match graph.rounding {
        Rounding::Twice => int8_tflite(&tflite::write(graph, "").expect("every operator is there")),
        Rounding::Once => int8_onnx(&onnx_qdq::write(graph, "").expect("every operator is there")),
    };
    let back = back.expect("what was written is read");
    assert_eq!(back.rounding, graph.rounding, "{model}");
    assert_same_layers(model, &back, graph);
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
        for rounding in Rounding::ALL {
            let options = Options { rounding, ..Options::default() };
            let own = quantize(float.clone(), &data.calibration, None, &options, &mut |_| {});
            let graph = own.expect("the model is quantized").graph;
            let samples = as_int8(&graph, &data.test);
            assert_read_back(model, &graph, &samples);
            let refusals = elsewhere.add(&format!("{model} {}", rounding.name()), &graph, &samples);
            assert!(refusals.is_empty(), "{model}: {refusals:?}");
        }
    }
    let Some(all) = elsewhere.run() else { return };
    for answers in &all {
        let pairs = answers.ours.iter().zip(&answers.theirs);
        let agreeing = pairs.filter(|(ours, theirs)| top_1(ours) == top_1(theirs)).count();
        let (name, tool, samples) = (&answers.name, answers.tool, answers.ours.len());
        println!("{name:<22} {tool:?}: {agreeing} of {samples} agree; {}", answers.steps);
    }
    for answers in &all {
        let pairs = answers.ours.iter().zip(&answers.theirs);
        let agreeing = pairs.filter(|(ours, theirs)| top_1(ours) == top_1(theirs)).count();
        let (model, rounding) = answers.name.split_once(' ').expect("the name has both");
        let rounds_alike = (answers.tool == Tool::Tflite) == (rounding == Rounding::Twice.name());
        let all = answers.ours.len();
        let least = if rounds_alike { all } else { (all as f64 * 0.98) as usize };
        assert!(agreeing >= least, "{} in {:?}", answers.name, answers.tool);
        if rounds_alike {
            let share = answers.steps.share_within(1);
            let least = LEAST_SHARE_WITHIN_A_STEP.iter().find(|(tool, _)| *tool == answers.tool);
            let is_enough = least.is_none_or(|(_, least)| share >= *least);
            assert!(is_enough, "{}: {}", answers.name, answers.steps);
            let is_regression = REGRESSIONS.contains(&model);
            assert!(!is_regression || answers.steps.largest() <= 1, "{}: {}", answers.name, answers.steps);
        }
    }
}
