//! Constants in the file: whether each has the data that its shape and type say.

use std::collections::HashSet;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, TensorProto};

use super::external::is_external;
use super::unreadable;
use crate::import::{ImportError, MAX_CONSTANT_BYTES};
use crate::validate::elements;

/// An ONNX element type by its name.
pub(super) fn type_name(data_type: i32) -> String {
    DataType::try_from(data_type)
        .map_or_else(|_| format!("{data_type}"), |kind| kind.as_str_name().to_lowercase())
}

/// Checks every initializer.
pub(super) fn check_initializers(graph: &GraphProto) -> Result<(), ImportError> {
    let mut names = HashSet::new();
    let mut total = 0;
    for tensor in &graph.initializer {
        if tensor.name.is_empty() || !names.insert(&tensor.name) {
            return Err(unreadable(format!("initializer `{}` is there twice, or has no name", tensor.name)));
        }
        total += check(tensor)?;
        if total > MAX_CONSTANT_BYTES {
            return Err(unreadable(format!("its constants have more than {MAX_CONSTANT_BYTES} bytes")));
        }
    }
    Ok(())
}

/// A constant's size, by its shape and type.
pub(super) struct Size {
    pub bytes: usize,
    elements: usize,
    /// Elements in the field of its type.
    stored: usize,
}

/// How large a constant is.
pub(super) fn size(tensor: &TensorProto) -> Result<Size, ImportError> {
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let elements = shape
        .filter(|shape| shape.len() <= super::geometry::MAX_RANK)
        .and_then(|shape| elements(&shape))
        .ok_or_else(|| problem(tensor, format!("has shape {:?}", tensor.dims)))?;
    let (width, stored) = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => (4, tensor.float_data.len()),
        Ok(DataType::Double) => (8, tensor.double_data.len()),
        Ok(DataType::Int64) => (8, tensor.int64_data.len()),
        Ok(DataType::Int32) => (4, tensor.int32_data.len()),
        Ok(DataType::Float16 | DataType::Int16 | DataType::Uint16) => (2, tensor.int32_data.len()),
        Ok(DataType::Int8 | DataType::Uint8 | DataType::Bool) => (1, tensor.int32_data.len()),
        _ => {
            return Err(ImportError::TensorType {
                tensor: tensor.name.clone(),
                found: type_name(tensor.data_type),
                expected: "constants must be floats, integers of up to 64 bits or booleans".into(),
            });
        }
    };
    Ok(Size { bytes: elements * width, elements, stored })
}

fn problem(tensor: &TensorProto, problem: impl std::fmt::Display) -> ImportError {
    unreadable(format!("constant `{}` {problem}", tensor.name))
}

/// Checks one constant; its size in bytes.
pub(super) fn check(tensor: &TensorProto) -> Result<usize, ImportError> {
    let Size { bytes, elements, stored } = size(tensor)?;
    if is_external(tensor) {
        return Err(problem(tensor, "lies in another file"));
    }
    if tensor.segment.is_some() {
        return Err(problem(tensor, "is stored in segments"));
    }
    if tensor.raw_data.is_empty() {
        if stored != elements {
            let found = format!("has {stored} elements, where its shape says {elements}");
            return Err(problem(tensor, found));
        }
    } else if tensor.raw_data.len() != bytes {
        let found = tensor.raw_data.len();
        return Err(problem(tensor, format!("has {found} bytes, where its shape says {bytes}")));
    }
    Ok(bytes)
}
