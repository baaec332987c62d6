//! The header and the table of sections. Constant, so that the compiler reads those of models in a program.

use super::{ALIGNMENT, ArtifactError, FORMAT_VERSION, HEADER_BYTES, MAGIC, SECTION_ENTRY_BYTES};
use crate::isa::Isa;

/// The bytes of each section.
pub(super) struct Sections<'a> {
    pub(super) info: &'a [u8],
    pub(super) plan: &'a [u8],
    pub(super) constants: &'a [u8],
    pub(super) state: &'a [u8],
}

/// What an artifact begins with.
pub(super) struct Header {
    pub(super) isa: Isa,
    /// Header and sections together.
    pub(super) total_bytes: usize,
    section_count: usize,
}

impl Header {
    /// The header of an artifact that is all there.
    pub(super) const fn read(bytes: &[u8]) -> Result<Self, ArtifactError> {
        match Self::read_fixed(bytes) {
            Ok(header) if header.total_bytes > bytes.len() => Err(truncated(header.total_bytes, bytes)),
            other => other,
        }
    }

    /// The header, whatever follows it.
    pub(super) const fn read_fixed(bytes: &[u8]) -> Result<Self, ArtifactError> {
        if !begin_as_magic(bytes) {
            return Err(ArtifactError::NotAnArtifact);
        }
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(truncated(HEADER_BYTES, bytes));
        };
        let version = u16_at(header, 8);
        if version != FORMAT_VERSION {
            return Err(ArtifactError::Version { found: version });
        }
        let code = u16_at(header, 10);
        let Some(isa) = Isa::from_code(code) else {
            return Err(ArtifactError::UnknownIsa { code });
        };
        let total_bytes = u32_at(header, 12) as usize;
        let section_count = u32_at(header, 16) as usize;
        let reserved = u32_at(header, 20) | u32_at(header, 24) | u32_at(header, 28);
        let sections_fit =
            section_count <= 16 && HEADER_BYTES + section_count * SECTION_ENTRY_BYTES <= total_bytes;
        if reserved != 0 || !sections_fit || !total_bytes.is_multiple_of(ALIGNMENT) {
            return Err(ArtifactError::Sections);
        }
        Ok(Self { isa, total_bytes, section_count })
    }

    /// The info, plan and constant sections, each exactly once, and state, at most once, in ascending order.
    pub(super) const fn sections<'a>(&self, bytes: &'a [u8]) -> Option<Sections<'a>> {
        let mut found: [Option<&'a [u8]>; 4] = [None; 4];
        let first = HEADER_BYTES + self.section_count * SECTION_ENTRY_BYTES;
        let (mut entry, mut free_from) = (HEADER_BYTES, first);
        while entry < first {
            let kind = u32_at(bytes, entry) as usize;
            let offset = u32_at(bytes, entry + 4) as usize;
            let length = u32_at(bytes, entry + 8) as usize;
            let reserved = u32_at(bytes, entry + 12);
            let is_in_order = offset >= free_from && offset.is_multiple_of(ALIGNMENT) && reserved == 0;
            let is_new = 1 <= kind && kind <= found.len() && found[kind - 1].is_none();
            if !(is_in_order && is_new && offset <= bytes.len() && length <= bytes.len() - offset) {
                return None;
            }
            found[kind - 1] = Some(bytes.split_at(offset).1.split_at(length).0);
            free_from = offset + length;
            entry += SECTION_ENTRY_BYTES;
        }
        match found {
            [Some(info), Some(plan), Some(constants), Some(state)] => {
                Some(Sections { info, plan, constants, state })
            }
            [Some(info), Some(plan), Some(constants), None] => {
                Some(Sections { info, plan, constants, state: &[] })
            }
            _ => None,
        }
    }
}

/// Whether `bytes`, however few, are those that an artifact begins with.
const fn begin_as_magic(bytes: &[u8]) -> bool {
    let mut index = 0;
    while index < MAGIC.len() && index < bytes.len() {
        if bytes[index] != MAGIC[index] {
            return false;
        }
        index += 1;
    }
    index > 0
}

const fn truncated(needed: usize, bytes: &[u8]) -> ArtifactError {
    ArtifactError::Truncated { needed_bytes: needed as u32, available_bytes: bytes.len() as u32 }
}

#[inline]
const fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

#[inline]
pub(crate) const fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
