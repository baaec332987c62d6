//! Float TensorFlow Lite files, their weights stored as float32, float16 or int8: what is imported computes
//! what TensorFlow Lite's reference interpreter computes, and is quantized as any float model.

use std::collections::HashSet;

use edgepkg_quantize::graph::{FloatGraph, Tensor};
use edgepkg_quantize::import::tflite;
use edgepkg_quantize::interpret::Interpreter;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::tflite_reference::References;

/// By how much an output may differ from the interpreter's, of the greatest output.
const TOLERANCE: f32 = 1e-5;
/// The least signal to quantization noise of these models' outputs.
const LEAST_DECIBELS: f64 = 20.0;

fn graph(bytes: &[u8]) -> FloatGraph {
    let imported = tflite::read(bytes).expect("a float model file");
    imported.into_float().expect("it computes with floats")
}

fn assert_computes(graph: &FloatGraph, runs: &[(Vec<f32>, Vec<f32>)], name: &str) {
    let interpreter = Interpreter::new(graph);
    let greatest =
        runs.iter().flat_map(|(_, output)| output).fold(0.0, |max: f32, value| max.max(value.abs()));
    for (sample, (input, expected)) in runs.iter().enumerate() {
        let output = interpreter.run(&[input], |_, _| ()).remove(0);
        assert_eq!(output.len(), expected.len());
        for (own, reference) in output.iter().zip(expected) {
            let difference = (own - reference).abs();
            assert!(difference <= TOLERANCE * greatest, "{name}, sample {sample}: {own} is not {reference}");
        }
    }
}

#[test]
fn imports_compute_what_the_interpreter_computes() {
    let references = References::load();
    for made in &references.index.float {
        // The interpreter rounds activations where weights are int8; the import does not.
        let exact =
            if made.weights == "int8" { format!("{}_float32_weights", made.of) } else { made.name.clone() };
        let runs = references.float_runs(&exact);
        let imported = graph(references.model(&made.name));
        assert_computes(&imported, &runs, &made.name);
        assert_computes(&simplify(imported), &runs, &made.name);
    }
}

#[test]
fn int8_weights_are_noted() {
    let references = References::load();
    let notes = |name: &str| tflite::read(references.model(name)).expect("a float model file").notes;
    assert_eq!(notes("digits_cnn_float32_weights"), Vec::<String>::new());
    assert_eq!(notes("digits_cnn_float16_weights"), Vec::<String>::new());
    insta::assert_snapshot!(notes("digits_cnn_int8_weights").join("\n"), @"the file holds weights as integers between floats (`model/dense/MatMul`, `model/conv2d_1/Conv2D`, `model/conv2d/Conv2D`): they are taken as the reals they stand for and rounded anew");
}

#[test]
fn simplified_nodes_keep_the_files_names() {
    let references = References::load();
    for made in &references.index.float {
        let imported = graph(references.model(&made.name));
        let names: HashSet<String> = imported.tensors.iter().map(|tensor| tensor.name.clone()).collect();
        let simplified = simplify(imported);
        for node in &simplified.nodes {
            assert!(names.contains(&node.name), "{}: `{}` is not in the file", made.name, node.name);
        }
    }
}

#[test]
fn float_files_are_quantized() {
    let references = References::load();
    for made in &references.index.float {
        let graph = simplify(graph(references.model(&made.name)));
        let runs = references.float_runs(&made.name);
        let elements: Vec<f32> = runs.iter().flat_map(|(input, _)| input).copied().collect();
        let shape = [&[runs.len()], graph.tensor(graph.inputs[0]).shape()].concat();
        let samples = Samples::new(&graph, vec![Array { shape, elements }]).expect("samples fit the model");
        let quantized = quantize(graph, &samples, None, &Options::default(), &mut |_| ());
        let report = quantized.expect("the model is quantized").report;
        let decibels = report.sqnr_db.expect("there is a difference");
        println!("{}: {decibels:.1} dB", made.name);
        assert!(decibels >= LEAST_DECIBELS, "{}: {decibels:.1} dB", made.name);
    }
}
