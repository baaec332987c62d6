//! Compares a board with the host: the same bytes for every test vector, or the first that differ.

use serde::Serialize;

use crate::device::{Device, DeviceError, OperatorDigest};
use crate::model::BoardModel;
use edgepkg_quantize::package::TestVector;

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
    /// The operator of its last record, whose result differs.
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
    device.reset_state()?;
    for (index, vector) in vectors.iter().enumerate() {
        let outputs = device.run(&slices(&vector.inputs))?.outputs;
        if let Some(mut difference) = first_difference(index, &vector.outputs, &outputs) {
            difference.layer = first_differing_layer(device, host, model, &vectors[..=index])?;
            let vectors = index + 1;
            return Ok(Verification { vectors, equal: false, first_difference: Some(difference) });
        }
        progress(index + 1);
    }
    Ok(Verification { vectors: vectors.len(), equal: true, first_difference: None })
}

/// The first of `vectors` for which `device` gives other outputs, and where.
///
/// # Errors
///
/// When the device does not run the model.
pub fn first_wrong(
    device: &mut dyn Device,
    vectors: &[TestVector],
) -> Result<Option<Difference>, DeviceError> {
    device.reset_state()?;
    for (index, vector) in vectors.iter().enumerate() {
        let outputs = device.run(&slices(&vector.inputs))?.outputs;
        if let Some(difference) = first_difference(index, &vector.outputs, &outputs) {
            return Ok(Some(difference));
        }
    }
    Ok(None)
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

/// The first layer of which `device` and `host` have other results in a run of the last of `vectors`, after runs of
/// those before it.
///
/// # Errors
///
/// When a device does not run the model.
pub fn first_differing_layer(
    device: &mut dyn Device,
    host: &mut dyn Device,
    model: &BoardModel,
    vectors: &[TestVector],
) -> Result<Option<DifferingLayer>, DeviceError> {
    let found = digests_of_last(device, vectors)?;
    let expected = digests_of_last(host, vectors)?;
    // A layer's copies leave gaps that only its last one has seen filled.
    let is_last =
        |index: usize| expected.get(index + 1).is_none_or(|next| next.layer != expected[index].layer);
    let mut pairs = expected.iter().zip(&found).enumerate().filter(|&(index, _)| is_last(index));
    let differing = pairs.find(|(_, (expected, found))| expected.crc32 != found.crc32);
    Ok(differing.map(|(_, (expected, _))| DifferingLayer {
        index: expected.layer,
        name: model.layer_name(expected.layer),
        operator: expected.kind.name().to_owned(),
    }))
}

/// The outputs of a run of the last of `vectors`, with what the runs of those before it kept.
///
/// # Errors
///
/// When the device does not run the model.
pub fn outputs_of_last(device: &mut dyn Device, vectors: &[TestVector]) -> Result<Vec<Vec<u8>>, DeviceError> {
    let Some((last, before)) = vectors.split_last() else { return Ok(Vec::new()) };
    device.reset_state()?;
    for vector in before {
        device.run(&slices(&vector.inputs))?;
    }
    Ok(device.run(&slices(&last.inputs))?.outputs)
}

/// The digests of a run of the last of `vectors`, with what the runs of those before it kept.
fn digests_of_last(
    device: &mut dyn Device,
    vectors: &[TestVector],
) -> Result<Vec<OperatorDigest>, DeviceError> {
    let Some((last, before)) = vectors.split_last() else { return Ok(Vec::new()) };
    device.reset_state()?;
    for vector in before {
        device.run(&slices(&vector.inputs))?;
    }
    device.operator_digests(&slices(&last.inputs))
}

fn slices(inputs: &[Vec<u8>]) -> Vec<&[u8]> {
    inputs.iter().map(Vec::as_slice).collect()
}

#[cfg(test)]
mod tests {
    use edgepkg_format::OperatorKind;

    use super::*;
    use crate::device::{Description, Measurement, OperatorCount, OperatorDigest, RunReport};

    /// A device whose outputs and layer digests are given.
    struct Told {
        outputs: Vec<Vec<u8>>,
        digests: Vec<u32>,
    }

    impl Device for Told {
        fn description(&mut self) -> Result<Description, DeviceError> {
            unreachable!("verification does not ask for it")
        }

        fn reset_state(&mut self) -> Result<(), DeviceError> {
            Ok(())
        }

        fn run(&mut self, _: &[&[u8]]) -> Result<RunReport, DeviceError> {
            Ok(RunReport { outputs: self.outputs.clone(), count: None })
        }

        fn operator_digests(&mut self, _: &[&[u8]]) -> Result<Vec<OperatorDigest>, DeviceError> {
            let digests = self.digests.iter().zip(0..).map(|(&crc32, record)| OperatorDigest {
                record,
                layer: record + 10,
                kind: OperatorKind::Conv2d,
                crc32,
            });
            Ok(digests.collect())
        }

        fn operator_counts(&mut self, _: &[&[u8]]) -> Result<Vec<OperatorCount>, DeviceError> {
            unreachable!("verification does not ask for it")
        }

        fn measure(&mut self, _: &[&[u8]]) -> Result<Measurement, DeviceError> {
            unreachable!("verification does not ask for it")
        }
    }

    fn verify_against(outputs: [&[u8]; 2], digests: &[u32]) -> Verification {
        let outputs = outputs.map(<[u8]>::to_vec).to_vec();
        let mut device = Told { outputs, digests: digests.to_vec() };
        let mut host = Told { outputs: vec![], digests: vec![1, 2, 3] };
        let model = BoardModel {
            name: String::new(),
            version: String::new(),
            inputs: vec![],
            index_extents: vec![],
            outputs: vec![],
            artifact: vec![],
            arena_bytes: 0,
            state_bytes: 0,
            arena: None,
            macs: Default::default(),
            layers: vec![],
        };
        let vector = TestVector { inputs: vec![vec![0]], outputs: vec![vec![1, 2], vec![3, 0xff]] };
        verify(&mut device, &mut host, &model, &[vector.clone(), vector], &mut |_| {}).expect("it answers")
    }

    #[test]
    fn equal_outputs() {
        let verification = verify_against([&[1, 2], &[3, 0xff]], &[1, 2, 3]);
        assert_eq!(verification, Verification { vectors: 2, equal: true, first_difference: None });
    }

    #[test]
    fn the_first_difference_and_its_layer() {
        let verification = verify_against([&[1, 2], &[3, 4]], &[1, 7, 8]);
        let layer = DifferingLayer { index: 11, name: "layer 11".into(), operator: "Conv2d".into() };
        let difference =
            Difference { vector: 0, output: 1, byte: 1, expected: -1, found: 4, layer: Some(layer) };
        let expected = Verification { vectors: 1, equal: false, first_difference: Some(difference) };
        assert_eq!(verification, expected);
    }

    #[test]
    fn a_missing_byte_is_a_difference() {
        let difference = verify_against([&[1, 2], &[3]], &[1, 2, 3]).first_difference.expect("one");
        assert_eq!((difference.output, difference.byte, difference.layer), (1, 1, None));
    }
}
