//! An artifact that this program can run.

use core::marker::PhantomData;

use edgepkg_format::artifact::{Unchecked, stated_isa};
use edgepkg_format::linked::{EveryOperator, Linked};
use edgepkg_format::plan::{Access, Forms, Operand, Operands, PlanEntry, Record};
use edgepkg_format::{Artifact, Info, Space};
use edgepkg_kernels::{Computed, Distances, ISA, safe_distances_linked};

use crate::error::{ModelError, SessionError};
use crate::session::{Progress, Session};

/// A checked model. It borrows the artifact's bytes and holds nothing else.
///
/// `L` is the choice of operators that the program links for it: every operator, if nothing else is said.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a, L: Linked = EveryOperator> {
    artifact: Artifact<'a>,
    linked: PhantomData<L>,
}

impl<'a> Model<'a> {
    /// [`parse_linked`](Self::parse_linked) with every operator that there is.
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ModelError> {
        Self::parse_linked(bytes)
    }
}

impl<'a, L: Linked> Model<'a, L> {
    /// Checks that `bytes` are an artifact for this instruction set whose every operator is linked
    /// here and stays inside its tensors. No allocation, no copy; the digest is left to
    /// [`Artifact::verify_digest`].
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    pub fn parse_linked(bytes: &'a [u8]) -> Result<Self, ModelError> {
        Self::parse_in(&mut None, bytes)
    }

    /// The model of an artifact that is compiled into the program, as [`embed_model!`](crate::embed_model) has it.
    ///
    /// # Panics
    ///
    /// When the artifact is none, damaged, of another version or for another instruction set; in a constant that is the
    /// compiler's error. Its records are taken as they stand: a run that meets one of impossible shapes panics, or leaves its
    /// output as it was, and stays inside the arena.
    #[doc(hidden)]
    pub const fn compiled_in(bytes: &'a [u8]) -> Self {
        let artifact = Artifact::compiled_in(bytes);
        assert!(
            artifact.isa().code() == ISA.code(),
            "the artifact is for another instruction set than the program"
        );
        Self { artifact, linked: PhantomData }
    }

    /// [`parse_linked`](Self::parse_linked), with the record that is checked in `entry`, which may lie elsewhere than on
    /// the stack.
    //
    // What it has on the stack is gone before a run.
    #[inline(never)]
    pub(crate) fn parse_in(entry: &mut Option<PlanEntry>, bytes: &'a [u8]) -> Result<Self, ModelError> {
        let isa = stated_isa(bytes)?;
        if isa != ISA {
            return Err(ModelError::Isa { found: isa, expected: ISA });
        }
        // Looked at where it is: moved, it would be on the stack twice.
        let unchecked = &Unchecked::read(bytes);
        let unchecked = match unchecked {
            Ok(unchecked) => unchecked,
            Err(error) => return Err((*error).into()),
        };
        let missing = unchecked.operators().without(Computed::<L>::OPERATORS);
        if !missing.is_empty() {
            return Err(ModelError::MissingOperators(missing));
        }
        let artifact = unchecked.check::<Computed<L>, _>(entry, check_use::<L>)?;
        Ok(Self::of_checked(*artifact))
    }

    /// The model of an artifact whose every record has been checked.
    pub(crate) fn of_checked(artifact: Artifact<'a>) -> Self {
        Self { artifact, linked: PhantomData }
    }

    /// Starts a session in `arena`, of which it uses the first [`arena_bytes`](Self::arena_bytes). What the
    /// model keeps between runs has its initial value.
    ///
    /// # Errors
    ///
    /// When the arena is too small, saying by how much, or misaligned.
    pub fn session<'s>(&'s self, arena: &'s mut [i8]) -> Result<Session<'s, L>, SessionError> {
        let mut session = Session::new(&self.artifact, arena)?;
        session.reset_state();
        Ok(session)
    }

    /// Goes on where an earlier session of this model ended in `arena`: what it kept is still there.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session).
    pub fn resume_session<'s>(&'s self, arena: &'s mut [i8]) -> Result<Session<'s, L>, SessionError> {
        Session::new(&self.artifact, arena)
    }

    /// Goes on where another session of this model stood, as [`Session::progress`] said, in the middle of a run or between
    /// two: for programs that hold an arena only while they use it.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session).
    pub fn session_at<'s>(
        &'s self,
        arena: &'s mut [i8],
        progress: Progress,
    ) -> Result<Session<'s, L>, SessionError> {
        Ok(Session::new(&self.artifact, arena)?.at(progress))
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

/// Whether the loop that the record takes is linked, and writes over its inputs only where it may.
pub(crate) fn check_use<L: Linked>(
    number: u32,
    record: &Record,
    operands: &Operands,
) -> Result<(), ModelError> {
    if const { !L::FORMS.contain(Forms::ALL) } && !L::FORMS.contain(record.forms()) {
        return Err(ModelError::MissingForm { record: number, kind: record.kind() });
    }
    if overlaps_are_safe(operands, |input| safe_distances_linked::<Computed<L>>(record, input)) {
        Ok(())
    } else {
        Err(ModelError::Overlap { record: number, kind: record.kind() })
    }
}

/// Whether the output shares bytes with an input only at a distance that the kernel allows, and scratch and
/// what is kept with nothing. Inputs may share bytes with each other.
fn overlaps_are_safe(operands: &Operands, distances: impl Fn(usize) -> Distances) -> bool {
    let mut rest: &[Operand] = operands;
    let mut index = 0;
    while let [region, later @ ..] = rest {
        // Constants are only read.
        if region.tensor.space != Space::Const {
            for other in later {
                if region.overlaps(other) && !may_share(region, other, || distances(index)) {
                    return false;
                }
            }
        }
        rest = later;
        index += 1;
    }
    true
}

/// Whether two regions that share bytes may do so, of which the first one comes first among the operands.
fn may_share(first: &Operand, second: &Operand, distances: impl Fn() -> Distances) -> bool {
    match (first.access, second.access) {
        (Access::Read, Access::Read) => true,
        (Access::Read, Access::Write) => distances().contain(first.distance_to(second)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use edgepkg_format::{DType, TensorRef};

    use super::*;

    const INPUT: Operand = region(Access::Read, 100, 50);
    const SCRATCH: Operand = region(Access::Scratch, 200, 30);

    const fn region(access: Access, offset: u32, bytes: u32) -> Operand {
        Operand { tensor: TensorRef { space: Space::Arena, dtype: DType::Int8, offset }, bytes, access }
    }

    fn output(offset: u32, bytes: u32) -> Operand {
        region(Access::Write, offset, bytes)
    }

    fn are_safe(regions: &[Operand], distances: Distances) -> bool {
        overlaps_are_safe(&regions.iter().copied().collect(), |_| distances)
    }

    #[test]
    fn outputs_share_bytes_at_the_distances_that_the_kernel_states() {
        for (offset, apart, in_place, forward, backward) in [
            (50, true, true, true, true),
            (51, false, false, true, false),
            (92, false, false, true, false),
            (93, false, false, false, false),
            (100, false, true, false, false),
            (107, false, false, false, false),
            (108, false, false, false, true),
            (149, false, false, false, true),
            (150, true, true, true, true),
        ] {
            let regions = [INPUT, output(offset, 50)];
            assert_eq!(are_safe(&regions, Distances::NONE), apart, "{offset}");
            assert_eq!(are_safe(&regions, Distances::IN_PLACE), in_place, "{offset}");
            assert_eq!(are_safe(&regions, Distances::at_most(-8)), forward, "{offset}");
            assert_eq!(are_safe(&regions, Distances::at_least(8)), backward, "{offset}");
        }
        assert!(are_safe(&[INPUT, output(100, 30)], Distances::IN_PLACE), "a shorter output");
    }

    #[test]
    fn scratch_lies_apart_from_everything() {
        let with_output = |output| are_safe(&[INPUT, SCRATCH, output], Distances::at_most(i32::MAX));
        assert!(with_output(output(100, 100)));
        assert!(!with_output(output(100, 101)));
        assert!(with_output(output(230, 1)));
        assert!(!with_output(output(229, 1)));
        let over_input = region(Access::Scratch, 149, 30);
        assert!(!are_safe(&[INPUT, over_input, output(0, 10)], Distances::at_most(i32::MAX)));
        let empty = region(Access::Scratch, 120, 0);
        assert!(are_safe(&[INPUT, empty, output(0, 10)], Distances::NONE));
    }
}
