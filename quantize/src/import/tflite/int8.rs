//! Tensors of files that compute with integers.

use std::sync::Arc;

use edgepkg_format::DType;

use super::file::File;
use super::schema::{Operator, Quantization as Parameters, Tensor};
use super::{Element, Importer, names};
use crate::graph::{Precision, Quantization, QuantizedTensor};
use crate::import::ImportError;
use crate::tflite_schema::Builtin;
use crate::tflite_schema::tensor_type::{BOOL, FLOAT32, INT8, INT16, INT32, INT64, UINT8};

/// By how much a uint8 and its zero point are greater than the int8 that stands for the same real.
pub(super) const UINT8_OFFSET: i32 = 128;

impl Element for QuantizedTensor {
    const COMPARED: Precision = Precision::In256ths;

    fn convert(file: &File<'_>, index: i32) -> Result<Self, ImportError> {
        let tensor = file.readable(index)?;
        if !file.holds_indices(index) || file.is_constant(index) {
            return Self::of(file, tensor);
        }
        // Indices are int32, whatever type the file casts them from.
        Ok(Self {
            name: tensor.name.clone(),
            shape: tensor.extents().ok_or_else(|| tensor.problem("has a negative extent"))?,
            dtype: DType::Int32,
            quantization: Quantization::per_tensor(1.0, 0),
            data: None,
        })
    }

    /// Weights have the zero point 0; those of a uint8 file may have another.
    fn convert_weights(file: &File<'_>, index: i32) -> Result<Self, ImportError> {
        let mut weights = Self::convert(file, index)?;
        let tensor = file.readable(index)?;
        if let (UINT8, [zero_point], Some(data)) =
            (tensor.kind, &mut weights.quantization.zero_points[..], &weights.data)
        {
            let centred =
                |&byte: &u8| i8::try_from(i32::from(byte as i8) - *zero_point).map(|value| value as u8);
            let data: Result<Arc<[u8]>, _> = data.iter().map(centred).collect();
            let range = "has uint8 weights further from their zero point than int8 reaches";
            weights.data = Some(data.map_err(|_| tensor.problem(range))?);
            *zero_point = 0;
        }
        Ok(weights)
    }

    fn like(&self, name: String, shape: Vec<usize>) -> Self {
        Self { name, shape, data: None, ..self.clone() }
    }

    fn negative(&self, name: String) -> Self {
        let mut negative = self.like(name, self.shape.clone());
        negative.quantization.zero_points.iter_mut().for_each(|zero_point| *zero_point = !*zero_point);
        negative
    }

    fn no_truth(name: String) -> Self {
        let (shape, quantization) = (Vec::new(), Quantization::per_tensor(1.0, 0));
        Self { name, shape, dtype: DType::Int8, quantization, data: Some([0].into()) }
    }

    /// Layers of int16 sum up in 32 bits, not 64, where the bias is int32.
    fn zero_bias(&self, name: String, weights: &Self, bias_type: i8) -> Option<Self> {
        if self.dtype != DType::Int16 || bias_type != INT32 {
            return None;
        }
        // A shape alone may say anything; data is as long as the file.
        let outputs = *weights.shape.first().filter(|&&outputs| outputs <= weights.constant_bytes())?;
        let scale = self.quantization.scales.first()?;
        let scales = weights.quantization.scales.iter().map(|weight_scale| scale * weight_scale).collect();
        Some(QuantizedTensor {
            name: format!("{name}/bias"),
            shape: vec![outputs],
            dtype: DType::Int32,
            quantization: Quantization::per_channel(scales, 0),
            data: Some(vec![0; 4 * outputs].into()),
        })
    }

    fn constant_bytes(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.len())
    }

    fn lower(
        importer: &mut Importer<'_, Self>,
        operator: &Operator,
        builtin: Builtin,
    ) -> Result<(), ImportError> {
        match builtin {
            Builtin::ReadVariable => importer.read_variable(operator),
            Builtin::AssignVariable => importer.assign_variable(operator),
            Builtin::CircularBuffer => importer.circular_buffer(operator),
            Builtin::Svdf => importer.svdf(operator),
            Builtin::UnidirectionalSequenceLstm => importer.lstm(operator),
            _ => importer.lower(operator, builtin),
        }
    }
}

impl QuantizedTensor {
    /// The file's tensor `index`, which keeps its value between runs; without an initial one.
    ///
    /// # Errors
    ///
    /// When it cannot be read or does not keep it.
    pub(super) fn variable(file: &File<'_>, index: i32) -> Result<Self, ImportError> {
        Self::of(file, file.variable(index)?)
    }

    fn of(file: &File<'_>, tensor: &Tensor) -> Result<Self, ImportError> {
        let dtype = dtype(tensor)?;
        let shape = tensor.extents().ok_or_else(|| tensor.problem("has a negative extent"))?;
        let data = file.data(tensor).ok_or_else(|| tensor.problem("has data that is not there"))?;
        let mut quantization = match quantization(tensor)? {
            Some(quantization) => quantization,
            // Biases need none: theirs follows from the input's and the weights'.
            None if tensor.kind == BOOL => Quantization::per_tensor(1.0, 0),
            None if matches!(dtype, DType::Int32 | DType::Int64) => Quantization::per_tensor(1.0, 0),
            None => return Err(tensor.problem("has no scale")),
        };
        if tensor.kind == BOOL && data.iter().any(|&byte| byte > 1) {
            return Err(tensor.problem("has a boolean that is neither 0 nor 1"));
        }
        let mut data = (!data.is_empty()).then(|| Arc::from(data));
        if tensor.kind == UINT8 {
            quantization.zero_points.iter_mut().for_each(|zero_point| {
                *zero_point = zero_point.saturating_sub(UINT8_OFFSET);
            });
            let shifted = |data: Arc<[u8]>| data.iter().map(|byte| byte ^ 0x80).collect();
            data = data.map(shifted);
        }
        Ok(QuantizedTensor { name: tensor.name.clone(), shape, dtype, quantization, data })
    }
}

fn dtype(tensor: &Tensor) -> Result<DType, ImportError> {
    match tensor.kind {
        INT8 | UINT8 | BOOL => Ok(DType::Int8),
        INT16 => Ok(DType::Int16),
        INT32 => Ok(DType::Int32),
        INT64 => Ok(DType::Int64),
        other => Err(ImportError::TensorType {
            tensor: tensor.name.clone(),
            found: names::tensor_type(other),
            expected: match other {
                FLOAT32 => {
                    "a model must be float or integers throughout, floats at its inputs and outputs apart"
                }
                _ => "activations must be int8 or int16, and weights int8",
            }
            .into(),
        }),
    }
}

/// A tensor's scales and zero points, as many of them; `None` where it has none.
pub(super) fn quantization(tensor: &Tensor) -> Result<Option<Quantization>, ImportError> {
    match tensor.quantization.as_ref().filter(|parameters| !parameters.scales.is_empty()) {
        Some(parameters) => converted(parameters).map(Some).map_err(|problem| tensor.problem(problem)),
        None => Ok(None),
    }
}

fn converted(parameters: &Parameters) -> Result<Quantization, &'static str> {
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
