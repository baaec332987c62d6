//! Operators that work element by element, and softmax.

use super::layout::{for_each_offset, strides};
use crate::graph::{Activation, BinaryFunction};

/// A fused clamp. NaN passes, and zeros keep their sign, on every machine.
#[derive(Clone, Copy)]
pub(super) struct Clamp {
    min: f32,
    max: f32,
}

impl Clamp {
    pub(super) fn new(activation: Activation) -> Self {
        Self {
            min: activation.min.unwrap_or(f32::NEG_INFINITY),
            max: activation.max.unwrap_or(f32::INFINITY),
        }
    }

    #[inline]
    pub(super) fn apply(self, x: f32) -> f32 {
        let x = if x < self.min { self.min } else { x };
        if x > self.max { self.max } else { x }
    }
}

/// `output[i] = function(input[i])`.
pub(super) fn unary(input: &[f32], output: &mut [f32], function: impl Fn(f32) -> f32) {
    for (y, &x) in output.iter_mut().zip(input) {
        *y = function(x);
    }
}

/// `1 / (1 + exp(-x))`.
pub(crate) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

/// `function(a, b)`, clamped; shapes are broadcast as NumPy does.
pub(super) fn binary(
    (a_shape, a): (&[usize], &[f32]),
    (b_shape, b): (&[usize], &[f32]),
    (shape, output): (&[usize], &mut [f32]),
    activation: Activation,
    function: impl Fn(f32, f32) -> f32,
) {
    let clamp = Clamp::new(activation);
    if a.len() == output.len() && b.len() == output.len() {
        for ((y, &a), &b) in output.iter_mut().zip(a).zip(b) {
            *y = clamp.apply(function(a, b));
        }
        return;
    }
    let (a_strides, b_strides) = (broadcast(a_shape, shape), broadcast(b_shape, shape));
    let mut to = output.iter_mut();
    for_each_offset(shape, (0, &a_strides), (0, &b_strides), |at_a, at_b| {
        *to.next().expect("one element for each offset") = clamp.apply(function(a[at_a], b[at_b]));
    });
}

/// `condition != 0 ? a : b`; shapes are broadcast as NumPy does.
pub(super) fn select(operands: [(&[usize], &[f32]); 3], (shape, output): (&[usize], &mut [f32])) {
    let [condition, a, b] = operands.map(|(from, values)| {
        let (strides, mut all) = (broadcast(from, shape), Vec::with_capacity(output.len()));
        for_each_offset(shape, (0, &strides), (0, &strides), |at, _| all.push(values[at]));
        all
    });
    for (((y, &condition), &a), &b) in output.iter_mut().zip(&condition).zip(&a).zip(&b) {
        *y = if condition != 0.0 { a } else { b };
    }
}

/// The float function that [`crate::graph::Op::Binary`] names.
pub(super) fn function_of_two(function: BinaryFunction) -> fn(f32, f32) -> f32 {
    match function {
        BinaryFunction::Subtract => |a, b| a - b,
        BinaryFunction::SquaredDifference => |a, b| (a - b) * (a - b),
        BinaryFunction::Maximum => |a, b| if b > a || b.is_nan() { b } else { a },
        BinaryFunction::Minimum => |a, b| if b < a || b.is_nan() { b } else { a },
        BinaryFunction::ParametricRelu => |a, b| if a < 0.0 { a * b } else { a },
    }
}

/// Strides that read a tensor of `from` as one of `shape`.
pub(super) fn broadcast(from: &[usize], shape: &[usize]) -> Vec<usize> {
    let missing = shape.len() - from.len();
    let own = strides(from);
    (0..shape.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(axis) if from[axis] != 1 => own[axis],
            _ => 0,
        })
        .collect()
}

/// `exp(beta * (x - max)) / sum`, for each row of `depth` elements.
pub(super) fn softmax(beta: f32, depth: usize, input: &[f32], output: &mut [f32]) {
    for (x, y) in input.chunks_exact(depth).zip(output.chunks_exact_mut(depth)) {
        let max = x.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
        let mut sum = 0.0;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = libm::expf(beta * (x - max));
            sum += *y;
        }
        for y in y {
            *y /= sum;
        }
    }
}

/// `x - max - log(sum(exp(x - max)))`, for each row of `depth` elements.
pub(super) fn log_softmax(depth: usize, input: &[f32], output: &mut [f32]) {
    for (x, y) in input.chunks_exact(depth).zip(output.chunks_exact_mut(depth)) {
        let max = x.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
        let sum = x.iter().fold(0.0, |sum, &x| sum + libm::exp(f64::from(x - max)));
        let logarithm = libm::log(sum);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (f64::from(x - max) - logarithm) as f32;
        }
    }
}
