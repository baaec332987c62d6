//! Boards that a debug probe programs, a real or a virtual one.

use edgepkg_boards::{Board, Memory};

use super::{Device, DeviceError, LinkDevice, OpenOptions};
use crate::boot_metadata;
use crate::deploy::{
    self, Connection, Contents, DeployError, Event, Plan, Reach, Record, RunnerFile, SlotContents, Written,
};
use crate::runners;

/// The chip that stands for `board`'s, with `artifact` written to its flash through the virtual probe.
#[cfg(unix)]
pub(super) fn open_virtual(
    board: &Board,
    artifact: &[u8],
    options: OpenOptions,
) -> Result<Box<dyn Device>, DeviceError> {
    let reach = Reach::Virtual(deploy::virtual_chip(board, deploy::FlashKept::Nowhere)?);
    let (device, _) = open(board, deploy::connect(board, reach)?, artifact, options, &mut |_| ())?;
    Ok(Box::new(device))
}

#[cfg(not(unix))]
pub(super) fn open_virtual(board: &Board, _: &[u8], _: OpenOptions) -> Result<Box<dyn Device>, DeviceError> {
    Err(DeployError::NoEmulator { board: board.name.clone() }.into())
}

/// Writes what of runner and `artifact` is not in the flash of `board`, whose chip is at the far end of `connection`, and
/// starts it.
///
/// # Errors
///
/// Where they cannot be there, writing breaks off, or the runner refuses the artifact.
pub fn open(
    board: &Board,
    mut connection: Connection,
    artifact: &[u8],
    options: OpenOptions,
    events: &mut dyn FnMut(Event),
) -> Result<(LinkDevice, Written), DeviceError> {
    let runner = ProbedRunner::of(board)?;
    let plan = runner.plan(board, &mut connection, artifact)?;
    let written = connection.write(&plan, events)?;
    Ok((runner.start(connection, options, RunnerChoice::WriteWhereItDiffers)?, written))
}

/// What is put on a board.
#[derive(Clone, Copy, Debug)]
pub struct Installation<'a> {
    /// The board.
    pub board: &'a Board,
    /// How its chip is reached.
    pub reach: &'a Reach,
    /// Whether the runner is part of it.
    pub runner: RunnerChoice,
    /// The model.
    pub artifact: &'a [u8],
}

/// What becomes of the runner on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerChoice {
    /// It is written where it is another than this tool's.
    WriteWhereItDiffers,
    /// It stays as it is, and only the model is written.
    Keep,
}

/// Puts runner and model on a board in an order that keeps the model it has until the new one has shown that it runs:
/// the new one is written without its commit record and started on trial, `check` sees what it computes, and only then is
/// the record written. `tell` is given what will be done, before anything is.
///
/// # Errors
///
/// Where they cannot be there, writing breaks off, the runner refuses the artifact, or `check` fails.
pub fn install<E: From<DeviceError>>(
    installation: Installation<'_>,
    tell: &mut dyn FnMut(&Connection, &Plan),
    check: &mut dyn FnMut(&mut LinkDevice) -> Result<(), E>,
    events: &mut dyn FnMut(Event),
) -> Result<(LinkDevice, Written), E> {
    let Installation { board, reach, runner: choice, artifact } = installation;
    let options = OpenOptions::default();
    let connect = || deploy::connect(board, reach.clone()).map_err(DeviceError::from);
    let memory = memory_of(board)?;
    let runner = ProbedRunner::of(board)?;
    let segments = match choice {
        RunnerChoice::WriteWhereItDiffers => &runner.segments[..],
        RunnerChoice::Keep => &[],
    };
    let mut connection = connect()?;
    let slots = connection.slots(memory).map_err(DeviceError::from)?;
    let on_trial = slots.place(artifact, Record::Withheld);
    let contents = Contents { runner: segments, model: Some(on_trial) };
    let plan = connection.plan(&contents, memory).map_err(DeviceError::from)?;
    tell(&connection, &plan);
    let mut written = connection.write(&plan, events).map_err(DeviceError::from)?;
    if on_trial.record == Record::Withheld {
        let length = artifact.len() as u32;
        connection.request_trial(&slots, on_trial.slot, length, memory).map_err(DeviceError::from)?;
        let mut device = runner.start(connection, options, choice)?;
        device.verify_digest()?;
        check(&mut device)?;
        drop(device);
        connection = connect()?;
        let contents =
            Contents { runner: &[], model: Some(SlotContents { record: Record::Written, ..on_trial }) };
        let plan = connection.plan(&contents, memory).map_err(DeviceError::from)?;
        written.written_bytes += connection.write(&plan, events).map_err(DeviceError::from)?.written_bytes;
    }
    Ok((runner.start(connection, options, choice)?, written))
}

/// A board's runner, as a probe writes it.
pub struct ProbedRunner {
    segments: Vec<(u64, Vec<u8>)>,
    control_block: u64,
}

impl ProbedRunner {
    /// The runner of `board`.
    ///
    /// # Errors
    ///
    /// Where it is not built, or not one that talks through a probe.
    pub fn of(board: &Board) -> Result<Self, DeviceError> {
        let image = runners::find(board)?;
        let unusable = |reason: String| DeviceError::RunnerFile { name: image.origin.clone(), reason };
        let file = RunnerFile::read(&image.elf).map_err(|error| unusable(error.to_string()))?;
        let control_block = file.control_block;
        let control_block =
            control_block.ok_or_else(|| unusable("it has no buffers for a debug probe".to_owned()))?;
        // What the chip's boot ROM wants lies before the image: it is first, so it is what comes last.
        let metadata = boot_metadata::of_board(board).map(|piece| (piece.address, piece.bytes));
        let segments = metadata.into_iter().chain(file.segments).collect();
        Ok(Self { segments, control_block })
    }

    /// Its bytes by their addresses, with what the chip's boot ROM wants before them.
    pub fn segments(&self) -> &[(u64, Vec<u8>)] {
        &self.segments
    }

    /// What it takes to put this runner and `artifact` on `board`.
    ///
    /// # Errors
    ///
    /// Where they cannot be there, or the chip does not answer.
    pub fn plan(
        &self,
        board: &Board,
        connection: &mut Connection,
        artifact: &[u8],
    ) -> Result<Plan, DeviceError> {
        let memory = memory_of(board)?;
        let model = connection.slots(memory)?.place(artifact, Record::Written);
        let contents = Contents { runner: &self.segments, model: Some(model) };
        Ok(connection.plan(&contents, memory)?)
    }

    /// Resets the chip and opens the device link to the runner.
    ///
    /// # Errors
    ///
    /// Where it does not answer, or refuses its model.
    pub fn start(
        &self,
        connection: Connection,
        options: OpenOptions,
        choice: RunnerChoice,
    ) -> Result<LinkDevice, DeviceError> {
        let transport = match choice {
            RunnerChoice::WriteWhereItDiffers => connection.start_runner(self.control_block)?,
            RunnerChoice::Keep => connection.restart_runner()?,
        };
        LinkDevice::open(Box::new(transport), options)
    }
}

pub(super) fn memory_of(board: &Board) -> Result<&Memory, DeviceError> {
    let no_memory = || DeployError::NoEmulator { board: board.name.clone() };
    Ok(board.memory.as_ref().ok_or_else(no_memory)?)
}
