//! Every float model of the zoo, as exported and as simplified by ONNX tools: imported, simplified, run.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::graph::{FloatGraph, Tensor};
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
            let imported = support::read_onnx(&bytes).unwrap_or_else(|error| panic!("{context}: {error}"));
            let simplified = simplify(imported.clone());
            let transposes = simplified.nodes.iter().filter(|node| node.op.name() == "Transpose").count();
            assert_eq!(transposes, 0, "{context}: {}", operators(&simplified));
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

/// The MLPerf Tiny models, in the operators of their TensorFlow Lite files.
#[test]
fn mlperf_models_keep_only_the_operators_of_their_references() {
    let Some(zoo) = support::zoo() else { return };
    let kws = format!(
        "1 Conv2D, {}1 AveragePool2D, 1 Reshape, 1 FullyConnected, 1 Softmax",
        "1 DepthwiseConv2D, 1 Conv2D, ".repeat(4)
    );
    let vww = format!(
        "1 Conv2D, {}1 AveragePool2D, 1 Reshape, 1 FullyConnected, 1 Softmax",
        "1 DepthwiseConv2D, 1 Conv2D, ".repeat(13)
    );
    let ic =
        format!("{}1 AveragePool2D, 1 Reshape, 1 FullyConnected, 1 Softmax", "3 Conv2D, 1 Add, ".repeat(3));
    for (model, expected) in [("kws", &*kws), ("vww", &vww), ("ic", &ic), ("ad", "10 FullyConnected")] {
        for file in ["model.onnx", "model_simplified.onnx"] {
            let bytes = std::fs::read(zoo.join(model).join(file)).expect("the model is there");
            let graph = simplify(support::read_onnx(&bytes).expect("it is read"));
            assert_eq!(operators(&graph), expected, "{model}/{file}");
        }
    }
}

#[test]
fn layers_keep_the_names_of_the_file() {
    let kws = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/kws/model.onnx");
    let bytes = std::fs::read(kws).expect("the model is there");
    let graph = simplify(support::read_onnx(&bytes).expect("it is read"));
    let names: Vec<&str> = graph.nodes.iter().map(|node| &*node.name).collect();
    assert_eq!(
        names,
        [
            "functional_1/conv2d/BiasAdd",
            "Conv__58",
            "functional_1/conv2d_1/BiasAdd",
            "Conv__59",
            "functional_1/conv2d_2/BiasAdd",
            "Conv__60",
            "functional_1/conv2d_3/BiasAdd",
            "Conv__61",
            "functional_1/conv2d_4/BiasAdd",
            "functional_1/average_pooling2d/AvgPool",
            "functional_1/flatten/Reshape",
            "functional_1/dense/MatMul_Gemm__6",
            "functional_1/dense/Softmax",
        ]
    );
    assert_eq!(graph.tensor(graph.inputs[0]).name, "input_1");
    assert_eq!(graph.tensor(graph.outputs[0]).name, "dense");
}
