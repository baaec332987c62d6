//! The flat artifact of a quantized graph.

use edgepkg_format::artifact::Digest;
use edgepkg_format::write::{Contents, PortDescription, arena_bytes};
use edgepkg_format::{Isa, TensorRef};

use crate::arena_map::ArenaMap;
use crate::drop_dead_channels::{DeadChannels, Macs, drop_dead_channels, total_macs};
use crate::graph::{Node, QuantizedGraph, TensorId};
use crate::lower::{LowerError, Lowered, lower};
use crate::optimize::Optimize;
use crate::plan_memory::{MemoryPlan, plan_memory};
use crate::report::macs;

/// What an artifact states beside the graph.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// What it is lowered for.
    pub isa: Isa,
    /// The package's name.
    pub name: &'a str,
    /// Its semantic version.
    pub version: &'a str,
    /// Names of the classes of each output, in the outputs' order; outputs past its end have none.
    pub labels: &'a [Vec<String>],
    /// SHA-256 of the graph's wire form.
    pub graph_digest: Digest,
    /// Whether channels that change no output are computed.
    pub dead_channels: DeadChannels,
    /// What kernels are chosen for where they differ.
    pub optimize: Optimize,
}

/// What a user chooses of how a model is lowered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Whether channels that change no output are computed.
    pub dead_channels: DeadChannels,
    /// What kernels are chosen for where they differ.
    pub optimize: Optimize,
}

/// An artifact, and what the host knows of it beside.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// The artifact, `*.epa`.
    pub artifact: Vec<u8>,
    /// Bytes of arena that a session needs: those of a run, and after them what is kept between runs.
    pub arena_bytes: u32,
    /// Of the arena, what is kept between runs.
    pub state_bytes: u32,
    /// Where its buffers lie.
    pub memory: MemoryPlan,
    /// The same for people to read.
    pub arena: ArenaMap,
    /// The graph's nodes: what the records' `layer` counts.
    pub layers: Vec<Layer>,
    /// Multiplications before and after dead channels were left out.
    pub macs: Macs,
}

/// A node of the graph, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name in the model file.
    pub name: String,
    /// Its operator.
    pub operator: &'static str,
    /// Multiplications with weights that are executed for it in one inference.
    pub macs: u64,
}

/// Lowers `graph`, plans its memory and writes the artifact: a function of its arguments alone.
///
/// # Errors
///
/// As [`lower`].
pub fn emit(graph: &QuantizedGraph, options: &Options<'_>) -> Result<Emitted, LowerError> {
    let smaller;
    let executed = match options.dead_channels {
        DeadChannels::Keep => graph,
        DeadChannels::Drop => {
            smaller = drop_dead_channels(graph)?;
            &smaller
        }
    };
    let lowered = lower(executed, options.isa, options.optimize)?;
    let memory = plan_memory(&lowered);
    let artifact = write(executed, &lowered, &memory, options);
    let macs = Macs { given: total_macs(graph), executed: total_macs(executed) };
    let arena = ArenaMap::new(executed, &lowered, &memory);
    let state_bytes = lowered.state.len() as u32;
    let arena_bytes = arena_bytes(memory.arena_bytes, state_bytes);
    Ok(Emitted { artifact, arena_bytes, state_bytes, memory, arena, layers: layers(executed), macs })
}

/// Writes the artifact of `lowered`, made from `graph`, with its buffers placed as `memory` says.
pub fn write(
    graph: &QuantizedGraph,
    lowered: &Lowered,
    memory: &MemoryPlan,
    options: &Options<'_>,
) -> Vec<u8> {
    let mut plan = lowered.plan.clone();
    for entry in &mut plan {
        entry.record.for_each_tensor(&mut |tensor| *tensor = memory.place(lowered, *tensor));
    }
    let ports = |ids: &[TensorId], places: &[TensorRef]| -> Vec<PortDescription> {
        ids.iter().zip(places).map(|(&id, &place)| port(graph, id, memory.place(lowered, place))).collect()
    };
    let inputs = ports(&graph.inputs, &lowered.inputs);
    let mut outputs = ports(&graph.outputs, &lowered.outputs);
    for (output, labels) in outputs.iter_mut().zip(options.labels) {
        output.labels.clone_from(labels);
    }
    let contents = Contents {
        isa: lowered.isa,
        name: options.name,
        version: options.version,
        run_bytes: memory.arena_bytes,
        inputs: &inputs,
        outputs: &outputs,
        plan: &plan,
        constants: &lowered.constants,
        state: &lowered.state,
        graph_digest: options.graph_digest,
    };
    contents.write()
}

fn port(graph: &QuantizedGraph, id: TensorId, place: TensorRef) -> PortDescription {
    let tensor = graph.tensor(id);
    PortDescription {
        name: tensor.name.clone(),
        tensor: place,
        shape: tensor.shape.iter().map(|&extent| extent as u32).collect(),
        scale: tensor.quantization.scale(),
        zero_point: tensor.quantization.zero_point(),
        labels: Vec::new(),
    }
}

fn layers(graph: &QuantizedGraph) -> Vec<Layer> {
    let layer =
        |node: &Node| Layer { name: node.name.clone(), operator: node.op.name(), macs: macs(graph, node) };
    graph.nodes.iter().map(layer).collect()
}
