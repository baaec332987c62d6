//! The device's end of the device link: answers requests, runs the model in the board's slot.

mod link;
mod load;
mod watch;

use bytemuck::{cast_slice, cast_slice_mut};
use edgepkg_format::artifact::verify_digest;
use edgepkg_format::link::{
    Answer, Counter, Description, Identity, LARGEST_FRAME_BYTES, LoadedModel, ModelState, Observe,
    PROTOCOL_VERSION, Refusal, Request, chunk_bytes,
};
use edgepkg_format::linked::Linked;
use edgepkg_format::slot::{Commit, crc32};
use edgepkg_kernels::{Computed, ISA};

use self::link::Link;
use self::watch::Watch;
pub use self::watch::digest;
use crate::error::{RunError, TensorError};
use crate::model::Model;
use crate::session::Session;

/// What carries bytes to the host and back.
pub trait Transport {
    /// The next byte, as soon as there is one; `None` once there will be no more.
    fn read(&mut self) -> Option<u8>;

    /// Sends bytes.
    fn write(&mut self, bytes: &[u8]);
}

/// Where the model lies.
pub trait Slot {
    /// All of it, starting at a multiple of 16.
    fn bytes(&self) -> &[u8];

    /// Bytes that are programmed together.
    fn program_unit_bytes(&self) -> u32;

    /// Erases all of it, the commit record first.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    fn erase(&mut self) -> Result<(), SlotWriteError>;

    /// Writes whole program units at a multiple of the program unit, inside the slot.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), SlotWriteError>;
}

/// A model slot that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotWriteError;

/// What measures the device's work.
pub trait Gauge {
    /// What [`stop`](Self::stop) counts.
    const COUNTER: Counter;

    /// Begins to count.
    fn start(&mut self);

    /// What was counted since the start, without what starting and stopping cost. 0 where it cannot count.
    fn stop(&mut self) -> u64;

    /// The most bytes of stack that were in use since the device started; 0 where it cannot tell.
    fn stack_bytes(&self) -> u32;
}

/// Answers requests until the transport ends, for models of the operators that `L` links. `arena` is all memory that a
/// model may have, aligned to 16.
pub fn serve<L: Linked>(
    transport: &mut impl Transport,
    slot: &mut impl Slot,
    gauge: &mut impl Gauge,
    arena: &mut [i8],
) {
    let mut link = Link::new(transport);
    while serve_slot::<L>(&mut link, slot, gauge, arena).is_some() {
        let outcome = match link.pending() {
            Some(Request::EraseSlot) => slot.erase().map_err(|SlotWriteError| Refusal::SlotWrite),
            Some(Request::WriteSlot { offset, bytes }) => write_slot(slot, offset, bytes),
            Some(Request::CommitSlot { length, crc32, counter }) => {
                commit_slot(slot, Commit { length, crc32, counter })
            }
            _ => continue,
        };
        link.answer_outcome(outcome);
    }
}

/// A request to change the slot has arrived, for which its model must be let go.
struct SlotChange;

/// Answers requests while the slot stays as it is; `None` when the transport has ended.
fn serve_slot<L: Linked>(
    link: &mut Link<'_, impl Transport>,
    slot: &impl Slot,
    gauge: &mut impl Gauge,
    arena: &mut [i8],
) -> Option<SlotChange> {
    let mut device = DeviceState {
        arena_limit_bytes: arena.len() as u32,
        slot_bytes: slot.bytes().len() as u32,
        program_unit_bytes: slot.program_unit_bytes(),
        model: ModelState::Missing,
    };
    let committed = load::committed(slot);
    gauge.start();
    let model = committed.and_then(load::parse::<L>);
    let parse_count = gauge.stop();
    let model = match &model {
        Ok(model) => model,
        Err(state) => {
            device.model = *state;
            return device.serve::<L, _>(link, None, gauge);
        }
    };
    gauge.start();
    let session = model.session(arena);
    let session_count = gauge.stop();
    match session {
        Ok(session) => {
            device.model = ModelState::Loaded(LoadedModel {
                digest: *model.artifact().digest(),
                artifact_bytes: model.artifact().bytes().len() as u32,
                arena_bytes: model.arena_bytes() as u32,
                info_bytes: model.artifact().info_bytes().len() as u32,
                parse_count,
                session_count,
            });
            device.serve(link, Some((model, session)), gauge)
        }
        Err(error) => {
            device.model = ModelState::Refused(load::session_fault(error));
            device.serve::<L, _>(link, None, gauge)
        }
    }
}

struct DeviceState {
    arena_limit_bytes: u32,
    slot_bytes: u32,
    program_unit_bytes: u32,
    model: ModelState,
}

impl DeviceState {
    fn serve<L: Linked, G: Gauge>(
        &self,
        link: &mut Link<'_, impl Transport>,
        mut loaded: Option<(&Model<'_, L>, Session<'_, L>)>,
        gauge: &mut G,
    ) -> Option<SlotChange> {
        loop {
            let (mut reply, request) = link.receive()?;
            let request = match request {
                Ok(request) => request,
                Err(refusal) => {
                    reply.answer(&Answer::Refused(refusal));
                    continue;
                }
            };
            match request {
                Request::EraseSlot | Request::WriteSlot { .. } | Request::CommitSlot { .. } => {
                    return Some(SlotChange);
                }
                Request::Identify => reply.answer(&Answer::Identity(Identity {
                    version: PROTOCOL_VERSION,
                    largest_frame_bytes: LARGEST_FRAME_BYTES as u32,
                })),
                Request::Describe => reply.answer(&Answer::Description(self.describe::<L>(G::COUNTER))),
                Request::MeasureStack => reply.answer(&Answer::StackBytes(gauge.stack_bytes())),
                request => {
                    let outcome = match &mut loaded {
                        None => Err(Refusal::NoModel),
                        Some((model, session)) => serve_model(&mut reply, model, session, gauge, request),
                    };
                    if let Err(refusal) = outcome {
                        reply.answer(&Answer::Refused(refusal));
                    }
                }
            }
        }
    }

    fn describe<L: Linked>(&self, counter: Counter) -> Description<'static> {
        Description {
            runner_version: env!("CARGO_PKG_VERSION"),
            isa: ISA.code(),
            operators: Computed::<L>::OPERATORS,
            arena_limit_bytes: self.arena_limit_bytes,
            slot_bytes: self.slot_bytes,
            program_unit_bytes: self.program_unit_bytes,
            counter,
            model: self.model,
        }
    }
}

/// Answers a request that needs a model, or refuses.
fn serve_model<L: Linked>(
    reply: &mut link::Reply<'_, impl Transport>,
    model: &Model<'_, L>,
    session: &mut Session<'_, L>,
    gauge: &mut impl Gauge,
    request: Request<'_>,
) -> Result<(), Refusal> {
    match request {
        Request::ReadInfo { offset } => {
            let info = model.artifact().info_bytes();
            let rest = info.get(offset as usize..).ok_or(Refusal::OutOfRange { bytes: info.len() as u32 })?;
            let chunk = &rest[..rest.len().min(chunk_bytes(LARGEST_FRAME_BYTES))];
            reply.answer(&Answer::Bytes(chunk));
        }
        Request::WriteInput { port, offset, bytes } => {
            let mut input = session.input(usize::from(port)).map_err(refusal_of_tensor)?;
            input.write_i8(offset as usize, cast_slice(bytes)).map_err(refusal_of_tensor)?;
            reply.answer(&Answer::Done);
        }
        Request::Run { observe } => {
            let count = run(reply, session, gauge, observe)?;
            reply.answer(&Answer::RunComplete(count));
        }
        Request::ResetState => {
            session.reset_state();
            reply.answer(&Answer::Done);
        }
        Request::ReadOutput { port, offset } => {
            let output = session.output(usize::from(port)).map_err(refusal_of_tensor)?;
            let bytes = output.cells().len();
            let rest =
                bytes.checked_sub(offset as usize).ok_or(Refusal::OutOfRange { bytes: bytes as u32 })?;
            reply.answer_bytes(rest.min(chunk_bytes(LARGEST_FRAME_BYTES)), |chunk| {
                // The range was taken from the output's own length.
                let _ = output.copy_to_i8(offset as usize, cast_slice_mut(chunk));
            });
        }
        Request::VerifyDigest => {
            let digest = edgepkg_format::artifact::digest_of(model.artifact().bytes());
            reply.answer(&Answer::Digest(digest));
        }
        _ => return Err(Refusal::Malformed),
    }
    Ok(())
}

/// Runs the model and gives its count. The run itself has one instance of the code, whatever is observed.
fn run(
    reply: &mut link::Reply<'_, impl Transport>,
    session: &mut Session<'_, impl Linked>,
    gauge: &mut impl Gauge,
    observe: Observe,
) -> Result<u64, Refusal> {
    if observe == Observe::Nothing {
        gauge.start();
    }
    let outcome = session.run_observed(&mut Watch { observe, reply, gauge });
    let count = if observe == Observe::Nothing { gauge.stop() } else { 0 };
    match outcome {
        Ok(()) => Ok(count),
        Err(RunError::InputNotSet { index }) => Err(Refusal::InputNotSet(index as u8)),
    }
}

fn refusal_of_tensor(error: TensorError) -> Refusal {
    match error {
        TensorError::NoSuchTensor { count, .. } => Refusal::NoSuchPort { count: count as u8 },
        TensorError::Length { tensor_bytes, .. } => Refusal::OutOfRange { bytes: tensor_bytes as u32 },
    }
}

fn write_slot(slot: &mut impl Slot, offset: u32, bytes: &[u8]) -> Result<(), Refusal> {
    let unit = slot.program_unit_bytes().max(1) as usize;
    let offset = offset as usize;
    let limit = load::commit_offset(slot).unwrap_or_default();
    if offset.checked_add(bytes.len()).is_none_or(|end| end > limit) {
        return Err(Refusal::OutOfRange { bytes: limit as u32 });
    }
    let whole_units = offset.is_multiple_of(unit) && bytes.len().is_multiple_of(unit);
    // A committed model is never changed under its record: the slot is erased first.
    if !whole_units || load::commit(slot).is_some() {
        return Err(Refusal::SlotWrite);
    }
    slot.write(offset, bytes).map_err(|SlotWriteError| Refusal::SlotWrite)
}

fn commit_slot(slot: &mut impl Slot, commit: Commit) -> Result<(), Refusal> {
    let offset = load::commit_offset(slot).ok_or(Refusal::SlotWrite)?;
    if load::commit(slot).is_some() {
        return Err(Refusal::SlotWrite);
    }
    let bytes = slot
        .bytes()
        .get(..(commit.length as usize).min(offset))
        .filter(|bytes| bytes.len() == commit.length as usize)
        .ok_or(Refusal::OutOfRange { bytes: offset as u32 })?;
    let sound = crc32(bytes) == commit.crc32
        // A whole artifact that cannot run here is taken: the boot that follows refuses it by name.
        && verify_digest(bytes).is_ok();
    if !sound {
        return Err(Refusal::SlotMismatch);
    }
    let mut unit = [0xFF; MAX_PROGRAM_UNIT_BYTES];
    let record = commit.to_bytes();
    unit[..record.len()].copy_from_slice(&record);
    let unit_bytes = record.len().next_multiple_of(slot.program_unit_bytes().max(1) as usize);
    let unit = unit.get(..unit_bytes).ok_or(Refusal::SlotWrite)?;
    slot.write(offset, unit).map_err(|SlotWriteError| Refusal::SlotWrite)?;
    if load::commit(slot) == Some(commit) { Ok(()) } else { Err(Refusal::SlotMismatch) }
}

/// The largest program unit of the flash memories that hold model slots.
const MAX_PROGRAM_UNIT_BYTES: usize = 256;
