//! TensorFlow Lite's operators that are read without cases of TensorFlow Lite Micro: functions of single elements, and
//! what tiles, reverses, blocks and joins.

use edgepkg_quantize::import::tflite;
use edgepkg_quantize::interpret::Interpreter;
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::tflite_file::{FileGraph, FileOperator, FileTensor, code, file, kind};

fn bytes_of(indices: &[i32]) -> Vec<u8> {
    indices.iter().flat_map(|index| index.to_le_bytes()).collect()
}

fn elements(shape: &[i32]) -> usize {
    shape.iter().product::<i32>() as usize
}

/// What the operator `code` makes of `x`, with these tensors of indices behind it.
fn compute(code: i32, (shape, x): (&[i32], &[f32]), indices: &[(&[i32], &[i32])], to: &[i32]) -> Vec<f32> {
    let mut tensors = vec![FileTensor::new("x", kind::FLOAT32, shape)];
    for (shape, values) in indices {
        tensors.push(FileTensor::new("indices", kind::INT32, shape).holding(&bytes_of(values)));
    }
    tensors.push(FileTensor::new("y", kind::FLOAT32, to));
    let inputs: Vec<i32> = (0..=indices.len() as i32).collect();
    compute_of(&[x], tensors, FileOperator::new(code, &inputs, inputs.len() as i32))
}

/// What `operator` makes of `values`, the first tensors; the last is its output.
fn compute_of(values: &[&[f32]], tensors: Vec<FileTensor>, operator: FileOperator) -> Vec<f32> {
    let outputs = vec![tensors.len() as i32 - 1];
    let inputs = (0..values.len() as i32).collect();
    let graph = FileGraph { name: "single", tensors, inputs, outputs, operators: vec![operator] };
    let imported = tflite::read(&file(&[graph])).expect("a model file").into_float().expect("a float model");
    let computed = Interpreter::new(&imported).run(values, |_, _| ()).remove(0);
    let simplified = Interpreter::new(&simplify(imported)).run(values, |_, _| ()).remove(0);
    assert_eq!(computed, simplified);
    computed
}

/// An operator's code, what it computes, and inputs from its domain.
type Function = (i32, fn(f32) -> f32, [f32; 4]);

const FUNCTIONS: [Function; 14] = [
    (code::ABS, f32::abs, [-2.5, -0.0, 1.0, 3.5]),
    (code::CEIL, f32::ceil, [-2.5, -0.2, 1.0, 3.5]),
    (code::COS, f32::cos, [-2.5, 0.0, 1.0, 3.5]),
    (code::EXP, f32::exp, [-2.5, 0.0, 1.0, 3.5]),
    (code::FLOOR, f32::floor, [-2.5, -0.2, 1.0, 3.5]),
    (code::GELU, |x| 0.5 * x * (1.0 + erf(x / std::f32::consts::SQRT_2)), [-2.5, 0.0, 1.0, 3.5]),
    (code::LOG, f32::ln, [0.1, 1.0, 2.0, 30.0]),
    (code::NEG, |x| -x, [-2.5, 0.5, 1.0, 3.5]),
    (code::ROUND, f32::round_ties_even, [-2.5, -0.2, 1.5, 3.5]),
    (code::RSQRT, |x| 1.0 / x.sqrt(), [0.1, 1.0, 2.0, 30.0]),
    (code::SIGN, |x| if x == 0.0 { 0.0 } else { x.signum() }, [-2.5, 0.0, 1.0, 3.5]),
    (code::SIN, f32::sin, [-2.5, 0.0, 1.0, 3.5]),
    (code::SQRT, f32::sqrt, [0.0, 1.0, 2.0, 30.0]),
    (code::SQUARE, |x| x * x, [-2.5, 0.0, 1.0, 3.5]),
];

/// By its series, which is quick near 0.
fn erf(x: f32) -> f32 {
    if x.abs() > 4.0 {
        return x.signum();
    }
    let x = f64::from(x);
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    (sum * std::f64::consts::FRAC_2_SQRT_PI) as f32
}

#[test]
fn functions_of_single_elements() {
    for (code, function, x) in FUNCTIONS {
        let y = compute(code, (&[1, 4], &x), &[], &[1, 4]);
        for (x, y) in x.into_iter().zip(y) {
            let expected = function(x);
            let difference = (y - expected).abs();
            assert!(difference <= 1e-5 * (1.0 + expected.abs()), "{code}: {y} of {x}, not {expected}");
        }
    }
}

/// Integers are within a step of the function, rounded to the nearest that the output has.
#[test]
fn functions_of_integers_are_rounded() {
    for (code, function, _) in FUNCTIONS {
        let tensors = vec![
            FileTensor::new("x", kind::INT8, &[1, 256]).scaled(&[0.03125], -128),
            FileTensor::new("y", kind::INT8, &[1, 256]).scaled(&[0.0625], -3),
        ];
        let graph = FileGraph {
            name: "single",
            tensors,
            inputs: vec![0],
            outputs: vec![1],
            operators: vec![FileOperator::new(code, &[0], 1)],
        };
        let graph = tflite::read(&file(&[graph])).expect("a model file");
        let graph = graph.into_quantized().expect("an int8 model");
        let bytes: Vec<u8> = (0..=255u8).map(|index| index ^ 0x80).collect();
        let outputs = HostSession::new(&graph).expect("it can be run").run(&[bytes]);
        // What has no logarithm or no root's inverse is at one end.
        for (index, &y) in outputs[0].iter().enumerate().skip(1) {
            let real = f64::from(function(index as f32 / 32.0)) / 0.0625 - 3.0;
            let expected = real.clamp(-128.0, 127.0);
            let difference = (f64::from(y as i8) - expected).abs();
            assert!(difference <= 0.501, "{code}: {} of {index}, not {expected}", y as i8);
        }
    }
}

#[test]
fn integers_are_divided() {
    let tensors = vec![
        FileTensor::new("a", kind::INT8, &[1, 256]).scaled(&[0.03125], -7),
        FileTensor::new("b", kind::INT8, &[1, 1]).scaled(&[0.0625], 3),
        FileTensor::new("y", kind::INT8, &[1, 256]).scaled(&[0.05], 11),
    ];
    let operators = vec![FileOperator::new(code::DIV, &[0, 1], 2)];
    let graph = FileGraph { name: "quotient", tensors, inputs: vec![0, 1], outputs: vec![2], operators };
    let graph = tflite::read(&file(&[graph])).expect("a model file").into_quantized().expect("int8");
    let mut session = HostSession::new(&graph).expect("it can be run");
    let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
    for &b in &all {
        let output = session.run(&[all.iter().map(|&a| a as u8).collect(), vec![b as u8]]).remove(0);
        // A divisor of 0 counts as the least above it.
        let divisor = if b == 3 { 0.0625 } else { 0.0625 * (f64::from(b) - 3.0) };
        for (&a, &y) in all.iter().zip(&output) {
            let expected = (0.03125 * (f64::from(a) + 7.0) / divisor / 0.05 + 11.0).clamp(-128.0, 127.0);
            let difference = (f64::from(y as i8) - expected).abs();
            assert!(difference <= 0.501, "{} of {a} / {b}, not {expected}", y as i8);
        }
    }
}

#[test]
fn int16_is_not_divided() {
    let int16 = |name| FileTensor::new(name, kind::INT16, &[1, 4]).scaled(&[0.5], 0);
    let tensors = vec![int16("a"), int16("b"), int16("y")];
    let operators = vec![FileOperator::new(code::DIV, &[0, 1], 2)];
    let graph = FileGraph { name: "quotient", tensors, inputs: vec![0, 1], outputs: vec![2], operators };
    let error = tflite::read(&file(&[graph])).expect_err("it is refused").to_string();
    assert_eq!(error, "Div `y` (node 0) has an input that is not int8");
}

#[test]
fn the_greatest_elements_and_where_they_are() {
    let top = |kind: i8, scales: &[f32]| {
        let ported = |name, shape: &[i32]| FileTensor::new(name, kind, shape).scaled(scales, 0);
        let tensors = vec![
            ported("x", &[2, 4]),
            FileTensor::new("count", kind::INT32, &[]).holding(&bytes_of(&[2])),
            ported("values", &[2, 2]),
            FileTensor::new("indices", kind::INT32, &[2, 2]),
        ];
        let operators = vec![FileOperator::new(code::TOPK_V2, &[0, 1], 2).and_output(3)];
        let graph = FileGraph { name: "top", tensors, inputs: vec![0], outputs: vec![2, 3], operators };
        tflite::read(&file(&[graph])).expect("a model file")
    };
    let graph = simplify(top(kind::FLOAT32, &[]).into_float().expect("a float model"));
    let x = [1.0, 4.0, -3.0, 4.0, 0.5, 0.0, -1.0, 0.25];
    let found = Interpreter::new(&graph).run(&[&x], |_, _| ());
    assert_eq!(found, [[4.0, 4.0, 0.5, 0.25], [1.0, 3.0, 0.0, 3.0]]);
    let graph = top(kind::INT8, &[0.5]).into_quantized().expect("an int8 model");
    let x = [5i8, -128, 127, 5, 0, -1, 1, 1].map(|value| value as u8);
    let found = HostSession::new(&graph).expect("it can be run").run(&[x.to_vec()]);
    assert_eq!(found, [vec![127, 5, 1, 1], bytes_of(&[2, 0, 2, 3])]);
}

#[test]
fn elements_again_and_again() {
    let x = [1.0, 2.0, 3.0, 4.0];
    let tiled = compute(code::TILE, (&[2, 2], &x), &[(&[2], &[1, 2])], &[2, 4]);
    assert_eq!(tiled, [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
    let row = compute(code::BROADCAST_TO, (&[2], &x[..2]), &[(&[2], &[2, 2])], &[2, 2]);
    assert_eq!(row, [1.0, 2.0, 1.0, 2.0]);
    let reversed = compute(code::REVERSE_V2, (&[2, 2], &x), &[(&[1], &[1])], &[2, 2]);
    assert_eq!(reversed, [2.0, 1.0, 4.0, 3.0]);
}

/// The examples of TensorFlow's documentation.
#[test]
fn blocks_and_batches() {
    let x: Vec<f32> = (1..=16).map(|value| value as f32).collect();
    let blocks = (&[2][..], &[2, 2][..]);
    let none = (&[2, 2][..], &[0, 0, 0, 0][..]);
    let batches = compute(code::SPACE_TO_BATCH_ND, (&[1, 4, 4, 1], &x), &[blocks, none], &[4, 2, 2, 1]);
    let expected = [1.0, 3.0, 9.0, 11.0, 2.0, 4.0, 10.0, 12.0, 5.0, 7.0, 13.0, 15.0, 6.0, 8.0, 14.0, 16.0];
    assert_eq!(batches, expected);
    let space = compute(code::BATCH_TO_SPACE_ND, (&[4, 2, 2, 1], &batches), &[blocks, none], &[1, 4, 4, 1]);
    assert_eq!(space, x);
    let padded = (&[2, 2][..], &[0, 0, 2, 0][..]);
    let x = &x[..8];
    let batches = compute(code::SPACE_TO_BATCH_ND, (&[2, 2, 2, 1], x), &[blocks, padded], &[8, 1, 2, 1]);
    let expected = [0.0, 1.0, 0.0, 5.0, 0.0, 2.0, 0.0, 6.0, 0.0, 3.0, 0.0, 7.0, 0.0, 4.0, 0.0, 8.0];
    assert_eq!(batches, expected);
    let space = compute(code::BATCH_TO_SPACE_ND, (&[8, 1, 2, 1], &batches), &[blocks, padded], &[2, 2, 2, 1]);
    assert_eq!(space, x);
}

#[test]
fn the_least_and_the_sum() {
    let x = [4.0, -2.0, 3.0, 5.0, 1.0, 0.5];
    let least = compute(code::REDUCE_MIN, (&[2, 3], &x), &[(&[1], &[1])], &[2]);
    assert_eq!(least, [-2.0, 0.5]);
    let tensors = ["a", "b", "c", "y"].map(|name| FileTensor::new(name, kind::FLOAT32, &[1, 2])).to_vec();
    let sum =
        compute_of(&[&x[..2], &x[2..4], &x[4..]], tensors, FileOperator::new(code::ADD_N, &[0, 1, 2], 3));
    assert_eq!(sum, [8.0, 3.5]);
}

/// Raw integers are compared, whatever they stand for.
#[test]
fn the_least_of_integers() {
    let tensors = vec![
        FileTensor::new("x", kind::INT8, &[2, 3]).scaled(&[0.3], -7),
        FileTensor::new("axes", kind::INT32, &[1]).holding(&bytes_of(&[1])),
        FileTensor::new("y", kind::INT8, &[2]).scaled(&[0.3], -7),
    ];
    let operators = vec![FileOperator::new(code::REDUCE_MIN, &[0, 1], 2)];
    let graph = FileGraph { name: "single", tensors, inputs: vec![0], outputs: vec![2], operators };
    let graph = tflite::read(&file(&[graph])).expect("a model file").into_quantized().expect("an int8 model");
    let mut session = HostSession::new(&graph).expect("it can be run");
    for least in i8::MIN..=i8::MAX {
        let x = [127, least, 127, least, least.saturating_add(1), least].map(|value: i8| value as u8);
        assert_eq!(session.run(&[x.to_vec()]), [[least as u8; 2]]);
    }
}

#[test]
fn quotients_and_powers() {
    let tensors = ["a", "b", "y"].map(|name| FileTensor::new(name, kind::FLOAT32, &[1, 3])).to_vec();
    let quotient = compute_of(
        &[&[1.0, -3.0, 5.0], &[2.0, 4.0, -0.5]],
        tensors,
        FileOperator::new(code::DIV, &[0, 1], 2),
    );
    assert_eq!(quotient, [0.5, -0.75, -10.0]);
    let tensors = vec![
        FileTensor::new("x", kind::FLOAT32, &[1, 3]),
        FileTensor::new("exponent", kind::FLOAT32, &[]).holding_reals(&[3.0]),
        FileTensor::new("y", kind::FLOAT32, &[1, 3]),
    ];
    let cube = compute_of(&[&[1.0, -3.0, 0.5]], tensors, FileOperator::new(code::POW, &[0, 1], 2));
    assert_eq!(cube, [1.0, -27.0, 0.125]);
}

#[test]
fn forms_that_make_no_sense_are_refused() {
    let refused = |code: i32, shape: &[i32], indices: &[(&[i32], &[i32])], to: &[i32]| {
        let mut tensors = vec![FileTensor::new("x", kind::FLOAT32, shape)];
        for (shape, values) in indices {
            assert_eq!(elements(shape), values.len());
            tensors.push(FileTensor::new("indices", kind::INT32, shape).holding(&bytes_of(values)));
        }
        tensors.push(FileTensor::new("y", kind::FLOAT32, to));
        let inputs: Vec<i32> = (0..=indices.len() as i32).collect();
        let outputs = vec![inputs.len() as i32];
        let operators = vec![FileOperator::new(code, &inputs, outputs[0])];
        let graph = FileGraph { name: "single", tensors, inputs: vec![0], outputs, operators };
        tflite::read(&file(&[graph])).expect_err("it is refused").to_string()
    };
    let messages = [
        refused(code::TILE, &[2, 2], &[(&[2], &[1, 2])], &[2, 3]),
        refused(code::REVERSE_V2, &[2, 2], &[(&[1], &[2])], &[2, 2]),
        refused(code::SPACE_TO_BATCH_ND, &[1, 4, 1], &[(&[1], &[0]), (&[1, 2], &[0, 0])], &[1, 4, 1]),
        refused(code::SPACE_TO_BATCH_ND, &[1, 5, 1], &[(&[1], &[2]), (&[1, 2], &[0, 0])], &[2, 2, 1]),
        refused(code::BATCH_TO_SPACE_ND, &[3, 4, 1], &[(&[1], &[2]), (&[1, 2], &[0, 0])], &[1, 8, 1]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}
