//! A device at the far end of the device link.

mod client;

use edgepkg_format::artifact::DIGEST_RANGE;
use edgepkg_format::link::{Answer, Counter, LoadedModel, ModelState, Observe, Request, StepReport};
use edgepkg_format::{Info, Isa, OperatorKind};

use self::client::Client;
pub use self::client::LinkError;
use super::transport::Transport;
use super::{
    Count, CountUnit, Description, Device, DeviceError, Measurement, OpenOptions, OperatorCount,
    OperatorDigest, RunReport, check_inputs,
};
use crate::cycle_model::WindowLog;

/// A board that answers over the device link.
pub struct LinkDevice {
    client: Client,
    description: Description,
    counter: Counter,
    model: LoadedModel,
    input_bytes: Vec<u32>,
    output_bytes: Vec<u32>,
    cycles: Option<CycleLog>,
}

/// Modelled cycles: those of the start, and where the others are read.
struct CycleLog {
    windows: WindowLog,
    parse: u64,
    session: u64,
}

/// What runs at the far end of the device link, whatever model it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerState {
    /// The version of the runner.
    pub runner_version: String,
    /// The instruction set whose artifacts it takes, where this version knows it.
    pub isa: Option<Isa>,
    /// Bytes that an arena may have.
    pub arena_limit_bytes: u32,
    /// Bytes of its model slot.
    pub slot_bytes: u32,
    /// What its slot holds.
    pub found: ModelState,
    /// The model, where one runs.
    pub model: Option<RunningModel>,
}

/// A model that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningModel {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest that its artifact states.
    pub digest: edgepkg_format::artifact::Digest,
    /// Bytes of the artifact.
    pub artifact_bytes: u32,
    /// Bytes of the arena it uses.
    pub arena_bytes: u32,
}

/// Asks the runner at the far end of `transport` what it is and what it holds.
///
/// # Errors
///
/// Where it does not answer in time.
pub fn runner_state(transport: Box<dyn Transport>, options: OpenOptions) -> Result<RunnerState, DeviceError> {
    let mut client = Client::identify(transport, options.answer_timeout)?;
    let mut state = client.ask(Request::Describe, |answer| match answer {
        Answer::Description(found) => Some(RunnerState {
            runner_version: found.runner_version.to_owned(),
            isa: Isa::from_code(found.isa),
            arena_limit_bytes: found.arena_limit_bytes,
            slot_bytes: found.slot_bytes,
            found: found.model,
            model: None,
        }),
        _ => None,
    })?;
    if let ModelState::Loaded(model) = state.found {
        let info = client.read(model.info_bytes, |offset| Request::ReadInfo { offset })?;
        let info: Info<'_> = Info::decode(&info).ok_or(LinkError::Unexpected)?;
        state.model = Some(RunningModel {
            name: info.name.to_owned(),
            version: info.version.to_owned(),
            digest: model.digest,
            artifact_bytes: model.artifact_bytes,
            arena_bytes: model.arena_bytes,
        });
    }
    Ok(state)
}

impl LinkDevice {
    /// The device at the far end of `transport`, an [`Emulator`](crate::emulator::Emulator) for one.
    ///
    /// # Errors
    ///
    /// Where it does not answer in time or refuses its model.
    pub fn open(transport: Box<dyn Transport>, options: OpenOptions) -> Result<Self, DeviceError> {
        Self::describe(Client::identify(transport, options.answer_timeout)?)
    }

    /// The emulated device at the far end of `transport`, whose cycle model writes to `windows`.
    ///
    /// # Errors
    ///
    /// Where it does not answer in time or refuses its model, or its cycles cannot be read.
    pub fn open_with_cycles(
        transport: Box<dyn Transport>,
        mut windows: WindowLog,
        options: OpenOptions,
    ) -> Result<Self, DeviceError> {
        let mut device = Self::open(transport, options)?;
        // Started with a model in its slot, it has parsed that and opened a session.
        let LoadedModel { parse_count, session_count, .. } = device.model;
        let cycles = windows.take_cycles(&[parse_count, session_count])?;
        device.cycles = Some(CycleLog { windows, parse: cycles[0], session: cycles[1] });
        Ok(device)
    }

    /// The device at the far end of `transport`, with `artifact` written to its model slot first, whatever
    /// that held.
    ///
    /// # Errors
    ///
    /// Where it does not answer in time, its slot cannot be written, or it refuses the model.
    pub fn open_and_write(
        transport: Box<dyn Transport>,
        artifact: &[u8],
        options: OpenOptions,
    ) -> Result<Self, DeviceError> {
        let mut client = Client::identify(transport, options.answer_timeout)?;
        client.write_model(artifact)?;
        Self::describe(client)
    }

    /// The device at the far end of `transport`, with `artifact` written to its model slot if that holds anything else.
    ///
    /// # Errors
    ///
    /// As [`open_and_write`](Self::open_and_write).
    pub fn open_holding(
        transport: Box<dyn Transport>,
        artifact: &[u8],
        options: OpenOptions,
    ) -> Result<Self, DeviceError> {
        let mut client = Client::identify(transport, options.answer_timeout)?;
        let digest = client.ask(Request::Describe, |answer| match answer {
            Answer::Description(found) => Some(match found.model {
                ModelState::Loaded(model) => Some(model.digest),
                _ => None,
            }),
            _ => None,
        })?;
        if digest.as_ref().map(|digest| &digest[..]) != artifact.get(DIGEST_RANGE) {
            client.write_model(artifact)?;
        }
        Self::describe(client)
    }

    /// The same device with `artifact` written to its model slot.
    ///
    /// # Errors
    ///
    /// As [`open_and_write`](Self::open_and_write).
    pub fn with_model(mut self, artifact: &[u8]) -> Result<Self, DeviceError> {
        self.client.write_model(artifact)?;
        Self::describe(self.client)
    }

    fn describe(mut client: Client) -> Result<Self, DeviceError> {
        let (description, counter, model) = client.ask(Request::Describe, |answer| match answer {
            Answer::Description(found) => Some((
                (found.runner_version.to_owned(), found.isa, found.arena_limit_bytes),
                found.counter,
                found.model,
            )),
            _ => None,
        })?;
        let ModelState::Loaded(model) = model else {
            return Err(DeviceError::NoModel { state: model });
        };
        let (runner_version, isa, arena_limit_bytes) = description;
        let isa = Isa::from_code(isa).ok_or(DeviceError::UnknownIsa { code: isa })?;
        let info = client.read(model.info_bytes, |offset| Request::ReadInfo { offset })?;
        let info: Info<'_> = Info::decode(&info).ok_or(LinkError::Unexpected)?;
        let port_bytes = |ports: edgepkg_format::info::Ports<'_>| {
            let bytes =
                ports.iter().map(|port| port.and_then(|port| port.bytes()).ok_or(LinkError::Unexpected));
            bytes.collect::<Result<Vec<u32>, LinkError>>()
        };
        let (input_bytes, output_bytes) = (port_bytes(info.inputs)?, port_bytes(info.outputs)?);
        let mut device = Self {
            input_bytes,
            output_bytes,
            description: Description {
                runner_version,
                isa,
                arena_limit_bytes: u64::from(arena_limit_bytes),
                arena_bytes: model.arena_bytes,
                artifact_digest: model.digest,
            },
            client,
            counter,
            model,
            cycles: None,
        };
        // A board may have run before.
        device.reset_state()?;
        Ok(device)
    }

    /// Lets the device compute its model's digest, which must be the one that the model states.
    ///
    /// # Errors
    ///
    /// Where it is another.
    pub fn verify_digest(&mut self) -> Result<(), DeviceError> {
        let computed = self.client.ask(Request::VerifyDigest, |answer| match answer {
            Answer::Digest(digest) => Some(digest),
            _ => None,
        })?;
        if computed == self.model.digest {
            Ok(())
        } else {
            Err(DeviceError::NoModel { state: ModelState::Damaged })
        }
    }

    fn write_inputs(&mut self, inputs: &[&[u8]]) -> Result<(), DeviceError> {
        check_inputs(&self.input_bytes, inputs)?;
        for (port, input) in inputs.iter().enumerate() {
            self.client.write(input, ANY_LENGTH, |offset, bytes| Request::WriteInput {
                port: port as u8,
                offset,
                bytes,
            })?;
        }
        Ok(())
    }

    /// Sets the inputs, runs, and hands every operator's report to `step`. Gives the run's count.
    fn run_observed(
        &mut self,
        inputs: &[&[u8]],
        observe: Observe,
        step: impl FnMut(StepReport),
    ) -> Result<u64, DeviceError> {
        self.write_inputs(inputs)?;
        Ok(self.client.run(observe, step)?)
    }

    /// Asks all that a device with a model can be asked, so that its stack has been as deep as it gets.
    fn exercise(&mut self, inputs: &[&[u8]]) -> Result<(), DeviceError> {
        self.run(inputs)?;
        self.operator_digests(inputs)?;
        self.operator_counts(inputs)?;
        self.client.read(self.model.info_bytes, |offset| Request::ReadInfo { offset })?;
        self.client.ask(Request::VerifyDigest, |answer| match answer {
            Answer::Digest(digest) => Some(digest),
            _ => None,
        })?;
        Ok(())
    }

    /// The cycles of the work that the device has counted since the last call, whose instructions were these.
    fn modelled_cycles(&mut self, instructions: &[u64]) -> Result<Vec<Option<u64>>, DeviceError> {
        let Some(log) = &mut self.cycles else {
            return Ok(vec![None; instructions.len()]);
        };
        Ok(log.windows.take_cycles(instructions)?.into_iter().map(Some).collect())
    }

    /// Runs, and gives what the whole run cost.
    fn run_counted(&mut self, inputs: &[&[u8]]) -> Result<Option<Count>, DeviceError> {
        let value = self.run_observed(inputs, Observe::Nothing, |_| ())?;
        let cycles = self.modelled_cycles(&[value])?;
        Ok(self.count(value, cycles[0]))
    }

    fn count(&self, value: u64, modelled_cycles: Option<u64>) -> Option<Count> {
        let unit = match self.counter {
            Counter::None => return None,
            Counter::Instructions => CountUnit::Instructions,
            Counter::Cycles => CountUnit::Cycles,
        };
        Some(Count { value, unit, modelled_cycles })
    }
}

/// Inputs are written in pieces of any length.
const ANY_LENGTH: usize = 1;

/// The kind of operator that a report names.
fn kind(step: &StepReport) -> Result<OperatorKind, DeviceError> {
    Ok(OperatorKind::from_code(step.kind).ok_or(LinkError::Unexpected)?)
}

impl Device for LinkDevice {
    fn description(&mut self) -> Result<Description, DeviceError> {
        Ok(self.description.clone())
    }

    fn reset_state(&mut self) -> Result<(), DeviceError> {
        Ok(self.client.ask(Request::ResetState, |answer| matches!(answer, Answer::Done).then_some(()))?)
    }

    fn run(&mut self, inputs: &[&[u8]]) -> Result<RunReport, DeviceError> {
        let count = self.run_counted(inputs)?;
        let mut outputs = Vec::with_capacity(self.output_bytes.len());
        for (port, &bytes) in self.output_bytes.iter().enumerate() {
            let port = port as u8;
            outputs.push(self.client.read(bytes, |offset| Request::ReadOutput { port, offset })?);
        }
        Ok(RunReport { outputs, count })
    }

    fn operator_digests(&mut self, inputs: &[&[u8]]) -> Result<Vec<OperatorDigest>, DeviceError> {
        let mut steps = Vec::new();
        self.run_observed(inputs, Observe::Digests, |step| steps.push(step))?;
        let digest = |step: &StepReport| {
            let StepReport { record, layer, value, .. } = *step;
            Ok(OperatorDigest { record, layer, kind: kind(step)?, crc32: value as u32 })
        };
        steps.iter().map(digest).collect()
    }

    fn operator_counts(&mut self, inputs: &[&[u8]]) -> Result<Vec<OperatorCount>, DeviceError> {
        let mut steps = Vec::new();
        self.run_observed(inputs, Observe::Counts, |step| steps.push(step))?;
        let instructions: Vec<u64> = steps.iter().map(|step| step.value).collect();
        let cycles = self.modelled_cycles(&instructions)?;
        let counted = steps.iter().zip(cycles);
        let counted = counted.filter_map(|(step, cycles)| Some((step, self.count(step.value, cycles)?)));
        let count = |(step, count): (&StepReport, Count)| {
            Ok(OperatorCount { record: step.record, layer: step.layer, kind: kind(step)?, count })
        };
        counted.map(count).collect()
    }

    fn measure(&mut self, inputs: &[&[u8]]) -> Result<Measurement, DeviceError> {
        let run = self.run_counted(inputs)?;
        self.exercise(inputs)?;
        let stack_bytes = self.client.ask(Request::MeasureStack, |answer| match answer {
            Answer::StackBytes(bytes) => Some(bytes),
            _ => None,
        })?;
        Ok(Measurement {
            parse: self.count(self.model.parse_count, self.cycles.as_ref().map(|log| log.parse)),
            session: self.count(self.model.session_count, self.cycles.as_ref().map(|log| log.session)),
            run,
            stack_bytes: (stack_bytes > 0).then_some(stack_bytes),
            arena_bytes: self.model.arena_bytes,
        })
    }
}
