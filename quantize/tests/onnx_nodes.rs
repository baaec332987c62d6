//! ONNX's own conformance tests of single operators: each gives the outputs stored or is refused by name,
//! as `onnx_nodes.md` says; and what comes of each operator as int8 and int16, as `onnx_operators.md` says.

#![cfg(feature = "onnx")]

mod support;

use std::fmt::Write;

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::graph::{FloatGraph, Tensor};
use edgepkg_quantize::import::onnx;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use support::examples::example;
use support::node_tests::{NodeTest, floats, load_all};

const NODES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx_nodes.md");
const OPERATORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx_operators.md");
/// How far outputs may be from those stored: a share of them, and a number.
const TOLERANCES: (f32, f32) = (1e-3, 1e-5);

const NODES_HEADER: &str = "\
# ONNX's conformance tests of single operators

What the importer makes of each: it gives the stored outputs in float32 (within 1e-3 of each value, or 1e-5), or
it refuses the model for the reason named. Every input but the first is a constant, as in models; outputs other
than the first are asked of Split alone. `cargo xtask bless` writes this table.
";

const OPERATORS_HEADER: &str = "\
# ONNX's operators

Every operator that is read, from the importer's own list, and what is computed of it: how many of ONNX's conformance
tests give the outputs stored in float32, and the signal to quantization noise of the worst of those as int8 and with
`--int16-layers all`, each calibrated on its own input (one small sample: a model's layers do better). *Exact* is no
difference at all, *indices* are compared as such by other tests, a dash is what that width does not have. Operators
without a test of their own are tested against tract in random graphs (`onnx_random.rs`), and their noise is that of an
example (`support/examples.rs`); *truths* are tested by others; *constants* are computed on the host. What is refused of an
operator stands in the last column; each test has its row in [onnx_nodes.md](onnx_nodes.md).
`cargo xtask bless` writes this table.

| operator | operator sets | tests passed | int8 | int16 | refused |
|---|---|---:|---:|---:|---|
";

/// Whose outputs are places of elements,
const INDICES: [&str; 4] = ["ArgMax", "ArgMin", "NonMaxSuppression", "TopK"];
/// or 0 and 1,
const TRUTHS: [&str; 9] =
    ["And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Xor"];
/// or known before the first run, and so computed on the host.
const CONSTANTS: [&str; 4] = ["Constant", "ConstantOfShape", "Range", "Shape"];

/// What a test came to.
enum Outcome {
    /// The graph of a model that gives the outputs stored.
    Passes(FloatGraph),
    /// Why the importer refuses it.
    Refused(String),
}

fn run(test: &NodeTest) -> Outcome {
    let name = &test.name;
    let imported = match support::read_onnx(&test.model) {
        Ok(graph) => graph,
        Err(error) => {
            let reason = error.to_string();
            assert!(!reason.contains("contradict each other"), "{name}: a panic");
            return Outcome::Refused(reason.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    };
    let input = floats(test.input.as_ref().expect("an input"));
    let simplified = simplify(imported.clone());
    for (graph, stage) in [(&imported, "imported"), (&simplified, "simplified")] {
        let found = support::interpret(graph, std::slice::from_ref(&input));
        assert_eq!(found.len(), test.outputs.len(), "{name}, {stage}: outputs");
        for (found, expected) in found.iter().zip(&test.outputs) {
            let expected = floats(expected);
            assert_eq!(found.len(), expected.len(), "{name}, {stage}: elements");
            for (found, expected) in found.iter().zip(expected) {
                let allowed = TOLERANCES.0 * expected.abs() + TOLERANCES.1;
                assert!((found - expected).abs() <= allowed, "{name}, {stage}: {found}, not {expected}");
            }
        }
    }
    Outcome::Passes(simplified)
}

/// The worst output's signal to noise in decibels, infinite where there is no noise; `None` where `layers`
/// cannot be.
fn decibels(graph: &FloatGraph, elements: Vec<f32>, layers: Int16Layers) -> Option<f64> {
    let shape = [&[1], graph.tensor(graph.inputs[0]).shape()].concat();
    let samples = Samples::new(graph, vec![Array { shape, elements }]).expect("the input fits the model");
    let options = Options { int16_layers: layers, ..Options::default() };
    let quantized = quantize(graph.clone(), &samples, None, &options, &mut |_| ()).ok()?;
    Some(quantized.report.sqnr_db.unwrap_or(f64::INFINITY))
}

/// A row of the operators' table.
fn row(operator: &str, since: i64, outcomes: &[(NodeTest, Outcome)]) -> String {
    let of_operator = || outcomes.iter().filter(|(test, _)| test.operator == operator);
    let passing = || {
        of_operator().filter_map(|(test, outcome)| match outcome {
            Outcome::Passes(graph) => Some((test, graph)),
            Outcome::Refused(_) => None,
        })
    };
    let alone = example(operator).map(|(file, input)| {
        (simplify(support::read_onnx(&file.bytes()).unwrap_or_else(|error| panic!("{error}"))), input)
    });
    let column = |layers: Int16Layers| {
        let noise = |graph: &FloatGraph, input| decibels(graph, input, layers.clone());
        let of_tests =
            passing().map(|(test, graph)| noise(graph, floats(test.input.as_ref().expect("an input"))));
        let of_example = alone.iter().map(|(graph, input)| noise(graph, input.clone()));
        match of_tests.chain(of_example).min_by(|a, b| a.partial_cmp(b).expect("numbers")) {
            _ if INDICES.contains(&operator) => "indices".to_owned(),
            _ if TRUTHS.contains(&operator) => "truths".to_owned(),
            _ if CONSTANTS.contains(&operator) => "constants".to_owned(),
            None => String::new(),
            Some(None) => "-".to_owned(),
            Some(Some(f64::INFINITY)) => "exact".to_owned(),
            Some(Some(decibels)) => format!("{decibels:.0} dB"),
        }
    };
    let mut refused: Vec<&str> = of_operator()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Passes(_) => None,
            Outcome::Refused(reason) => Some(short(reason)),
        })
        .collect();
    refused.sort_unstable();
    refused.dedup();
    let tests = of_operator().count();
    let tests = if tests == 0 { String::new() } else { format!("{} of {tests}", passing().count()) };
    let (int8, int16) = (column(Int16Layers::None), column(Int16Layers::All));
    format!("| {operator} | {since} and later | {tests} | {int8} | {int16} | {} |\n", refused.join("; "))
}

/// What is refused, without the node that asked for it.
fn short(reason: &str) -> &str {
    let behind_version = reason.split_once(", version ").and_then(|(_, rest)| rest.split_once(": "));
    let behind_name = reason.rsplit_once("` ").map(|(_, rest)| rest);
    behind_version.map(|(_, reason)| reason).or(behind_name).unwrap_or(reason)
}

fn check(file: &str, found: &str) {
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        std::fs::write(file, found).expect("the table can be written");
        return;
    }
    let committed = std::fs::read_to_string(file).expect("the table is committed");
    for (committed, found) in committed.lines().zip(found.lines()) {
        assert_eq!(found, committed, "`cargo xtask bless` writes the table anew");
    }
    assert_eq!(found.len(), committed.len(), "`cargo xtask bless` writes the table anew");
}

#[test]
fn conformance_tests_give_the_outputs_stored_or_are_refused_by_name() {
    let Some(zoo) = support::zoo() else { return };
    let outcomes: Vec<(NodeTest, Outcome)> = load_all(&zoo)
        .into_iter()
        .map(|test| {
            let outcome = run(&test);
            (test, outcome)
        })
        .collect();
    let mut passed = 0;
    let mut rows = String::new();
    for (test, outcome) in &outcomes {
        let result = match outcome {
            Outcome::Passes(_) => {
                passed += 1;
                "passes".to_owned()
            }
            Outcome::Refused(reason) => format!("refused: {reason}"),
        };
        writeln!(rows, "| {} | {result} |", test.name).expect("a string takes all");
    }
    let (all, refused) = (outcomes.len(), outcomes.len() - passed);
    eprintln!("{passed} pass, {refused} are refused");
    let counts = format!("{passed} pass, {refused} are refused, of {all}.");
    check(NODES, &format!("{NODES_HEADER}\n{counts}\n\n| test | result |\n|---|---|\n{rows}"));
    let rows: String = onnx::operators().map(|(operator, since)| row(operator, since, &outcomes)).collect();
    check(OPERATORS, &format!("{OPERATORS_HEADER}{rows}"));
}
