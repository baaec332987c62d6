//! Operators that only move values: copies between strided places.

use edgepkg_format::plan::{Fill, Gather, Select, StridedCopy};
use edgepkg_format::tensor::MAX_RANK;
use edgepkg_format::{DType, Space, TensorRef};

use super::index_runs::index_runs;
use super::layout::{Views, around, broadcast_strides, dense_strides};
use super::{Lowering, NodeError, NodeResult, word};
use crate::graph::{Node, Tensor, TensorId};
use crate::multiplier::{quantize, type_range};

/// Elements are taken by so many copies at most; else by a table of their indices.
const MOST_COPIES: usize = 8;

/// A block of elements and where it lies in two tensors.
struct Block<'a> {
    shape: &'a [usize],
    input: Corner<'a>,
    output: Corner<'a>,
}

/// A block's first element in a tensor, and the strides from there.
struct Corner<'a> {
    tensor: TensorRef,
    element: usize,
    strides: &'a [isize],
}

impl Lowering<'_> {
    pub(super) fn pad(&mut self, node: &Node, before: &[usize], value: f32) -> NodeResult {
        let (x, y) = self.unary(node);
        let input = self.place(node.inputs[0])?;
        let output = self.allocate(node.output())?;
        let range = type_range(y.dtype);
        let value = quantize(value, &y.quantization).clamp(range.min, range.max);
        self.fill(output, y.len(), value)?;
        let strides = dense_strides(&y.shape);
        let input = Corner { tensor: input, element: 0, strides: &dense_strides(&x.shape) };
        let output = Corner { tensor: output, element: element_at(before, &strides), strides: &strides };
        self.copy(&Block { shape: &x.shape, input, output })
    }

    /// Sets `length` elements to `value`. Where its bytes differ, they are copied from a constant.
    pub(super) fn fill(&mut self, output: TensorRef, length: usize, value: i32) -> NodeResult {
        let size = element_bytes(output);
        let bytes = &value.to_le_bytes()[..size];
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            let output = TensorRef { dtype: DType::Int8, ..output };
            self.push(Fill { output, length: word(length * size), value: i32::from(bytes[0] as i8) });
            return Ok(());
        }
        let input = Corner { tensor: self.constant(bytes, output.dtype)?, element: 0, strides: &[0] };
        let output = Corner { tensor: output, element: 0, strides: &[1] };
        self.copy(&Block { shape: &[length], input, output })
    }

    pub(super) fn concat(&mut self, node: &Node, axis: usize) -> NodeResult {
        let y = self.tensor(node.output());
        let inputs = node.inputs.iter().map(|&id| self.place(id)).collect::<Result<Vec<_>, _>>()?;
        let output = self.allocate(node.output())?;
        let strides = dense_strides(&y.shape);
        let mut begin = 0;
        for (&id, input) in node.inputs.iter().zip(inputs) {
            let x = self.tensor(id);
            let input = Corner { tensor: input, element: 0, strides: &dense_strides(&x.shape) };
            let output =
                Corner { tensor: output, element: begin * strides[axis] as usize, strides: &strides };
            self.copy(&Block { shape: &x.shape, input, output })?;
            begin += x.shape[axis];
        }
        Ok(())
    }

    pub(super) fn slice(&mut self, node: &Node, begin: &[usize]) -> NodeResult {
        let (x, y) = self.unary(node);
        let input = self.place(node.inputs[0])?;
        let output = self.allocate(node.output())?;
        let strides = dense_strides(&x.shape);
        let input = Corner { tensor: input, element: element_at(begin, &strides), strides: &strides };
        let output = Corner { tensor: output, element: 0, strides: &dense_strides(&y.shape) };
        self.copy(&Block { shape: &y.shape, input, output })
    }

    pub(super) fn transpose(&mut self, node: &Node, perm: &[usize]) -> NodeResult {
        let (x, y) = self.unary(node);
        let input = self.place(node.inputs[0])?;
        let output = self.allocate(node.output())?;
        let dense = dense_strides(&x.shape);
        let strides: Vec<isize> = perm.iter().map(|&axis| dense[axis]).collect();
        let input = Corner { tensor: input, element: 0, strides: &strides };
        let output = Corner { tensor: output, element: 0, strides: &dense_strides(&y.shape) };
        self.copy(&Block { shape: &y.shape, input, output })
    }

    pub(super) fn take(&mut self, node: &Node, axis: usize, indices: &[usize]) -> NodeResult {
        let (x, _) = self.unary(node);
        let (input, output) = (self.place(node.inputs[0])?, self.allocate(node.output())?);
        let [outer, _, inner] = around(&x.shape, axis);
        let runs = index_runs(indices);
        if runs.len() > MOST_COPIES {
            let words: Vec<u8> = indices.iter().flat_map(|&index| word(index).to_le_bytes()).collect();
            let of_bytes = |tensor| TensorRef { dtype: DType::Int8, ..tensor };
            let record = Gather {
                input: of_bytes(input),
                output: of_bytes(output),
                indices: self.constant(&words, DType::Int32)?,
                batches: 1,
                outer: word(outer),
                extent: word(x.shape[axis]),
                count: word(indices.len()),
                inner: word(inner * element_bytes(input)),
            };
            self.push(record);
            return Ok(());
        }
        let width = inner as isize;
        for run in runs {
            let shape = [outer, run.times, run.count, inner];
            let from = [(x.shape[axis] * inner) as isize, run.stride * width, run.step * width, 1];
            let to = [(indices.len() * inner) as isize, run.count as isize * width, width, 1];
            self.copy(&Block {
                shape: &shape,
                input: Corner { tensor: input, element: run.first * inner, strides: &from },
                output: Corner { tensor: output, element: run.at * inner, strides: &to },
            })?;
        }
        Ok(())
    }

    pub(super) fn gather(&mut self, node: &Node, axis: usize, batch_dimensions: usize) -> NodeResult {
        let shape = &self.tensor(node.inputs[0]).shape;
        let batches: usize = shape[..batch_dimensions].iter().product();
        let [outer, extent, inner] = around(shape, axis);
        let input = self.place(node.inputs[0])?;
        let of_bytes = |tensor| TensorRef { dtype: DType::Int8, ..tensor };
        let record = Gather {
            input: of_bytes(input),
            indices: self.place(node.inputs[1])?,
            output: of_bytes(self.allocate(node.output())?),
            batches: word(batches),
            outer: word(outer / batches),
            extent: word(extent),
            count: word(self.tensor(node.inputs[1]).len() / batches),
            inner: word(inner * element_bytes(input)),
        };
        self.push(record);
        Ok(())
    }

    /// Elements of two bytes are taken byte by byte, their condition being the lower of its own.
    pub(super) fn select(&mut self, node: &Node) -> NodeResult {
        let shape = &self.tensor(node.output()).shape;
        let [condition, a, b] = [0, 1, 2].map(|index| self.place(node.inputs[index]));
        let (condition, a, b) = (condition?, a?, b?);
        let output = self.allocate(node.output())?;
        let size = element_bytes(output);
        let strides = [0, 1, 2].map(|index| {
            let strides = broadcast_strides(&self.tensor(node.inputs[index]).shape, shape.len());
            let within = if index == 0 { 0 } else { 1 };
            let in_bytes = strides.into_iter().map(|stride| stride * size as isize);
            in_bytes.chain([within]).collect::<Vec<isize>>()
        });
        let in_bytes = [shape, &[size][..]].concat();
        let dense = dense_strides(&in_bytes);
        let views = Views::new(&in_bytes, [&strides[0], &strides[1], &strides[2], &dense]);
        if views.rank() > MAX_RANK {
            return Err(NodeError::Quantization("selects elements of two bytes along 6 dimensions"));
        }
        let of_bytes = |tensor| TensorRef { dtype: DType::Int8, ..tensor };
        self.push(Select {
            condition: of_bytes(condition),
            a: of_bytes(a),
            b: of_bytes(b),
            output: of_bytes(output),
            dims: views.dims(),
            condition_strides: views.strides(0),
            a_strides: views.strides(1),
            b_strides: views.strides(2),
        });
        Ok(())
    }

    /// The output is the input's memory, unless the model's caller would find an input where it looks
    /// for an output, or a constant.
    pub(super) fn reshape(&mut self, node: &Node) -> NodeResult {
        let input = self.place(node.inputs[0])?;
        if !self.graph.is_output(node.output()) || self.is_computed(input) {
            self.places.insert(node.output(), input);
            return Ok(());
        }
        self.copy_whole(input, node.output())
    }

    /// Whether a node has written what lies there.
    fn is_computed(&self, tensor: TensorRef) -> bool {
        let first_computed = self.buffers.get(self.input_buffers);
        tensor.space == Space::Arena && first_computed.is_some_and(|first| tensor.offset >= first.offset)
    }

    pub(super) fn copy_whole(&mut self, input: TensorRef, to: TensorId) -> NodeResult {
        let output = self.allocate(to)?;
        self.copy_elements(input, output, self.tensor(to).len())
    }

    /// Copies dense elements.
    pub(super) fn copy_elements(
        &mut self,
        input: TensorRef,
        output: TensorRef,
        elements: usize,
    ) -> NodeResult {
        let input = Corner { tensor: input, element: 0, strides: &[1] };
        let output = Corner { tensor: output, element: 0, strides: &[1] };
        self.copy(&Block { shape: &[elements], input, output })
    }

    /// Bytes of an element are a dimension of their own.
    fn copy(&mut self, block: &Block<'_>) -> NodeResult {
        let size = element_bytes(block.input.tensor);
        let in_bytes = |strides: &[isize]| -> Vec<isize> {
            strides.iter().map(|stride| stride * size as isize).chain([1]).collect()
        };
        let shape = [block.shape, &[size]].concat();
        let strides = [in_bytes(block.input.strides), in_bytes(block.output.strides)];
        let views = Views::new(&shape, [&strides[0], &strides[1]]);
        if views.rank() > MAX_RANK {
            return Err(NodeError::Quantization("moves elements of two bytes along 6 dimensions"));
        }
        self.push(StridedCopy {
            input: block.input.first_byte(),
            output: block.output.first_byte(),
            dims: views.dims(),
            input_strides: views.signed_strides(0),
            output_strides: views.signed_strides(1),
        });
        Ok(())
    }
}

impl Corner<'_> {
    fn first_byte(&self) -> TensorRef {
        let offset = self.tensor.offset + word(self.element * element_bytes(self.tensor));
        TensorRef { dtype: DType::Int8, offset, ..self.tensor }
    }
}

fn element_bytes(tensor: TensorRef) -> usize {
    tensor.dtype.bytes(1).unwrap_or(1) as usize
}

/// The element with these indices.
fn element_at(indices: &[usize], strides: &[isize]) -> usize {
    indices.iter().zip(strides).map(|(index, &stride)| index * stride as usize).sum()
}
