//! TopK: of int8 and int16 it gives what it gives of the same reals, which is what ONNX says.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_format::DType;
use edgepkg_quantize::graph::{
    Extreme, Graph, Node, Op, Quantization, QuantizedGraph, QuantizedTensor, Rounding, TensorId,
};
use edgepkg_quantize::simulate::{Simulator, dequantize_values};
use support::Random;
use support::onnx_file::{OnnxFile, int};

const EXTREMES: [Extreme; 4] = [Extreme::Greatest, Extreme::Least, Extreme::LastGreatest, Extreme::LastLeast];

/// The places of the first `count` elements of `row` in their order.
fn places(row: &[f32], extreme: Extreme, count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..row.len()).collect();
    if matches!(extreme, Extreme::LastGreatest | Extreme::LastLeast) {
        places.reverse();
    }
    let sign = if matches!(extreme, Extreme::Least | Extreme::LastLeast) { 1.0 } else { -1.0 };
    places.sort_by(|&a, &b| (sign * row[a]).total_cmp(&(sign * row[b])));
    places.truncate(count);
    places
}

/// Values of `[rows, depth]` and where they are, `[rows, count]`.
fn quantized(dtype: DType, extreme: Extreme, [rows, depth, count]: [usize; 3]) -> QuantizedGraph {
    let tensor = |name: &str, columns, dtype, scale, zero_point| QuantizedTensor {
        name: name.into(),
        shape: vec![rows, columns],
        dtype,
        quantization: Quantization::per_tensor(scale, zero_point),
        data: None,
    };
    let zero_point = if dtype == DType::Int8 { 3 } else { 0 };
    let node = |op: Op, inputs: &[usize], output: usize| Node {
        name: "top".into(),
        op,
        inputs: inputs.iter().map(|&id| TensorId(id)).collect(),
        outputs: vec![TensorId(output)],
    };
    Graph {
        name: String::new(),
        tensors: vec![
            tensor("x", depth, dtype, 0.25, zero_point),
            tensor("indices", count, DType::Int32, 1.0, 0),
            tensor("values", count, dtype, 0.25, zero_point),
        ],
        nodes: vec![
            node(Op::TopIndices { extreme }, &[0], 1),
            node(Op::Gather { axis: 1, batch_dimensions: 1 }, &[0, 1], 2),
        ],
        inputs: vec![TensorId(0)],
        outputs: vec![TensorId(1), TensorId(2)],
        rounding: Rounding::Twice,
    }
}

#[test]
fn integers_are_ordered_as_their_reals_are() {
    let mut random = Random::new(26);
    for case in 0..400 {
        let (rows, depth) = (random.within(1..=3), random.within(1..=20));
        let count = random.within(1..=depth);
        let dtype = *random.pick(&[DType::Int8, DType::Int16]);
        let extreme = *random.pick(&EXTREMES);
        let graph = quantized(dtype, extreme, [rows, depth, count]);
        // Few values, so that many are equal.
        let raw: Vec<i16> = (0..rows * depth).map(|_| *random.pick(&[-128, -3, -2, 0, 5, 127])).collect();
        let bytes: Vec<i8> = match dtype {
            DType::Int16 => raw.iter().flat_map(|x| (x * 7).to_le_bytes()).map(|byte| byte as i8).collect(),
            _ => raw.iter().map(|&x| x as i8).collect(),
        };
        let x = dequantize_values(&bytes, graph.tensor(TensorId(0)));
        let mut simulator = Simulator::new(&graph).expect("it can be lowered");
        simulator.run(&[bytes]);
        let found = simulator.outputs();
        let [indices, values] =
            [0, 1].map(|output| dequantize_values(&found[output], graph.tensor(graph.outputs[output])));
        let expected: Vec<(usize, f32)> = x
            .chunks(depth)
            .flat_map(|row| places(row, extreme, count).into_iter().map(|place| (place, row[place])))
            .collect();
        assert_eq!(indices, expected.iter().map(|&(place, _)| place as f32).collect::<Vec<_>>(), "{case}");
        assert_eq!(values, expected.iter().map(|&(_, value)| value).collect::<Vec<_>>(), "{case}");
    }
}

/// The greatest or least two along `axis` of a matrix of three rows of two.
fn file(opset: i64, axis: i64, largest: i64, count: i64, outputs: &[usize]) -> OnnxFile {
    let mut file = OnnxFile::new(opset);
    file.input("x", &[3, 2]);
    let mut attributes = vec![int("axis", axis)];
    let count = match opset {
        ..10 => {
            attributes.push(int("k", count));
            String::new()
        }
        _ => file.ints(&[count]),
    };
    if opset >= 11 {
        attributes.push(int("largest", largest));
    }
    let operands: Vec<&str> = ["x", &*count].into_iter().filter(|name| !name.is_empty()).collect();
    file.node("TopK", &operands, attributes);
    let node = file.graph.node.last_mut().expect("it was added");
    node.output = vec!["values".into(), "indices".into()];
    for &output in outputs {
        file.output(["values", "indices"][output]);
    }
    file
}

fn ordered(file: &OnnxFile) -> Vec<Vec<f32>> {
    let graph = support::read_onnx(&file.bytes()).expect("a model");
    support::interpret(&graph, &[vec![1.0, 4.0, 3.0, 4.0, 2.0, 0.0]])
}

#[test]
fn onnx_files_name_axis_and_order() {
    let greatest = [vec![3.0, 4.0, 2.0, 4.0], vec![1.0, 0.0, 2.0, 1.0]];
    for opset in [9, 10, 11, 24] {
        assert_eq!(ordered(&file(opset, 0, 1, 2, &[0, 1])), greatest, "version {opset}");
    }
    assert_eq!(ordered(&file(17, -2, 1, 2, &[1])), [greatest[1].clone()]);
    assert_eq!(ordered(&file(17, -2, 1, 2, &[0])), [greatest[0].clone()]);
    assert_eq!(ordered(&file(17, -1, 0, 1, &[0, 1])), [[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]]);
}

#[test]
fn more_than_there_are_is_refused() {
    let error = support::read_onnx(&file(17, 0, 1, 4, &[0]).bytes()).expect_err("it is refused");
    assert_eq!(error.to_string(), "TopK `TopK_0` takes 4 of 3 elements");
}
