//! Integer inputs of ONNX files: rows of tables, one by one and in bags, against what they must be.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::graph::FloatGraph;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples, SamplesError, index_extents};
use edgepkg_quantize::simplify::simplify;
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
