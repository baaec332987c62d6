//! What a program must have for an artifact, found while the program is compiled.

use crate::artifact::{HEADER_BYTES, MAGIC, SECTION_ENTRY_BYTES, SectionKind, u32_at};
use crate::info::{OperatorSet, varint};

/// What an artifact states of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of arena a run takes.
    pub arena_bytes: u32,
    /// The operators of its plan.
    pub operators: OperatorSet,
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
        let mut entry = HEADER_BYTES;
        while u32_at(artifact, entry) != SectionKind::Info as u32 {
            entry += SECTION_ENTRY_BYTES;
        }
        let name = u32_at(artifact, entry + 4) as usize;
        let version = after_text(artifact, name);
        let (arena_bytes, at) = number(artifact, after_text(artifact, version));
        let (operators, _) = number(artifact, at);
        Self { arena_bytes: arena_bytes as u32, operators: OperatorSet::from_bits(operators) }
    }
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
