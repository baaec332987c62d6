//! Errors as codes, with a text for each.

use core::ffi::CStr;

use edgepkg_runtime::format::ArtifactError;
use edgepkg_runtime::{ModelError, RunError, SessionError, TensorError};

/// What a call came to. Codes are never reused.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum edgepkg_status {
    /// It did what it was asked.
    Ok = 0,
    /// The run is complete: there was no step left.
    Done = 1,
    /// A pointer is null that may not be.
    NullPointer = 2,
    /// A pointer to a model, session, network or tensor is not aligned as its type is.
    MisalignedPointer = 3,
    /// The model was not parsed, or not with success.
    ModelNotParsed = 4,
    /// The session was not opened, or not with success.
    SessionNotOpen = 5,
    /// The artifact does not start at a multiple of 16.
    ArtifactMisaligned = 6,
    /// The bytes are not an artifact, are cut short, or contradict each other.
    ArtifactDamaged = 7,
    /// The artifact has a format version that this library does not read.
    ArtifactVersion = 8,
    /// The artifact is lowered for another instruction set than this library's.
    InstructionSet = 9,
    /// The model uses an operator that is not in the table.
    MissingOperator = 10,
    /// The arena has fewer bytes than edgepkg_model_arena_bytes says.
    ArenaTooSmall = 11,
    /// The arena does not start at a multiple of 16.
    ArenaMisaligned = 12,
    /// An input was not asked for since the last run, which may have overwritten it.
    InputNotSet = 13,
    /// The model has no input or output of this index.
    NoSuchTensor = 14,
}

/// The text of each code, in their order.
const TEXTS: [&CStr; 15] = [
    c"done as asked",
    c"the run is complete",
    c"a pointer is null",
    c"a pointer is not aligned as its type is",
    c"the model was not parsed",
    c"the session was not opened",
    c"the artifact does not start at a multiple of 16",
    c"the bytes are not a whole artifact",
    c"the artifact is of another format version",
    c"the artifact is for another instruction set",
    c"the model uses an operator that is not in the table",
    c"the arena is too small for the model",
    c"the arena does not start at a multiple of 16",
    c"an input was not set since the last run",
    c"there is no input or output of this index",
];

/// The text of a code, whatever number it is.
pub fn text(code: i32) -> &'static CStr {
    let text = usize::try_from(code).ok().and_then(|code| TEXTS.get(code));
    text.copied().unwrap_or(c"this code is no status")
}

impl From<ModelError> for edgepkg_status {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Artifact(ArtifactError::Misaligned) => edgepkg_status::ArtifactMisaligned,
            ModelError::Artifact(ArtifactError::Version { .. }) => edgepkg_status::ArtifactVersion,
            ModelError::Artifact(ArtifactError::UnknownIsa { .. }) | ModelError::Isa { .. } => {
                edgepkg_status::InstructionSet
            }
            ModelError::Artifact(_) | ModelError::Overlap { .. } => edgepkg_status::ArtifactDamaged,
            ModelError::MissingOperators(_) | ModelError::MissingForm { .. } => {
                edgepkg_status::MissingOperator
            }
        }
    }
}

impl From<SessionError> for edgepkg_status {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::ArenaTooSmall { .. } => edgepkg_status::ArenaTooSmall,
            SessionError::ArenaMisaligned => edgepkg_status::ArenaMisaligned,
        }
    }
}

impl From<RunError> for edgepkg_status {
    fn from(error: RunError) -> Self {
        match error {
            RunError::InputNotSet { .. } => edgepkg_status::InputNotSet,
        }
    }
}

impl From<TensorError> for edgepkg_status {
    fn from(_: TensorError) -> Self {
        edgepkg_status::NoSuchTensor
    }
}
