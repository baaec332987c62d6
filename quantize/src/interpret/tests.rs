//! Each operator against values worked out by hand.

use std::sync::Arc;

use super::Interpreter;
use crate::graph::{Activation, Conv, FloatGraph, FloatTensor, Node, Op, Padding, Pool, TensorId};

/// Runs `op` on `inputs` (constants when named in `constants`) and returns what it computes.
fn run(op: Op, inputs: &[(&[usize], &[f32])], constants: &[usize], out_shape: &[usize]) -> Vec<f32> {
    let mut tensors: Vec<FloatTensor> = inputs
        .iter()
        .enumerate()
        .map(|(index, (shape, data))| FloatTensor {
            name: format!("in{index}"),
            shape: shape.to_vec(),
            data: constants.contains(&index).then(|| Arc::from(*data)),
        })
        .collect();
    tensors.push(FloatTensor { name: "out".into(), shape: out_shape.to_vec(), data: None });
    let ids: Vec<TensorId> = (0..inputs.len()).map(TensorId).collect();
    let output = TensorId(inputs.len());
    let free: Vec<usize> = (0..inputs.len()).filter(|index| !constants.contains(index)).collect();
    let graph = FloatGraph {
        name: String::new(),
        tensors,
        nodes: vec![Node { name: "node".into(), op, inputs: ids, outputs: vec![output] }],
        inputs: free.iter().map(|&index| TensorId(index)).collect(),
        outputs: vec![output],
        rounding: (),
    };
    let given: Vec<&[f32]> = free.iter().map(|&index| inputs[index].1).collect();
    Interpreter::new(&graph).run(&given, |_, _| {}).remove(0)
}

fn conv(stride: usize, dilation: usize, pad: usize, activation: Activation) -> Conv {
    let padding = Padding { top: pad, left: pad, bottom: pad, right: pad };
    Conv { stride: [stride; 2], dilation: [dilation; 2], padding, activation }
}

const ONE_TO_NINE: [f32; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];

#[test]
fn conv2d_pads_with_nothing_and_adds_bias() {
    let inputs: [(&[usize], &[f32]); 3] =
        [(&[1, 3, 3, 1], &ONE_TO_NINE), (&[1, 3, 3, 1], &[1.0; 9]), (&[1], &[0.5])];
    let output = run(Op::Conv2d(conv(1, 1, 1, Activation::NONE)), &inputs, &[1, 2], &[1, 3, 3, 1]);
    assert_eq!(output, [12.5, 21.5, 16.5, 27.5, 45.5, 33.5, 24.5, 39.5, 28.5]);
}

#[test]
fn conv2d_strides_and_dilates() {
    let inputs: [(&[usize], &[f32]); 2] =
        [(&[1, 3, 3, 1], &ONE_TO_NINE), (&[1, 2, 2, 1], &[1.0, 10.0, 100.0, 1000.0])];
    let dilated = run(Op::Conv2d(conv(1, 2, 0, Activation::NONE)), &inputs, &[1], &[1, 1, 1, 1]);
    assert_eq!(dilated, [1.0 + 30.0 + 700.0 + 9000.0]);
    let strided = run(Op::Conv2d(conv(2, 1, 1, Activation::NONE)), &inputs, &[1], &[1, 2, 2, 1]);
    assert_eq!(strided, [1000.0, 3200.0, 7040.0, 9865.0]);
}

#[test]
fn conv2d_of_two_groups_keeps_them_apart() {
    let inputs: [(&[usize], &[f32]); 2] = [
        (&[1, 1, 1, 4], &[1.0, 2.0, 3.0, 4.0]),
        (&[4, 1, 1, 2], &[1.0, 1.0, 1.0, -1.0, 10.0, 1.0, 0.0, 2.0]),
    ];
    let output = run(Op::Conv2d(conv(1, 1, 0, Activation::RELU)), &inputs, &[1], &[1, 1, 1, 4]);
    assert_eq!(output, [3.0, 0.0, 34.0, 8.0]);
}

#[test]
fn conv2d_of_more_channels_than_lanes() {
    let weights: Vec<f32> = (0..19).map(|channel| channel as f32).collect();
    let output = run(
        Op::Conv2d(conv(1, 1, 0, Activation::NONE)),
        &[(&[1, 1, 1, 1], &[2.0]), (&[19, 1, 1, 1], &weights)],
        &[1],
        &[1, 1, 1, 19],
    );
    assert_eq!(output, weights.iter().map(|weight| 2.0 * weight).collect::<Vec<f32>>());
}

#[test]
fn depthwise_multiplies_channels() {
    let inputs: [(&[usize], &[f32]); 3] = [
        (&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0]),
        (&[1, 1, 2, 4], &[1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0]),
        (&[4], &[0.0, 0.0, 0.0, 1.0]),
    ];
    let op = Op::DepthwiseConv2d(conv(1, 1, 0, Activation::NONE));
    assert_eq!(run(op, &inputs, &[1, 2], &[1, 1, 1, 4]), [31.0, 62.0, 126.0, 169.0]);
}

#[test]
fn fully_connected_takes_rows() {
    let inputs: [(&[usize], &[f32]); 3] = [
        (&[2, 2], &[1.0, 2.0, 3.0, 4.0]),
        (&[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        (&[3], &[0.0, 0.0, -5.0]),
    ];
    let op = Op::FullyConnected { activation: Activation::RELU };
    assert_eq!(run(op, &inputs, &[1, 2], &[2, 3]), [1.0, 2.0, 0.0, 3.0, 4.0, 2.0]);
}

#[test]
fn add_and_mul_broadcast() {
    let inputs: [(&[usize], &[f32]); 2] = [(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]), (&[2, 1], &[10.0, 20.0])];
    let sum = run(Op::Add { activation: Activation::NONE }, &inputs, &[1], &[2, 2, 2]);
    assert_eq!(sum, [11.0, 12.0, 21.0, 22.0, 13.0, 14.0, 23.0, 24.0]);
    let product = run(Op::Mul { activation: Activation::RELU6 }, &inputs, &[1], &[2, 2, 2]);
    assert_eq!(product, [6.0; 8]);
}

#[test]
fn pools_leave_padding_out() {
    let pool = Pool {
        window: [2, 2],
        stride: [2, 2],
        padding: Padding { top: 1, left: 1, bottom: 0, right: 0 },
        activation: Activation::NONE,
    };
    let input: [(&[usize], &[f32]); 1] = [(&[1, 3, 3, 1], &ONE_TO_NINE)];
    assert_eq!(run(Op::AveragePool2d(pool.clone()), &input, &[], &[1, 2, 2, 1]), [1.0, 2.5, 5.5, 7.0]);
    assert_eq!(run(Op::MaxPool2d(pool), &input, &[], &[1, 2, 2, 1]), [1.0, 3.0, 7.0, 9.0]);
}

#[test]
fn mean_over_inner_and_outer_axes() {
    let input: [(&[usize], &[f32]); 1] = [(&[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])];
    assert_eq!(run(Op::Mean { axes: vec![0, 2] }, &input, &[], &[2]), [3.5, 5.5]);
    assert_eq!(run(Op::Mean { axes: vec![1] }, &input, &[], &[2, 1, 2]), [2.0, 3.0, 6.0, 7.0]);
}

#[test]
fn unary_operators() {
    let unary = |op: Op| run(op, &[(&[4], &[-2.0, -0.5, 0.5, 8.0])], &[], &[4]);
    assert_eq!(unary(Op::Relu), [0.0, 0.0, 0.5, 8.0]);
    assert_eq!(unary(Op::Relu6), [0.0, 0.0, 0.5, 6.0]);
    assert_eq!(unary(Op::Clamp(Activation::RELU_N1_TO_1)), [-1.0, -0.5, 0.5, 1.0]);
    assert_eq!(unary(Op::LeakyRelu { alpha: 0.25 }), [-0.5, -0.125, 0.5, 8.0]);
    assert_eq!(unary(Op::Logistic), [0.119_202_92, 0.377_540_68, 0.622_459_35, 0.999_664_66]);
    assert_eq!(unary(Op::Tanh), [-0.964_027_6, -0.462_117_14, 0.462_117_14, 0.999_999_76]);
}

#[test]
fn softmax_of_rows_with_beta() {
    let ln2 = core::f32::consts::LN_2;
    let output = run(Op::Softmax { beta: 2.0 }, &[(&[2, 2], &[0.0, ln2, 700.0, 700.0])], &[], &[2, 2]);
    for (value, expected) in output.iter().zip([0.2, 0.8, 0.5, 0.5]) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }
}

#[test]
fn moves() {
    let input: [(&[usize], &[f32]); 1] = [(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])];
    let pad = Op::Pad { before: vec![1, 0], after: vec![0, 1], value: 9.0 };
    let padded = run(pad, &input, &[], &[3, 4]);
    assert_eq!(padded, [9.0, 9.0, 9.0, 9.0, 1.0, 2.0, 3.0, 9.0, 4.0, 5.0, 6.0, 9.0]);
    assert_eq!(run(Op::Transpose { perm: vec![1, 0] }, &input, &[], &[3, 2]), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(run(Op::Slice { begin: vec![0, 1] }, &input, &[], &[2, 2]), [2.0, 3.0, 5.0, 6.0]);
    assert_eq!(run(Op::Reshape, &input, &[], &[6]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let both: [(&[usize], &[f32]); 2] = [input[0], (&[2, 1], &[7.0, 8.0])];
    let joined = run(Op::Concat { axis: 1 }, &both, &[], &[2, 4]);
    assert_eq!(joined, [1.0, 2.0, 3.0, 7.0, 4.0, 5.0, 6.0, 8.0]);
}

#[test]
fn observer_sees_inputs_and_then_nodes() {
    let tensor = |name: &str| FloatTensor { name: name.into(), shape: vec![1], data: None };
    let node = |from: usize, to: usize, op: Op| Node {
        name: String::new(),
        op,
        inputs: vec![TensorId(from)],
        outputs: vec![TensorId(to)],
    };
    let graph = FloatGraph {
        name: String::new(),
        tensors: vec![tensor("x"), tensor("relu"), tensor("leaky")],
        nodes: vec![node(0, 1, Op::Relu), node(0, 2, Op::LeakyRelu { alpha: 0.5 })],
        inputs: vec![TensorId(0)],
        outputs: vec![TensorId(2), TensorId(1)],
        rounding: (),
    };
    let mut seen = Vec::new();
    let outputs = Interpreter::new(&graph).run(&[&[-1.0]], |id, values| seen.push((id.0, values.to_vec())));
    assert_eq!(seen, [(0, vec![-1.0]), (1, vec![0.0]), (2, vec![-0.5])]);
    assert_eq!(outputs, [[-0.5], [0.0]]);
}
