//! Tensors: types, shapes, data, scales.

use std::sync::Arc;

use edgepkg_format::DType;

use super::schema::{Quantization as Parameters, Tensor};
use super::{Importer, find, names, unreadable};
use crate::graph::{Quantization, QuantizedTensor, TensorId};
use crate::import::ImportError;
use crate::tflite_schema::tensor_type::{FLOAT32, INT8, INT16, INT32, INT64};

impl Importer<'_> {
    /// The graph's tensor for the file's tensor `index`.
    pub(super) fn tensor(&mut self, index: i32) -> Result<TensorId, ImportError> {
        if let Some(&id) = self.ids.get(&index) {
            return Ok(id);
        }
        let tensor = find(self.subgraph, index)
            .ok_or_else(|| unreadable(format!("it names tensor {index}, which is not there")))?;
        let converted = self.convert(tensor)?;
        let id = self.graph.add_tensor(converted);
        self.ids.insert(index, id);
        Ok(id)
    }

    fn convert(&self, tensor: &Tensor) -> Result<QuantizedTensor, ImportError> {
        let name = &tensor.name;
        let problem = |problem: &str| unreadable(format!("tensor `{name}` {problem}"));
        let dtype = dtype(tensor)?;
        let shape = shape(tensor).ok_or_else(|| problem("has a negative extent"))?;
        if tensor.is_variable {
            return Err(problem("keeps its value between runs, which is not supported"));
        }
        if tensor.is_sparse || tensor.external_buffer != 0 {
            return Err(problem("is sparse or lies in a file of its own, which is not supported"));
        }
        let data = self.data(tensor).ok_or_else(|| problem("has data that is not there"))?;
        let parameters = tensor.quantization.as_ref().filter(|parameters| !parameters.scales.is_empty());
        let quantization = match parameters {
            Some(parameters) => quantization(parameters).map_err(problem)?,
            // Biases need none: theirs follows from the input's and the weights'.
            None if dtype == DType::Int32 => Quantization::per_tensor(1.0, 0),
            None => return Err(problem("has no scale")),
        };
        let data = (!data.is_empty()).then(|| Arc::from(data));
        Ok(QuantizedTensor { name: name.clone(), shape, dtype, quantization, data })
    }

    /// A tensor's bytes in the file, none for what is computed; `None` where they are not there.
    fn data(&self, tensor: &Tensor) -> Option<&[u8]> {
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
        let tensor = find(self.subgraph, index).ok_or("lacks a tensor of indices")?;
        let data = self.data(tensor).unwrap_or_default();
        let count: Option<usize> = shape(tensor)
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

    /// Extents of the file's tensor `index`.
    pub(super) fn shape(&self, index: i32) -> Result<Vec<usize>, &'static str> {
        find(self.subgraph, index).and_then(shape).ok_or("lacks an input")
    }

    fn converted(&self, index: i32) -> Option<QuantizedTensor> {
        find(self.subgraph, index).and_then(|tensor| self.convert(tensor).ok())
    }

    /// Whether two of the file's tensors have the same scales and zero points.
    pub(super) fn are_alike(&self, a: i32, b: i32) -> bool {
        let [a, b] = [a, b].map(|index| self.converted(index).map(|tensor| tensor.quantization));
        a.is_some() && a == b
    }

    /// The real value of an int8 constant of one element that has the output's scale and zero point.
    pub(super) fn scalar_like(&self, index: i32, output: i32) -> Result<f32, &'static str> {
        let value = self.converted(index).ok_or("lacks a value")?;
        let data = value.data.as_deref().filter(|_| value.dtype == DType::Int8);
        let Some(&[byte]) = data else {
            return Err("has a value that is no int8 constant");
        };
        if !self.are_alike(index, output) {
            return Err("has a value with another scale or zero point than its output");
        }
        let steps = i32::from(byte as i8) - value.quantization.zero_point();
        Ok(value.quantization.scale() * steps as f32)
    }
}

fn dtype(tensor: &Tensor) -> Result<DType, ImportError> {
    match tensor.kind {
        INT8 => Ok(DType::Int8),
        INT16 => Ok(DType::Int16),
        INT32 => Ok(DType::Int32),
        INT64 => Ok(DType::Int64),
        other => Err(ImportError::TensorType {
            tensor: tensor.name.clone(),
            found: names::tensor_type(other),
            expected: match other {
                FLOAT32 => "TensorFlow Lite files are read when they are quantized to int8 throughout",
                _ => "activations and weights must be int8",
            }
            .into(),
        }),
    }
}

fn shape(tensor: &Tensor) -> Option<Vec<usize>> {
    tensor.shape.iter().map(|&extent| usize::try_from(extent).ok()).collect()
}

fn quantization(parameters: &Parameters) -> Result<Quantization, &'static str> {
    if parameters.details != 0 {
        return Err("is quantized in another way than by scales and zero points");
    }
    let scales = parameters.scales.clone();
    let zero_points = parameters
        .zero_points
        .iter()
        .map(|&zero_point| i32::try_from(zero_point).map_err(|_| "has a zero point outside its type"))
        .collect::<Result<Vec<i32>, _>>()?;
    let zero_points = match zero_points[..] {
        [] => vec![0; scales.len()],
        [one] => vec![one; scales.len()],
        _ => zero_points,
    };
    let axis = match scales.len() {
        1 => 0,
        _ => usize::try_from(parameters.dimension).map_err(|_| "has scales along a negative dimension")?,
    };
    Ok(Quantization { scales, zero_points, axis })
}
