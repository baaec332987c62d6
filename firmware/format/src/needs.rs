//! What a program must have for an artifact, found while the program is compiled.

use crate::artifact::{HEADER_BYTES, MAGIC, SECTION_ENTRY_BYTES, SectionKind, u32_at};
use crate::info::{OperatorSet, varint};
use crate::plan::{Forms, RECORD_HEADER_BYTES};

/// What an artifact states of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of arena a run takes.
    pub arena_bytes: u32,
    /// The operators of its plan.
    pub operators: OperatorSet,
    /// The loops that its packed records take.
    pub forms: Forms,
}

impl Needs {
    /// What `artifact` states in its info section. In a constant, so that the compiler knows it.
    ///
    /// # Panics
    ///
    /// When `artifact` is none, or cut short; in a constant that is the compiler's error.
    pub const fn of(artifact: &[u8]) -> Self {
        let mut index = 0;
        while index < MAGIC.len() {
            assert!(artifact[index] == MAGIC[index], "these bytes are not an edgepkg artifact");
            index += 1;
        }
        let (name, _) = section(artifact, SectionKind::Info);
        let version = after_text(artifact, name);
        let (arena_bytes, at) = number(artifact, after_text(artifact, version));
        let (operators, _) = number(artifact, at);
        let forms = forms(artifact, section(artifact, SectionKind::Plan));
        Self { arena_bytes: arena_bytes as u32, operators: OperatorSet::from_bits(operators), forms }
    }
}

/// Where a section begins and ends.
const fn section(artifact: &[u8], kind: SectionKind) -> (usize, usize) {
    let mut entry = HEADER_BYTES;
    while u32_at(artifact, entry) != kind as u32 {
        entry += SECTION_ENTRY_BYTES;
    }
    let start = u32_at(artifact, entry + 4) as usize;
    (start, start + u32_at(artifact, entry + 8) as usize)
}

/// What the records of the plan from `at` to `end` take.
const fn forms(artifact: &[u8], (mut at, end): (usize, usize)) -> Forms {
    let mut forms = Forms::NONE;
    while at + RECORD_HEADER_BYTES <= end {
        let header = u32_at(artifact, at);
        let (code, length) = (header as u16, (header >> 16) as usize);
        if length < RECORD_HEADER_BYTES || at + length > end {
            break;
        }
        let (record, _) = artifact.split_at(at + length);
        let (_, fields) = record.split_at(at + RECORD_HEADER_BYTES);
        forms = forms.and(Forms::of_fields(code, fields));
        at += length;
    }
    forms
}

/// Where the text at `at` ends.
const fn after_text(bytes: &[u8], at: usize) -> usize {
    let (length, start) = number(bytes, at);
    start + length as usize
}

const fn number(bytes: &[u8], at: usize) -> (u64, usize) {
    match varint(bytes, at) {
        Some(number) => number,
        None => panic!("the artifact's info section is damaged"),
    }
}
