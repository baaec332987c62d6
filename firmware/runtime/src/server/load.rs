//! From a slot to a model.

use edgepkg_format::ArtifactError;
use edgepkg_format::link::ModelFault;
use edgepkg_format::linked::Linked;
use edgepkg_format::plan::PlanEntry;
use edgepkg_format::slot::Commit;

use super::{Absence, Slot};
use crate::error::{ModelError, SessionError};
use crate::model::Model;

pub(super) fn commit_offset(slot: &impl Slot) -> Option<usize> {
    let slot_bytes = u32::try_from(slot.bytes().len()).ok()?;
    Commit::offset(slot_bytes, slot.program_unit_bytes()).map(|offset| offset as usize)
}

/// The slot's commit record; `None` in an erased slot.
pub(super) fn commit(slot: &impl Slot) -> Option<Commit> {
    Commit::from_bytes(slot.bytes().get(commit_offset(slot)?..)?)
}

/// The bytes that the slot's commit record vouches for.
pub(super) fn committed(slot: &impl Slot) -> Result<&[u8], Absence> {
    if let Some(artifact) = slot.on_trial() {
        return Ok(artifact);
    }
    let commit = commit(slot).ok_or(Absence::Missing)?;
    commit.committed(slot.bytes()).ok_or(Absence::Damaged)
}

// What it has on the stack is gone before a run.
#[inline(never)]
pub(super) fn parse<'a, L: Linked>(
    entry: &mut Option<PlanEntry>,
    bytes: &'a [u8],
) -> Result<Model<'a, L>, Absence> {
    Model::parse_in(entry, bytes).map_err(|error| Absence::Refused(model_fault(error)))
}

fn model_fault(error: ModelError) -> ModelFault {
    match error {
        ModelError::Artifact(ArtifactError::Version { found }) => ModelFault::FormatVersion(found),
        ModelError::Artifact(ArtifactError::UnknownIsa { code }) => ModelFault::Isa(code),
        ModelError::Artifact(
            ArtifactError::Geometry { record, .. } | ArtifactError::OutOfBounds { record, .. },
        )
        | ModelError::MissingForm { record, .. }
        | ModelError::Overlap { record, .. } => ModelFault::Record(record),
        ModelError::Artifact(_) => ModelFault::Unreadable,
        ModelError::Isa { found, .. } => ModelFault::Isa(found.code()),
        ModelError::MissingOperators(operators) => ModelFault::MissingOperators(operators),
    }
}

pub(super) fn session_fault(error: SessionError) -> ModelFault {
    match error {
        SessionError::ArenaTooSmall { needed_bytes, available_bytes } => {
            ModelFault::ArenaTooSmall { needed_bytes, available_bytes }
        }
        SessionError::ArenaMisaligned => ModelFault::Unreadable,
    }
}
