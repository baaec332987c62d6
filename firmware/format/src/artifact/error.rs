//! Why bytes are no artifact.

use core::fmt;

use super::{ALIGNMENT, FORMAT_VERSION};
use crate::plan::{GeometryError, OperatorKind, PlanError};

/// Why bytes are not an artifact that can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde-errors", derive(serde::Serialize, serde::Deserialize))]
pub enum ArtifactError {
    /// The bytes do not start at a multiple of [`ALIGNMENT`].
    Misaligned,
    /// The first bytes are not [`MAGIC`](super::MAGIC).
    NotAnArtifact,
    /// A format version this code does not read.
    Version {
        /// The artifact's.
        found: u16,
    },
    /// An instruction set this version does not know.
    UnknownIsa {
        /// Its code.
        code: u16,
    },
    /// The bytes end before the artifact does.
    Truncated {
        /// What the header states, or needs.
        needed_bytes: u32,
        /// What is there.
        available_bytes: u32,
    },
    /// A section table that is not as the format says.
    Sections,
    /// An info section that cannot be decoded, or contradicts the plan.
    Info,
    /// A plan that cannot be read.
    Plan(PlanError),
    /// A record whose shapes contradict each other.
    Geometry {
        /// Which record, counted from 0.
        record: u32,
        /// What it computes.
        kind: OperatorKind,
        /// What is wrong.
        error: GeometryError,
    },
    /// A tensor that does not lie inside its space.
    OutOfBounds {
        /// Which record, counted from 0.
        record: u32,
        /// What it computes.
        kind: OperatorKind,
    },
    /// The bytes' digest is not the one in the header.
    Digest,
}

impl From<PlanError> for ArtifactError {
    fn from(error: PlanError) -> Self {
        ArtifactError::Plan(error)
    }
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArtifactError::Misaligned => {
                write!(f, "the artifact does not start at a multiple of {ALIGNMENT}")
            }
            ArtifactError::NotAnArtifact => f.write_str("these bytes are not an edgepkg artifact"),
            ArtifactError::Version { found } => {
                write!(f, "the artifact has format version {found}, and this reads version {FORMAT_VERSION}")
            }
            ArtifactError::UnknownIsa { code } => {
                write!(f, "the artifact is for an instruction set this version does not know (code {code})")
            }
            ArtifactError::Truncated { needed_bytes, available_bytes } => {
                write!(f, "the artifact is cut short: {available_bytes} of {needed_bytes} bytes are there")
            }
            ArtifactError::Sections => f.write_str("the artifact's section table is damaged"),
            ArtifactError::Info => f.write_str("the artifact's info section is damaged"),
            ArtifactError::Plan(PlanError::Truncated { at }) => {
                write!(f, "the artifact's plan is cut short at byte {at}")
            }
            ArtifactError::Plan(PlanError::UnknownOperator { kind, at }) => {
                write!(
                    f,
                    "the artifact's plan has an operator this version does not know: {kind} at byte {at}"
                )
            }
            ArtifactError::Plan(PlanError::Malformed { kind, at }) => {
                write!(f, "the artifact's plan has a malformed {} at byte {at}", kind.name())
            }
            ArtifactError::Geometry { record, kind, error } => {
                write!(f, "record {record} ({}) of the artifact's plan is wrong: {error:?}", kind.name())
            }
            ArtifactError::OutOfBounds { record, kind } => {
                write!(f, "record {record} ({}) of the artifact's plan leaves its memory", kind.name())
            }
            ArtifactError::Digest => f.write_str("the artifact's bytes do not match its digest"),
        }
    }
}

impl core::error::Error for ArtifactError {}
