//! ONNX's operators that are made of several of ours and that tract or the conformance tests do not show, against their
//! definitions; then as int8 and int16.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::graph::Tensor;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use support::Random;
use support::onnx_file::{OnnxFile, float, int, ints, word};
use tract_onnx::pb::AttributeProto;

const SAMPLES: usize = 50;
/// What int8 and int16 keep at least of each, in dB.
const LEAST_DECIBELS: [f64; 2] = [25.0, 40.0];

/// A model of one operator.
struct Model {
    opset: i64,
    operator: &'static str,
    shape: &'static [usize],
    /// Of constants behind the input.
    constants: &'static [&'static [usize]],
    attributes: Vec<AttributeProto>,
}

/// Compares the model with `expected`, of the input and the constants.
fn check(model: &Model, expected: impl Fn(&[f32], &[Vec<f32>]) -> Vec<f32>) {
    let mut random = Random::new(7);
    let mut file = OnnxFile::new(model.opset);
    file.input("x", model.shape);
    let values: Vec<Vec<f32>> =
        model.constants.iter().map(|shape| random.floats(shape.iter().product())).collect();
    let mut inputs = vec!["x".to_owned()];
    for (shape, values) in model.constants.iter().zip(&values) {
        inputs.push(file.floats(shape, values.clone()));
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let output = file.node(model.operator, &inputs, model.attributes.clone());
    file.output(&output);
    let imported = support::read_onnx(&file.bytes()).unwrap_or_else(|error| panic!("{error}"));
    let graph = simplify(imported.clone());
    let elements: usize = model.shape.iter().product();
    let all = random.floats(SAMPLES * elements);
    for x in all.chunks(elements).take(5) {
        let expected = expected(x, &values);
        for graph in [&imported, &graph] {
            let found = support::interpret(graph, &[x.to_vec()]).remove(0);
            assert_eq!(found.len(), expected.len(), "{}", model.operator);
            for (found, expected) in found.iter().zip(&expected) {
                let allowed = 1e-4 * (1.0 + expected.abs());
                assert!((found - expected).abs() <= allowed, "{}: {found}, not {expected}", model.operator);
            }
        }
    }
    let shape = [&[SAMPLES], graph.tensor(graph.inputs[0]).shape()].concat();
    let samples = Samples::new(&graph, vec![Array { shape, elements: all }]).expect("they fit");
    for (layers, least) in [Int16Layers::None, Int16Layers::All].into_iter().zip(LEAST_DECIBELS) {
        let options = Options { int16_layers: layers.clone(), ..Options::default() };
        let quantized = quantize(graph.clone(), &samples, None, &options, &mut |_| ());
        let quantized = quantized.unwrap_or_else(|error| panic!("{}: {error}", model.operator));
        let decibels = quantized.report.sqnr_db.unwrap_or(f64::INFINITY);
        assert!(decibels >= least, "{}, {layers:?}: {decibels:.1} dB", model.operator);
    }
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

#[test]
fn norms_of_rows() {
    let attributes = || vec![ints("axes", &[2]), int("keepdims", 0)];
    let model =
        |operator| Model { opset: 13, operator, shape: &[1, 3, 8], constants: &[], attributes: attributes() };
    let of_rows = |norm: fn(&[f32]) -> f32| move |x: &[f32], _: &[Vec<f32>]| x.chunks(8).map(norm).collect();
    check(&model("ReduceL1"), of_rows(|row| row.iter().map(|x| x.abs()).sum()));
    check(&model("ReduceL2"), of_rows(|row| row.iter().map(|x| x * x).sum::<f32>().sqrt()));
    check(&model("ReduceSumSquare"), of_rows(|row| row.iter().map(|x| x * x).sum()));
    check(&model("ReduceLogSumExp"), of_rows(|row| row.iter().map(|x| x.exp()).sum::<f32>().ln()));
}

#[test]
fn products_of_rows() {
    let model = Model {
        opset: 18,
        operator: "ReduceProd",
        shape: &[1, 4, 3],
        constants: &[],
        attributes: vec![int("keepdims", 1), int("noop_with_empty_axes", 1)],
    };
    check(&model, |x, _| x.to_vec());
    let model = Model { opset: 13, attributes: vec![ints("axes", &[2]), int("keepdims", 1)], ..model };
    check(&model, |x, _| x.chunks(3).map(|row| row.iter().product()).collect());
}

#[test]
fn vectors_of_length_one() {
    let model = Model {
        opset: 13,
        operator: "LpNormalization",
        shape: &[1, 3, 6],
        constants: &[],
        attributes: vec![int("axis", -1), int("p", 2)],
    };
    let by = |norm: fn(&[f32]) -> f32| {
        move |x: &[f32], _: &[Vec<f32>]| {
            x.chunks(6).flat_map(|row| row.iter().map(move |x| x / norm(row))).collect()
        }
    };
    check(&model, by(|row| row.iter().map(|x| x * x).sum::<f32>().sqrt()));
    let model = Model { attributes: vec![int("p", 1)], ..model };
    check(&model, by(|row| row.iter().map(|x| x.abs()).sum()));
}

#[test]
fn root_mean_squares() {
    let model = Model {
        opset: 23,
        operator: "RMSNormalization",
        shape: &[1, 3, 8],
        constants: &[&[8]],
        attributes: vec![int("axis", -1), float("epsilon", 1e-5)],
    };
    check(&model, |x, constants| {
        let normal = |row: &[f32]| {
            let squares: Vec<f32> = row.iter().map(|x| x * x).collect();
            let factor = 1.0 / (mean(&squares) + 1e-5).sqrt();
            row.iter().zip(&constants[0]).map(|(x, gamma)| x * factor * gamma).collect::<Vec<_>>()
        };
        x.chunks(8).flat_map(normal).collect()
    });
}

#[test]
fn groups_of_channels() {
    for (opset, constants) in [(18, [&[2][..], &[2]]), (21, [&[4][..], &[4]])] {
        let constants: &'static [&'static [usize]] = Box::leak(Box::new(constants));
        let model = Model {
            opset,
            operator: "GroupNormalization",
            shape: &[1, 4, 3, 3],
            constants,
            attributes: vec![int("num_groups", 2)],
        };
        check(&model, |x, constants| {
            let mut y = Vec::new();
            for (group, values) in x.chunks(18).enumerate() {
                let average = mean(values);
                let squares: Vec<f32> = values.iter().map(|x| (x - average) * (x - average)).collect();
                let factor = 1.0 / (mean(&squares) + 1e-5).sqrt();
                for (at, x) in values.iter().enumerate() {
                    let parameter = if opset == 18 { group } else { 2 * group + at / 9 };
                    y.push((x - average) * factor * constants[0][parameter] + constants[1][parameter]);
                }
            }
            y
        });
    }
}

#[test]
fn sums_of_products() {
    // Queries and keys of two heads, as exporters write attention.
    let model = Model {
        opset: 13,
        operator: "Einsum",
        shape: &[1, 3, 2, 4],
        constants: &[&[1, 5, 2, 4]],
        attributes: vec![word("equation", "bqhd, bkhd -> bhqk")],
    };
    check(&model, |x, constants| {
        let mut y = Vec::new();
        for head in 0..2 {
            for query in 0..3 {
                for key in 0..5 {
                    let product =
                        |d: usize| x[(query * 2 + head) * 4 + d] * constants[0][(key * 2 + head) * 4 + d];
                    y.push((0..4).map(product).sum());
                }
            }
        }
        y
    });
    let sums = Model {
        opset: 13,
        operator: "Einsum",
        shape: &[1, 3, 4],
        constants: &[],
        attributes: vec![word("equation", "bij->ib")],
    };
    check(&sums, |x, _| x.chunks(4).map(|row| row.iter().sum()).collect());
}

#[test]
fn triangles() {
    let model = Model {
        opset: 14,
        operator: "Trilu",
        shape: &[1, 3, 4],
        constants: &[],
        attributes: vec![int("upper", 0)],
    };
    check(&model, |x, _| (0..12).map(|at| if at % 4 <= at / 4 { x[at] } else { 0.0 }).collect());
}
