//! Pools, means, sums and softmax.

use edgepkg_format::plan::{AveragePool2d, LogSoftmax, MaxPool2d, Mean, Scale, Softmax};
use edgepkg_format::{DType, Record};

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
        match y.dtype {
            DType::Int16 => self.push(Record::AveragePool2d16(record)),
            _ => self.push(record),
        }
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
        match y.dtype {
            DType::Int16 => self.push(Record::MaxPool2d16(record)),
            _ => self.push(record),
        }
        Ok(())
    }

    pub(super) fn mean(&mut self, node: &Node, axes: &[usize]) -> NodeResult {
        let (x, y) = self.unary(node);
        let count = word(axes.iter().map(|&axis| x.shape[axis]).product());
        let (from, to) = (x.quantization.scale(), y.quantization.scale());
        self.scaled_sum(node, axes, multiplier::mean(from, to, count, self.graph.rounding)?)
    }

    pub(super) fn sum(&mut self, node: &Node, axes: &[usize]) -> NodeResult {
        let (x, y) = self.unary(node);
        self.scaled_sum(node, axes, multiplier::requantize(x.quantization.scale(), y.quantization.scale())?)
    }

    fn scaled_sum(&mut self, node: &Node, axes: &[usize], scale: Scale) -> NodeResult {
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
            scale,
            output_zero_point: y.quantization.zero_point(),
            rounding: self.graph.rounding,
        };
        match y.dtype {
            DType::Int16 => self.push(Record::Mean16(record)),
            _ => self.push(record),
        }
        Ok(())
    }

    pub(super) fn log_softmax(&mut self, node: &Node) -> NodeResult {
        let (x, _) = self.unary(node);
        let softmax = multiplier::softmax(1.0, x.quantization.scale())?;
        let depth = x.shape[x.shape.len() - 1];
        let record = LogSoftmax {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            rows: word(x.len() / depth),
            depth: word(depth),
            scale: softmax.scale,
            inverse_scale: multiplier::inverse_of_softmax(softmax.scale)?,
            diff_min: softmax.diff_min,
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
