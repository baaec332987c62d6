//! The table of all operators: what ONNX's page says of each, what TensorFlow Lite's importer reads, and how many cases equal
//! TensorFlow Lite Micro's.

use std::collections::BTreeMap;

use edgepkg_quantize::import::tflite::{self, ReadOperator};

/// What stands before the table.
pub const HEADER: &str = "\
# Operators

Every operator that is read, from the importers' own lists. Written by tests, of what they measured: `cargo xtask bless`.

- *float*: models of floats may have it. *n of m* are ONNX's conformance tests that give the outputs stored in float32.
- *int8* and *16x8*: what quantizing it costs, as the signal to quantization noise of the worst of those tests, each calibrated on
  its own input (one small sample: a model's layers do better), with int8 and with int16 activations. *Exact* is no
  difference at all; *indices* and *truths* are compared as such by other tests; a dash is what that width does not have. *As it is*
  is an operator of TensorFlow Lite alone, taken as the file has it.
- *cases*: single-operator models of TensorFlow Lite whose every output byte is TensorFlow Lite Micro's, of int8 and of int16, here on
  `host`; another test runs the same ones on an emulated Cortex-M4.
- *limits*: what is refused, by name and before anything is quantized.

| ONNX | TensorFlow Lite | float | int8 | 16x8 | cases int8 | cases int16 | limits |
|---|---|---|---|---|---:|---:|---|
";

/// TensorFlow Lite's operators whose names are not those of ONNX's operators.
const ONNX_NAMES: &[(&str, &str)] = &[
    ("ADD_N", "Sum"),
    ("AVERAGE_POOL_2D", "AveragePool"),
    ("BATCH_MATMUL", "MatMul"),
    ("BIDIRECTIONAL_SEQUENCE_LSTM", "LSTM"),
    ("BIDIRECTIONAL_SEQUENCE_RNN", "RNN"),
    ("BROADCAST_TO", "Expand"),
    ("CONCATENATION", "Concat"),
    ("CONV_2D", "Conv"),
    ("DEPTHWISE_CONV_2D", "Conv"),
    ("DEQUANTIZE", "DequantizeLinear"),
    ("EMBEDDING_LOOKUP", "Gather"),
    ("EXPAND_DIMS", "Unsqueeze"),
    ("FULLY_CONNECTED", "Gemm"),
    ("GREATER_EQUAL", "GreaterOrEqual"),
    ("LESS_EQUAL", "LessOrEqual"),
    ("LOGICAL_AND", "And"),
    ("LOGICAL_NOT", "Not"),
    ("LOGICAL_OR", "Or"),
    ("LOGISTIC", "Sigmoid"),
    ("MAXIMUM", "Max"),
    ("MAX_POOL_2D", "MaxPool"),
    ("MEAN", "ReduceMean"),
    ("MINIMUM", "Min"),
    ("MIRROR_PAD", "Pad"),
    ("PADV2", "Pad"),
    ("QUANTIZE", "QuantizeLinear"),
    ("RELU6", "Clip"),
    ("RELU_0_TO_1", "Clip"),
    ("RELU_N1_TO_1", "Clip"),
    ("RESIZE_BILINEAR", "Resize"),
    ("RESIZE_NEAREST_NEIGHBOR", "Resize"),
    ("SELECT", "Where"),
    ("SELECT_V2", "Where"),
    ("SPLIT_V", "Split"),
    ("STRIDED_SLICE", "Slice"),
    ("SUM", "ReduceSum"),
    ("TOPK_V2", "TopK"),
    ("TRANSPOSE_CONV", "ConvTranspose"),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM"),
    ("UNIDIRECTIONAL_SEQUENCE_RNN", "RNN"),
];

/// Cases that are equal, and all.
#[derive(Clone, Copy, Default)]
pub struct Count {
    /// Whose bytes are TensorFlow Lite Micro's.
    pub equal: usize,
    /// There are.
    pub all: usize,
}

impl Count {
    fn cell(self) -> String {
        if self.all == 0 { String::new() } else { format!("{} of {}", self.equal, self.all) }
    }
}

/// Counts of int8 and of int16 by TensorFlow Lite's name of the operator.
pub type Counts<'a> = BTreeMap<&'a str, [Count; 2]>;

/// A row of ONNX's page.
struct OnnxRow<'a> {
    name: &'a str,
    tests: &'a str,
    int8: &'a str,
    int16: &'a str,
    refused: &'a str,
}

impl<'a> OnnxRow<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split(" |").map(str::trim).collect();
        let &[name, _, tests, int8, int16, refused, ..] = &cells[..] else { return None };
        let (name, is_head) = (name, name == "operator");
        (!is_head).then_some(Self { name, tests, int8, int16, refused })
    }
}

/// The table, from `onnx_page` and `counts`.
///
/// # Panics
///
/// When a name that stands for another is no operator's.
pub fn table(onnx_page: &str, counts: &Counts<'_>) -> String {
    let onnx: Vec<OnnxRow<'_>> = onnx_page.lines().filter_map(OnnxRow::of).collect();
    let lite: Vec<ReadOperator> = tflite::operators().collect();
    for (from, to) in ONNX_NAMES {
        assert!(lite.iter().any(|operator| operator.name == *from), "{from} is no operator that is read");
        assert!(onnx.iter().any(|row| row.name == *to), "{to} is no operator that is read");
    }
    let mut rows: BTreeMap<&str, (Option<&OnnxRow<'_>>, Vec<ReadOperator>)> =
        onnx.iter().map(|row| (row.name, (Some(row), Vec::new()))).collect();
    for operator in lite {
        let name = onnx_name(operator.name, &onnx).unwrap_or(operator.name);
        rows.entry(name).or_default().1.push(operator);
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(name, _)| name.to_lowercase());
    let rows = rows.iter().map(|(_, (onnx, lite))| row(*onnx, lite, counts));
    format!("{HEADER}{}", rows.collect::<String>())
}

/// ONNX's name of TensorFlow Lite's operator, where it has one.
fn onnx_name<'a>(name: &str, onnx: &[OnnxRow<'a>]) -> Option<&'a str> {
    let other = ONNX_NAMES.iter().find(|(from, _)| *from == name).map(|(_, to)| *to);
    let plain = name.replace('_', "");
    let is_it = |row: &&OnnxRow<'_>| match other {
        Some(other) => row.name == other,
        None => row.name.eq_ignore_ascii_case(&plain),
    };
    onnx.iter().find(is_it).map(|row| row.name)
}

fn row(onnx: Option<&OnnxRow<'_>>, lite: &[ReadOperator], counts: &Counts<'_>) -> String {
    let names: Vec<&str> = lite.iter().map(|operator| operator.name).collect();
    let mut cases = [Count::default(); 2];
    for of_operator in names.iter().filter_map(|name| counts.get(name)) {
        for (sum, count) in cases.iter_mut().zip(of_operator) {
            sum.equal += count.equal;
            sum.all += count.all;
        }
    }
    let in_floats = lite.iter().any(|operator| operator.in_floats);
    let in_integers = lite.iter().any(|operator| operator.in_integers);
    let as_it_is = if in_integers { "as it is" } else { "" };
    let (name, float, int8, int16) = match onnx {
        Some(row) if row.tests.is_empty() => (row.name, "yes", row.int8, row.int16),
        Some(row) => (row.name, row.tests, row.int8, row.int16),
        None => {
            ("", if in_floats { "yes" } else { "-" }, as_it_is, if cases[1].all > 0 { as_it_is } else { "" })
        }
    };
    let mut limits: Vec<String> = Vec::new();
    for (problem, holds) in [
        ("in models of floats only", (|operator| !operator.in_integers) as fn(&&ReadOperator) -> bool),
        ("in models of integers only", |operator| !operator.in_floats),
    ] {
        let such: Vec<&str> = lite.iter().filter(holds).map(|operator| operator.name).collect();
        limits.extend((!such.is_empty()).then(|| format!("{} {problem}", such.join(", "))));
    }
    limits.extend(onnx.map(|row| row.refused.to_owned()).filter(|refused| !refused.is_empty()));
    let [of_int8, of_int16] = cases.map(Count::cell);
    let cells = [name, &names.join(", "), float, int8, int16, &of_int8, &of_int16, &limits.join("; ")];
    format!("| {} |\n", cells.join(" | "))
}
