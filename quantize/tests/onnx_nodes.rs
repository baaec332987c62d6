//! ONNX's own conformance tests of single operators: each gives the outputs stored or is refused by name,
//! as `onnx_nodes.md` says. Every input but the first is made a constant, as in models.

#![cfg(feature = "onnx")]

mod support;

use std::fmt::Write;
use std::path::Path;

use edgepkg_quantize::simplify::simplify;
use prost::Message;
use tract_onnx::data_resolver::MmapDataResolver;
use tract_onnx::pb::{ModelProto, TensorProto};
use tract_onnx::prelude::Tensor;
use tract_onnx::tensor::load_tensor;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx_nodes.md");
/// How far outputs may be from those stored: a share of them, and a number.
const TOLERANCES: (f32, f32) = (1e-3, 1e-5);

const HEADER: &str = "\
# ONNX's conformance tests of single operators

What the importer makes of each: it gives the stored outputs in float32 (within 1e-3 of each value, or 1e-5), or
it refuses the model for the reason named. Every input but the first is a constant, as in models; outputs other
than the first are asked of Split alone. `cargo xtask bless` writes this table.
";

fn stored(folder: &Path, what: &str) -> Option<TensorProto> {
    let bytes = std::fs::read(folder.join("test_data_set_0").join(what)).ok()?;
    TensorProto::decode(&*bytes).ok()
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    let tensor: Tensor = load_tensor(&MmapDataResolver, tensor, None).expect("a stored tensor is sound");
    let tensor = tensor.cast_to::<f32>().expect("it is of numbers");
    tensor.to_plain_array_view::<f32>().expect("it is of floats").iter().copied().collect()
}

/// Runs the test in `folder`: the model's refusal, or nothing when all is well.
fn run(folder: &Path, name: &str, file: &[u8]) -> Option<String> {
    let mut model = ModelProto::decode(file).expect("it is protobuf");
    let graph = model.graph.as_mut().expect("it has a graph");
    for (index, input) in graph.input.iter().enumerate().skip(1) {
        let Some(mut constant) = stored(folder, &format!("input_{index}.pb")) else { continue };
        constant.name.clone_from(&input.name);
        graph.initializer.push(constant);
    }
    if graph.node[0].op_type != "Split" {
        graph.output.truncate(1);
    }
    let imported = match support::read_onnx(&model.encode_to_vec()) {
        Ok(graph) => graph,
        Err(error) => {
            let reason = error.to_string();
            assert!(!reason.contains("contradict each other"), "{name}: a panic");
            return Some(reason.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    };
    let input = floats(&stored(folder, "input_0.pb").expect("an input"));
    for (graph, stage) in [(&imported, "imported"), (&simplify(imported.clone()), "simplified")] {
        for (index, found) in support::interpret(graph, std::slice::from_ref(&input)).iter().enumerate() {
            let expected = floats(&stored(folder, &format!("output_{index}.pb")).expect("an output"));
            assert_eq!(found.len(), expected.len(), "{name}, {stage}: elements");
            for (found, expected) in found.iter().zip(expected) {
                let allowed = TOLERANCES.0 * expected.abs() + TOLERANCES.1;
                assert!((found - expected).abs() <= allowed, "{name}, {stage}: {found}, not {expected}");
            }
        }
    }
    None
}

#[test]
fn conformance_tests_give_the_outputs_stored_or_are_refused_by_name() {
    let Some(zoo) = support::zoo() else { return };
    let folders = std::fs::read_dir(zoo.join("onnx_node_tests")).expect("the tests are there");
    let mut folders: Vec<_> = folders.map(|folder| folder.expect("it can be listed").path()).collect();
    folders.sort();
    let (mut passed, mut refused) = (0, 0);
    let mut rows = String::new();
    for folder in folders {
        let Ok(file) = std::fs::read(folder.join("model.onnx")) else { continue };
        let name = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
        let result = match run(&folder, &name, &file) {
            None => {
                passed += 1;
                "passes".to_owned()
            }
            Some(reason) => {
                refused += 1;
                format!("refused: {reason}")
            }
        };
        writeln!(rows, "| {name} | {result} |").expect("a string takes all");
    }
    let table = format!(
        "{HEADER}\n{passed} pass, {refused} are refused, of {}.\n\n| test | result |\n|---|---|\n{rows}",
        passed + refused
    );
    eprintln!("{passed} pass, {refused} are refused");
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        std::fs::write(TABLE, table).expect("the table can be written");
        return;
    }
    let committed = std::fs::read_to_string(TABLE).expect("the table is committed");
    for (committed, found) in committed.lines().zip(table.lines()) {
        assert_eq!(found, committed, "`cargo xtask bless` writes the table anew");
    }
    assert_eq!(table.len(), committed.len(), "`cargo xtask bless` writes the table anew");
}
