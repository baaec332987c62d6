//! TensorFlow Lite's comparisons, its logic and its selections: of floats, and of integers by TensorFlow Lite's own
//! arithmetic.

use edgepkg_quantize::import::tflite;
use edgepkg_quantize::interpret::Interpreter;
use edgepkg_quantize::simplify::simplify;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::tflite_file::{FileGraph, FileOperator, FileTensor, code, file, kind};

const ELEMENTS: i32 = 4;

/// An operator, and whether it holds of two numbers.
type Comparison<T> = (i32, fn(T, T) -> bool);

fn comparisons<T: PartialOrd>() -> [Comparison<T>; 6] {
    [
        (code::LESS, |a, b| a < b),
        (code::GREATER, |a, b| a > b),
        (code::GREATER_EQUAL, |a, b| a >= b),
        (code::LESS_EQUAL, |a, b| a <= b),
        (code::EQUAL, |a, b| a == b),
        (code::NOT_EQUAL, |a, b| a != b),
    ]
}

/// Where `a` and `b` compare so, `a`, else `b`.
fn selection(compare: i32, of: impl Fn(&'static str) -> FileTensor) -> Vec<u8> {
    let truth = FileTensor::new("truth", kind::BOOL, &[ELEMENTS]);
    let tensors = vec![of("a"), of("b"), truth, of("y")];
    let operators =
        vec![FileOperator::new(compare, &[0, 1], 2), FileOperator::new(code::SELECT_V2, &[2, 0, 1], 3)];
    file(&[FileGraph { name: "selection", tensors, inputs: vec![0, 1], outputs: vec![3], operators }])
}

#[test]
fn floats_are_compared_and_selected() {
    let (a, b) = ([1.0, -2.5, 3.0, 0.0], [0.5, -2.5, 4.0, -0.0]);
    for (compare, holds) in comparisons::<f32>() {
        let bytes = selection(compare, |name| FileTensor::new(name, kind::FLOAT32, &[ELEMENTS]));
        let graph = tflite::read(&bytes).expect("a model file").into_float().expect("a float model");
        let expected: Vec<f32> = a.iter().zip(b).map(|(&a, b)| if holds(a, b) { a } else { b }).collect();
        for graph in [&graph, &simplify(graph.clone())] {
            assert_eq!(Interpreter::new(graph).run(&[&a, &b], |_, _| ()).remove(0), expected, "{compare}");
        }
    }
}

/// `(q - zero_point) << 8`, scaled and rounded twice: a product with a Q31 multiplier, then a shift, halves away from 0.
fn in_256ths(q: i8, scale: f32, zero_point: i32) -> i32 {
    let (mut mantissa, mut exponent) = (f64::from(scale), 0);
    while mantissa < 0.5 {
        (mantissa, exponent) = (mantissa * 2.0, exponent - 1);
    }
    assert!(mantissa < 1.0, "scales below 1");
    let multiplier = (mantissa * f64::powi(2.0, 31)).round() as i64;
    let x = i64::from((i32::from(q) - zero_point) << 8);
    let nudge = if x * multiplier >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    let high = (x * multiplier + nudge) / (1 << 31);
    let steps = f64::from(high as i32) / f64::powi(2.0, -exponent);
    steps.round() as i32
}

#[test]
fn integers_are_compared_in_256ths() {
    // The finer scale's steps are less than 1/256, so that neighbours are equal.
    let ((a_scale, a_zero_point), (b_scale, b_zero_point)) = ((0.002, 3), (0.03, -20));
    for (compare, holds) in comparisons::<i32>() {
        let tensors = vec![
            FileTensor::new("a", kind::INT8, &[1, 256]).scaled(&[a_scale], a_zero_point.into()),
            FileTensor::new("b", kind::INT8, &[1, 256]).scaled(&[b_scale], b_zero_point.into()),
            FileTensor::new("y", kind::BOOL, &[1, 256]),
        ];
        let operators = vec![FileOperator::new(compare, &[0, 1], 2)];
        let graph =
            FileGraph { name: "comparison", tensors, inputs: vec![0, 1], outputs: vec![2], operators };
        let graph = tflite::read(&file(&[graph])).expect("a model file").into_quantized().expect("int8");
        let mut session = HostSession::new(&graph).expect("it can be run");
        let a: Vec<u8> = (0..=255).collect();
        for b in [-30i8, -22, -20, -17, 90] {
            let output = session.run(&[a.clone(), vec![b as u8; 256]]).remove(0);
            for (&a, found) in a.iter().zip(output) {
                let [x, y] = [in_256ths(a as i8, a_scale, a_zero_point), in_256ths(b, b_scale, b_zero_point)];
                assert_eq!(found != 0, holds(x, y), "{compare} of {} and {b}", a as i8);
            }
        }
    }
}

#[test]
fn integers_are_selected_as_they_are() {
    for (compare, holds) in comparisons::<i8>() {
        let bytes =
            selection(compare, |name| FileTensor::new(name, kind::INT8, &[ELEMENTS]).scaled(&[0.25], 7));
        let graph = tflite::read(&bytes).expect("a model file").into_quantized().expect("int8");
        let (a, b) = ([1i8, -128, 127, 7], [1i8, 5, -3, 8]);
        let raw = |values: [i8; 4]| values.map(|value| value as u8).to_vec();
        let expected: Vec<u8> =
            a.iter().zip(b).map(|(&a, b)| if holds(a, b) { a as u8 } else { b as u8 }).collect();
        let output = HostSession::new(&graph).expect("it can be run").run(&[raw(a), raw(b)]).remove(0);
        assert_eq!(output, expected, "{compare}");
    }
}

#[test]
fn truths_are_joined() {
    let joined: [Comparison<bool>; 2] =
        [(code::LOGICAL_AND, |a, b| a && b), (code::LOGICAL_OR, |a, b| a || b)];
    let all = [[0u8, 0, 1, 1], [0u8, 1, 0, 1]];
    for (operator, holds) in joined {
        let truth = |name| FileTensor::new(name, kind::BOOL, &[ELEMENTS]);
        let tensors = vec![truth("a"), truth("b"), truth("both"), truth("y")];
        let operators =
            vec![FileOperator::new(operator, &[0, 1], 2), FileOperator::new(code::LOGICAL_NOT, &[2], 3)];
        let graph = FileGraph { name: "logic", tensors, inputs: vec![0, 1], outputs: vec![3], operators };
        let graph = tflite::read(&file(&[graph])).expect("a model file").into_quantized().expect("of truths");
        let output = HostSession::new(&graph).expect("it can be run").run(&all.map(Vec::from)).remove(0);
        let expected: Vec<u8> = (0..4).map(|at| u8::from(!holds(all[0][at] == 1, all[1][at] == 1))).collect();
        assert_eq!(output, expected, "{operator}");
    }
}
