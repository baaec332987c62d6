use std::sync::Arc;

use edgepkg_format::DType;

use super::*;
use crate::graph::{
    Activation, BinaryFunction, BoxForm, Comparison, Conv, Direction, Extreme, MatrixLayout, Node, Op,
    Padding, Pool, Precision, Quantization, QuantizedTensor, Recurrent, RecurrentCell, Rounding, Running,
    Sampling, SequenceOrder, Shown, Start, Stateful, Suppression, TensorId, UnaryFunction,
};

const STRUCTURE: &[u8] = include_bytes!("golden/v1.structure");
const FUNCTIONS: &[u8] = include_bytes!("golden/v1.functions.structure");
const STATE: &[u8] = include_bytes!("golden/v1.state.structure");
const STATE_WEIGHTS: &[u8] = include_bytes!("golden/v1.state.weights");
const RECURRENT: &[u8] = include_bytes!("golden/v1.recurrent.structure");
const RECURRENT_WEIGHTS: &[u8] = include_bytes!("golden/v1.recurrent.weights");
const WEIGHTS: [&[u8]; 2] =
    [include_bytes!("golden/v1.base.weights"), include_bytes!("golden/v1.head.weights")];

/// A graph grown from its input, one node after the other.
struct Builder(QuantizedGraph);

impl Builder {
    fn tensor(&mut self, shape: &[usize], dtype: DType, data: Option<Arc<[u8]>>) -> TensorId {
        let index = self.0.tensors.len();
        let quantization = Quantization::per_tensor(0.25 + index as f32 / 64.0, index as i32 % 7 - 3);
        let tensor =
            QuantizedTensor { name: format!("t{index}"), shape: shape.to_vec(), dtype, quantization, data };
        self.0.add_tensor(tensor)
    }

    fn weights(&mut self, shape: &[usize], axis: usize) -> TensorId {
        let length: usize = shape.iter().product();
        let id = self.tensor(shape, DType::Int8, Some((0..length).map(|i| (i * 37 % 256) as u8).collect()));
        let scales = (0..shape[axis]).map(|i| 0.01 * (i + 1) as f32).collect();
        self.0.tensors[id.0].quantization = Quantization::per_channel(scales, axis);
        id
    }

    fn bias(&mut self, length: usize) -> TensorId {
        let values = (0..length).flat_map(|i| (100 - 40 * i as i32).to_le_bytes()).collect();
        self.tensor(&[length], DType::Int32, Some(values))
    }

    fn node(&mut self, op: Op, inputs: &[TensorId], shape: &[usize]) -> TensorId {
        let dtype = if matches!(op, Op::Softmax { .. }) { DType::Int16 } else { DType::Int8 };
        let output = self.tensor(shape, dtype, None);
        let name = format!("{}_{}", op.name(), self.0.nodes.len());
        self.0.nodes.push(Node { name, op, inputs: inputs.to_vec(), outputs: vec![output] });
        output
    }
}

/// A graph with every operator and every kind of field.
fn every_operator() -> QuantizedGraph {
    let empty = QuantizedGraph {
        name: "every operator".into(),
        tensors: vec![],
        nodes: vec![],
        inputs: vec![],
        outputs: vec![],
        rounding: Rounding::Once,
    };
    let mut b = Builder(empty);
    let x = b.tensor(&[1, 4, 4, 2], DType::Int8, None);
    let conv = |activation| Conv {
        stride: [1, 1],
        dilation: [1, 1],
        padding: Padding { top: 1, left: 1, bottom: 1, right: 1 },
        activation,
    };
    let pool =
        Pool { window: [2, 2], stride: [2, 2], padding: Padding::default(), activation: Activation::NONE };
    let (weights, bias) = (b.weights(&[2, 3, 3, 2], 0), b.bias(2));
    let y = b.node(Op::Conv2d(conv(Activation::RELU)), &[x, weights, bias], &[1, 4, 4, 2]);
    let weights = b.weights(&[1, 3, 3, 2], 3);
    let y = b.node(Op::DepthwiseConv2d(conv(Activation::RELU6)), &[y, weights], &[1, 4, 4, 2]);
    let y = b.node(Op::Add { activation: Activation::RELU_N1_TO_1 }, &[x, y], &[1, 4, 4, 2]);
    let factor = b.weights(&[2], 0);
    b.0.tensors[factor.0].quantization = Quantization::per_tensor(0.5, 0);
    let y = b.node(Op::Mul { activation: Activation::NONE }, &[y, factor], &[1, 4, 4, 2]);
    let pad = Op::Pad { before: vec![0, 1, 0, 0], after: vec![0, 1, 2, 0], value: -0.5 };
    let y = b.node(pad, &[y], &[1, 6, 6, 2]);
    let y = b.node(Op::AveragePool2d(pool.clone()), &[y], &[1, 3, 3, 2]);
    let y = b.node(Op::Slice { begin: vec![0, 1, 1, 0] }, &[y], &[1, 2, 2, 2]);
    let m = b.node(Op::MaxPool2d(pool), &[y], &[1, 1, 1, 2]);
    let y = b.node(Op::Mean { axes: vec![1, 2] }, &[y], &[1, 2]);
    let m = b.node(Op::Reshape, &[m], &[2, 1]);
    let m = b.node(Op::Transpose { perm: vec![1, 0] }, &[m], &[1, 2]);
    let y = b.node(Op::Concat { axis: 1 }, &[y, m], &[1, 4]);
    let y = b.node(Op::Logistic, &[y], &[1, 4]);
    let y = b.node(Op::Tanh, &[y], &[1, 4]);
    let y = b.node(Op::Relu, &[y], &[1, 4]);
    let y = b.node(Op::Relu6, &[y], &[1, 4]);
    let y = b.node(Op::Clamp(Activation { min: Some(-2.0), max: Some(2.5) }), &[y], &[1, 4]);
    let y = b.node(Op::LeakyRelu { alpha: 0.125 }, &[y], &[1, 4]);
    let y = b.node(Op::Requantize, &[y], &[1, 4]);
    let (weights, bias) = (b.weights(&[3, 4], 0), b.bias(3));
    let y = b.node(
        Op::FullyConnected { activation: Activation { min: None, max: Some(9.0) } },
        &[y, weights, bias],
        &[1, 3],
    );
    let y = b.node(Op::Softmax { beta: 1.0 }, &[y], &[1, 3]);
    b.0.inputs = vec![x];
    b.0.outputs = vec![y];
    b.0
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn head_of(graph: &QuantizedGraph) -> Vec<String> {
    let dense = graph.nodes.iter().find(|node| matches!(node.op, Op::FullyConnected { .. }));
    vec![dense.expect("the graph has one").name.clone()]
}

/// The bytes of version 1 never change. To look at a new version's, run with `EDGEPKG_BLESS=1`.
#[test]
fn golden_bytes_of_version_1() {
    let graph = every_operator();
    let head = head_of(&graph);
    let encoded = encode(&graph, Split::Head(&head)).unwrap();
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let [base, head] = &encoded.weights[..] else { panic!("a base and a head") };
        let digest = hex(&graph_digest(&graph)).into_bytes();
        for (name, bytes) in [
            ("structure", &encoded.structure),
            ("base.weights", base),
            ("head.weights", head),
            ("digest", &digest),
        ] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire/golden");
            std::fs::write(format!("{folder}/v{VERSION}.{name}"), bytes).unwrap();
        }
        return;
    }
    assert_eq!(encoded.structure, STRUCTURE);
    assert_eq!(encoded.weights, WEIGHTS);
    assert_eq!(decode(STRUCTURE, &WEIGHTS).unwrap(), graph);
}

/// Nodes of every operator that came after the first ones, with every kind of field.
fn later_operators() -> Vec<Op> {
    let conv = Conv {
        stride: [2, 3],
        dilation: [1, 2],
        padding: Padding { top: 4, left: 5, bottom: 0, right: 0 },
        activation: Activation::RELU,
    };
    let binary = |function| Op::Binary { function, activation: Activation::RELU6 };
    vec![
        Op::Take { axis: 1, indices: vec![3, 0, 300] },
        binary(BinaryFunction::Subtract),
        binary(BinaryFunction::SquaredDifference),
        binary(BinaryFunction::Maximum),
        binary(BinaryFunction::Minimum),
        binary(BinaryFunction::ParametricRelu),
        Op::Sum { axes: vec![0, 2] },
        Op::LogSoftmax,
        Op::ResizeBilinear(Sampling::Edges),
        Op::ResizeBilinear(Sampling::Corners),
        Op::ResizeBilinear(Sampling::Centers),
        Op::TransposeConv2d(conv),
        Op::BatchMatMul { a: MatrixLayout::RowsFirst, b: MatrixLayout::ColumnsFirst },
        Op::CumulativeSum { axis: 2, direction: Direction::Backward, running: Running::Excluding },
        Op::CumulativeSum { axis: 0, direction: Direction::Forward, running: Running::Including },
        Op::ArgExtreme { axis: 1, extreme: Extreme::Greatest },
        Op::ArgExtreme { axis: 0, extreme: Extreme::Least },
        Op::Gather { axis: 2, batch_dimensions: 1 },
        Op::Compare { comparison: Comparison::GreaterOrEqual, precision: Precision::Exact },
        Op::Compare { comparison: Comparison::Equal, precision: Precision::In256ths },
        Op::Select,
    ]
}

#[test]
fn later_operators_keep_their_numbers() {
    let operators: Vec<v1::Op> = later_operators().iter().map(v1::Op::from_graph).collect();
    let bytes = postcard::to_allocvec(&operators).unwrap();
    let golden: &[u8] = &[
        21, 22, 1, 3, 3, 0, 172, 2, // Take
        23, 0, 1, 0, 0, 0, 0, 1, 0, 0, 192, 64, 23, 1, 1, 0, 0, 0, 0, 1, 0, 0, 192, 64, // Binary
        23, 2, 1, 0, 0, 0, 0, 1, 0, 0, 192, 64, 23, 3, 1, 0, 0, 0, 0, 1, 0, 0, 192, 64, //
        23, 4, 1, 0, 0, 0, 0, 1, 0, 0, 192, 64, //
        24, 2, 0, 2, 25, 26, 0, 26, 1, 26, 2, // Sum, LogSoftmax, ResizeBilinear
        27, 2, 3, 1, 2, 4, 5, 0, 0, 1, 0, 0, 0, 0, 0, // TransposeConv2d
        28, 0, 1, 29, 2, 1, 1, 29, 0, 0, 0, 30, 1, 0, 30, 0, 1, 31, 2, 1, //
        35, 3, 0, 35, 0, 1, 36, // Compare, Select
    ];
    assert_eq!(bytes, golden);
    let read: Vec<v1::Op> = postcard::from_bytes(golden).unwrap();
    assert_eq!(read.into_iter().map(v1::Op::into_graph).collect::<Vec<_>>(), later_operators());
}

#[test]
fn operators_after_select_keep_their_numbers() {
    let golden: [(Op, &[u8]); 2] = [
        (Op::TopIndices { extreme: Extreme::LastLeast }, &[37, 3]),
        (Op::Div { activation: Activation::RELU }, &[38, 1, 0, 0, 0, 0, 0]),
    ];
    for (operator, bytes) in golden {
        let written = v1::Op::from_graph(&operator);
        assert_eq!(postcard::to_allocvec(&written).unwrap(), bytes);
        assert_eq!(written.into_graph(), operator);
    }
}

#[test]
fn non_max_suppression_keeps_its_number() {
    let any = Suppression { form: BoxForm::Center, most: 300, overlap: 0.5, score: Some(0.25) };
    let all = Suppression { form: BoxForm::Corners, score: None, ..any };
    let operators = [any, all].map(Op::NonMaxSuppression);
    let written: Vec<v1::Op> = operators.iter().map(v1::Op::from_graph).collect();
    let golden: &[u8] = &[
        2, 34, 1, 172, 2, 0, 0, 0, 63, 1, 0, 0, 128, 62, // with a least score
        34, 0, 172, 2, 0, 0, 0, 63, 0,
    ];
    assert_eq!(postcard::to_allocvec(&written).unwrap(), golden);
    let read: Vec<v1::Op> = postcard::from_bytes(golden).unwrap();
    assert_eq!(read.into_iter().map(v1::Op::into_graph).collect::<Vec<_>>(), operators);
}

/// A graph with every function of one element.
fn every_function() -> QuantizedGraph {
    let mut b = Builder(QuantizedGraph { name: "every function".into(), ..every_operator() });
    b.0.tensors.clear();
    b.0.nodes.clear();
    let mut y = b.tensor(&[2, 3], DType::Int8, None);
    b.0.inputs = vec![y];
    for function in [
        UnaryFunction::Abs,
        UnaryFunction::Neg,
        UnaryFunction::Exp,
        UnaryFunction::Log,
        UnaryFunction::Sqrt,
        UnaryFunction::Rsqrt,
        UnaryFunction::Reciprocal,
        UnaryFunction::Elu { alpha: 0.5 },
        UnaryFunction::Selu { alpha: 1.5, gamma: 1.25 },
        UnaryFunction::Celu { alpha: 2.0 },
        UnaryFunction::HardSigmoid { alpha: 0.25, beta: 0.5 },
        UnaryFunction::HardSwish,
        UnaryFunction::Gelu,
        UnaryFunction::GeluTanh,
        UnaryFunction::Silu,
        UnaryFunction::Mish,
        UnaryFunction::Softplus,
        UnaryFunction::Softsign,
        UnaryFunction::Erf,
        UnaryFunction::Sin,
        UnaryFunction::Cos,
        UnaryFunction::Floor,
        UnaryFunction::Ceil,
        UnaryFunction::Round,
        UnaryFunction::Sign,
        UnaryFunction::Power { exponent: 3.0 },
        UnaryFunction::ThresholdedRelu { alpha: 0.75 },
    ] {
        y = b.node(Op::Unary(function), &[y], &[2, 3]);
    }
    b.0.outputs = vec![y];
    b.0
}

/// What has been appended to version 1 never changes either.
#[test]
fn golden_bytes_of_functions() {
    let graph = every_function();
    let encoded = encode(&graph, Split::Whole).unwrap();
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire/golden");
        std::fs::write(format!("{folder}/v1.functions.structure"), &encoded.structure).unwrap();
        return;
    }
    assert_eq!(encoded, Encoded { structure: FUNCTIONS.to_vec(), weights: vec![] });
    assert_eq!(decode(FUNCTIONS, &[]).unwrap(), graph);
}

/// A graph with every operator that keeps something from run to run.
fn every_state() -> QuantizedGraph {
    let mut b = Builder(QuantizedGraph { name: "every state".into(), ..every_operator() });
    b.0.tensors.clear();
    b.0.nodes.clear();
    let x = b.tensor(&[1, 4], DType::Int8, None);
    b.0.inputs = vec![x];
    fn constant(b: &mut Builder, shape: &[usize], dtype: DType) -> TensorId {
        let bytes = dtype.bytes(shape.iter().product::<usize>() as u32).unwrap();
        let id = b.tensor(shape, dtype, Some((0..bytes).map(|i| (i * 29 % 256) as u8).collect()));
        b.0.tensors[id.0].quantization = Quantization::per_tensor(0.0625, 0);
        id
    }
    let variable = constant(&mut b, &[1, 4], DType::Int8);
    let old = b.node(Op::Stateful(Stateful::ReadVariable), &[variable], &[1, 4]);
    let sum = b.node(Op::Add { activation: Activation::NONE }, &[x, old], &[1, 4]);
    b.node(Op::Stateful(Stateful::AssignVariable), &[sum, variable], &[1, 4]);
    let mut svdf = vec![x];
    for (shape, dtype) in
        [(&[6, 4][..], DType::Int8), (&[6, 3], DType::Int16), (&[2], DType::Int32), (&[1, 18], DType::Int16)]
    {
        svdf.push(constant(&mut b, shape, dtype));
    }
    let features = b.node(Op::Stateful(Stateful::Svdf { rank: 3 }), &svdf, &[1, 2]);
    let mut sequence = b.node(Op::Reshape, &[features], &[1, 1, 2]);
    for (order, cell_clip) in [(SequenceOrder::BatchMajor, 0.0), (SequenceOrder::TimeMajor, 1.5)] {
        let mut lstm = vec![sequence];
        lstm.extend([(); 8].map(|()| constant(&mut b, &[2, 2], DType::Int8)));
        lstm.extend([(); 4].map(|()| constant(&mut b, &[2], DType::Int32)));
        lstm.extend([DType::Int8, DType::Int16].map(|dtype| constant(&mut b, &[1, 2], dtype)));
        sequence = b.node(Op::Stateful(Stateful::Lstm { order, cell_clip }), &lstm, &[1, 1, 2]);
    }
    b.0.outputs = vec![sequence, sum];
    b.0
}

#[test]
fn golden_bytes_of_what_keeps_state() {
    let graph = every_state();
    let encoded = encode(&graph, Split::Whole).unwrap();
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire/golden");
        std::fs::write(format!("{folder}/v1.state.structure"), &encoded.structure).unwrap();
        std::fs::write(format!("{folder}/v1.state.weights"), &encoded.weights[0]).unwrap();
        return;
    }
    assert_eq!(encoded, Encoded { structure: STATE.to_vec(), weights: vec![STATE_WEIGHTS.to_vec()] });
    assert_eq!(decode(STATE, &[STATE_WEIGHTS]).unwrap(), graph);
}

/// A graph with recurrent layers.
fn every_recurrent_layer() -> QuantizedGraph {
    let mut b = Builder(QuantizedGraph { name: "every recurrent layer".into(), ..every_operator() });
    b.0.tensors.clear();
    b.0.nodes.clear();
    let x = b.tensor(&[1, 2, 4], DType::Int8, None);
    let hidden = b.tensor(&[1, 2], DType::Int16, None);
    b.0.inputs = vec![x, hidden];
    let state = |b: &mut Builder, id: TensorId| {
        b.0.tensors[id.0].quantization = Quantization::per_tensor(1.0 / 32_768.0, 0);
    };
    state(&mut b, hidden);
    b.0.outputs = Vec::new();
    for (cell, shown, start) in [
        (RecurrentCell::Lstm, Shown::EveryStep, Start::Kept),
        (RecurrentCell::Lstm, Shown::LastCells, Start::Kept),
        (RecurrentCell::GruResetAfter, Shown::LastStep, Start::Anew),
        (RecurrentCell::GruResetBefore, Shown::EveryStep, Start::Anew),
        (RecurrentCell::Tanh, Shown::LastStep, Start::Kept),
        (RecurrentCell::Relu, Shown::LastStep, Start::Kept),
    ] {
        let order = SequenceOrder::BatchMajor;
        let direction = if cell == RecurrentCell::Tanh { Direction::Backward } else { Direction::Forward };
        let op = Recurrent { cell, order, direction, shown, start };
        let rows = 2 * op.gates();
        let mut constant = |shape: &[usize], dtype: DType| {
            let bytes = dtype.bytes(shape.iter().product::<usize>() as u32).unwrap();
            b.tensor(shape, dtype, Some((0..bytes).map(|i| (i * 31 % 256) as u8).collect()))
        };
        let mut operands = vec![x];
        operands.extend([4, 2].map(|depth| constant(&[rows, depth], DType::Int8)));
        operands.extend([(); 2].map(|()| constant(&[rows], DType::Int32)));
        for _ in Recurrent::HIDDEN..op.arity() {
            let kept = match start {
                Start::Kept => constant(&[1, 2], DType::Int16),
                Start::Anew => hidden,
            };
            operands.push(kept);
        }
        operands[Recurrent::HIDDEN..].iter().for_each(|&id| state(&mut b, id));
        let shape: &[usize] = if shown == Shown::EveryStep { &[1, 2, 2] } else { &[1, 2] };
        let y = b.node(Op::Recurrent(op), &operands, shape);
        b.0.outputs.push(y);
    }
    b.0
}

#[test]
fn golden_bytes_of_recurrent_layers() {
    let graph = every_recurrent_layer();
    let encoded = encode(&graph, Split::Whole).unwrap();
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire/golden");
        std::fs::write(format!("{folder}/v1.recurrent.structure"), &encoded.structure).unwrap();
        std::fs::write(format!("{folder}/v1.recurrent.weights"), &encoded.weights[0]).unwrap();
        return;
    }
    assert_eq!(encoded, Encoded { structure: RECURRENT.to_vec(), weights: vec![RECURRENT_WEIGHTS.to_vec()] });
    assert_eq!(decode(RECURRENT, &[RECURRENT_WEIGHTS]).unwrap(), graph);
}

#[test]
fn digest_does_not_depend_on_the_split() {
    let graph = every_operator();
    let head = head_of(&graph);
    let encoded = encode(&graph, Split::Head(&head)).unwrap();
    let weights: Vec<&[u8]> = encoded.weights.iter().map(Vec::as_slice).collect();
    let again = decode(&encoded.structure, &weights).unwrap();
    assert_eq!(graph_digest(&graph), graph_digest(&again));
    assert_eq!(hex(&graph_digest(&graph)), include_str!("golden/v1.digest"));
}

#[test]
fn head_holds_what_only_it_reads() {
    let graph = every_operator();
    let whole = encode(&graph, Split::Whole).unwrap();
    let split = encode(&graph, Split::Head(&head_of(&graph))).unwrap();
    assert_eq!(whole.weights.len(), 1);
    assert_eq!(split.weights[1].len(), 3 * 4 + 3 * 4);
    assert_eq!(split.weights.concat(), whole.weights[0]);
    let absent = vec!["absent".to_owned()];
    assert_eq!(
        encode(&graph, Split::Head(&absent)).unwrap_err().to_string(),
        "the graph has no node `absent` to be its head"
    );
}

/// Every prefix, and every byte changed to several values, is an error or a sound graph, never a panic.
#[test]
fn decoding_is_total() {
    let graph = every_operator();
    for length in 0..STRUCTURE.len() {
        assert!(decode(&STRUCTURE[..length], &WEIGHTS).is_err(), "{length} bytes");
    }
    let mut sound = 0;
    for at in 0..STRUCTURE.len() {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff, STRUCTURE[at] ^ 0x02, STRUCTURE[at].wrapping_add(1)] {
            let mut bytes = STRUCTURE.to_vec();
            bytes[at] = value;
            sound += usize::from(decode(&bytes, &WEIGHTS).is_ok());
        }
    }
    assert!(sound > 100, "names and scales may be anything: {sound}");
    assert!(decode(STRUCTURE, &WEIGHTS[..1]).is_err());
    assert!(decode(STRUCTURE, &[WEIGHTS[0], WEIGHTS[1], &[]]).is_err());
    assert!(decode(STRUCTURE, &[WEIGHTS[0], &WEIGHTS[1][1..]]).is_err());
    assert!(decode(&[STRUCTURE, &[0]].concat(), &WEIGHTS).is_err());
    assert_eq!(validate(&graph), Ok(()));
}

#[test]
fn a_later_version_is_named() {
    let mut bytes = STRUCTURE.to_vec();
    bytes[4] = 9;
    assert_eq!(
        decode(&bytes, &WEIGHTS).unwrap_err().to_string(),
        "the graph has wire version 9, this program reads up to 1"
    );
}
