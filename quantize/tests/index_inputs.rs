//! Integer inputs of ONNX files: rows of tables, one by one and in bags, against what they must be.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::graph::FloatGraph;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples, SamplesError, index_extents};
use edgepkg_quantize::simplify::simplify;
use edgepkg_quantize::simulate::{Simulator, dequantize_values};
use support::Random;
use support::onnx_file::{OnnxFile, int};

/// A table of embeddings.
struct Table {
    rows: usize,
    columns: usize,
    data: Vec<f32>,
}

impl Table {
    fn any(random: &mut Random, columns: usize) -> Self {
        let rows = random.within(1..=300);
        Self { rows, columns, data: random.floats(rows * columns) }
    }

    fn row(&self, index: f32) -> &[f32] {
        &self.data[index as usize * self.columns..][..self.columns]
    }
}

/// How a file takes one of several indices.
#[derive(Clone, Copy)]
enum Column {
    Gathered,
    Sliced,
    Split,
}

/// A model that looks up a column of its input `[1, tables]` in each table, and sums up a bag of `bag` rows of the
/// first by a second input.
struct Recommender {
    tables: Vec<Table>,
    bag: usize,
    file: OnnxFile,
}

impl Recommender {
    fn any(random: &mut Random) -> Self {
        let columns = random.within(1..=9);
        let tables: Vec<Table> = (0..random.within(2..=4)).map(|_| Table::any(random, columns)).collect();
        let bag = random.within(1..=20);
        let mut file = OnnxFile::new(*random.pick(&[13, 17, 18]));
        file.index_input("x", &[1, tables.len()]);
        file.index_input("bag", &[1, bag]);
        let taken = *random.pick(&[Column::Gathered, Column::Sliced, Column::Split]);
        let columns = columns_of(&mut file, "x", tables.len(), taken);
        let mut found = Vec::new();
        for (table, column) in tables.iter().zip(columns) {
            let rows = file.floats(&[table.rows, table.columns], table.data.clone());
            let row = file.node("Gather", &[&rows, &column], vec![int("axis", 0)]);
            let shape = file.ints(&[1, table.columns as i64]);
            found.push(file.node("Reshape", &[&row, &shape], vec![]));
        }
        let rows = file.floats(&[tables[0].rows, tables[0].columns], tables[0].data.clone());
        let rows = file.node("Gather", &[&rows, "bag"], vec![]);
        let axes = file.ints(&[1]);
        found.push(file.node("ReduceSum", &[&rows, &axes], vec![int("keepdims", 0)]));
        for row in &found {
            file.output(row);
        }
        Self { tables, bag, file }
    }

    fn inputs(&self, random: &mut Random, count: usize) -> Vec<Array> {
        let mut index = |rows: usize| random.within(0..=rows - 1) as f32;
        let x = (0..count).flat_map(|_| self.tables.iter()).map(|table| index(table.rows)).collect();
        let bag = (0..count * self.bag).map(|_| index(self.tables[0].rows)).collect();
        vec![
            Array { shape: vec![count, self.tables.len()], elements: x },
            Array { shape: vec![count, self.bag], elements: bag },
        ]
    }

    /// The rows, and the sum of the bag.
    fn expected(&self, x: &[f32], bag: &[f32]) -> Vec<Vec<f32>> {
        let mut outputs: Vec<Vec<f32>> =
            self.tables.iter().zip(x).map(|(table, &index)| table.row(index).to_vec()).collect();
        let first = &self.tables[0];
        let mut sum = vec![0.0; first.columns];
        for &index in bag {
            sum.iter_mut().zip(first.row(index)).for_each(|(sum, value)| *sum += value);
        }
        outputs.push(sum);
        outputs
    }
}

/// Each column of `x`, of shape `[1]` or `[1, 1]`.
fn columns_of(file: &mut OnnxFile, x: &str, count: usize, taken: Column) -> Vec<String> {
    match taken {
        Column::Gathered => {
            let column = |index: usize| {
                let index = file.ints(&[index as i64]);
                file.node("Gather", &[x, &index], vec![int("axis", 1)])
            };
            (0..count).map(column).collect()
        }
        Column::Sliced => {
            let column = |index: usize| {
                let [begin, end, axis] = [index as i64, index as i64 + 1, 1].map(|value| file.ints(&[value]));
                file.node("Slice", &[x, &begin, &end, &axis], vec![])
            };
            (0..count).map(column).collect()
        }
        Column::Split => {
            let sizes = file.ints(&vec![1; count]);
            let first = file.node("Split", &[x, &sizes], vec![int("axis", 1)]);
            let names: Vec<String> = (1..count).map(|index| format!("column_{index}")).collect();
            file.graph.node.last_mut().expect("the split").output.extend(names.clone());
            [vec![first], names].concat()
        }
    }
}

fn read(file: &OnnxFile) -> FloatGraph {
    support::read_onnx(&file.bytes()).expect("a model")
}

fn refused(file: &OnnxFile) -> String {
    support::read_onnx(&file.bytes()).expect_err("it is refused").to_string()
}

#[test]
fn rows_and_bags_of_any_tables() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let model = Recommender::any(&mut random);
        let graph = simplify(read(&model.file));
        let rows = model.tables.iter().map(|table| table.rows).collect();
        assert_eq!(index_extents(&graph), [Some(rows), Some(vec![model.tables[0].rows; model.bag])]);
        let arrays = model.inputs(&mut random, 10);
        let samples = Samples::new(&graph, arrays.clone()).expect("they fit");
        let last = model.tables.len() - 1;
        let mut beyond = arrays;
        beyond[0].elements[last] = model.tables[last].rows as f32;
        let refused = SamplesError::Index {
            input: "x".into(),
            sample: 0,
            element: last,
            value: model.tables[last].rows as f32,
            extent: model.tables[last].rows,
        };
        assert_eq!(Samples::new(&graph, beyond), Err(refused));
        for sample in samples.iter() {
            let inputs: Vec<Vec<f32>> = sample.iter().map(|values| values.to_vec()).collect();
            let found = support::interpret(&graph, &inputs);
            let expected = model.expected(sample[0], sample[1]);
            for (found, expected) in found.iter().zip(&expected) {
                let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4);
                assert!(near, "seed {seed}: {found:?}, not {expected:?}");
            }
        }
        for int16_layers in [Int16Layers::None, Int16Layers::All] {
            let options = Options { int16_layers, ..Options::default() };
            let quantized =
                quantize(graph.clone(), &samples, None, &options, &mut |_| {}).expect("it can be");
            let decibels = quantized.report.sqnr_db.expect("there are outputs");
            assert!(decibels >= 25.0, "seed {seed}: {decibels:.1} dB with {:?}", options.int16_layers);
        }
    }
}

#[test]
fn each_index_is_one_of_a_row() {
    // The classes' dimension is the last or the middle one.
    for axis in [-1, 1] {
        let mut file = OnnxFile::new(17);
        file.index_input("x", &[1, 3]);
        let (classes, values) = (file.ints(&[4]), file.floats(&[2], vec![-0.5, 2.0]));
        let y = file.node("OneHot", &["x", &classes, &values], vec![int("axis", axis)]);
        file.output(&y);
        let graph = simplify(read(&file));
        assert_eq!(index_extents(&graph), [Some(vec![4; 3])]);
        let indices = [2.0, 0.0, 3.0];
        let mut expected = vec![-0.5; 12];
        for (row, index) in indices.iter().enumerate() {
            let at = if axis == 1 { 3 * *index as usize + row } else { 4 * row + *index as usize };
            expected[at] = 2.0;
        }
        assert_eq!(support::interpret(&graph, &[indices.to_vec()]), [expected]);
        let array = Array { shape: vec![2, 3], elements: vec![2.0, 0.0, 3.0, 1.0, 1.0, 0.0] };
        let samples = Samples::new(&graph, vec![array]).expect("they fit");
        for int16_layers in [Int16Layers::None, Int16Layers::All] {
            let options = Options { int16_layers, ..Options::default() };
            let quantized =
                quantize(graph.clone(), &samples, None, &options, &mut |_| {}).expect("it can be");
            // There is no noise at all, or hardly any.
            assert!(quantized.report.sqnr_db.is_none_or(|decibels| decibels > 45.0));
        }
    }
}

#[test]
fn a_table_of_any_size_is_one_region() {
    let (rows, columns) = (400_000, 8);
    let table: Vec<f32> = (0..rows * columns).map(|at| (at % 255) as f32 - 127.0).collect();
    let mut file = OnnxFile::new(17);
    file.index_input("x", &[1, 2]);
    let constant = file.floats(&[rows, columns], table.clone());
    let y = file.node("Gather", &[&constant, "x"], vec![]);
    file.output(&y);
    let indices = [rows as f32 - 1.0, 7.0];
    let graph = simplify(read(&file));
    let array = Array { shape: vec![1, 2], elements: indices.to_vec() };
    let samples = Samples::new(&graph, vec![array]).expect("they fit");
    let quantized = quantize(graph, &samples, None, &Options::default(), &mut |_| {}).expect("it can be");
    let mut simulator = Simulator::new(&quantized.graph).expect("it can be lowered");
    simulator.run(&[indices.iter().flat_map(|&x| (x as i32).to_le_bytes().map(|byte| byte as i8)).collect()]);
    let output = quantized.graph.tensor(quantized.graph.outputs[0]);
    let found = dequantize_values(&simulator.outputs()[0], output);
    let expected = indices.iter().flat_map(|&row| &table[columns * row as usize..][..columns]);
    assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= 1.0), "{found:?}");
}

#[test]
fn constant_ranges_are_computed() {
    let mut file = OnnxFile::new(17);
    file.input("x", &[1, 3]);
    let bounds = [1.0, 7.0, 2.5].map(|value| file.floats(&[], vec![value]));
    let range = file.node("Range", &bounds.each_ref().map(|name| &**name), vec![]);
    let y = file.node("Add", &["x", &range], vec![]);
    file.output(&y);
    assert_eq!(support::interpret(&read(&file), &[vec![0.5, 0.0, -1.0]]), [[1.5, 3.5, 5.0]]);
    let mut long = OnnxFile::new(17);
    long.input("x", &[1, 1]);
    let bounds = [0.0, 1e12, 1.0].map(|value| long.floats(&[], vec![value]));
    let range = long.node("Range", &bounds.each_ref().map(|name| &**name), vec![]);
    let y = long.node("Add", &["x", &range], vec![]);
    long.output(&y);
    let problem =
        "Range `Range_0` goes from 0 to 999999995904 in steps of 1, which are no or too many elements";
    assert_eq!(refused(&long), problem);
}

#[test]
fn integers_that_only_become_floats_are_no_indices() {
    let mut file = OnnxFile::new(17);
    file.index_input("mask", &[1, 4]);
    let real = file.node("Cast", &["mask"], vec![int("to", 1)]);
    let minus = file.floats(&[1], vec![-10_000.0]);
    let y = file.node("Mul", &[&real, &minus], vec![]);
    file.output(&y);
    let graph = read(&file);
    assert_eq!(index_extents(&graph), [None]);
    assert_eq!(support::interpret(&graph, &[vec![0.0, 1.0, 1.0, 0.0]]), [[0.0, -1e4, -1e4, 0.0]]);
}

#[test]
fn what_cannot_be_done_with_indices_is_said() {
    let mut said = Vec::new();
    let table = |file: &mut OnnxFile| file.floats(&[3, 2], vec![0.5; 6]);
    let mut both = OnnxFile::new(17);
    both.index_input("x", &[1, 4]);
    let rows = table(&mut both);
    let row = both.node("Gather", &[&rows, "x"], vec![]);
    let real = both.node("Cast", &["x"], vec![int("to", 1)]);
    let real = both.node("Sqrt", &[&real], vec![]);
    both.output(&row);
    both.output(&real);
    said.push(refused(&both));
    let mut summed = OnnxFile::new(17);
    summed.index_input("x", &[1, 4]);
    let rows = table(&mut summed);
    let index = summed.node("Add", &["x", "x"], vec![]);
    let row = summed.node("Gather", &[&rows, &index], vec![]);
    summed.output(&row);
    said.push(refused(&summed));
    let mut rounded = OnnxFile::new(17);
    rounded.input("x", &[1, 4]);
    let index = rounded.node("Cast", &["x"], vec![int("to", 7)]);
    let rows = table(&mut rounded);
    let row = rounded.node("Gather", &[&rows, &index], vec![]);
    rounded.output(&row);
    said.push(refused(&rounded));
    let mut mapped = OnnxFile::new(17);
    mapped.index_input("x", &[1, 4]);
    let map = mapped.ints(&[2, 0, 1]);
    let index = mapped.node("Gather", &[&map, "x"], vec![]);
    let rows = table(&mut mapped);
    let row = mapped.node("Gather", &[&rows, &index], vec![]);
    mapped.output(&row);
    said.push(refused(&mapped));
    let expected = [
        "Sqrt `Sqrt_2` (node 2) computes with indices, which only choose elements",
        "1 operator is not supported:\n  Add `Add_0` [1, 4], [1, 4] -> [1, 4], version 17: values of type I64 that are not constant",
        "Gather `Gather_1` has indices that are neither int32 nor int64",
        "1 operator is not supported:\n  Gather `Gather_0` [3], [1, 4] -> , version 17: integers of a table at indices that are not constant",
    ];
    assert_eq!(said, expected);
}
