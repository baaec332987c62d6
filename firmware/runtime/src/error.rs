//! What can be wrong with a model, an arena, or their use.

use core::fmt;

use edgepkg_format::info::OperatorSet;
use edgepkg_format::{ArtifactError, Isa, OperatorKind};

/// Why bytes are not a model that runs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ModelError {
    /// They are not a sound artifact.
    Artifact(ArtifactError),
    /// They are lowered for another instruction set.
    Isa {
        /// The artifact's.
        found: Isa,
        /// The one that runs here.
        expected: Isa,
    },
    /// The plan uses operators that this program does not link.
    MissingOperators(OperatorSet),
    /// The program links an operator, but not the loop that a record of it takes.
    MissingForm {
        /// Which record, counted from 0.
        record: u32,
        /// What it computes.
        kind: OperatorKind,
    },
    /// An operator's output lies over an input in a way its kernel does not support.
    Overlap {
        /// Which record, counted from 0.
        record: u32,
        /// What it computes.
        kind: OperatorKind,
    },
}

impl From<ArtifactError> for ModelError {
    fn from(error: ArtifactError) -> Self {
        ModelError::Artifact(error)
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelError::Artifact(error) => write!(f, "{error}"),
            ModelError::Isa { found, expected } => {
                write!(f, "the artifact is lowered for {found}, and this runs {expected}")
            }
            ModelError::MissingOperators(operators) => {
                f.write_str("the model uses operators that are not linked here:")?;
                operators.iter().try_for_each(|kind| write!(f, " {}", kind.name()))
            }
            ModelError::MissingForm { record, kind } => {
                write!(
                    f,
                    "record {record} ({}) takes a form of its kernel that is not linked here",
                    kind.name()
                )
            }
            ModelError::Overlap { record, kind } => {
                write!(f, "record {record} ({}) writes over its own input", kind.name())
            }
        }
    }
}

impl core::error::Error for ModelError {}

/// Why an arena cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SessionError {
    /// It has too few bytes.
    ArenaTooSmall {
        /// What the model needs.
        needed_bytes: u32,
        /// What was given.
        available_bytes: u32,
    },
    /// It does not start at a multiple of 16; `Arena` does.
    ArenaMisaligned,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::ArenaTooSmall { needed_bytes, available_bytes } => write!(
                f,
                "the arena has {available_bytes} bytes, {} fewer than the {needed_bytes} the model needs",
                needed_bytes - available_bytes
            ),
            SessionError::ArenaMisaligned => f.write_str("the arena does not start at a multiple of 16"),
        }
    }
}

impl core::error::Error for SessionError {}

/// Why a run cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RunError {
    /// An input has not been asked for since the last run, which may have overwritten it.
    InputNotSet {
        /// Which one.
        index: usize,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::InputNotSet { index } => {
                write!(f, "input {index} was not set since the last run, which may have overwritten it")
            }
        }
    }
}

impl core::error::Error for RunError {}

/// Why an input or output cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TensorError {
    /// There is none with this index.
    NoSuchTensor {
        /// The index asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Data of another length than the tensor's.
    Length {
        /// Bytes of the tensor, from the offset asked for.
        tensor_bytes: usize,
        /// Bytes of the data.
        data_bytes: usize,
    },
}

impl fmt::Display for TensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorError::NoSuchTensor { index, count } => {
                write!(f, "there is no tensor {index}: the model has {count}")
            }
            TensorError::Length { tensor_bytes, data_bytes } => {
                write!(f, "{data_bytes} bytes were given for a tensor of {tensor_bytes}")
            }
        }
    }
}

impl core::error::Error for TensorError {}
