//! Finds where a board begins to compute something else than the host: the first layer, and in it the first element.
//!
//! A board tells digests of what each operator wrote, not the bytes. So the layer that differs is made the last one of a
//! model whose output it is, which runs on the board in place of the whole.

use edgepkg_boards::Board;
use edgepkg_format::Isa;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::graph::{QuantizedGraph, TensorId};
use edgepkg_quantize::package::{Package, Port, TestVector};
use serde::Serialize;

use crate::device::{Device, DeviceError, HostDevice};
use crate::model::{BoardModel, Choices, ModelError};
use crate::verify::{self, DifferingLayer};

/// Where a board and the host part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parting {
    /// The test vector, counted from 0.
    pub vector: usize,
    /// The first layer whose results differ.
    pub layer: DifferingLayer,
    /// The first element of its output that does; none where the layer gives the host's results when nothing follows it.
    pub element: Option<DifferingElement>,
}

/// An element of a layer's output that is not the host's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferingElement {
    /// Its place in the output.
    pub index: Vec<usize>,
    /// The output's shape.
    pub shape: Vec<usize>,
    /// The host's.
    pub expected: i64,
    /// The board's.
    pub found: i64,
    /// How many elements differ.
    pub differing: usize,
    /// How many there are.
    pub elements: usize,
}

/// Why it was not found.
#[derive(Debug, thiserror::Error)]
pub enum BisectError {
    /// The board.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model, or its part.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Opens a board with an artifact in it.
pub type Open<'o, E> = &'o mut dyn FnMut(&[u8]) -> Result<Box<dyn Device>, E>;

/// Where `board` and the host part on `vectors`; none where they agree in every layer. `open` opens the board.
///
/// # Errors
///
/// Where the model or a part of it does not run.
pub fn bisect<E: From<BisectError>>(
    package: &Package,
    board: &Board,
    choices: Choices,
    vectors: &[TestVector],
    open: Open<'_, E>,
) -> Result<Option<Parting>, E> {
    // Layers keep the shapes that the package's graph gives them.
    let choices = Choices { dead_channels: DeadChannels::Keep, ..choices };
    let lower = |package: &Package, isa| {
        BoardModel::lower(package, isa, choices).map_err(|error| E::from(BisectError::from(error)))
    };
    let failed = |error: DeviceError| E::from(BisectError::from(error));
    let model = lower(package, board.isa)?;
    let mut host = HostDevice::open(&lower(package, Isa::Portable)?.artifact).map_err(failed)?;
    let mut device = open(&model.artifact)?;
    for count in 1..=vectors.len() {
        let differing = verify::first_differing_layer(&mut *device, &mut host, &model, &vectors[..count]);
        let Some(layer) = differing.map_err(failed)? else { continue };
        drop(device);
        let part = part(package, layer.index as usize);
        let mut host = HostDevice::open(&lower(&part, Isa::Portable)?.artifact).map_err(failed)?;
        let mut device = open(&lower(&part, board.isa)?.artifact)?;
        let expected = verify::outputs_of_last(&mut host, &vectors[..count]).map_err(failed)?;
        let found = verify::outputs_of_last(&mut *device, &vectors[..count]).map_err(failed)?;
        let ports = part.manifest.outputs.iter().zip(expected.iter().zip(&found));
        let mut elements =
            ports.filter_map(|(port, (expected, found))| first_difference(port, expected, found));
        return Ok(Some(Parting { vector: count - 1, layer, element: elements.next() }));
    }
    Ok(None)
}

/// The package whose outputs are those of layer `layer`, and which ends there.
fn part(package: &Package, layer: usize) -> Package {
    let mut part = package.clone();
    let graph = &mut part.graph;
    graph.nodes.truncate(layer + 1);
    graph.outputs.clone_from(&graph.nodes[layer].outputs);
    part.manifest.outputs = graph.outputs.iter().map(|&id| port(graph, id)).collect();
    part
}

fn port(graph: &QuantizedGraph, id: TensorId) -> Port {
    Port::of(graph.tensor(id))
}

fn first_difference(port: &Port, expected: &[u8], found: &[u8]) -> Option<DifferingElement> {
    let (expected, found): (Vec<i64>, Vec<i64>) =
        (port.elements(expected).map(i64::from).collect(), port.elements(found).map(i64::from).collect());
    let differs = |index: &usize| expected.get(*index) != found.get(*index);
    let first = (0..expected.len()).find(differs)?;
    let mut rest = first;
    let mut index: Vec<usize> = port
        .shape
        .iter()
        .rev()
        .map(|&extent| {
            let place = rest % extent.max(1);
            rest /= extent.max(1);
            place
        })
        .collect();
    index.reverse();
    Some(DifferingElement {
        index,
        shape: port.shape.clone(),
        expected: expected[first],
        found: found.get(first).copied().unwrap_or_default(),
        differing: (0..expected.len()).filter(differs).count(),
        elements: expected.len(),
    })
}
