//! What runs a model: this process, or a board at the far end of the device link.

pub mod host;
mod layer_count;
pub mod link;
pub mod probed;
pub mod transport;

use std::time::Duration;

use edgepkg_boards::Board;
use edgepkg_format::artifact::Digest;
use edgepkg_format::link::{ModelFault, ModelState};
use edgepkg_format::{Isa, OperatorKind};

pub use self::host::HostDevice;
pub use self::layer_count::LayerCount;
pub use self::link::{LinkDevice, LinkError, RunnerState, runner_state};
use crate::cycle_model::{CycleModelError, CyclePlugin};
use crate::deploy::DeployError;
use crate::emulator::{Emulator, EmulatorError};
use crate::runners::{self, RunnerError};
use edgepkg_runtime::{ModelError, RunError, SessionError, TensorError};

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

    /// Gives what the model keeps between runs its initial value, as it has when the device is opened.
    ///
    /// # Errors
    ///
    /// When the device does not answer.
    fn reset_state(&mut self) -> Result<(), DeviceError>;

    /// Runs the model once. What it keeps goes from run to run.
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
    /// The cycles that the board's cycle model gives for the same work, where they were asked for.
    pub modelled_cycles: Option<u64>,
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
    /// Whether counts come with modelled cycles.
    pub cycles: ModelCycles,
}

/// Whether an emulated board's counts come with modelled cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelCycles {
    /// No: it runs at its full speed.
    Never,
    /// Where the board has a cycle model and the library for it is built.
    WherePossible,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { answer_timeout: Duration::from_secs(120), cycles: ModelCycles::Never }
    }
}

/// Opens the device that `board` stands for with `artifact` in it: this process for `host`, the
/// board's emulator for any board that has one.
///
/// # Errors
///
/// Where the board has no emulator, its runner is not built, the emulator is not installed, or the
/// device refuses the artifact.
pub fn open(board: &Board, artifact: &[u8], options: OpenOptions) -> Result<Box<dyn Device>, DeviceError> {
    if board.is_host() {
        return Ok(Box::new(HostDevice::open(artifact)?));
    }
    if board.is_probed() {
        return probed::open_virtual(board, artifact, options);
    }
    let runner = runners::find(board)?;
    let plugin = match options.cycles {
        ModelCycles::Never => None,
        ModelCycles::WherePossible => CyclePlugin::find(board, &runner)?,
    };
    if let Some(plugin) = plugin {
        let (emulator, log) = Emulator::start_modelling_cycles(board, &runner, artifact, &plugin)?;
        match LinkDevice::open_with_cycles(Box::new(emulator), log, options) {
            Ok(device) => return Ok(Box::new(device)),
            // It stops where it takes no libraries of the plugin's version: QEMU 9 and later.
            Err(DeviceError::Link(LinkError::Closed(_))) => {}
            Err(error) => return Err(error),
        }
    }
    let emulator = Emulator::start(board, &runner, artifact)?;
    Ok(Box::new(LinkDevice::open(Box::new(emulator), options)?))
}

/// Why a device could not be reached, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no runner image for the board.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The board's emulator does not run.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// The board is not reached by a probe, or not written.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The runner image cannot be written to a flash.
    #[error("the runner `{name}` cannot be used: {reason}")]
    RunnerFile {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The device does not answer as it should.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Its cycles cannot be modelled.
    #[error(transparent)]
    CycleModel(#[from] CycleModelError),
    /// The artifact does not run in this process.
    #[error("the artifact does not run here")]
    Model(#[from] ModelError),
    /// No arena could be given to the model in this process.
    #[error("the model does not start")]
    Session(#[from] SessionError),
    /// The model in this process cannot run.
    #[error("the model does not run")]
    Run(#[from] RunError),
    /// The model in this process has no such input or output.
    #[error("the model has no such input or output")]
    Tensor(#[from] TensorError),
    /// The device holds no model that runs.
    #[error("{}", state_text(.state))]
    NoModel {
        /// What it holds.
        state: ModelState,
    },
    /// The device has an instruction set that this version does not know.
    #[error("the device has an instruction set of code {code}, which this version does not know")]
    UnknownIsa {
        /// Its code.
        code: u16,
    },
    /// Inputs of another number than the model's.
    #[error("the model takes {expected} inputs, {given} were given")]
    InputCount {
        /// The model's.
        expected: usize,
        /// Those given.
        given: usize,
    },
    /// An input of another size than the model's.
    #[error("input {port} takes {expected_bytes} bytes, {given_bytes} were given")]
    InputLength {
        /// Which input, counted from 0.
        port: usize,
        /// The model's.
        expected_bytes: u32,
        /// Those given.
        given_bytes: usize,
    },
}

impl DeviceError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            DeviceError::Runner(error) => error.hint().map(str::to_owned),
            DeviceError::Emulator(error) => error.hint(),
            DeviceError::Deploy(error) => error.hint(),
            DeviceError::RunnerFile { .. } => {
                Some("in a checkout, `cargo xtask runners` builds the runner images anew".to_owned())
            }
            DeviceError::NoModel { state: ModelState::Missing | ModelState::Damaged } => {
                Some("write the model again with `edgepkg flash`".to_owned())
            }
            DeviceError::NoModel { .. } => {
                Some("build the package for this board with `edgepkg build --board`".to_owned())
            }
            _ => None,
        }
    }
}

/// What a slot holds, in words.
pub fn state_text(state: &ModelState) -> String {
    match state {
        ModelState::Missing => "the board holds no model".to_owned(),
        ModelState::Damaged => {
            "the model on the board is damaged: its commit record does not match".to_owned()
        }
        ModelState::Refused(fault) => format!("the board refuses its model: {}", fault_text(fault)),
        ModelState::Loaded(_) => "the board holds another model".to_owned(),
    }
}

fn fault_text(fault: &ModelFault) -> String {
    match fault {
        ModelFault::Unreadable => "it is not an artifact that its runner reads".to_owned(),
        ModelFault::FormatVersion(version) => format!("it is of format version {version}"),
        ModelFault::Isa(code) => match Isa::from_code(*code) {
            Some(isa) => format!("it is lowered for {isa}"),
            None => format!("it is lowered for an instruction set of code {code}"),
        },
        ModelFault::Record(record) => format!("record {record} is not sound"),
        ModelFault::MissingOperators(operators) => {
            let names: Vec<_> = operators.iter().map(OperatorKind::name).collect();
            format!("its runner lacks {}", names.join(", "))
        }
        ModelFault::ArenaTooSmall { needed_bytes, available_bytes } => {
            format!("it needs an arena of {needed_bytes} bytes, there are {available_bytes}")
        }
        ModelFault::Unsigned => "it is not signed by the key that its runner trusts".to_owned(),
        ModelFault::Superseded { counter, least_counter } => {
            format!("it is signed with counter {counter}, and its runner takes none below {least_counter}")
        }
    }
}

fn check_inputs(expected: &[u32], given: &[&[u8]]) -> Result<(), DeviceError> {
    if expected.len() != given.len() {
        return Err(DeviceError::InputCount { expected: expected.len(), given: given.len() });
    }
    for (port, (&expected_bytes, input)) in expected.iter().zip(given).enumerate() {
        if input.len() != expected_bytes as usize {
            return Err(DeviceError::InputLength { port, expected_bytes, given_bytes: input.len() });
        }
    }
    Ok(())
}
