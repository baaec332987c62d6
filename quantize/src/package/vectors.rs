//! Test vectors: inputs, and the outputs that every board must give for them, bit for bit.

use crate::graph::{QuantizedGraph, Tensor as _, TensorId};
use serde::{Deserialize, Serialize};

/// Test vectors of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestVectors {
    /// Any number of them.
    pub vectors: Vec<TestVector>,
}

/// One input and its output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestVector {
    /// Raw bytes of each input, in the model's order.
    pub inputs: Vec<Vec<u8>>,
    /// Raw bytes of each output, in the model's order.
    pub outputs: Vec<Vec<u8>>,
}

impl TestVectors {
    pub(super) fn from_bytes(bytes: &[u8], graph: &QuantizedGraph) -> Result<Self, String> {
        let (vectors, rest): (Self, _) =
            postcard::take_from_bytes(bytes).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err(format!("{} bytes are left over", rest.len()));
        }
        for (index, vector) in vectors.vectors.iter().enumerate() {
            if !fits(&vector.inputs, &graph.inputs, graph) || !fits(&vector.outputs, &graph.outputs, graph) {
                return Err(format!("vector {index} is not of the graph's shape"));
            }
        }
        Ok(vectors)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("memory is the only limit")
    }
}

fn fits(values: &[Vec<u8>], ids: &[TensorId], graph: &QuantizedGraph) -> bool {
    let expected = ids.iter().map(|&id| {
        let tensor = graph.tensor(id);
        tensor.dtype.bytes(tensor.len() as u32).unwrap_or(u32::MAX) as usize
    });
    values.iter().map(Vec::len).eq(expected)
}
