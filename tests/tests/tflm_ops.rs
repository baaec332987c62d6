//! Every single-operator case of TensorFlow Lite Micro for the operators there are, in every byte; and the table of
//! operators that comes of it.

use std::collections::BTreeMap;

use edgepkg_quantize::import::tflite;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::int8_tflite;
use edgepkg_tests::tflm_ops::{Case, Cases, GROUPS};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tflite_operators.md");

const HEADER: &str = "\
# TensorFlow Lite's operators

Every operator that is read, from the importer's own list: whether in models of floats, which are quantized here, and in
models of integers, which are taken as they are; and how many single-operator models with outputs by TensorFlow Lite
Micro give the same outputs in every byte, with int8 and with int16 activations (here on `host`; another test runs the
same models on an emulated Cortex-M4). READ_VARIABLE's are streams over VAR_HANDLE, ASSIGN_VARIABLE and CALL_ONCE, too.
`cargo xtask bless` writes this table.

| operator | floats | integers | int8 cases | int16 cases |
|---|---|---|---:|---:|
";

/// Cases that are equal, and all.
#[derive(Clone, Copy, Default)]
struct Count {
    equal: usize,
    all: usize,
}

impl Count {
    fn cell(self) -> String {
        if self.all == 0 { String::new() } else { format!("{} of {}", self.equal, self.all) }
    }
}

/// The table of operators; `counts` by name, of int8 and of int16.
fn check_table(counts: &BTreeMap<&str, [Count; 2]>) {
    let yes = |is_so: bool| if is_so { "yes" } else { "-" };
    let mut operators: Vec<_> = tflite::operators().collect();
    operators.sort_unstable_by_key(|operator| operator.name);
    let row = |operator: tflite::ReadOperator| {
        let counts = counts.get(operator.name).copied().unwrap_or_default();
        let [int8, int16] = counts.map(Count::cell);
        let (floats, integers) = (yes(operator.in_floats), yes(operator.in_integers));
        format!("| {} | {floats} | {integers} | {int8} | {int16} |\n", operator.name)
    };
    let table = format!("{HEADER}{}", operators.into_iter().map(row).collect::<String>());
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
    let mut counts: BTreeMap<&str, [Count; 2]> = BTreeMap::new();
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
