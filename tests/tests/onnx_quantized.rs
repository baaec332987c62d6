//! The zoo's quantized ONNX files against ONNX Runtime, whose outputs `tests/python/ort_reference.py` wrote.
//!
//! From ONNX Runtime's own input every layer gives its outputs: both round once. It computes in float32 here, so
//! now and then a value beside a half goes the other way, and what follows from that stands in
//! `onnx_quantized.toml`.
#![cfg(feature = "onnx")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use edgepkg::samples::read_arrays;
use edgepkg_quantize::graph::{Graph, Op, Quantization, QuantizedGraph, Tensor};
use edgepkg_quantize::score::top_1;
use edgepkg_quantize::simulate::{dequantize_int8, quantize_int8};
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::int8_onnx;
use edgepkg_tests::samples::integer_samples;
use edgepkg_tests::zoo;
use lzma_rust2::XzReader;
use serde::{Deserialize, Serialize};

const FILES: [(&str, &str); 4] = [
    ("kws_alibaba", "reference_ort_qdq"),
    ("kws_qdq", "model"),
    ("kws_qdq", "model_simplified"),
    ("mnist_cntk", "reference_ort_qdq"),
];
/// Share of the samples whose greatest output must be ONNX Runtime's.
const LEAST_AGREEMENT: f64 = 0.995;
/// Share of the outputs that must be ONNX Runtime's to a step.
const LEAST_WITHIN_A_STEP: f64 = 0.99;

/// What one file's outputs are beside ONNX Runtime's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    samples: usize,
    outputs: usize,
    equal: usize,
    within_a_step: usize,
    greatest_difference: u8,
    /// Samples whose greatest output is the same.
    agreeing: usize,
    /// Outputs of all layers for the first sample, each layer given ONNX Runtime's input.
    layer_outputs: usize,
    layer_outputs_equal: usize,
}

fn compare(zoo: &Path, model: &str, file: &str) -> Differences {
    let bytes = fs::read(zoo.join(model).join(file).with_extension("onnx")).expect("the zoo holds the model");
    let graph = int8_onnx(&bytes).unwrap_or_else(|error| panic!("{model}/{file}: {error}"));
    let input = graph.tensor(graph.inputs[0]);
    let output: &Quantization = &graph.tensor(graph.outputs[0]).quantization;
    let mut session = HostSession::new(&graph).expect("the model is lowered");
    let expected = integer_samples(&reference(&format!("{model}.npy")));
    let greatest = integer_samples(&reference(&format!("{model}_top1.npy")));
    let mut differences = Differences::default();
    (differences.layer_outputs, differences.layer_outputs_equal) = compare_layers(&graph, model);
    let values = samples(zoo, model);
    assert_eq!(values.len(), expected.len() * input.len(), "{model}: samples");
    for ((values, expected), greatest) in values.chunks_exact(input.len()).zip(&expected).zip(&greatest) {
        let quantized = quantize_int8(values, &input.quantization);
        let found = session.run(&[bytemuck::cast_slice(&quantized).to_vec()]).remove(0);
        let (found, expected): (&[i8], &[i8]) =
            (bytemuck::cast_slice(&found), bytemuck::cast_slice(expected));
        assert_eq!(found.len(), expected.len(), "{model}/{file}: outputs");
        let steps: Vec<u8> =
            found.iter().zip(expected).map(|(found, other)| found.abs_diff(*other)).collect();
        let count = |most: u8| steps.iter().filter(|&&step| step <= most).count();
        differences.samples += 1;
        differences.outputs += steps.len();
        differences.equal += count(0);
        differences.within_a_step += count(1);
        differences.greatest_difference = steps.into_iter().fold(differences.greatest_difference, u8::max);
        let agrees = top_1(&dequantize_int8(found, output)) == usize::from(greatest[0]);
        differences.agreeing += usize::from(agrees);
    }
    differences
}

fn reference(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/onnx_runtime").join(name);
    fs::read(path).expect("the reference outputs are committed")
}

/// Runs every operator of a graph that is a chain alone, on what ONNX Runtime has before it: how many outputs
/// there are, and how many are equal.
fn compare_layers(graph: &QuantizedGraph, model: &str) -> (usize, usize) {
    let mut npy = Vec::new();
    let compressed = reference(&format!("{model}_layers.npy.xz"));
    XzReader::new(&*compressed, false).read_to_end(&mut npy).expect("the file is whole");
    let values: Vec<u8> = integer_samples(&npy).into_iter().flatten().collect();
    let mut values = &values[..];
    let mut x = take(&mut values, graph.tensor(graph.inputs[0]).len());
    let (mut outputs, mut equal) = (0, 0);
    for node in graph.nodes.iter().filter(|node| node.op != Op::Reshape) {
        let alone = Graph {
            name: String::new(),
            tensors: graph.tensors.clone(),
            nodes: vec![node.clone()],
            inputs: vec![node.inputs[0]],
            outputs: node.outputs.clone(),
            rounding: graph.rounding,
        };
        let found =
            HostSession::new(&alone).expect("it was lowered with the others").run(&[x.to_vec()]).remove(0);
        let expected = take(&mut values, found.len());
        let same = found.iter().zip(expected).filter(|(found, expected)| found == expected).count();
        assert_eq!(same, found.len(), "{model}, `{}`: equal outputs", node.name);
        (outputs, equal) = (outputs + found.len(), equal + same);
        x = expected;
    }
    assert!(values.is_empty(), "{model}: layers that were not compared");
    (outputs, equal)
}

/// The first `count` of `values`, which are taken off it.
fn take<'a>(values: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = values.split_at(count);
    *values = rest;
    taken
}

fn samples(zoo: &Path, model: &str) -> Vec<f32> {
    let (owner, file, unit) = match model {
        "mnist_cntk" => (model, "test_x_u8.npy", 255.0),
        _ => ("kws", "test_x_f32.npy", 1.0),
    };
    let path = zoo.join(owner).join("samples").join(file);
    let mut arrays = read_arrays(&[path]).expect("the zoo holds samples");
    arrays.remove(0).elements.into_iter().map(|value| value / unit).collect()
}

#[test]
fn outputs_are_those_of_onnx_runtime() {
    let Some(zoo) = zoo::folder() else { return };
    let found: BTreeMap<String, Differences> = FILES
        .iter()
        .map(|(model, file)| (format!("{model}/{file}.onnx"), compare(&zoo, model, file)))
        .collect();
    for (file, differences) in &found {
        println!("{file}: {differences:?}");
        let agreement = differences.agreeing as f64 / differences.samples as f64;
        assert!(agreement >= LEAST_AGREEMENT, "{file}: the same top-1 for {agreement} of the samples");
        let within_a_step = differences.within_a_step as f64 / differences.outputs as f64;
        assert!(within_a_step >= LEAST_WITHIN_A_STEP, "{file}: {within_a_step} of the outputs to a step");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx_quantized.toml");
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let figures = toml::to_string(&found).expect("the figures are a table");
        let text = format!("# Outputs beside ONNX Runtime's. Written by `cargo xtask bless`.\n\n{figures}");
        fs::write(&path, text).expect("the file can be written");
    }
    let committed = fs::read_to_string(&path).expect("the figures are committed");
    let committed: BTreeMap<String, Differences> =
        toml::from_str(&committed).expect("the figures are a table");
    assert_eq!(found, committed, "the figures have changed");
}
