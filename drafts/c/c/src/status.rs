//! Errors as codes, with a text for each.

use core::ffi::CStr;

use edgepkg_runtime::format::ArtifactError;
use edgepkg_runtime::{ModelError, RunError, SessionError, TensorError};

/// What a call came to. Codes are never reused.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum edgepkg_status {
    /// It did what it was asked.
    Ok = 0,
    /// The run is complete: there was no step left.
    Done = 1,
    /// A pointer is null that may not be.
    NullPointer = 2,
    /// The artifact does not start at a multiple of 16.
    ArtifactMisaligned = 3,
    /// The bytes are not an artifact, are cut short, or contradict each other.
    ArtifactDamaged = 4,
    /// The artifact has a format version that this library does not read.
    ArtifactVersion = 5,
    /// The artifact is lowered for another instruction set than this library's.
    InstructionSet = 6,
    /// The model uses an operator that is not in the table.
    MissingOperator = 7,
    /// The arena has fewer bytes than edgepkg_model_arena_bytes says.
    ArenaTooSmall = 8,
    /// The arena does not start at a multiple of 16.
    ArenaMisaligned = 9,
    /// An input was not asked for since the last run, which may have overwritten it.
    InputNotSet = 10,
    /// The model has no input or output of this index.
    NoSuchTensor = 11,
}

impl edgepkg_status {
    /// The text of the code.
    pub fn text(self) -> &'static CStr {
        match self {
            edgepkg_status::Ok => c"done as asked",
            edgepkg_status::Done => c"the run is complete",
            edgepkg_status::NullPointer => c"a pointer is null",
            edgepkg_status::ArtifactMisaligned => c"the artifact does not start at a multiple of 16",
            edgepkg_status::ArtifactDamaged => c"these bytes are not a whole artifact",
            edgepkg_status::ArtifactVersion => c"the artifact is of another format version",
            edgepkg_status::InstructionSet => c"the artifact is lowered for another instruction set",
            edgepkg_status::MissingOperator => c"the model uses an operator that is not in the table",
            edgepkg_status::ArenaTooSmall => c"the arena is too small for the model",
            edgepkg_status::ArenaMisaligned => c"the arena does not start at a multiple of 16",
            edgepkg_status::InputNotSet => c"an input was not set since the last run",
            edgepkg_status::NoSuchTensor => c"there is no input or output of this index",
        }
    }
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
            ModelError::MissingOperators(_) => edgepkg_status::MissingOperator,
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
