//! An artifact that this program can run.

use edgepkg_format::artifact::stated_isa;
use edgepkg_format::plan::{Access, Operands};
use edgepkg_format::{Artifact, Info, Record};
use edgepkg_kernels::{ISA, OPERATORS, may_alias};

use crate::error::{ModelError, SessionError};
use crate::session::Session;

/// A checked model. It borrows the artifact's bytes and holds nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    artifact: Artifact<'a>,
}

impl<'a> Model<'a> {
    /// Checks that `bytes` are an artifact for this instruction set whose every operator is linked
    /// here and stays inside its tensors. No allocation, no copy; the digest is left to
    /// [`Artifact::verify_digest`].
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let isa = stated_isa(bytes)?;
        if isa != ISA {
            return Err(ModelError::Isa { found: isa, expected: ISA });
        }
        let artifact = Artifact::parse_with(bytes, |number, record, operands| {
            if overlaps_are_safe(record, operands) {
                Ok(())
            } else {
                Err(ModelError::Overlap { record: number, kind: record.kind() })
            }
        })?;
        let missing = artifact.info().operators.without(OPERATORS);
        if missing.is_empty() { Ok(Self { artifact }) } else { Err(ModelError::MissingOperators(missing)) }
    }

    /// Starts a session in `arena`, of which it uses the first [`arena_bytes`](Self::arena_bytes).
    ///
    /// # Errors
    ///
    /// When the arena is too small, saying by how much, or misaligned.
    pub fn session<'s>(&'s self, arena: &'s mut [i8]) -> Result<Session<'s>, SessionError> {
        Session::new(&self.artifact, arena)
    }

    /// Name, version, inputs and outputs.
    pub fn info(&self) -> Info<'a> {
        self.artifact.info()
    }

    /// Bytes of arena a session needs.
    pub fn arena_bytes(&self) -> usize {
        self.artifact.arena_bytes() as usize
    }

    /// The artifact itself.
    pub fn artifact(&self) -> &Artifact<'a> {
        &self.artifact
    }
}

/// Whether the output lies apart from every input, or exactly over one that the kernel allows.
fn overlaps_are_safe(record: &Record, operands: &Operands) -> bool {
    let Some((output, inputs)) = operands.split_last() else {
        return true;
    };
    debug_assert_eq!(output.access, Access::Write);
    inputs.iter().enumerate().all(|(index, input)| {
        let in_place = input.tensor.offset == output.tensor.offset && input.bytes == output.bytes;
        !input.overlaps(output) || in_place && may_alias(record).allows(index)
    })
}
