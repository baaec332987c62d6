//! Exported files in TensorFlow Lite's and ONNX Runtime's interpreters: the answers are ours.

use std::collections::BTreeMap;

use edgepkg_quantize::graph::{QuantizedGraph, Rounding, Tensor as _, UnaryFunction};
use edgepkg_tests::elsewhere::{Answers, Elsewhere, Steps, Tool};
use edgepkg_tests::random_graphs::{OPERATORS, Random, graph, graph_of_function};

const GRAPHS_OF_AN_OPERATOR: u64 = 20;
const SAMPLES: usize = 4;

/// Every function, with typical parameters.
const FUNCTIONS: [UnaryFunction; 27] = [
    UnaryFunction::Abs,
    UnaryFunction::Neg,
    UnaryFunction::Exp,
    UnaryFunction::Log,
    UnaryFunction::Sqrt,
    UnaryFunction::Rsqrt,
    UnaryFunction::Reciprocal,
    UnaryFunction::Elu { alpha: 1.0 },
    UnaryFunction::Selu { alpha: 1.673_263_2, gamma: 1.050_701 },
    UnaryFunction::Celu { alpha: 2.0 },
    UnaryFunction::HardSigmoid { alpha: 0.2, beta: 0.5 },
    UnaryFunction::HardSwish,
    UnaryFunction::Gelu,
    UnaryFunction::GeluTanh,
    UnaryFunction::Silu,
    UnaryFunction::Mish,
    UnaryFunction::Softplus,
    UnaryFunction::Softsign,
    UnaryFunction::Erf,
    UnaryFunction::Sin,
    UnaryFunction::Cos,
    UnaryFunction::Floor,
    UnaryFunction::Ceil,
    UnaryFunction::Round,
    UnaryFunction::Sign,
    UnaryFunction::Power { exponent: 2.5 },
    UnaryFunction::ThresholdedRelu { alpha: 0.5 },
];

fn samples(graph: &QuantizedGraph, random: &mut Random) -> Vec<Vec<Vec<u8>>> {
    let mut sample = || graph.inputs.iter().map(|&id| random.bytes(graph.tensor(id).len())).collect();
    (0..SAMPLES).map(|_| sample()).collect()
}

/// Prints how far `answers` are from ours for each operator, and fails where one is further than a step.
fn assert_within_one_step(answers: Vec<Answers>) {
    let mut by_operator: BTreeMap<(String, String), Steps> = BTreeMap::new();
    for answer in answers {
        let operator = answer.name.split('-').next().unwrap_or_default().to_owned();
        by_operator.entry((format!("{:?}", answer.tool), operator)).or_default().add(&answer.steps);
    }
    for ((tool, operator), steps) in &by_operator {
        println!("{tool:<12} {operator:<24} {steps}");
    }
    for ((tool, operator), steps) in &by_operator {
        assert!(steps.largest() <= 1, "{tool} {operator}: {steps}");
    }
}

#[test]
fn single_operators_are_within_one_step() {
    let mut elsewhere = Elsewhere::new();
    let mut random = Random::new(1);
    for operator in OPERATORS {
        for seed in 0..GRAPHS_OF_AN_OPERATOR {
            for rounding in Rounding::ALL {
                let graph = QuantizedGraph { rounding, ..graph(operator, seed) };
                let samples = samples(&graph, &mut random);
                let name = format!("{operator} {}-{seed}", rounding.name());
                for (tool, error) in elsewhere.add(&name, &graph, &samples) {
                    assert_eq!((operator, tool), ("average_pool", Tool::Tflite), "{error}");
                }
            }
        }
    }
    if let Some(answers) = elsewhere.run() {
        assert_within_one_step(answers);
    }
}

#[test]
fn functions_of_single_elements_are_within_one_step() {
    let mut elsewhere = Elsewhere::new();
    let mut random = Random::new(1);
    for function in FUNCTIONS {
        for seed in 0..GRAPHS_OF_AN_OPERATOR {
            for rounding in Rounding::ALL {
                let graph = QuantizedGraph { rounding, ..graph_of_function(function, seed) };
                let samples = samples(&graph, &mut random);
                let name = format!("{} {}-{seed}", function.name(), rounding.name());
                for (tool, error) in elsewhere.add(&name, &graph, &samples) {
                    let is_known = tool == Tool::Tflite || function == UnaryFunction::GeluTanh;
                    assert!(is_known, "{error}");
                }
            }
        }
    }
    if let Some(answers) = elsewhere.run() {
        assert_within_one_step(answers);
    }
}
