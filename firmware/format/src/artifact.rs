//! The flat artifact: a header, a table of sections, the sections. Executed where it lies.

mod error;
mod header;

use sha2::{Digest as _, Sha256};

pub use self::error::ArtifactError;
pub(crate) use self::header::u32_at;
use self::header::{Header, Sections};
use crate::info::{Info, OperatorSet, Port, Ports};
use crate::isa::Isa;
use crate::linked::{EveryOperator, Linked};
use crate::plan::{Operands, OperatorKind, PlanEntry, PlanReader, Record};
use crate::tensor::Space;

/// The first bytes of every artifact. Not text, and changed by transfers that mangle line ends.
pub const MAGIC: [u8; 8] = *b"\x89EPA\r\n\x1a\n";
/// The format version that this crate reads and writes.
pub const FORMAT_VERSION: u16 = 1;
/// Bytes before the section table.
pub const HEADER_BYTES: usize = 96;
/// Bytes of one entry of the section table.
pub const SECTION_ENTRY_BYTES: usize = 16;
/// Sections, and the artifact in memory, start at multiples of this.
pub const ALIGNMENT: usize = 16;
/// Where the digest lies in the header.
pub const DIGEST_RANGE: core::ops::Range<usize> = 32..64;
/// Where the digest of the quantized graph lies in the header.
pub const GRAPH_DIGEST_RANGE: core::ops::Range<usize> = 64..96;

/// A SHA-256.
pub type Digest = [u8; 32];

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SectionKind {
    /// [`Info`].
    Info = 1,
    /// The operators' records.
    Plan = 2,
    /// Weights and tables.
    Const = 3,
    /// Initial values of what is kept between runs. Not there where nothing is.
    State = 4,
}

/// An artifact whose geometry has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Artifact<'a> {
    bytes: &'a [u8],
    isa: Isa,
    info: &'a [u8],
    plan: &'a [u8],
    constants: &'a [u8],
    state: &'a [u8],
    arena_bytes: u32,
}

impl<'a> Artifact<'a> {
    /// Checks the header, the sections, and for every operator that each region it touches lies
    /// inside its space. `bytes` may go on after the artifact.
    ///
    /// The digest is left to [`verify_digest`](Self::verify_digest).
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ArtifactError> {
        Unchecked::read(bytes)?.check::<EveryOperator, _>(&mut None, |_, _, _| Ok(())).copied()
    }

    #[inline(never)]
    fn check_ports(&self, ports: Ports<'_>) -> Result<(), ArtifactError> {
        for port in ports.iter() {
            let port = port.filter(is_sound).ok_or(ArtifactError::Info)?;
            let bytes = port.bytes().ok_or(ArtifactError::Info)?;
            let end = u64::from(port.tensor.offset) + u64::from(bytes);
            let alignment = port.tensor.dtype.bytes(1).unwrap_or(1);
            let placed = port.tensor.space == Space::Arena
                && end <= u64::from(self.run_bytes())
                && port.tensor.offset.is_multiple_of(alignment);
            if !placed {
                return Err(ArtifactError::Info);
            }
        }
        Ok(())
    }

    /// Checks every record, and gives the set of their kinds.
    #[inline(never)]
    fn check_plan<L: Linked, E: From<ArtifactError>>(
        &self,
        entry: &mut Option<PlanEntry>,
        mut check: impl FnMut(u32, &Record, &Operands) -> Result<(), E>,
    ) -> Result<OperatorSet, E> {
        let mut operators = OperatorSet::EMPTY;
        let mut plan = self.plan();
        let mut operands = Operands::NONE;
        for number in 0.. {
            plan.read_next::<L>(entry).map_err(ArtifactError::Plan)?;
            let Some(PlanEntry { record, .. }) = entry else { break };
            self.check_record::<L>(number, record, &mut operands)?;
            check(number, record, &operands)?;
            operators = operators.with(record.kind());
        }
        Ok(operators)
    }

    fn check_record<L: Linked>(
        &self,
        number: u32,
        record: &Record,
        operands: &mut Operands,
    ) -> Result<(), ArtifactError> {
        record.find_operands::<L>(operands).map_err(|error| ArtifactError::Geometry {
            record: number,
            kind: record.kind(),
            error,
        })?;
        // By the spaces' codes. No region is empty, so that none lies among parameters.
        let space_bytes = [self.constants.len() as u32, self.run_bytes(), self.state.len() as u32, 0];
        for operand in operands.iter() {
            if !operand.fits(space_bytes[operand.tensor.space as usize]) {
                return Err(ArtifactError::OutOfBounds { record: number, kind: record.kind() });
            }
        }
        Ok(())
    }

    /// An artifact that is compiled into a program: header, sections and info are checked by the compiler, records are taken as
    /// they stand.
    ///
    /// # Panics
    ///
    /// When it is none, of another version, or damaged; in a constant that is the compiler's error.
    pub const fn compiled_in(bytes: &'a [u8]) -> Self {
        Unchecked::compiled_in(bytes).artifact
    }

    /// Compares the bytes with the digest in the header.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Digest`] when a bit has changed.
    pub fn verify_digest(&self) -> Result<(), ArtifactError> {
        compare_digest(self.bytes)
    }

    /// The instruction set it was lowered for.
    pub const fn isa(&self) -> Isa {
        self.isa
    }

    /// All its bytes, without what follows them.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// SHA-256 of the whole artifact but these 32 bytes themselves.
    pub fn digest(&self) -> &'a Digest {
        digest_at(self.bytes, DIGEST_RANGE)
    }

    /// SHA-256 of the quantized graph it was lowered from.
    pub fn graph_digest(&self) -> &'a Digest {
        digest_at(self.bytes, GRAPH_DIGEST_RANGE)
    }

    /// Its name, version, inputs and outputs.
    pub fn info(&self) -> Info<'a> {
        Info::decode(self.info).expect("decoded when it was parsed")
    }

    /// What goes in.
    pub fn inputs(&self) -> Ports<'a> {
        let [inputs, _] = Ports::of_info(self.info);
        inputs
    }

    /// What comes out.
    pub fn outputs(&self) -> Ports<'a> {
        let [_, outputs] = Ports::of_info(self.info);
        outputs
    }

    /// Bytes of arena a session needs: those of a run, and after them what is kept between runs.
    pub const fn arena_bytes(&self) -> u32 {
        self.arena_bytes
    }

    /// Of the arena, the bytes that mean something during a run alone.
    pub fn run_bytes(&self) -> u32 {
        self.arena_bytes - self.state.len() as u32
    }

    /// Initial values of what is kept between runs.
    pub fn state(&self) -> &'a [u8] {
        self.state
    }

    /// Its operators, in the order in which they run.
    pub fn plan(&self) -> PlanReader<'a> {
        PlanReader::new(self.plan)
    }

    /// The section that holds the records, as it stands.
    pub fn plan_bytes(&self) -> &'a [u8] {
        self.plan
    }

    /// The constant section.
    pub fn constants(&self) -> &'a [u8] {
        self.constants
    }

    /// The section that holds the info, as it stands.
    pub fn info_bytes(&self) -> &'a [u8] {
        self.info
    }
}

/// An artifact of which header and sections have been checked. What the steps of a check have on the stack is gone before the
/// next one (`inline(never)`).
#[derive(Debug)]
pub struct Unchecked<'a> {
    artifact: Artifact<'a>,
    operators: OperatorSet,
    ports: [Ports<'a>; 2],
}

impl<'a> Unchecked<'a> {
    /// Checks the header and the sections, and reads the info. `bytes` may go on after the artifact.
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    #[inline(never)]
    pub fn read(bytes: &'a [u8]) -> Result<Self, ArtifactError> {
        if !(bytes.as_ptr() as usize).is_multiple_of(ALIGNMENT) {
            return Err(ArtifactError::Misaligned);
        }
        Self::read_aligned(bytes)
    }

    const fn read_aligned(bytes: &'a [u8]) -> Result<Self, ArtifactError> {
        let header = match Header::read(bytes) {
            Ok(header) => header,
            Err(error) => return Err(error),
        };
        let (bytes, _) = bytes.split_at(header.total_bytes);
        let Some(Sections { info, plan, constants, state }) = header.sections(bytes) else {
            return Err(ArtifactError::Sections);
        };
        let Some(Info { arena_bytes, operators, inputs, outputs, .. }) = Info::decode(info) else {
            return Err(ArtifactError::Info);
        };
        // State lies at the arena's end, and is aligned as the arena's start is.
        match arena_bytes.checked_sub(state.len() as u32) {
            Some(run_bytes) if state.is_empty() || run_bytes.is_multiple_of(ALIGNMENT as u32) => {
                let artifact = Artifact { bytes, isa: header.isa, info, plan, constants, state, arena_bytes };
                Ok(Self { artifact, operators, ports: [inputs, outputs] })
            }
            _ => Err(ArtifactError::Info),
        }
    }

    /// As [`Artifact::compiled_in`].
    pub(crate) const fn compiled_in(bytes: &'a [u8]) -> Self {
        match Self::read_aligned(bytes) {
            Ok(unchecked) => unchecked,
            Err(ArtifactError::NotAnArtifact) => panic!("these bytes are not an edgepkg artifact"),
            Err(ArtifactError::Version { .. } | ArtifactError::UnknownIsa { .. }) => {
                panic!("the artifact is of another version of edgepkg")
            }
            Err(ArtifactError::Truncated { .. }) => panic!("the artifact is cut short"),
            Err(_) => panic!("the artifact is damaged"),
        }
    }

    /// The instruction set it was lowered for.
    pub fn isa(&self) -> Isa {
        self.artifact.isa
    }

    /// The operators that its plan has, as the info states them.
    pub const fn operators(&self) -> OperatorSet {
        self.operators
    }

    /// Bytes of arena a session needs.
    pub(crate) const fn arena_bytes(&self) -> u32 {
        self.artifact.arena_bytes
    }

    /// The section that holds the records, as it stands.
    pub(crate) const fn plan_bytes(&self) -> &'a [u8] {
        self.artifact.plan
    }

    /// Checks inputs and outputs, and the plan: that it has the operators that are stated, all of them linked, and for each that every
    /// region it touches lies inside its space. `check` is called for every record, by its number and with its
    /// operands, once they are known to be sound: so one pass checks what a caller demands beside. `entry` holds the
    /// record, wherever there is room for it.
    ///
    /// # Errors
    ///
    /// The first thing found wrong, here or by `check`.
    pub fn check<L: Linked, E: From<ArtifactError>>(
        &self,
        entry: &mut Option<PlanEntry>,
        check: impl FnMut(u32, &Record, &Operands) -> Result<(), E>,
    ) -> Result<&Artifact<'a>, E> {
        let [inputs, outputs] = self.ports;
        self.artifact.check_ports(inputs)?;
        self.artifact.check_ports(outputs)?;
        if self.artifact.check_plan::<L, E>(entry, check)? == self.operators {
            Ok(&self.artifact)
        } else {
            Err(ArtifactError::Info.into())
        }
    }

    /// As [`check`](Self::check), for programs that have the code of each operator apart: `check` is given every record
    /// by its kind, and calls [`RecordCheck::check`] with that operator linked.
    ///
    /// # Errors
    ///
    /// The first thing found wrong, here or by `check`; a record that `check` has left unchecked.
    pub fn check_each<E: From<ArtifactError>>(
        &self,
        mut check: impl FnMut(OperatorKind, &mut RecordCheck<'_, 'a>) -> Result<(), E>,
    ) -> Result<&Artifact<'a>, E> {
        let [inputs, outputs] = self.ports;
        self.artifact.check_ports(inputs)?;
        self.artifact.check_ports(outputs)?;
        let mut operators = OperatorSet::EMPTY;
        let mut record = RecordCheck { artifact: &self.artifact, plan: self.artifact.plan(), number: 0 };
        let mut checked = 0;
        while let Some(kind) = record.plan.next_kind().map_err(ArtifactError::Plan)? {
            check(kind, &mut record)?;
            checked += 1;
            if record.number != checked {
                return Err(ArtifactError::Info.into());
            }
            operators = operators.with(kind);
        }
        if operators == self.operators { Ok(&self.artifact) } else { Err(ArtifactError::Info.into()) }
    }
}

/// The next record of a plan that is checked, for whoever has the code of its operator.
#[derive(Debug)]
pub struct RecordCheck<'c, 'a> {
    artifact: &'c Artifact<'a>,
    plan: PlanReader<'a>,
    number: u32,
}

impl RecordCheck<'_, '_> {
    /// Checks the record, and then what `check` demands beside, as [`Unchecked::check`] does with each.
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    pub fn check<L: Linked, E: From<ArtifactError>>(
        &mut self,
        entry: &mut Option<PlanEntry>,
        check: impl FnOnce(u32, &Record, &Operands) -> Result<(), E>,
    ) -> Result<(), E> {
        self.plan.read_next::<L>(entry).map_err(ArtifactError::Plan)?;
        let Some(PlanEntry { record, .. }) = entry else { return Err(ArtifactError::Info.into()) };
        let mut operands = Operands::NONE;
        self.artifact.check_record::<L>(self.number, record, &mut operands)?;
        check(self.number, record, &operands)?;
        self.number += 1;
        Ok(())
    }
}

/// Length that the header at the start of `bytes` states, header and sections together.
///
/// # Errors
///
/// When `bytes` holds no header of this version.
pub fn stated_bytes(bytes: &[u8]) -> Result<usize, ArtifactError> {
    Header::read_fixed(bytes).map(|header| header.total_bytes)
}

/// Instruction set that the header at the start of `bytes` states.
///
/// # Errors
///
/// When `bytes` holds no header of this version.
pub fn stated_isa(bytes: &[u8]) -> Result<Isa, ArtifactError> {
    Header::read_fixed(bytes).map(|header| header.isa)
}

/// Compares the artifact at the start of `bytes` with the digest in its header. Of what is hashed nothing is
/// looked at: [`Artifact::parse`] does that.
///
/// # Errors
///
/// What is wrong with the header, or [`ArtifactError::Digest`] when a bit has changed.
pub fn verify_digest(bytes: &[u8]) -> Result<(), ArtifactError> {
    let header = Header::read(bytes)?;
    compare_digest(&bytes[..header.total_bytes])
}

/// `artifact` has a header.
fn compare_digest(artifact: &[u8]) -> Result<(), ArtifactError> {
    let stated = digest_at(artifact, DIGEST_RANGE);
    if digest_of(artifact) == *stated { Ok(()) } else { Err(ArtifactError::Digest) }
}

/// SHA-256 of `artifact` without the 32 bytes in which its header holds it.
pub fn digest_of(artifact: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(&artifact[..DIGEST_RANGE.start]);
    hash.update(&artifact[DIGEST_RANGE.end..]);
    let mut digest = [0; 32];
    // By reference: the hash is not moved, which would take its size in stack again.
    hash.finalize_into_reset((&mut digest).into());
    digest
}

fn digest_at(bytes: &[u8], range: core::ops::Range<usize>) -> &Digest {
    bytes[range].try_into().expect("32 bytes of a header whose length was checked")
}

/// Whether what the port says of itself can be used: a factor between steps and real values, labels
/// that are not empty.
fn is_sound(port: &Port<'_>) -> bool {
    port.scale.is_finite() && port.scale > 0.0 && port.labels.have_text()
}
