//! Compares a board with the host: the same bytes for every test vector, or the first that differ.

use serde::Serialize;

use crate::device::{Device, DeviceError};
use crate::model::BoardModel;
use crate::package::TestVector;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Vectors that were run: all, or up to the first that differs.
    pub vectors: usize,
    /// Whether every output byte is the host's.
    pub equal: bool,
    /// Where the first difference is.
    pub first_difference: Option<Difference>,
}

/// A byte in which a board's output is not the host's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The vector, counted from 0.
    pub vector: usize,
    /// The output, counted from 0.
    pub output: usize,
    /// The byte in the output, counted from 0.
    pub byte: usize,
    /// The host's.
    pub expected: i8,
    /// The board's.
    pub found: i8,
    /// The first layer whose results differ; `None` where all are alike, or it could not be found.
    pub layer: Option<DifferingLayer>,
}

/// A layer whose results on the board are not the host's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferingLayer {
    /// Its index in the graph.
    pub index: u32,
    /// Its name in the model file.
    pub name: String,
    /// The operator of its first record that differs.
    pub operator: String,
}

/// Runs `vectors` on `device` and stops at the first difference, whose layer it finds by comparing with
/// `host`. `progress` is called after every vector with those done.
///
/// # Errors
///
/// When a device does not run the model.
pub fn verify(
    device: &mut dyn Device,
    host: &mut dyn Device,
    model: &BoardModel,
    vectors: &[TestVector],
    progress: &mut dyn FnMut(usize),
) -> Result<Verification, DeviceError> {
    for (index, vector) in vectors.iter().enumerate() {
        let inputs: Vec<&[u8]> = vector.inputs.iter().map(Vec::as_slice).collect();
        let outputs = device.run(&inputs)?.outputs;
        if let Some(mut difference) = first_difference(index, &vector.outputs, &outputs) {
            difference.layer = first_differing_layer(device, host, model, &inputs)?;
            let vectors = index + 1;
            return Ok(Verification { vectors, equal: false, first_difference: Some(difference) });
        }
        progress(index + 1);
    }
    Ok(Verification { vectors: vectors.len(), equal: true, first_difference: None })
}

fn first_difference(vector: usize, expected: &[Vec<u8>], found: &[Vec<u8>]) -> Option<Difference> {
    for (output, (expected, found)) in expected.iter().zip(found).enumerate() {
        let length = expected.len().max(found.len());
        for byte in 0..length {
            let (expected, found) = (expected.get(byte), found.get(byte));
            if expected != found {
                let value = |byte: Option<&u8>| byte.map_or(0, |&byte| byte as i8);
                let (expected, found) = (value(expected), value(found));
                return Some(Difference { vector, output, byte, expected, found, layer: None });
            }
        }
    }
    None
}

fn first_differing_layer(
    device: &mut dyn Device,
    host: &mut dyn Device,
    model: &BoardModel,
    inputs: &[&[u8]],
) -> Result<Option<DifferingLayer>, DeviceError> {
    let found = device.operator_digests(inputs)?;
    let expected = host.operator_digests(inputs)?;
    let differing = expected.iter().zip(&found).find(|(expected, found)| expected.crc32 != found.crc32);
    Ok(differing.map(|(expected, _)| DifferingLayer {
        index: expected.layer,
        name: model.layer_name(expected.layer),
        operator: expected.kind.name().to_owned(),
    }))
}
