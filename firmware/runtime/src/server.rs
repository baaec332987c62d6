//! The device's end of the device link: answers requests, runs the model in the board's slot.

mod link;
mod load;
mod trust;
mod watch;

use bytemuck::{cast_slice, cast_slice_mut};
use edgepkg_format::artifact::{digest_of, verify_digest};
use edgepkg_format::link::{
    Answer, Counter, Description, FrameReader, FrameWriter, Identity, LARGEST_FRAME_BYTES, LoadedModel,
    ModelFault, ModelState, Observe, PROTOCOL_VERSION, Refusal, Request, chunk_bytes,
};
use edgepkg_format::linked::Linked;
use edgepkg_format::plan::PlanEntry;
use edgepkg_format::slot::{Commit, crc32};
use edgepkg_kernels::{Computed, ISA};

use self::link::Link;
pub use self::trust::{Anyone, Signed, Trust, Verifier};
use self::watch::Watch;
pub use self::watch::digest;
use crate::error::{RunError, TensorError};
use crate::model::Model;
use crate::session::Session;
use crate::tensor::{copy_in, copy_out};

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

    /// The artifact in it, where the host wants it run before there is a commit record for it.
    fn on_trial(&self) -> Option<&[u8]> {
        None
    }

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
    fn counter(&self) -> Counter;

    /// Begins to count.
    fn start(&mut self);

    /// What was counted since the start, without what starting and stopping cost. 0 where it cannot count.
    fn stop(&mut self) -> u64;

    /// The most bytes of stack that were in use since the device started; 0 where it cannot tell.
    fn stack_bytes(&self) -> u32;
}

/// Answers requests until the transport ends, for models of the operators that `L` links and whom `trust` admits. `arena` is
/// all memory that a model may have, aligned to 16.
//
// In its only caller: each would have its own part of the stack while models run.
#[inline(always)]
pub fn serve<L: Linked>(
    transport: &mut impl Transport,
    slot: &mut impl Slot,
    gauge: &mut impl Gauge,
    trust: &mut impl Trust,
    buffers: Buffers<'_>,
    arena: &mut [i8],
) {
    let Buffers { reader, writer, entry } = buffers;
    let mut link = Link::new(transport, reader, writer);
    while serve_slot::<L>(&mut link, slot, gauge, trust, entry, arena).is_some() {
        let outcome = match link.pending() {
            Some(Request::EraseSlot) => slot.erase().map_err(|SlotWriteError| Refusal::SlotWrite),
            Some(Request::WriteSlot { offset, bytes }) => write_slot(slot, offset, bytes),
            Some(Request::CommitSlot { length, crc32, counter }) => {
                commit_slot(slot, Commit { length, crc32, counter })
            }
            _ => continue,
        };
        if let Some(mut reply) = link.reply() {
            reply.answer_outcome(outcome, |()| Answer::Done);
        }
    }
}

/// What is too large for a stack: each in a `static` of its own, since one that is not all zeros takes flash.
#[derive(Debug)]
pub struct Buffers<'b> {
    /// The frame that arrives.
    pub reader: &'b mut FrameReader,
    /// The frame that is sent.
    pub writer: &'b mut FrameWriter,
    /// The record that runs.
    pub entry: &'b mut Option<PlanEntry>,
}

/// A request to change the slot has arrived, for which its model must be let go.
struct SlotChange;

/// A request has arrived that is not answered among the others.
enum Event {
    SlotChange,
    // What takes much stack: answered with as little on it as there can be.
    Run(Observe),
    VerifyDigest,
}

/// Answers requests while the slot stays as it is; `None` when the transport has ended.
fn serve_slot<L: Linked>(
    link: &mut Link<'_, impl Transport>,
    slot: &impl Slot,
    gauge: &mut impl Gauge,
    trust: &mut impl Trust,
    entry: &mut Option<PlanEntry>,
    arena: &mut [i8],
) -> Option<SlotChange> {
    let arena_limit_bytes = arena.len() as u32;
    let committed = load::committed(slot);
    gauge.start();
    let model = committed.and_then(|bytes| load::parse::<L>(entry, bytes));
    let admitted = match (&model, committed) {
        (Ok(model), Ok(bytes)) => trust.admit(model.artifact(), &bytes[model.artifact().bytes().len()..]),
        _ => Ok(()),
    };
    let parse_count = gauge.stop();
    let mut loaded = match (&model, admitted) {
        (_, Err(fault)) => Err(Absence::Refused(fault)),
        (Ok(model), Ok(())) => {
            gauge.start();
            let session = model.session(arena);
            let session_count = gauge.stop();
            session
                .map(|session| Loaded { model, session, parse_count, session_count })
                .map_err(|error| Absence::Refused(load::session_fault(error)))
        }
        (Err(absence), _) => Err(*absence),
    };
    loop {
        let event = serve_others(link, slot, arena_limit_bytes, &mut loaded, gauge)?;
        let Some(mut reply) = link.reply() else { continue };
        match (event, &mut loaded) {
            (Event::SlotChange, _) => return Some(SlotChange),
            (Event::Run(observe), Ok(Loaded { session, .. })) => {
                let outcome = run(&mut reply, session, entry, gauge, observe);
                reply.answer_outcome(outcome, Answer::RunComplete);
            }
            (Event::VerifyDigest, Ok(Loaded { model, .. })) => {
                answer_digest(&mut reply, model);
            }
            (_, Err(_)) => reply.answer_outcome(Err(Refusal::NoModel), |()| Answer::Done),
        }
    }
}

/// A model that can run.
struct Loaded<'m, L: Linked> {
    model: &'m Model<'m, L>,
    session: Session<'m, L>,
    parse_count: u64,
    session_count: u64,
}

/// Why there is none.
#[derive(Clone, Copy)]
enum Absence {
    Missing,
    Damaged,
    Refused(ModelFault),
}

/// Answers requests that take little stack, and gives the first other one. What it has on the stack is gone before a run.
#[inline(never)]
fn serve_others<L: Linked>(
    link: &mut Link<'_, impl Transport>,
    slot: &impl Slot,
    arena_limit_bytes: u32,
    loaded: &mut Result<Loaded<'_, L>, Absence>,
    gauge: &impl Gauge,
) -> Option<Event> {
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
                return Some(Event::SlotChange);
            }
            Request::Run { observe } => return Some(Event::Run(observe)),
            Request::VerifyDigest => return Some(Event::VerifyDigest),
            Request::Identify => reply.answer(&Answer::Identity(Identity {
                version: PROTOCOL_VERSION,
                largest_frame_bytes: LARGEST_FRAME_BYTES as u32,
            })),
            Request::Describe => describe(&mut reply, slot, arena_limit_bytes, loaded, gauge.counter()),
            Request::MeasureStack => reply.answer(&Answer::StackBytes(gauge.stack_bytes())),
            request => {
                let outcome = match loaded {
                    Err(_) => Err(Refusal::NoModel),
                    Ok(Loaded { model, session, .. }) => serve_model(&mut reply, model, session, request),
                };
                if let Err(refusal) = outcome {
                    reply.answer(&Answer::Refused(refusal));
                }
            }
        }
    }
}

#[inline(never)]
fn describe<L: Linked>(
    reply: &mut link::Reply<'_, impl Transport>,
    slot: &impl Slot,
    arena_limit_bytes: u32,
    loaded: &Result<Loaded<'_, L>, Absence>,
    counter: Counter,
) {
    let model = match loaded {
        Ok(Loaded { model, parse_count, session_count, .. }) => ModelState::Loaded(LoadedModel {
            digest: *model.artifact().digest(),
            artifact_bytes: model.artifact().bytes().len() as u32,
            arena_bytes: model.arena_bytes() as u32,
            info_bytes: model.artifact().info_bytes().len() as u32,
            parse_count: *parse_count,
            session_count: *session_count,
        }),
        Err(Absence::Missing) => ModelState::Missing,
        Err(Absence::Damaged) => ModelState::Damaged,
        Err(Absence::Refused(fault)) => ModelState::Refused(*fault),
    };
    reply.answer(&Answer::Description(Description {
        runner_version: env!("CARGO_PKG_VERSION"),
        isa: ISA.code(),
        operators: Computed::<L>::OPERATORS,
        arena_limit_bytes,
        slot_bytes: slot.bytes().len() as u32,
        program_unit_bytes: slot.program_unit_bytes(),
        counter,
        model,
    }));
}

/// Answers a request that needs a model, or refuses.
fn serve_model<L: Linked>(
    reply: &mut link::Reply<'_, impl Transport>,
    model: &Model<'_, L>,
    session: &mut Session<'_, L>,
    request: Request<'_>,
) -> Result<(), Refusal> {
    match request {
        Request::ReadInfo { offset } => read_info(reply, model, offset),
        Request::WriteInput { port, offset, bytes } => {
            write_input(session, port, offset, bytes)?;
            reply.answer(&Answer::Done);
            Ok(())
        }
        Request::ResetState => {
            session.reset_state();
            reply.answer(&Answer::Done);
            Ok(())
        }
        Request::ReadOutput { port, offset } => read_output(reply, session, port, offset),
        _ => Err(Refusal::Malformed),
    }
}

#[inline(never)]
fn answer_digest(reply: &mut link::Reply<'_, impl Transport>, model: &Model<'_, impl Linked>) {
    let digest = digest_of(model.artifact().bytes());
    reply.answer(&Answer::Digest(digest));
}

#[inline(never)]
fn read_info(
    reply: &mut link::Reply<'_, impl Transport>,
    model: &Model<'_, impl Linked>,
    offset: u32,
) -> Result<(), Refusal> {
    let info = model.artifact().info_bytes();
    let rest = info.get(offset as usize..).ok_or(Refusal::OutOfRange { bytes: info.len() as u32 })?;
    let chunk = &rest[..rest.len().min(chunk_bytes(LARGEST_FRAME_BYTES))];
    reply.answer(&Answer::Bytes(chunk));
    Ok(())
}

#[inline(never)]
fn write_input(
    session: &mut Session<'_, impl Linked>,
    port: u8,
    offset: u32,
    bytes: &[u8],
) -> Result<(), Refusal> {
    let input = session.input_bytes(usize::from(port)).map_err(refusal_of_tensor)?;
    copy_in(input, offset as usize, cast_slice(bytes)).map_err(refusal_of_tensor)
}

#[inline(never)]
fn read_output(
    reply: &mut link::Reply<'_, impl Transport>,
    session: &Session<'_, impl Linked>,
    port: u8,
    offset: u32,
) -> Result<(), Refusal> {
    let output = session.output_bytes(usize::from(port)).map_err(refusal_of_tensor)?;
    let bytes = output.len();
    let rest = bytes.checked_sub(offset as usize).ok_or(Refusal::OutOfRange { bytes: bytes as u32 })?;
    reply.answer_bytes(rest.min(chunk_bytes(LARGEST_FRAME_BYTES)), |chunk| {
        // The range was taken from the output's own length.
        let _ = copy_out(output, offset as usize, cast_slice_mut(chunk));
    });
    Ok(())
}

/// Runs the model and gives its count. The run itself has one instance of the code, whatever is observed.
#[inline(never)]
fn run(
    reply: &mut link::Reply<'_, impl Transport>,
    session: &mut Session<'_, impl Linked>,
    entry: &mut Option<PlanEntry>,
    gauge: &mut impl Gauge,
    observe: Observe,
) -> Result<u64, Refusal> {
    if observe == Observe::Nothing {
        gauge.start();
    }
    let outcome = session.run_in(entry, &mut Watch { observe, reply, gauge });
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
    check_commit(slot, commit)?;
    write_commit(slot, commit)
}

/// Whether the slot holds what `commit` says, and no commit record.
#[inline(never)]
fn check_commit(slot: &impl Slot, commit: Commit) -> Result<(), Refusal> {
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
    if sound { Ok(()) } else { Err(Refusal::SlotMismatch) }
}

#[inline(never)]
fn write_commit(slot: &mut impl Slot, commit: Commit) -> Result<(), Refusal> {
    let offset = load::commit_offset(slot).ok_or(Refusal::SlotWrite)?;
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
