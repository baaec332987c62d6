//! What runs a model: this process, or a board at the far end of the device link.

pub mod host;
pub mod link;
pub mod transport;

use std::time::Duration;

use edgepkg_boards::Board;
use edgepkg_format::artifact::Digest;
use edgepkg_format::{Isa, OperatorKind};

pub use self::host::HostDevice;
pub use self::link::LinkDevice;
use crate::emulator::{Emulator, EmulatorError};
use crate::runners::{self, RunnerError};

/// Something that holds one model and runs it.
///
/// Inputs and outputs are the raw bytes of the model's ports, one slice a port, in their order.
pub trait Device {
    /// What the device is and which model it holds.
    ///
    /// # Errors
    ///
    /// When it does not answer, or holds no model.
    fn description(&mut self) -> Result<Description, DeviceError>;

    /// Runs the model once.
    ///
    /// # Errors
    ///
    /// Inputs of another number or size than the model's, or a device that does not answer.
    fn run(&mut self, inputs: &[&[u8]]) -> Result<RunReport, DeviceError>;

    /// Runs the model once and returns the digest of what each operator wrote, in order.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    fn operator_digests(&mut self, inputs: &[&[u8]]) -> Result<Vec<OperatorDigest>, DeviceError>;

    /// Runs the model once and returns what each operator cost, in order. Empty on a device that has
    /// no repeatable counter.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    fn operator_counts(&mut self, inputs: &[&[u8]]) -> Result<Vec<OperatorCount>, DeviceError>;

    /// Runs the model once and returns what the whole cost.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    fn measure(&mut self, inputs: &[&[u8]]) -> Result<Measurement, DeviceError>;
}

/// What a device is and which model it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The version of the runner, or of this tool.
    pub runner_version: String,
    /// The instruction set whose artifacts it takes.
    pub isa: Isa,
    /// Bytes that an arena may have.
    pub arena_limit_bytes: u64,
    /// Bytes of arena the model uses.
    pub arena_bytes: u32,
    /// The digest the model's artifact states.
    pub artifact_digest: Digest,
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// Bytes of each output, in the model's order.
    pub outputs: Vec<Vec<u8>>,
    /// What it cost, where the device can count.
    pub count: Option<Count>,
}

/// What a device counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountUnit {
    /// Instructions executed by an emulated core.
    Instructions,
    /// Cycles of a core's clock.
    Cycles,
}

impl CountUnit {
    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            CountUnit::Instructions => "instructions",
            CountUnit::Cycles => "cycles",
        }
    }
}

/// A number of instructions or cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub value: u64,
    /// Of what.
    pub unit: CountUnit,
}

/// The digest of what one operator wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorDigest {
    /// The operator's index in the plan.
    pub record: u32,
    /// The layer it computes (a part of).
    pub layer: u32,
    /// What it computes.
    pub kind: OperatorKind,
    /// CRC-32 of the bytes of its output.
    pub crc32: u32,
}

/// What one operator cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorCount {
    /// The operator's index in the plan.
    pub record: u32,
    /// The layer it computes (a part of).
    pub layer: u32,
    /// What it computes.
    pub kind: OperatorKind,
    /// Its cost.
    pub count: Count,
}

/// What a model costs on a device. A figure the device cannot take is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Reading the artifact: `Model::parse`.
    pub parse: Option<Count>,
    /// Preparing a session in the arena.
    pub session: Option<Count>,
    /// One run.
    pub run: Option<Count>,
    /// The most stack that was in use since the device started.
    pub stack_bytes: Option<u32>,
    /// Bytes of arena the model uses.
    pub arena_bytes: u32,
}

/// How a device is reached.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// How long one answer may take.
    pub answer_timeout: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { answer_timeout: Duration::from_secs(120) }
    }
}

/// Opens the device that `board` stands for with `artifact` in it: this process for `host`, the
/// board's emulator for any board that has one.
///
/// # Errors
///
/// Where the board has no emulator, its runner is not built, the emulator is not installed, or the
/// device refuses the artifact.
pub fn open(
    board: &Board,
    artifact: &[u8],
    options: OpenOptions,
) -> Result<Box<dyn Device>, DeviceError> {
    if board.is_host() {
        return Ok(Box::new(HostDevice::open(artifact)?));
    }
    let runner = runners::find(board)?;
    let emulator = Emulator::start(board, &runner, artifact)?;
    Ok(Box::new(LinkDevice::open(emulator, options)?))
}

/// Why a device could not be reached, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DeviceError {
    #[error(transparent)]
    Runner(#[from] RunnerError),
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    #[error("the model takes {expected} inputs, {given} were given")]
    InputCount { expected: usize, given: usize },
    #[error("input {port} takes {expected_bytes} bytes, {given_bytes} were given")]
    InputLength { port: usize, expected_bytes: u32, given_bytes: usize },
}
