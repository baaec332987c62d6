//! Products of matrices, and images of another size.

use edgepkg_format::plan::{BatchMatMul, ResizeBilinear};
use edgepkg_format::{DType, Record};

use super::layout::{Views, broadcast_strides};
use super::weighted::image;
use super::{Lowering, NodeResult, word};
use crate::graph::{Activation, MatrixLayout, Node, Sampling};
use crate::multiplier::{self, activation_range};

/// Parts of a pixel that resized images count in.
const STEPS: i32 = 1 << 10;

impl Lowering<'_> {
    pub(super) fn batch_mat_mul(
        &mut self,
        node: &Node,
        [a_layout, b_layout]: [MatrixLayout; 2],
    ) -> NodeResult {
        let [a, b] = [0, 1].map(|index| self.tensor(node.inputs[index]));
        let y = self.tensor(node.output());
        let outer = &y.shape[..y.shape.len() - 2];
        let [rows, columns] = [0, 1].map(|axis| y.shape[outer.len() + axis]);
        let last_two = &a.shape[a.shape.len() - 2..];
        let depth = last_two[if a_layout == MatrixLayout::RowsFirst { 1 } else { 0 }];
        let strides = |layout, [rows, columns]: [usize; 2]| match layout {
            MatrixLayout::RowsFirst => [columns, 1].map(word),
            MatrixLayout::ColumnsFirst => [1, rows].map(word),
        };
        let [a_row_stride, a_depth_stride] = strides(a_layout, [rows, depth]);
        let [b_depth_stride, b_column_stride] = strides(b_layout, [depth, columns]);
        let of_matrices = |shape: &[usize], elements: usize| -> Vec<isize> {
            let strides = broadcast_strides(&shape[..shape.len() - 2], outer.len());
            strides.iter().map(|stride| stride * elements as isize).collect()
        };
        let a_strides = of_matrices(&a.shape, rows * depth);
        let b_strides = of_matrices(&b.shape, depth * columns);
        let views = Views::new(outer, [&a_strides, &b_strides]);
        let (x, w, rounding) = (&a.quantization, &b.quantization, self.graph.rounding);
        let record = BatchMatMul {
            a: self.place(node.inputs[0])?,
            b: self.place(node.inputs[1])?,
            output: self.allocate(node.output())?,
            batches: views.dims(),
            a_strides: views.strides(0),
            b_strides: views.strides(1),
            rows: word(rows),
            depth: word(depth),
            columns: word(columns),
            a_row_stride,
            a_depth_stride,
            b_depth_stride,
            b_column_stride,
            a_zero_point: x.zero_point(),
            b_zero_point: w.zero_point(),
            scale: multiplier::batch_mat_mul(x.scale(), w.scale(), y.quantization.scale(), rounding)?,
            output_zero_point: y.quantization.zero_point(),
            clamp: activation_range(&Activation::NONE, &y.quantization, y.dtype),
            rounding,
        };
        match y.dtype {
            DType::Int16 => self.push(Record::BatchMatMul16(record)),
            _ => self.push(record),
        }
        Ok(())
    }

    pub(super) fn resize_bilinear(&mut self, node: &Node, sampling: Sampling) -> NodeResult {
        let (x, y) = self.unary(node);
        let (input_image, output_image) = (image(x), image(y));
        let (row_step, row_offset) = positions(input_image.height, output_image.height, sampling);
        let (column_step, column_offset) = positions(input_image.width, output_image.width, sampling);
        let record = ResizeBilinear {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            input_image,
            output_image,
            row_step,
            row_offset,
            column_step,
            column_offset,
        };
        self.push(record);
        Ok(())
    }
}

/// From a pixel of `to` to the next, and where the first is, in steps of an image of `from`; as the references
/// round them.
fn positions(from: u32, to: u32, sampling: Sampling) -> (i32, i32) {
    let (from, to) = (from as i32, to as i32);
    match sampling {
        Sampling::Corners if to > 1 => ((STEPS * (from - 1) + (to - 1) / 2) / (to - 1), 0),
        Sampling::Corners | Sampling::Edges => ((STEPS * from + to / 2) / to, 0),
        Sampling::Centers => {
            let step = (STEPS * from + to / 2) / to;
            (step, step / 2 - STEPS / 2)
        }
    }
}
