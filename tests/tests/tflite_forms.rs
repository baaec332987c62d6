//! The less usual forms of TensorFlow Lite files: floats and integers in one model, several graphs, weights of
//! four bits, uint8 at the edge.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_quantize::graph::FloatGraph;
use edgepkg_quantize::import::{Imported, tflite};
use edgepkg_quantize::interpret::Interpreter;
use edgepkg_quantize::samples::index_extents;
use edgepkg_runtime::{Model, TensorError};
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::tflite_file::{FileGraph, FileOperator, FileTensor, code, file, kind};

const SHAPE: [i32; 2] = [1, 4];

fn read(graphs: &[FileGraph]) -> Imported {
    tflite::read(&file(graphs)).expect("a model file")
}

fn message(graphs: &[FileGraph]) -> String {
    tflite::read(&file(graphs)).expect_err("a file that is refused").to_string()
}

fn int8(name: &'static str) -> FileTensor {
    FileTensor::new(name, kind::INT8, &SHAPE).scaled(&[0.5], 1)
}

fn float(name: &'static str) -> FileTensor {
    FileTensor::new(name, kind::FLOAT32, &SHAPE)
}

/// Tensors of which each but the first is what one operator makes of the one before.
fn chain(name: &'static str, tensors: Vec<FileTensor>, codes: &[i32]) -> FileGraph {
    let operator = |(place, &code): (usize, &i32)| FileOperator::new(code, &[place as i32], place as i32 + 1);
    let operators = codes.iter().enumerate().map(operator).collect();
    let outputs = vec![codes.len() as i32];
    FileGraph { name, tensors, inputs: vec![0], outputs, operators }
}

#[test]
fn floats_amid_integers_are_refused_by_name() {
    let tensors = vec![int8("x"), int8("a"), int8("b"), int8("c"), float("reals"), float("y")];
    let codes = [code::RELU, code::RELU, code::RELU, code::DEQUANTIZE, code::LOGISTIC];
    insta::assert_snapshot!(message(&[chain("mixed", tensors, &codes)]), @r"
    2 operators are not supported:
      DEQUANTIZE `reals` [1, 4] -> [1, 4], version 1: it writes floats, and most of the model integers
      LOGISTIC `y` [1, 4] -> [1, 4], version 1: it writes floats, and most of the model integers
    ");
}

#[test]
fn integers_amid_floats_are_refused_by_name() {
    let tensors = vec![float("x"), float("a"), int8("steps"), int8("b"), float("c"), float("d"), float("y")];
    let codes = [code::LOGISTIC, code::QUANTIZE, code::RELU, code::DEQUANTIZE, code::TANH, code::RELU];
    insta::assert_snapshot!(message(&[chain("mixed", tensors, &codes)]), @r"
    3 operators are not supported:
      QUANTIZE `steps` [1, 4] -> [1, 4], version 1: it writes integers, and most of the model floats
      RELU `b` [1, 4] -> [1, 4], version 1: it writes integers, and most of the model floats
      DEQUANTIZE `c` [1, 4] -> [1, 4], version 1
    ");
}

#[test]
fn floats_at_the_edge_are_no_part_of_an_int8_model() {
    let tensors = vec![float("x"), int8("a"), int8("b"), float("y")];
    let imported = read(&[chain("edges", tensors, &[code::QUANTIZE, code::RELU, code::DEQUANTIZE])]);
    let graph = imported.into_quantized().expect("an int8 model");
    let names: Vec<&str> = graph.nodes.iter().map(|node| node.op.name()).collect();
    assert_eq!(names, ["Relu"]);
    let ports = [graph.inputs[0], graph.outputs[0]].map(|id| graph.tensor(id).name.as_str());
    assert_eq!(ports, ["a", "b"]);
}

#[test]
fn of_several_graphs_the_first_is_the_model() {
    let first = chain("main", vec![int8("x"), int8("y")], &[code::RELU]);
    let other = chain("other", vec![float("u"), float("v")], &[code::CALL_ONCE]);
    let imported = read(&[first.clone(), other.clone()]);
    insta::assert_snapshot!(imported.notes.join("\n"), @"the file holds 2 graphs; the first, `main`, is the model");
    let alone = read(&[first]);
    assert_eq!(imported.graph, alone.graph);
    assert_eq!(alone.notes, Vec::<String>::new());
    insta::assert_snapshot!(message(&[other]), @r"
    1 operator is not supported:
      CALL_ONCE `v` [1, 4] -> [1, 4], version 1
    ");
}

/// A dense layer of three inputs and two outputs, its weights of four bits, between floats.
fn dense(weights: FileTensor) -> FileGraph {
    let tensors = vec![
        FileTensor::new("x", kind::FLOAT32, &[1, 3]),
        weights,
        FileTensor::new("y", kind::FLOAT32, &[1, 2]),
    ];
    let operators = vec![FileOperator::new(code::FULLY_CONNECTED, &[0, 1, -1], 2)];
    FileGraph { name: "dense", tensors, inputs: vec![0], outputs: vec![2], operators }
}

fn weights(graph: &FloatGraph) -> Vec<f32> {
    graph.tensors.iter().find_map(|tensor| tensor.data.as_deref()).expect("a constant").to_vec()
}

#[test]
fn weights_of_four_bits_are_the_reals_they_stand_for() {
    // -8, 7, 1 and -1, 0, 3; the lower half of a byte first.
    let int4 = FileTensor::new("w", kind::INT4, &[2, 3]).holding(&[0x78, 0xf1, 0x30]);
    let imported = read(&[dense(int4.clone().scaled(&[0.5, 0.25], 0))]);
    insta::assert_snapshot!(imported.notes.join("\n"), @"the file holds weights as integers between floats (`w`): they are taken as the reals they stand for and rounded anew");
    let graph = imported.into_float().expect("a float model");
    assert_eq!(weights(&graph), [-4.0, 3.5, 0.5, -0.25, 0.0, 0.75]);
    let outputs = Interpreter::new(&graph).run(&[&[1.0, 2.0, 4.0]], |_, _| ());
    assert_eq!(outputs, [[5.0, 2.75]]);
    let one_scale = read(&[dense(int4.clone().scaled(&[2.0], 0))]).into_float().expect("a float model");
    assert_eq!(weights(&one_scale), [-16.0, 14.0, 2.0, -2.0, 0.0, 6.0]);
    let huge = FileTensor::new("w", kind::INT8, &[2, i32::MAX, i32::MAX, i32::MAX]).holding(&[1; 6]);
    insta::assert_snapshot!(message(&[dense(huge.scaled(&[0.5, 0.25], 0))]), @"not a readable TensorFlow Lite file: tensor `w` has more or less data than its shape");
    insta::assert_snapshot!(message(&[dense(int4)]), @"not a readable TensorFlow Lite file: tensor `w` has no scale");
}

#[test]
fn weights_of_four_bits_in_int8_models_are_refused() {
    let int4 = FileTensor::new("w", kind::INT4, &[2, 3]).holding(&[0x78, 0xf1, 0x30]).scaled(&[0.5], 0);
    let mut graph = dense(int4);
    for (place, shape) in [(0, [1, 3]), (2, [1, 2])] {
        graph.tensors[place] = FileTensor::new("port", kind::INT8, &shape).scaled(&[0.5], 0);
    }
    insta::assert_snapshot!(message(&[graph]), @"tensor `w` has type int4; activations must be int8 or int16, and weights int8");
}

/// uint8 outside, int8 inside, quantized on the way in and out.
fn edges(zero_point: i64) -> FileGraph {
    let uint8 = |name| FileTensor::new(name, kind::UINT8, &SHAPE).scaled(&[0.5], zero_point);
    let tensors = vec![uint8("x"), int8("a"), int8("b"), uint8("y")];
    chain("edges", tensors, &[code::QUANTIZE, code::RELU, code::QUANTIZE])
}

#[test]
fn uint8_at_the_edge_that_stands_for_the_same_reals_costs_nothing() {
    let graph = read(&[edges(129)]).into_quantized().expect("an int8 model");
    assert_eq!(graph.nodes.len(), 1);
    assert_eq!(graph.tensor(graph.inputs[0]).quantization.zero_point(), 1);
    let outputs = HostSession::new(&graph).expect("it runs").run(&[vec![0x80, 0, 1, 0x7f]]);
    assert_eq!(outputs, [[1, 1, 1, 0x7f]]);
}

#[test]
fn uint8_at_the_edge_with_other_reals_is_rescaled() {
    let imported = read(&[edges(127)]);
    insta::assert_snapshot!(imported.notes.join("\n"), @"the file's uint8 (`x`, `y`) became int8, 128 less with their zero points: the same reals");
    let graph = imported.into_quantized().expect("an int8 model");
    let names: Vec<&str> = graph.nodes.iter().map(|node| node.op.name()).collect();
    assert_eq!(names, ["Requantize", "Relu", "Requantize"]);
    let ports = [graph.inputs[0], graph.outputs[0]].map(|id| graph.tensor(id).quantization.zero_point());
    assert_eq!(ports, [-1, -1]);
    // -127, 0, 1, 2 as int8 are 2 more inside, and what is less than 1 there becomes 1.
    let outputs = HostSession::new(&graph).expect("it runs").run(&[vec![0x81, 0, 1, 0x7f]]);
    assert_eq!(outputs, [[0xff, 0, 1, 0x7d]]);
}

/// Rows of `table` at indices that come as `kind`.
fn lookup(index_kind: i8, table: FileTensor, rows: FileTensor) -> FileGraph {
    let index = |name, kind, shape: &[i32]| FileTensor::new(name, kind, shape);
    let tensors = vec![
        index("x", index_kind, &[2, 1]),
        index("cast", kind::INT32, &[2, 1]),
        index("indices", kind::INT32, &[2]),
        table,
        rows,
    ];
    let operators = vec![
        FileOperator::new(code::CAST, &[0], 1),
        FileOperator::new(code::RESHAPE, &[1], 2),
        FileOperator::new(code::EMBEDDING_LOOKUP, &[2, 3], 4),
    ];
    FileGraph { name: "lookup", tensors, inputs: vec![0], outputs: vec![4], operators }
}

#[test]
fn indices_are_cast_and_moved_on_their_way_to_a_table() {
    let values: Vec<f32> = (0..12).map(|value| value as f32 / 4.0).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let table = FileTensor::new("table", kind::FLOAT32, &[3, 4]).holding(&bytes);
    for index_kind in [kind::INT64, kind::INT32, kind::FLOAT32] {
        let rows = FileTensor::new("rows", kind::FLOAT32, &[2, 4]);
        let graph = read(&[lookup(index_kind, table.clone(), rows)]).into_float().expect("a float model");
        assert_eq!(index_extents(&graph), [Some(vec![3; 2])]);
        let outputs = Interpreter::new(&graph).run(&[&[2.0, 0.0]], |_, _| ());
        assert_eq!(outputs, [[&values[8..], &values[..4]].concat()]);
    }
}

#[test]
fn rows_of_an_int8_table_are_its_bytes_and_none_is_read_beyond_it() {
    let table: Vec<u8> = (0..12).collect();
    let int8 = |name, shape: &[i32]| FileTensor::new(name, kind::INT8, shape).scaled(&[0.5], 1);
    for index_kind in [kind::INT64, kind::INT32] {
        let graph = lookup(index_kind, int8("table", &[3, 4]).holding(&table), int8("rows", &[2, 4]));
        let graph = read(&[graph]).into_quantized().expect("an int8 model");
        let mut session = HostSession::new(&graph).expect("it runs");
        let mut run = |indices: [i32; 2]| session.run(&[indices.map(i32::to_le_bytes).concat()]).remove(0);
        assert_eq!(run([2, 0]), [&table[8..], &table[..4]].concat());
        assert_eq!(run([i32::MAX, i32::MIN]), run([2, 0]));
        let artifact = AlignedBytes::from(&session.emitted().artifact[..]);
        let model = Model::parse(&artifact).expect("a model");
        let mut arena = AlignedBytes::from(&vec![0; model.arena_bytes()][..]);
        let mut session =
            model.session(bytemuck::cast_slice_mut(&mut arena)).expect("the arena is as large as stated");
        let mut input = session.input(0).expect("there is one");
        let too_few = TensorError::Length { tensor_bytes: 8, data_bytes: 4 };
        assert_eq!(input.copy_from_i32(&[1]), Err(too_few));
        input.copy_from_i32(&[1, 2]).expect("there are two");
        assert!(input.as_tensor().values_i32().eq([1, 2]));
        session.run().expect("every input is set");
        let rows = session.output(0).expect("there is one").values_i8();
        assert!(rows.eq(table[4..].iter().map(|&byte| byte as i8)));
    }
}
