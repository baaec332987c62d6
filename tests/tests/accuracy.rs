//! The zoo's float models, quantized as a user gets them by default: what is left of their answers, and of
//! their signal beside that of the reference int8 files.
#![cfg(feature = "onnx")]

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::score::{Answers, score};
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::data_sets::data_set;
use edgepkg_tests::import::{float_onnx, int8_tflite};
use edgepkg_tests::zoo;

/// Share of the labelled samples that may be answered worse.
const MOST_LOST_SHARE: f64 = 0.007;
/// Sets smaller than this may lose one sample.
const SMALL_SET: usize = 150;
/// Share of the samples on which float and int8 must agree where there are no labels.
const LEAST_AGREEMENT: f64 = 0.97;
/// By how much the worst output may be below the reference file's, in dB.
const MOST_BELOW_REFERENCE_DB: f64 = 1.0;

/// Whether unlabelled answers are compared: only a classifier has any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Classification,
    Regression,
}

fn check(model: &str, task: Task) {
    let Some(zoo) = zoo::folder() else { return };
    for file in ["model.onnx", "model_simplified.onnx"] {
        let bytes = std::fs::read(zoo.join(model).join(file)).expect("the zoo holds the model");
        let graph = simplify(float_onnx(&bytes).expect("the model is read"));
        let data = data_set(&zoo, model, &graph);
        let quantized = quantize(graph.clone(), &data.calibration, None, &Options::default(), &mut |_| {})
            .expect("the model is quantized");
        let own = score(&graph, &quantized.graph, None, &data.test, &data.labels, |_, _| {})
            .expect("the quantized model runs");
        let reference = std::fs::read(zoo.join(model).join("reference_int8.tflite")).ok().map(|bytes| {
            let reference = int8_tflite(&bytes).expect("the reference is read");
            score(&graph, &reference, None, &data.test, &data.labels, |_, _| {}).expect("the reference runs")
        });
        let decibels = own.worst_output_decibels();
        let Answers { samples, agreeing, labelled, float_correct, int8_correct } = own.answers;
        let beside = reference.as_ref().map_or(String::new(), |reference| {
            let answers = reference.answers;
            format!(
                "; reference {:.2} dB, int8 {} agree {}",
                reference.worst_output_decibels(),
                answers.int8_correct,
                answers.agreeing
            )
        });
        println!(
            "{model}/{file}: {decibels:.2} dB, of {labelled} float {float_correct} int8 {int8_correct}, \
             of {samples} agree {agreeing}{beside}"
        );
        if labelled > 0 {
            let most_lost =
                if labelled < SMALL_SET { 1 } else { (labelled as f64 * MOST_LOST_SHARE) as usize };
            assert!(int8_correct + most_lost >= float_correct, "{model}/{file}: {:?}", own.answers);
        } else if task == Task::Classification {
            let least = samples as f64 * LEAST_AGREEMENT;
            assert!(agreeing as f64 >= least, "{model}/{file}: {:?}", own.answers);
        }
        if let Some(reference) = reference {
            let reference = reference.worst_output_decibels();
            assert!(
                decibels >= reference - MOST_BELOW_REFERENCE_DB,
                "{model}/{file}: {decibels:.2} dB, the reference has {reference:.2} dB"
            );
        }
    }
}

/// What int16 activations give the worst output beyond int8's at least, in dB, with weights of int8 in both.
const LEAST_GAIN_OF_INT16_DB: f64 = 12.0;

#[test]
fn ad_in_int16() {
    let Some(zoo) = zoo::folder() else { return };
    let bytes = std::fs::read(zoo.join("ad/model.onnx")).expect("the zoo holds the model");
    let graph = simplify(float_onnx(&bytes).expect("the model is read"));
    let data = data_set(&zoo, "ad", &graph);
    let decibels = |int16_layers| {
        let options = Options { int16_layers, ..Options::default() };
        let quantized = quantize(graph.clone(), &data.calibration, None, &options, &mut |_| {})
            .expect("the model is quantized");
        let score = score(&graph, &quantized.graph, None, &data.test, &data.labels, |_, _| {});
        score.expect("the quantized model runs").worst_output_decibels()
    };
    let (int8, int16) = (decibels(Int16Layers::None), decibels(Int16Layers::All));
    println!("ad: {int8:.2} dB of int8, {int16:.2} dB of int16");
    assert!(int16 >= int8 + LEAST_GAIN_OF_INT16_DB, "{int16:.2} dB, {int8:.2} dB of int8");
}

#[test]
fn ad() {
    check("ad", Task::Regression);
}

#[test]
fn digits_cnn() {
    check("digits_cnn", Task::Classification);
}

#[test]
fn digits_dsres() {
    check("digits_dsres", Task::Classification);
}

#[test]
fn digits_mlp() {
    check("digits_mlp", Task::Classification);
}

#[test]
fn hello_world_sine() {
    check("hello_world_sine", Task::Regression);
}

#[test]
fn ic() {
    check("ic", Task::Classification);
}

#[test]
fn kws() {
    check("kws", Task::Classification);
}

#[test]
fn kws_alibaba() {
    check("kws_alibaba", Task::Classification);
}

#[test]
fn magic_wand() {
    check("magic_wand", Task::Classification);
}

#[test]
fn micro_speech() {
    check("micro_speech", Task::Classification);
}

#[test]
fn mnist_cntk() {
    check("mnist_cntk", Task::Classification);
}

#[test]
fn mnist_emlearn() {
    check("mnist_emlearn", Task::Classification);
}

#[test]
fn sww() {
    check("sww", Task::Classification);
}

#[test]
fn vww() {
    check("vww", Task::Classification);
}
