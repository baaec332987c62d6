//! The artifact's writer, for hosts.

use alloc::string::String;
use alloc::vec::Vec;

use crate::artifact::{
    ALIGNMENT, DIGEST_RANGE, Digest, FORMAT_VERSION, GRAPH_DIGEST_RANGE, HEADER_BYTES, MAGIC,
    SECTION_ENTRY_BYTES, SectionKind, digest_of,
};
use crate::info::{Info, Labels, OperatorSet, Port, Ports};
use crate::isa::Isa;
use crate::plan::PlanEntry;
use crate::tensor::{Shape, TensorRef};

/// An input or output, owned.
#[derive(Clone, Debug, PartialEq)]
pub struct PortDescription {
    /// Its name in the model file.
    pub name: String,
    /// Where it lies in the arena.
    pub tensor: TensorRef,
    /// Its shape.
    pub shape: Shape,
    /// Real value of one step.
    pub scale: f32,
    /// The value that stands for 0.
    pub zero_point: i32,
    /// Names of the classes; empty where it has none. None is empty or holds a line break.
    pub labels: Vec<String>,
}

/// Everything an artifact holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents<'a> {
    /// What it is lowered for.
    pub isa: Isa,
    /// The package's name.
    pub name: &'a str,
    /// Its semantic version.
    pub version: &'a str,
    /// Bytes of arena that a run needs, without what is kept between runs.
    pub run_bytes: u32,
    /// What goes in.
    pub inputs: &'a [PortDescription],
    /// What comes out.
    pub outputs: &'a [PortDescription],
    /// The operators, in order.
    pub plan: &'a [PlanEntry],
    /// Weights and tables.
    pub constants: &'a [u8],
    /// Initial values of what is kept between runs.
    pub state: &'a [u8],
    /// SHA-256 of the quantized graph.
    pub graph_digest: Digest,
}

impl Contents<'_> {
    /// The artifact's bytes: a function of the contents alone.
    ///
    /// # Panics
    ///
    /// When the artifact would pass 4 GiB.
    pub fn write(&self) -> Vec<u8> {
        let mut sections = alloc::vec![
            (SectionKind::Info, self.info_section()),
            (SectionKind::Plan, self.plan_section()),
            (SectionKind::Const, self.constants.to_vec()),
        ];
        if !self.state.is_empty() {
            sections.push((SectionKind::State, self.state.to_vec()));
        }
        let mut bytes = alloc::vec![0; HEADER_BYTES + sections.len() * SECTION_ENTRY_BYTES];
        for (index, (kind, section)) in sections.iter().enumerate() {
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            let fields = [*kind as u32, word(bytes.len()), word(section.len()), 0];
            let entry = HEADER_BYTES + index * SECTION_ENTRY_BYTES;
            for (field, value) in fields.into_iter().enumerate() {
                bytes[entry + 4 * field..][..4].copy_from_slice(&value.to_le_bytes());
            }
            bytes.extend_from_slice(section);
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.isa.code().to_le_bytes());
        let total = word(bytes.len());
        bytes[12..16].copy_from_slice(&total.to_le_bytes());
        bytes[16..20].copy_from_slice(&word(sections.len()).to_le_bytes());
        bytes[GRAPH_DIGEST_RANGE].copy_from_slice(&self.graph_digest);
        let digest = digest_of(&bytes);
        bytes[DIGEST_RANGE].copy_from_slice(&digest);
        bytes
    }

    /// Bytes of arena that a session needs: those of a run, and what is kept between runs at a multiple of
    /// [`ALIGNMENT`].
    ///
    /// # Panics
    ///
    /// When they pass 4 GiB.
    pub fn arena_bytes(&self) -> u32 {
        arena_bytes(self.run_bytes, word(self.state.len()))
    }

    fn info_section(&self) -> Vec<u8> {
        let operators = self.plan.iter().fold(OperatorSet::EMPTY, |set, entry| set.with(entry.record.kind()));
        let inputs = encode_ports(self.inputs);
        let outputs = encode_ports(self.outputs);
        let info = Info {
            name: self.name,
            version: self.version,
            arena_bytes: self.arena_bytes(),
            operators,
            inputs: Ports::from_encoded(self.inputs.len(), &inputs),
            outputs: Ports::from_encoded(self.outputs.len(), &outputs),
        };
        postcard::to_allocvec(&info).expect("memory is the only limit")
    }

    fn plan_section(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in self.plan {
            let start = bytes.len();
            bytes.resize(start + entry.encoded_bytes(), 0);
            entry.encode(&mut bytes[start..]);
        }
        bytes
    }
}

/// Bytes of arena for `run_bytes` and, at a multiple of [`ALIGNMENT`] after them, `state_bytes`.
///
/// # Panics
///
/// When they pass 4 GiB.
pub fn arena_bytes(run_bytes: u32, state_bytes: u32) -> u32 {
    match state_bytes {
        0 => run_bytes,
        _ => word((run_bytes as usize).next_multiple_of(ALIGNMENT) + state_bytes as usize),
    }
}

fn encode_ports(ports: &[PortDescription]) -> Vec<u8> {
    ports.iter().fold(Vec::new(), |bytes, port| {
        let labels = port.labels.join("\n");
        let port = Port {
            name: &port.name,
            tensor: port.tensor,
            shape: port.shape.clone(),
            scale: port.scale,
            zero_point: port.zero_point,
            labels: Labels::from_lines(&labels),
        };
        postcard::to_extend(&port, bytes).expect("memory is the only limit")
    })
}

fn word(value: usize) -> u32 {
    u32::try_from(value).expect("artifacts are smaller than 4 GiB")
}
