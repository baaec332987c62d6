//! Pools, means and softmax.

use edgepkg_format::plan::{AveragePool2d, MaxPool2d, Mean, Softmax};

use super::layout::{Views, dense_strides};
use super::weighted::{image, window};
use super::{Lowering, NodeResult, word};
use crate::graph::{Node, Pool, Tensor};
use crate::multiplier::{self, activation_range};

impl Lowering<'_> {
    pub(super) fn average_pool2d(&mut self, node: &Node, pool: &Pool) -> NodeResult {
        let (x, y) = self.unary(node);
        let record = AveragePool2d {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            input_image: image(x),
            output_image: image(y),
            window: window(pool.window, pool.stride, [1, 1], pool.padding),
            clamp: activation_range(&pool.activation, &y.quantization, y.dtype),
            zero_point: y.quantization.zero_point(),
            rounding: self.graph.rounding,
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn max_pool2d(&mut self, node: &Node, pool: &Pool) -> NodeResult {
        let (x, y) = self.unary(node);
        let record = MaxPool2d {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            input_image: image(x),
            output_image: image(y),
            window: window(pool.window, pool.stride, [1, 1], pool.padding),
            clamp: activation_range(&pool.activation, &y.quantization, y.dtype),
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn mean(&mut self, node: &Node, axes: &[usize]) -> NodeResult {
        let (x, y) = self.unary(node);
        let strides = dense_strides(&x.shape);
        let dimensions = |reduced: bool| {
            let chosen = (0..x.shape.len()).filter(move |axis| axes.contains(axis) == reduced);
            let (shape, strides): (Vec<_>, Vec<_>) =
                chosen.map(|axis| (x.shape[axis], strides[axis])).unzip();
            Views::new(&shape, [&strides])
        };
        let (kept, reduced) = (dimensions(false), dimensions(true));
        let count = word(axes.iter().map(|&axis| x.shape[axis]).product());
        let record = Mean {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            kept: kept.dims(),
            kept_strides: kept.strides(0),
            reduced: reduced.dims(),
            reduced_strides: reduced.strides(0),
            bias: x.quantization.zero_point().wrapping_mul(count as i32),
            scale: multiplier::mean(
                x.quantization.scale(),
                y.quantization.scale(),
                count,
                self.graph.rounding,
            )?,
            output_zero_point: y.quantization.zero_point(),
            rounding: self.graph.rounding,
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn softmax(&mut self, node: &Node, beta: f32) -> NodeResult {
        let (x, _) = self.unary(node);
        let softmax = multiplier::softmax(beta, x.quantization.scale())?;
        let depth = x.shape[x.shape.len() - 1];
        let record = Softmax {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            rows: word(x.len() / depth),
            depth: word(depth),
            scale: softmax.scale,
            diff_min: softmax.diff_min,
        };
        self.push(record);
        Ok(())
    }
}
