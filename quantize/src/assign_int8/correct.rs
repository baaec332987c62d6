//! Bias correction: the mean error that rounded weights make is known before the model runs.

use std::sync::Arc;

use crate::graph::{Activation, FloatGraph, FloatTensor, Node, Op, Tensor, TensorId};
use crate::interpret::Interpreter;

/// Takes off each channel's `bias` the mean of what `errors` in the weights add to it.
///
/// A convolution is linear: its mean output over the samples is its output on the mean input, so one run
/// of the errors on `mean` gives the shift of every output pixel, edges included.
pub(super) fn take_off_mean_error(
    bias: &mut [f32],
    float: &FloatGraph,
    node: &Node,
    mean: &[f32],
    errors: &[f32],
) {
    let op = match &node.op {
        Op::Conv2d(conv) => Op::Conv2d(crate::graph::Conv { activation: Activation::NONE, ..conv.clone() }),
        Op::DepthwiseConv2d(conv) => {
            Op::DepthwiseConv2d(crate::graph::Conv { activation: Activation::NONE, ..conv.clone() })
        }
        Op::TransposeConv2d(conv) => {
            Op::TransposeConv2d(crate::graph::Conv { activation: Activation::NONE, ..conv.clone() })
        }
        _ => Op::FullyConnected { activation: Activation::NONE },
    };
    let tensor = |id: TensorId, data: Option<Arc<[f32]>>| FloatTensor {
        name: String::new(),
        shape: float.tensor(id).shape().to_vec(),
        data,
    };
    let graph = FloatGraph {
        name: String::new(),
        tensors: vec![
            tensor(node.inputs[0], None),
            tensor(node.inputs[1], Some(errors.into())),
            tensor(node.output(), None),
        ],
        nodes: vec![Node {
            name: String::new(),
            op,
            inputs: vec![TensorId(0), TensorId(1)],
            outputs: vec![TensorId(2)],
        }],
        inputs: vec![TensorId(0)],
        outputs: vec![TensorId(2)],
        rounding: (),
    };
    let shifts = Interpreter::new(&graph).run(&[mean], |_, _| {}).remove(0);
    let mut sums = vec![0.0_f64; bias.len()];
    for pixel in shifts.chunks_exact(bias.len()) {
        for (sum, &shift) in sums.iter_mut().zip(pixel) {
            *sum += f64::from(shift);
        }
    }
    let pixels = (shifts.len() / bias.len()) as f64;
    for (bias, sum) in bias.iter_mut().zip(sums) {
        *bias -= (sum / pixels) as f32;
    }
}
