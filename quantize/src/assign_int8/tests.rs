//! Assignments of small graphs, and what they compute.

use std::collections::BTreeMap;
use std::sync::Arc;

use edgepkg_format::DType;

use super::{AssignError, Assigned, BiasCorrection, Int16Layers, assign_int8};
use crate::calibrate::{CalibratedGraph, Calibrator, calibrate};
use crate::graph::{
    Activation, BinaryFunction, Comparison, Conv, Direction, Extreme, FloatGraph, FloatTensor, MatrixLayout,
    Node, Op, Padding, Pool, Precision, Quantization, QuantizedTensor, Rounding, Running, Sampling, TensorId,
    UnaryFunction,
};
use crate::samples::{Array, Samples};
use crate::score::{Layers, Score, score};

/// Builds a graph of one input.
struct Builder(FloatGraph);

impl Builder {
    fn new(shape: &[usize]) -> (Self, TensorId) {
        let mut graph = FloatGraph {
            name: String::new(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding: (),
        };
        let input = graph.add_tensor(FloatTensor { name: "x".into(), shape: shape.to_vec(), data: None });
        graph.inputs.push(input);
        (Self(graph), input)
    }

    fn constant(&mut self, shape: &[usize], data: &[f32]) -> TensorId {
        self.0.add_tensor(FloatTensor {
            name: format!("constant{}", self.0.tensors.len()),
            shape: shape.to_vec(),
            data: Some(Arc::from(data)),
        })
    }

    fn node(&mut self, name: &str, op: Op, inputs: &[TensorId], shape: &[usize]) -> TensorId {
        let output = self.0.add_tensor(FloatTensor { name: name.into(), shape: shape.to_vec(), data: None });
        let node = Node { name: name.into(), op, inputs: inputs.to_vec(), outputs: vec![output] };
        self.0.nodes.push(node);
        output
    }

    /// Calibrates on `values`, of one sample or many.
    fn calibrate(mut self, outputs: &[TensorId], values: &[f32]) -> (CalibratedGraph, Samples) {
        self.0.outputs = outputs.to_vec();
        let shape = &self.0.tensors[0].shape;
        let count = values.len() / shape.iter().product::<usize>();
        let array = Array { shape: [&[count], &shape[..]].concat(), elements: values.to_vec() };
        let samples = Samples::new(&self.0, vec![array]).unwrap();
        (calibrate(self.0, &samples, Calibrator::MinMax, |_, _| {}).unwrap(), samples)
    }
}

fn assign(calibrated: &CalibratedGraph) -> Assigned {
    assign_int8(calibrated, BiasCorrection::None, Rounding::Twice, &Int16Layers::None).unwrap()
}

fn assign_with(calibrated: &CalibratedGraph, layers: &Int16Layers) -> Result<Assigned, AssignError> {
    assign_int8(calibrated, BiasCorrection::None, Rounding::Twice, layers)
}

/// The tensor that stands for the float graph's `id`.
fn quantized(assigned: &Assigned, id: TensorId) -> &QuantizedTensor {
    assigned.graph.tensor(assigned.activations[id.0].unwrap())
}

fn compare(calibrated: &CalibratedGraph, assigned: &Assigned, samples: &Samples, labels: &[usize]) -> Score {
    let layers = Layers { graph: &calibrated.graph, activations: &assigned.activations };
    score(&calibrated.graph, &assigned.graph, Some(layers), samples, labels, |_, _| {}).unwrap()
}

fn operators(assigned: &Assigned) -> Vec<&'static str> {
    assigned.graph.nodes.iter().map(|node| node.op.name()).collect()
}

/// Numbers without a pattern between -1 and 1.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 12_345_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn weights_are_per_channel_and_biases_in_the_product_of_scales() {
    let (mut builder, x) = Builder::new(&[1, 2]);
    let weights = builder.constant(&[2, 2], &[1.27, -0.5, 12.7, 0.1]);
    let bias = builder.constant(&[2], &[1.0, -1.0]);
    let y =
        builder.node("fc", Op::FullyConnected { activation: Activation::RELU }, &[x, weights, bias], &[1, 2]);
    let (calibrated, _) = builder.calibrate(&[y], &[-1.0, 0.123, 1.55, 0.7]);
    let assigned = assign(&calibrated);
    let node = &assigned.graph.nodes[0];
    let weights = assigned.graph.tensor(node.inputs[1]);
    assert_eq!(weights.int8(), [127, -50, 127, 1]);
    assert_eq!(weights.quantization, Quantization::per_channel(vec![0.01, 0.1], 0));
    let input_scale = quantized(&assigned, x).quantization.scale();
    assert_eq!(input_scale, 0.01);
    let bias = assigned.graph.tensor(node.inputs[2]);
    assert_eq!(bias.int32(), [10_000, -1000]);
    assert_eq!(quantized(&assigned, y).quantization.zero_point(), -128);
}

#[test]
fn operators_that_move_values_share_parameters() {
    let (mut builder, x) = Builder::new(&[1, 2, 2, 1]);
    let pool =
        Pool { window: [1, 1], stride: [1, 1], padding: Default::default(), activation: Activation::NONE };
    let pooled = builder.node("pool", Op::AveragePool2d(pool), &[x], &[1, 2, 2, 1]);
    let pad = Op::Pad { before: vec![0, 1, 0, 0], after: vec![0; 4], value: -9.0 };
    let padded = builder.node("pad", pad, &[pooled], &[1, 3, 2, 1]);
    let rows = builder.node("reshape", Op::Reshape, &[padded], &[6]);
    let (calibrated, _) = builder.calibrate(&[rows], &[1.0, 2.5, 3.0, 4.7]);
    let assigned = assign(&calibrated);
    for id in [x, pooled, padded, rows] {
        assert_eq!(quantized(&assigned, id).quantization, quantized(&assigned, x).quantization);
    }
    assert!((quantized(&assigned, x).quantization.scale() - 13.7 / 255.0).abs() < 1e-6);
}

#[test]
fn softmax_logistic_and_tanh_have_prescribed_outputs() {
    let (mut builder, x) = Builder::new(&[1, 4]);
    let softmax = builder.node("softmax", Op::Softmax { beta: 1.0 }, &[x], &[1, 4]);
    let logistic = builder.node("logistic", Op::Logistic, &[x], &[1, 4]);
    let tanh = builder.node("tanh", Op::Tanh, &[x], &[1, 4]);
    let flat = builder.node("flat", Op::Reshape, &[tanh], &[4]);
    let (calibrated, samples) = builder.calibrate(&[softmax, logistic, flat], &[-3.0, 0.5, 1.1, 2.0]);
    let assigned = assign(&calibrated);
    let share = Quantization::per_tensor(1.0 / 256.0, -128);
    assert_eq!(quantized(&assigned, softmax).quantization, share);
    assert_eq!(quantized(&assigned, logistic).quantization, share);
    assert_eq!(quantized(&assigned, flat).quantization, Quantization::per_tensor(1.0 / 128.0, 0));
    let score = compare(&calibrated, &assigned, &samples, &[2]);
    assert!(score.worst_output_decibels() > 35.0, "{}", score.worst_output_decibels());
    assert_eq!((score.answers.samples, score.answers.agreeing, score.answers.float_correct), (1, 1, 0));
}

#[test]
fn concat_unifies_what_it_can_and_requantizes_the_rest() {
    let (mut builder, x) = Builder::new(&[1, 4]);
    let relu = builder.node("relu", Op::Relu, &[x], &[1, 4]);
    let tanh = builder.node("tanh", Op::Tanh, &[x], &[1, 4]);
    let joined = builder.node("concat", Op::Concat { axis: 1 }, &[relu, tanh], &[1, 8]);
    let (calibrated, samples) = builder.calibrate(&[joined], &[-3.0, 0.5, 10.3, 2.0]);
    let assigned = assign(&calibrated);
    assert_eq!(operators(&assigned), ["Relu", "Tanh", "Requantize", "Concat"]);
    assert_eq!(quantized(&assigned, relu).quantization, quantized(&assigned, joined).quantization);
    let score = compare(&calibrated, &assigned, &samples, &[]);
    assert!(score.worst_output_decibels() > 45.0, "{}", score.worst_output_decibels());
}

#[test]
fn concat_does_not_coarsen_what_others_read() {
    let (mut builder, x) = Builder::new(&[1, 4]);
    let small = builder.node("small", Op::LeakyRelu { alpha: 0.01 }, &[x], &[1, 4]);
    let ten = builder.constant(&[1], &[10.0]);
    let large = builder.node("large", Op::Mul { activation: Activation::NONE }, &[x, ten], &[1, 4]);
    let joined = builder.node("concat", Op::Concat { axis: 1 }, &[small, large], &[1, 8]);
    let again = builder.node("again", Op::Relu, &[small], &[1, 4]);
    let (calibrated, _) = builder.calibrate(&[joined, again], &[-1.0, 0.5, 0.7, 0.123]);
    let assigned = assign(&calibrated);
    assert_eq!(operators(&assigned), ["LeakyRelu", "Mul", "Requantize", "Concat", "Relu"]);
    assert!(quantized(&assigned, small).quantization.scale() < 0.003);
}

#[test]
fn what_a_clamp_drops_needs_no_codes() {
    let (mut builder, x) = Builder::new(&[1, 4]);
    let weights = builder.constant(&[4, 4], &noise(16));
    let sum = builder.node("fc", Op::FullyConnected { activation: Activation::NONE }, &[x, weights], &[1, 4]);
    let relu6 = builder.node("relu6", Op::Relu6, &[sum], &[1, 4]);
    let (calibrated, _) = builder.calibrate(&[relu6], &[100.0, -80.0, 30.0, 50.5]);
    let assigned = assign(&calibrated);
    assert_eq!(quantized(&assigned, sum).quantization, Quantization::per_tensor(6.0 / 255.0, -128));
    assert_eq!(quantized(&assigned, relu6).quantization, quantized(&assigned, sum).quantization);
}

#[test]
fn inputs_on_a_grid_keep_it() {
    let (mut builder, x) = Builder::new(&[1, 3]);
    let y = builder.node("tanh", Op::Tanh, &[x], &[1, 3]);
    let (calibrated, _) = builder.calibrate(&[y], &[0.5, 1.0, 100.0]);
    let assigned = assign(&calibrated);
    assert_eq!(quantized(&assigned, x).quantization, Quantization::per_tensor(0.5, -128));
}

#[test]
fn bias_correction_takes_off_the_mean_error() {
    let graph = || {
        let (mut builder, x) = Builder::new(&[1, 64]);
        let weights = builder.constant(&[8, 64], &noise(512));
        let activation = Activation::NONE;
        let y = builder.node("fc", Op::FullyConnected { activation }, &[x, weights], &[1, 8]);
        let values: Vec<f32> = noise(640).iter().map(|value| 1.0 + 0.05 * value).collect();
        builder.calibrate(&[y], &values)
    };
    let (calibrated, samples) = graph();
    let noise = |correction: BiasCorrection| {
        let assigned = assign_int8(&calibrated, correction, Rounding::Twice, &Int16Layers::None).unwrap();
        compare(&calibrated, &assigned, &samples, &[]).outputs[0].noise
    };
    assert!(noise(BiasCorrection::Mean) < 0.8 * noise(BiasCorrection::None));
}

#[test]
fn refuses_weights_that_vary_or_are_not_numbers() {
    let (mut builder, x) = Builder::new(&[2, 2]);
    let op = Op::FullyConnected { activation: Activation::NONE };
    let y = builder.node("attention", op.clone(), &[x, x], &[2, 2]);
    builder.0.outputs = vec![y];
    let calibrated = CalibratedGraph {
        ranges: vec![None; 2],
        means: vec![None; 2],
        states: vec![None; 2],
        moments: vec![None; 2],
        steps: BTreeMap::new(),
        lattices: vec![None],
        graph: builder.0,
    };
    let error =
        assign_int8(&calibrated, BiasCorrection::None, Rounding::Twice, &Int16Layers::None).unwrap_err();
    assert_eq!(error.to_string(), "the weights of FullyConnected `attention` are not constant");

    let (mut builder, x) = Builder::new(&[1, 2]);
    let weights = builder.constant(&[1, 2], &[0.0, f32::INFINITY]);
    let y = builder.node("fc", op, &[x, weights], &[1, 1]);
    builder.0.outputs = vec![y];
    let calibrated = CalibratedGraph {
        ranges: vec![None; 3],
        means: vec![None; 3],
        states: vec![None; 3],
        moments: vec![None; 3],
        steps: BTreeMap::new(),
        lattices: vec![None],
        graph: builder.0,
    };
    let error =
        assign_int8(&calibrated, BiasCorrection::None, Rounding::Twice, &Int16Layers::None).unwrap_err();
    assert_eq!(
        error,
        AssignError::NotFinite { tensor: "constant1".into(), element: 1, value: f32::INFINITY }
    );
}

/// Three layers of which the first and last are followed by others of another width.
fn three_layers() -> (CalibratedGraph, Samples, [TensorId; 4]) {
    let (mut builder, x) = Builder::new(&[1, 8]);
    let activation = Activation::NONE;
    let numbers = noise(3 * 72);
    let layer = |builder: &mut Builder, name: &str, x: TensorId, index: usize| {
        let (weights, bias) = numbers[72 * index..][..72].split_at(64);
        let (weights, bias) = (builder.constant(&[8, 8], weights), builder.constant(&[8], bias));
        builder.node(name, Op::FullyConnected { activation }, &[x, weights, bias], &[1, 8])
    };
    let first = layer(&mut builder, "first", x, 0);
    let second = layer(&mut builder, "second", first, 1);
    let moved = builder.node("moved", Op::Reshape, &[second], &[8, 1]);
    let back = builder.node("back", Op::Reshape, &[moved], &[1, 8]);
    let third = layer(&mut builder, "third", back, 2);
    let (calibrated, samples) = builder.calibrate(&[third], &noise(8 * 40));
    (calibrated, samples, [x, first, second, third])
}

#[test]
fn layers_of_int16_stand_between_requantizes() {
    let (calibrated, _, [x, first, second, third]) = three_layers();
    let assigned = assign_with(&calibrated, &Int16Layers::Named(vec!["second".into()])).unwrap();
    let expected = ["FullyConnected", "Requantize", "FullyConnected", "Reshape", "Reshape", "Requantize"];
    assert_eq!(operators(&assigned)[..6], expected, "what moves results keeps their width");
    assert_eq!(operators(&assigned).len(), 7);
    let dtypes = [x, first, second, third].map(|id| quantized(&assigned, id).dtype);
    assert_eq!(dtypes, [DType::Int8, DType::Int8, DType::Int16, DType::Int8]);
    let bias = assigned.graph.nodes[2].inputs[2];
    assert_eq!(assigned.graph.tensor(bias).dtype, DType::Int64);

    let all = assign_with(&calibrated, &Int16Layers::All).unwrap();
    assert_eq!(operators(&all).len(), 5, "nothing is requantized");
    let ports = [all.graph.inputs[0], all.graph.outputs[0]].map(|id| all.graph.tensor(id));
    assert!(ports.iter().all(|port| port.dtype == DType::Int16 && port.quantization.zero_points == [0]));
}

#[test]
fn int16_is_nearer_to_the_float_model() {
    let (calibrated, samples, _) = three_layers();
    let decibels = |layers: &Int16Layers| {
        let assigned = assign_with(&calibrated, layers).unwrap();
        compare(&calibrated, &assigned, &samples, &[]).worst_output_decibels()
    };
    let (int8, int16) = (decibels(&Int16Layers::None), decibels(&Int16Layers::All));
    assert!(int16 >= int8 + 3.0, "{int16:.1} dB, {int8:.1} dB of int8; weights are int8 in both");
}

#[test]
fn layers_that_cannot_be_int16_are_named() {
    let (calibrated, _, _) = three_layers();
    let error = assign_with(&calibrated, &Int16Layers::Named(vec!["third".into(), "fourth".into()]));
    assert_eq!(error.unwrap_err().to_string(), "there is no layer `fourth` to compute in int16");
}

/// Each operator that computes on `x` and its negative, of shape `[1, 4, 4, 2]`, with its output's shape.
fn operators_of_two() -> Vec<(Op, Vec<usize>)> {
    let image = vec![1, 4, 4, 2];
    let binary = |function| Op::Binary { function, activation: Activation::NONE };
    let columns_first = Op::BatchMatMul { a: MatrixLayout::RowsFirst, b: MatrixLayout::ColumnsFirst };
    vec![
        (binary(BinaryFunction::Subtract), image.clone()),
        (binary(BinaryFunction::SquaredDifference), image.clone()),
        (binary(BinaryFunction::Maximum), image.clone()),
        (binary(BinaryFunction::Minimum), image.clone()),
        (binary(BinaryFunction::ParametricRelu), image),
        (columns_first, vec![1, 4, 4, 4]),
    ]
}

/// Each operator that computes on `x` alone.
fn operators_of_one() -> Vec<(Op, Vec<usize>)> {
    let image = vec![1, 4, 4, 2];
    let resized = |sampling| (Op::ResizeBilinear(sampling), vec![1, 7, 6, 2]);
    let running = |direction, running| (Op::CumulativeSum { axis: 1, direction, running }, image.clone());
    vec![
        (Op::Sum { axes: vec![1, 2] }, vec![1, 2]),
        (Op::LogSoftmax, image.clone()),
        resized(Sampling::Edges),
        resized(Sampling::Corners),
        resized(Sampling::Centers),
        running(Direction::Forward, Running::Including),
        running(Direction::Backward, Running::Excluding),
        (Op::Take { axis: 2, indices: vec![3, 0, 0, 1, 3] }, vec![1, 4, 5, 2]),
    ]
}

#[test]
fn int8_operators_compute_what_their_float_ones_do() {
    for (op, shape) in operators_of_two() {
        check_near_float(&op, &shape, |builder, x| {
            let negative = Op::Unary(UnaryFunction::Neg);
            vec![x, builder.node("negative", negative, &[x], &[1, 4, 4, 2])]
        });
    }
    for (op, shape) in operators_of_one() {
        check_near_float(&op, &shape, |_, x| vec![x]);
    }
    let conv = Conv {
        stride: [2, 2],
        dilation: [1, 1],
        padding: Padding { top: 1, left: 0, bottom: 0, right: 0 },
        activation: Activation::NONE,
    };
    check_near_float(&Op::TransposeConv2d(conv), &[1, 8, 9, 3], |builder, x| {
        vec![x, builder.constant(&[3, 3, 3, 2], &noise(54)), builder.constant(&[3], &[0.5, -0.25, 0.0])]
    });
    check_near_float(&Op::Gather { axis: 1, batch_dimensions: 0 }, &[1, 3, 4, 2], |builder, x| {
        vec![x, builder.constant(&[3], &[2.0, 0.0, 3.0])]
    });
}

fn check_near_float(op: &Op, shape: &[usize], inputs: impl Fn(&mut Builder, TensorId) -> Vec<TensorId>) {
    let (mut builder, x) = Builder::new(&[1, 4, 4, 2]);
    let inputs = inputs(&mut builder, x);
    let y = builder.node("y", op.clone(), &inputs, shape);
    let (calibrated, samples) = builder.calibrate(&[y], &noise(32 * 20));
    let score = compare(&calibrated, &assign(&calibrated), &samples, &[]);
    assert!(score.worst_output_decibels() > 30.0, "{op:?}: {} dB", score.worst_output_decibels());
}

#[test]
fn places_of_extremes_are_indices() {
    for extreme in [Extreme::Greatest, Extreme::Least, Extreme::LastGreatest, Extreme::LastLeast] {
        let (mut builder, x) = Builder::new(&[1, 4, 2]);
        let y = builder.node("y", Op::ArgExtreme { axis: 1, extreme }, &[x], &[1, 2]);
        let (calibrated, samples) = builder.calibrate(&[y], &[3.0, 1.0, -2.0, 7.0, 5.0, -4.0, 0.0, 2.0]);
        let assigned = assign(&calibrated);
        assert_eq!(quantized(&assigned, y).dtype, DType::Int32);
        let score = compare(&calibrated, &assigned, &samples, &[]);
        assert_eq!(score.worst_output_decibels(), f64::INFINITY, "{extreme:?}");
    }
}

#[test]
fn comparisons_and_selections_do_what_their_float_ones_do() {
    for layers in [Int16Layers::None, Int16Layers::All] {
        for (comparison, precision) in [
            (Comparison::Greater, Precision::Exact),
            (Comparison::GreaterOrEqual, Precision::Exact),
            (Comparison::NotEqual, Precision::Exact),
            (Comparison::Greater, Precision::In256ths),
        ] {
            let (mut builder, x) = Builder::new(&[1, 4, 4, 2]);
            let negative = builder.node("negative", Op::Unary(UnaryFunction::Neg), &[x], &[1, 4, 4, 2]);
            let bound = builder.constant(&[2], &[0.25, -0.5]);
            let op = Op::Compare { comparison, precision };
            let truths = builder.node("truths", op, &[x, bound], &[1, 4, 4, 2]);
            let y = builder.node("y", Op::Select, &[truths, x, negative], &[1, 4, 4, 2]);
            let (calibrated, samples) = builder.calibrate(&[y, truths], &noise(32 * 20));
            let assigned = assign_with(&calibrated, &layers).unwrap();
            let score = compare(&calibrated, &assigned, &samples, &[]);
            // Values within half a step of a bound are on either side of it.
            let is_fine = layers == Int16Layers::All && precision == Precision::Exact;
            let least = if is_fine { 60.0 } else { 20.0 };
            for output in &score.outputs {
                assert!(output.decibels() > least, "{comparison:?}, {layers:?}: {} dB", output.decibels());
            }
        }
    }
}

#[test]
fn a_mask_of_the_least_float_leaves_the_scores_their_steps() {
    for layers in [Int16Layers::None, Int16Layers::All] {
        let (mut builder, x) = Builder::new(&[1, 4, 8]);
        let condition: Vec<f32> = (0..32).map(|at| if at % 8 <= at / 8 { 1.0 } else { 0.0 }).collect();
        let (condition, least) = (builder.constant(&[4, 8], &condition), builder.constant(&[1], &[f32::MIN]));
        let masked = builder.node("masked", Op::Select, &[condition, x, least], &[1, 4, 8]);
        let y = builder.node("y", Op::Softmax { beta: 1.0 }, &[masked], &[1, 4, 8]);
        let scores: Vec<f32> = noise(32 * 20).into_iter().map(|value| 4.0 * value).collect();
        let (calibrated, samples) = builder.calibrate(&[y], &scores);
        let score = compare(&calibrated, &assign_with(&calibrated, &layers).unwrap(), &samples, &[]);
        assert!(score.worst_output_decibels() > 30.0, "{layers:?}: {} dB", score.worst_output_decibels());
    }
}
