//! What a file says of its model's graph: tensors, their data, names.

use std::collections::{HashMap, HashSet};

use super::boundary::DEQUANTIZE;
use super::schema::{Model, Operator, OperatorCode, SubGraph, Tensor};
use super::{operator_name, unreadable};
use crate::import::ImportError;
use crate::tflite_schema::Builtin;
use crate::tflite_schema::tensor_type::{BOOL, FLOAT32, INT32, INT64};

const GATHER: i32 = Builtin::Gather as i32;
const EMBEDDING_LOOKUP: i32 = Builtin::EmbeddingLookup as i32;
const ARG_MAX: i32 = Builtin::ArgMax as i32;
const ARG_MIN: i32 = Builtin::ArgMin as i32;
const TOP_K_V2: i32 = Builtin::TopKV2 as i32;

/// A file and the graph in it that is the model: the first.
pub(super) struct File<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) model: &'b Model<'b>,
    pub(super) graph: &'b SubGraph,
    /// The constant that a DEQUANTIZE writes as floats, by its output.
    dequantized: HashMap<i32, i32>,
    /// Tensors that hold indices.
    indices: HashSet<i32>,
}

impl<'b> File<'b> {
    /// The file in `bytes`, which `model` was read from.
    ///
    /// # Errors
    ///
    /// When it has no graph, or an operator whose code is not there.
    pub(super) fn new(bytes: &'b [u8], model: &'b Model<'b>) -> Result<Self, ImportError> {
        let Some(graph) = model.subgraphs.first() else {
            return Err(unreadable("it has no graph"));
        };
        let has_code = |operator: &Operator| model.operator_codes.get(operator.code as usize).is_some();
        if let Some(index) = graph.operators.iter().position(|operator| !has_code(operator)) {
            return Err(unreadable(format!("operator {index} has a code that is not there")));
        }
        let mut file = Self { bytes, model, graph, dequantized: HashMap::new(), indices: HashSet::new() };
        for operator in &graph.operators {
            match file.code(operator).builtin {
                GATHER => file.indices.extend(operator.inputs.get(1)),
                EMBEDDING_LOOKUP => file.indices.extend(operator.inputs.first()),
                ARG_MAX | ARG_MIN => file.indices.extend(&operator.outputs),
                TOP_K_V2 => file.indices.extend(operator.outputs.get(1)),
                _ => {}
            }
            let (&[from], &[to]) = (&operator.inputs[..], &operator.outputs[..]) else { continue };
            let is_constant = file.tensor(from).is_some_and(|tensor| file.has_data(tensor));
            if file.code(operator).builtin == DEQUANTIZE && is_constant {
                file.dequantized.insert(to, from);
            }
        }
        file.follow_indices();
        Ok(file)
    }

    /// Finds the tensors that indices come from and go to, moved or of another type.
    fn follow_indices(&mut self) {
        let moves: Vec<(&[i32], &[i32])> =
            self.graph.operators.iter().filter_map(|operator| self.moved(operator)).collect();
        let mut known = 0;
        while known != self.indices.len() {
            known = self.indices.len();
            for (from, to) in moves.iter().rev().chain(&moves) {
                if from.iter().chain(*to).any(|tensor| self.indices.contains(tensor)) {
                    self.indices.extend(from.iter().chain(*to));
                }
            }
        }
    }

    /// What `operator` reads and writes, where it only moves elements or gives them another type.
    pub(super) fn moved(&self, operator: &'b Operator) -> Option<(&'b [i32], &'b [i32])> {
        let builtin = Builtin::of(self.code(operator), &operator.options).ok()?;
        let moves = matches!(
            builtin,
            Builtin::Cast
                | Builtin::Concatenation
                | Builtin::ExpandDims
                | Builtin::Pack
                | Builtin::Reshape
                | Builtin::Slice
                | Builtin::Split
                | Builtin::SplitV
                | Builtin::Squeeze
                | Builtin::StridedSlice
                | Builtin::Transpose
                | Builtin::Unpack
        );
        moves.then(|| (builtin.values(operator), &operator.outputs[..]))
    }

    /// The code of one of the graph's operators.
    pub(super) fn code(&self, operator: &Operator) -> &'b OperatorCode {
        &self.model.operator_codes[operator.code as usize]
    }

    /// A tensor of the graph.
    pub(super) fn tensor(&self, index: i32) -> Option<&'b Tensor> {
        usize::try_from(index).ok().and_then(|index| self.graph.tensors.get(index))
    }

    /// A tensor that a value is read from.
    ///
    /// # Errors
    ///
    /// When it is not there, or has what is not supported.
    pub(super) fn readable(&self, index: i32) -> Result<&'b Tensor, ImportError> {
        let tensor = self.stored_tensor(index)?;
        if tensor.is_variable {
            return Err(tensor.problem("keeps its value between runs, which is not supported there"));
        }
        Ok(tensor)
    }

    /// A tensor that keeps its value between runs.
    ///
    /// # Errors
    ///
    /// When it is not there, does not keep it, or has what is not supported.
    pub(super) fn variable(&self, index: i32) -> Result<&'b Tensor, ImportError> {
        let tensor = self.stored_tensor(index)?;
        if !tensor.is_variable {
            return Err(tensor.problem("is state that is not kept between runs"));
        }
        Ok(tensor)
    }

    fn stored_tensor(&self, index: i32) -> Result<&'b Tensor, ImportError> {
        let tensor = self
            .tensor(index)
            .ok_or_else(|| unreadable(format!("it names tensor {index}, which is not there")))?;
        if tensor.is_sparse || tensor.external_buffer != 0 {
            return Err(tensor.problem("is sparse or lies in a file of its own, which is not supported"));
        }
        Ok(tensor)
    }

    /// The constant whose reals the tensor `index` has: another's, where it is only made floats of.
    pub(super) fn stored(&self, index: i32) -> i32 {
        self.dequantized.get(&index).copied().unwrap_or(index)
    }

    /// Whether the tensor `index` holds indices.
    pub(super) fn holds_indices(&self, index: i32) -> bool {
        self.indices.contains(&index)
    }

    /// Whether the tensor `index` says of something whether it is.
    pub(super) fn holds_truths(&self, index: i32) -> bool {
        self.tensor(index).is_some_and(|tensor| tensor.kind == BOOL)
    }

    /// Whether the tensor `index` is of float32.
    pub(super) fn holds_floats(&self, index: i32) -> bool {
        self.tensor(index).is_some_and(|tensor| tensor.kind == FLOAT32)
    }

    /// Whether the tensor `index` has values in the file.
    pub(super) fn is_constant(&self, index: i32) -> bool {
        self.tensor(self.stored(index)).is_some_and(|tensor| self.has_data(tensor))
    }

    fn has_data(&self, tensor: &Tensor) -> bool {
        self.data(tensor).is_some_and(|data| !data.is_empty())
    }

    /// A tensor's bytes in the file, none for what is computed; `None` where they are not there.
    pub(super) fn data(&self, tensor: &Tensor) -> Option<&'b [u8]> {
        let buffer = match self.model.buffers.get(tensor.buffer as usize) {
            Some(buffer) => buffer,
            None => return (tensor.buffer == 0).then_some(&[]),
        };
        if buffer.offset <= 1 {
            return Some(buffer.data);
        }
        let start = usize::try_from(buffer.offset).ok()?;
        let end = start.checked_add(usize::try_from(buffer.size).ok()?)?;
        self.bytes.get(start..end)
    }

    /// The values of a constant tensor of indices, int32 or int64.
    pub(super) fn indices(&self, index: i32) -> Result<Vec<i64>, &'static str> {
        let tensor = self.tensor(index).ok_or("lacks a tensor of indices")?;
        let data = self.data(tensor).unwrap_or_default();
        let count: Option<usize> = tensor
            .extents()
            .and_then(|shape| shape.into_iter().try_fold(1usize, |count, extent| count.checked_mul(extent)));
        let values: Vec<i64> = match tensor.kind {
            INT32 => data.as_chunks().0.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect(),
            INT64 => data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
            _ => return Err("has indices that are neither int32 nor int64"),
        };
        if count == Some(values.len()) {
            Ok(values)
        } else {
            Err("has indices that are computed, not constant")
        }
    }

    /// Extents of the tensor `index`.
    pub(super) fn shape(&self, index: i32) -> Result<Vec<usize>, &'static str> {
        self.tensor(index).and_then(Tensor::extents).ok_or("lacks an input")
    }

    /// Extents of the tensors that are there.
    pub(super) fn shapes(&self, indices: &[i32]) -> Vec<Vec<usize>> {
        let shape = |tensor: &Tensor| tensor.shape.iter().map(|&extent| extent.max(0) as usize).collect();
        indices.iter().filter_map(|&index| self.tensor(index)).map(shape).collect()
    }

    /// Operators have no names: a node is called after its first output.
    pub(super) fn node_name(&self, operator: &Operator) -> String {
        let output = operator.outputs.first().and_then(|&output| self.tensor(output));
        match output {
            Some(tensor) if !tensor.name.is_empty() => tensor.name.clone(),
            _ => {
                let place = self.graph.operators.iter().position(|other| std::ptr::eq(other, operator));
                format!("operator {}", place.unwrap_or_default())
            }
        }
    }

    /// That `operator` has a problem, which ends a sentence that begins with its name.
    pub(super) fn problem(&self, operator: &Operator, problem: &str) -> ImportError {
        ImportError::Node {
            node: self.node_name(operator),
            operator: operator_name(self.code(operator)),
            problem: problem.to_owned(),
        }
    }
}

impl Tensor {
    /// Its extents; `None` where one is negative.
    pub(super) fn extents(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(|&extent| usize::try_from(extent).ok()).collect()
    }

    /// That it has a problem, which ends a sentence that begins with its name.
    pub(super) fn problem(&self, problem: &str) -> ImportError {
        unreadable(format!("tensor `{}` {problem}", self.name))
    }
}
