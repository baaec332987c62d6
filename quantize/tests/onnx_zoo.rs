//! Every float model of the zoo, as exported and as simplified by ONNX tools: imported, simplified, run.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::graph::{FloatGraph, Tensor};
use edgepkg_quantize::import::onnx;
use edgepkg_quantize::simplify::simplify;

const TOLERANCE: f32 = 1e-4;

/// The operators, repetitions counted.
fn operators(graph: &FloatGraph) -> String {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for node in &graph.nodes {
        match runs.last_mut() {
            Some((name, count)) if *name == node.op.name() => *count += 1,
            _ => runs.push((node.op.name(), 1)),
        }
    }
    let runs: Vec<String> = runs.iter().map(|(name, count)| format!("{count} {name}")).collect();
    runs.join(", ")
}

#[test]
fn models_give_the_outputs_of_onnx_runtime_and_tract() {
    let Some(zoo) = support::zoo() else { return };
    for model in support::MODELS {
        for file in ["model.onnx", "model_simplified.onnx"] {
            let context = format!("{model}/{file}");
            let bytes = std::fs::read(zoo.join(model).join(file)).expect("the model is there");
            let imported = onnx::read(&bytes).unwrap_or_else(|error| panic!("{context}: {error}"));
            let simplified = simplify(imported.clone());
            eprintln!("{context}: {}", operators(&simplified));
            for case in 0..3 {
                let io = |name: &str| {
                    support::read_npy(&zoo.join(model).join(format!("io/case{case}_{name}.npy")))
                };
                let (input, expected) = (io("in0"), io("out0"));
                let inputs = [input.clone()];
                let shape = imported.tensor(imported.inputs[0]).shape().to_vec();
                let tract = support::run_tract(&bytes, &[(shape, input)]).expect("tract runs it");
                for (graph, stage) in [(&imported, "imported"), (&simplified, "simplified")] {
                    let found = support::interpret(graph, &inputs);
                    let context = format!("{context}, case {case}, {stage}");
                    support::assert_close(
                        &found[0],
                        &expected,
                        TOLERANCE,
                        &format!("{context}, ONNX Runtime"),
                    );
                    support::assert_close(&found[0], &tract[0], TOLERANCE, &format!("{context}, tract"));
                }
            }
        }
    }
}
