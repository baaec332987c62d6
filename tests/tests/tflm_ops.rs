//! Every single-operator case of TensorFlow Lite Micro for the operators there are, in every byte; and the table of
//! operators that comes of it.

use std::collections::BTreeMap;

use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::int8_tflite;
use edgepkg_tests::operator_table::{Counts, table};
use edgepkg_tests::tflm_ops::{Case, Cases, GROUPS};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/OPERATORS.md");
/// Held to what it says by a test of its own.
const ONNX_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../quantize/tests/onnx_operators.md");

fn check_table(counts: &Counts<'_>) {
    let onnx_page = std::fs::read_to_string(ONNX_PAGE).expect("the page is committed");
    let table = table(&onnx_page, counts);
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        return std::fs::write(TABLE, table).expect("the table can be written");
    }
    let committed = std::fs::read_to_string(TABLE).expect("the table is committed");
    assert!(committed == table, "`cargo xtask bless` writes {TABLE} anew:\n{table}");
}

#[test]
fn every_case_equals_tensorflow_lite_micro_in_every_byte() {
    let cases = Cases::load();
    let mut equal: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut counts = Counts::new();
    for case in &cases.cases {
        let group = case.group();
        let count = &mut counts.entry(case.operator()).or_default()[usize::from(case.is_wide())];
        count.all += 1;
        if !GROUPS.contains(&group) {
            *left_out.entry(group.to_owned()).or_default() += 1;
        } else if !case.is_supported() {
            *left_out.entry(format!("{group} of int16")).or_default() += 1;
        } else {
            match check(&cases, case) {
                Ok(()) => {
                    count.equal += 1;
                    *equal.entry(group).or_default() += 1;
                }
                Err(difference) => failures.push(format!("{}: {difference}", case.path)),
            }
        }
    }
    println!("equal in every byte: {} cases", equal.values().sum::<usize>());
    for (group, count) in &equal {
        println!("  {group}: {count}");
    }
    println!("left out, for want of the operator: {} cases", left_out.values().sum::<usize>());
    for (group, count) in &left_out {
        println!("  {group}: {count}");
    }
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(equal.keys().copied().collect::<Vec<_>>(), GROUPS, "each group has cases");
    check_table(&counts);
}

fn check(cases: &Cases, case: &Case) -> Result<(), String> {
    let graph = int8_tflite(cases.model(case)).map_err(|error| error.to_string())?;
    let mut session = HostSession::new(&graph)?;
    let samples = cases.inputs(case).into_iter().zip(cases.outputs(case));
    for (sample, (inputs, expected)) in samples.enumerate() {
        let outputs = case.outputs_of(&graph, &session.run(&case.inputs_of(&graph, inputs)));
        if outputs != expected {
            return Err(format!("sample {sample} gives {outputs:?}, not {expected:?}"));
        }
    }
    Ok(())
}
