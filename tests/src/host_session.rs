//! Graphs run on the host by the runtime.

use bytemuck::{cast_slice, cast_slice_mut};
use edgepkg_format::Isa;
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit::{Emitted, Options, emit};
use edgepkg_quantize::graph::QuantizedGraph;
use edgepkg_quantize::optimize::Optimize;
use edgepkg_runtime::Model;

/// What lies around the arena: a run must leave it alone.
const GUARD: u8 = 0xa5;
const GUARD_BYTES: usize = 64;

/// A graph's artifact in an arena of exactly the bytes it states. What it keeps goes from run to run.
#[derive(Debug)]
pub struct HostSession {
    emitted: Emitted,
    artifact: AlignedBytes,
    /// Guard, arena, guard.
    memory: AlignedBytes,
}

impl HostSession {
    /// Emits `graph` for this machine.
    ///
    /// # Errors
    ///
    /// When it cannot be lowered, as text.
    pub fn new(graph: &QuantizedGraph) -> Result<Self, String> {
        let options = Options {
            isa: Isa::Portable,
            name: "test",
            version: "0.0.0",
            labels: &[],
            graph_digest: [0; 32],
            dead_channels: DeadChannels::Drop,
            optimize: Optimize::Speed,
        };
        let emitted = emit(graph, &options).map_err(|error| error.to_string())?;
        let artifact = AlignedBytes::from(&emitted.artifact[..]);
        let model = Model::parse(&artifact).map_err(|error| error.to_string())?;
        let memory = vec![GUARD; model.arena_bytes() + 2 * GUARD_BYTES];
        let mut session = Self { emitted, artifact, memory: AlignedBytes::from(&memory[..]) };
        session.reset_state();
        Ok(session)
    }

    /// Gives what the model keeps its initial value.
    ///
    /// # Panics
    ///
    /// When the runtime refuses the artifact.
    pub fn reset_state(&mut self) {
        let model = Model::parse(&self.artifact).expect("an emitted artifact is a model");
        let arena = &mut self.memory[GUARD_BYTES..][..model.arena_bytes()];
        model.session(cast_slice_mut(arena)).expect("the arena is as large as stated");
    }

    /// What was emitted.
    pub fn emitted(&self) -> &Emitted {
        &self.emitted
    }

    /// Runs once with inputs whose every byte is `value`.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub fn run_filled(&mut self, value: u8) -> Vec<Vec<u8>> {
        let model = Model::parse(&self.artifact).expect("an emitted artifact is a model");
        let ports = model.info().inputs;
        let bytes = ports.iter().map(|port| port.and_then(|port| port.bytes()).expect("a sound port"));
        let inputs: Vec<Vec<u8>> = bytes.map(|bytes| vec![value; bytes as usize]).collect();
        self.run(&inputs)
    }

    /// Runs once: the bytes of every output for the bytes of every input.
    ///
    /// # Panics
    ///
    /// When the runtime refuses the artifact or an input, or writes outside its arena.
    pub fn run(&mut self, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let model = Model::parse(&self.artifact).expect("an emitted artifact is a model");
        let arena_bytes = model.arena_bytes();
        let (before, rest) = self.memory.split_at_mut(GUARD_BYTES);
        let (arena, after) = rest.split_at_mut(arena_bytes);
        // Nothing may depend on what a run finds in its arena.
        arena[..model.artifact().run_bytes() as usize].fill(GUARD);
        let mut session =
            model.resume_session(cast_slice_mut(arena)).expect("the arena is as large as stated");
        for (index, input) in inputs.iter().enumerate() {
            let mut port = session.input(index).expect("the model has as many inputs as the case");
            port.copy_from_i8(cast_slice(input)).expect("the case's input has the model's shape");
        }
        session.run().expect("every input is set");
        let outputs = (0..model.info().outputs.len())
            .map(|index| {
                let output = session.output(index).expect("an output the model states");
                output.values_i8().map(|value| value as u8).collect()
            })
            .collect();
        assert!(
            before.iter().chain(&*after).all(|&byte| byte == GUARD),
            "bytes outside the arena were written"
        );
        outputs
    }
}
