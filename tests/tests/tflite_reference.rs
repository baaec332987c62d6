//! int8 models beside TensorFlow Lite's reference interpreter: each operator on what the interpreter gave
//! it, and the whole model. How often they differ is committed in `tflite_reference.toml`, which
//! `cargo xtask bless` writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use edgepkg_quantize::graph::{QuantizedGraph, QuantizedTensor, Tensor, TensorId};
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::int8_tflite;
use edgepkg_tests::tflite_reference::{Int8Reference, References};
use serde::{Deserialize, Serialize};

/// By how many steps an element of one operator's output may differ.
const MOST_STEPS: i32 = 1;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    /// Elements by the steps they differ by, by operator: each on the interpreter's own inputs.
    operators: BTreeMap<String, BTreeMap<String, usize>>,
    /// Elements of the whole model's outputs by the steps they differ by.
    outputs: BTreeMap<String, usize>,
    samples: usize,
}

fn count(histogram: &mut BTreeMap<String, usize>, own: &[u8], reference: &[u8]) -> i32 {
    assert_eq!(own.len(), reference.len());
    let steps = own.iter().zip(reference).map(|(&own, &reference)| (own as i8).abs_diff(reference as i8));
    let mut most = 0;
    for steps in steps {
        *histogram.entry(steps.to_string()).or_default() += 1;
        most = most.max(i32::from(steps));
    }
    most
}

/// The graph of node `index` alone, with what it reads as inputs.
fn alone(graph: &QuantizedGraph, index: usize) -> QuantizedGraph {
    let node = &graph.nodes[index];
    let mut inputs: Vec<TensorId> = node.inputs.clone();
    inputs.retain(|&id| !graph.tensor(id).is_constant());
    inputs.dedup();
    QuantizedGraph { nodes: vec![node.clone()], inputs, outputs: vec![node.output()], ..graph.clone() }
}

fn top_1(output: &[u8]) -> Option<usize> {
    (0..output.len()).rev().max_by_key(|&index| output[index] as i8)
}

fn differences(references: &References, reference: &Int8Reference, tflite: &[u8]) -> Differences {
    let graph = int8_tflite(tflite).expect("an int8 model file");
    let name = &reference.name;
    let runs = references.runs(name);
    let mut tensors = references.tensors(reference);
    let input: &QuantizedTensor = graph.tensor(graph.inputs[0]);
    tensors.insert(input.name.clone(), runs.iter().map(|(input, _)| input.clone()).collect());
    let mut differences = Differences { samples: runs.len(), ..Differences::default() };
    for (index, node) in graph.nodes.iter().enumerate() {
        let graph = alone(&graph, index);
        let expected = &tensors[&graph.tensor(node.output()).name];
        let mut session = HostSession::new(&graph).expect("one operator can be lowered");
        let histogram = differences.operators.entry(node.op.name().to_owned()).or_default();
        for (sample, expected) in expected.iter().enumerate() {
            let given = |id: &TensorId| tensors[&graph.tensor(*id).name][sample].clone();
            let inputs: Vec<Vec<u8>> = graph.inputs.iter().map(given).collect();
            let most = count(histogram, &session.run(&inputs)[0], expected);
            assert!(most <= MOST_STEPS, "{name}: {} `{}` differs by {most} steps", node.op.name(), node.name);
        }
    }
    let mut session = HostSession::new(&graph).expect("the model can be lowered");
    for (sample, (input, expected)) in runs.iter().enumerate() {
        let output = session.run(std::slice::from_ref(input)).remove(0);
        count(&mut differences.outputs, &output, expected);
        assert_eq!(top_1(&output), top_1(expected), "{name}: the answer to sample {sample}");
    }
    differences
}

#[test]
fn operators_and_answers_are_the_reference_interpreters() {
    let references = References::load();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tflite_reference.toml");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let committed: BTreeMap<String, Differences> = toml::from_str(&text).expect("a file of this schema");
    let mut measured = BTreeMap::new();
    for reference in &references.index.int8 {
        if let Some(model) = references.int8_model(reference) {
            measured.insert(reference.name.clone(), differences(&references, reference, &model));
        }
    }
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let text = toml::to_string(&measured).expect("differences are TOML");
        let title = "# Written by `cargo xtask bless`, compared by `cargo xtask test`.\n\n";
        fs::write(&file, format!("{title}{text}")).expect("the file can be written");
        return;
    }
    for (name, measured) in &measured {
        assert_eq!(committed.get(name), Some(measured), "{name}");
    }
}

#[test]
fn uint8_files_are_the_int8_files() {
    let references = References::load();
    for made in &references.index.uint8 {
        let graph = int8_tflite(references.model(&made.name)).expect("a uint8 model file");
        assert_eq!(graph, int8_tflite(references.model(&made.of)).expect("an int8 model file"));
        // Of the interpreter's answers too each is the int8 file's, so that how far ours are is committed.
        let shifted = |bytes: &[u8]| -> Vec<u8> { bytes.iter().map(|byte| byte ^ 0x80).collect() };
        let runs = references.runs(&made.name).into_iter();
        let runs: Vec<_> = runs.map(|(input, output)| (shifted(&input), shifted(&output))).collect();
        assert_eq!(runs, references.runs(&made.of), "{}", made.name);
    }
}
