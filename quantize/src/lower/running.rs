//! What goes along one dimension: running sums, the places of the greatest elements.

use edgepkg_format::plan::{ArgExtreme, CumulativeSum, TopIndices};
use edgepkg_kernels::fixed_point::multiply_by_scale;

use super::layout::around;
use super::{Lowering, NodeResult, word};
use crate::graph::{Direction, Extreme, Node, Running, Tensor};
use crate::multiplier;

impl Lowering<'_> {
    /// Sums begin at what raw 0 stands for, as in the references.
    pub(super) fn cumulative_sum(
        &mut self,
        node: &Node,
        axis: usize,
        direction: Direction,
        running: Running,
    ) -> NodeResult {
        let (x, y) = self.unary(node);
        let scales = multiplier::cumulative_sum(x.quantization.scale(), y.quantization.scale())?;
        let [outer, count, inner] = around(&x.shape, axis).map(word);
        let of_raw_zero = x.quantization.zero_point().wrapping_neg().wrapping_shl(scales.left_shift);
        let record = CumulativeSum {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            outer,
            count,
            inner,
            direction,
            running,
            input_zero_point: x.quantization.zero_point(),
            left_shift: scales.left_shift,
            input_scale: scales.input,
            start: multiply_by_scale(of_raw_zero, scales.input, self.graph.rounding),
            output_scale: scales.output,
            output_zero_point: y.quantization.zero_point(),
            rounding: self.graph.rounding,
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn arg_extreme(&mut self, node: &Node, axis: usize, extreme: Extreme) -> NodeResult {
        let [outer, count, inner] = around(&self.unary(node).0.shape, axis).map(word);
        let record = ArgExtreme {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            outer,
            count,
            inner,
            extreme,
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn top_indices(&mut self, node: &Node, extreme: Extreme) -> NodeResult {
        let (x, y) = self.unary(node);
        let last = |shape: &[usize]| word(*shape.last().expect("checked to have a dimension to order"));
        let (depth, count) = (last(&x.shape), last(&y.shape));
        let record = TopIndices {
            rows: word(x.len()) / depth,
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            depth,
            count,
            extreme,
        };
        self.push(record);
        Ok(())
    }
}
