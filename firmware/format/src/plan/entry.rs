//! Records as they stand in the plan section: read in place, and written.

use super::field::WordWriter;
use super::{OperatorKind, RECORD_HEADER_BYTES, Record};
use crate::linked::{EveryOperator, Linked};

/// A record as it stands in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanEntry {
    /// Index of the quantized graph's node it computes.
    pub layer: u32,
    /// What is computed.
    pub record: Record,
}

/// Why a plan cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde-errors", derive(serde::Serialize, serde::Deserialize))]
pub enum PlanError {
    /// A record's header or body ends after the section does.
    Truncated {
        /// Byte of the record in the plan section.
        at: u32,
    },
    /// A kind that is not linked, or that this version does not know.
    UnknownOperator {
        /// Its code.
        kind: u16,
        /// Byte of the record in the plan section.
        at: u32,
    },
    /// A field with a value outside its type, or a length that is not the kind's.
    Malformed {
        /// What the record says it is.
        kind: OperatorKind,
        /// Byte of the record in the plan section.
        at: u32,
    },
}

/// Reads a plan section's records one after the other, where they lie.
#[derive(Clone, Copy, Debug)]
pub struct PlanReader<'a> {
    section: &'a [u8],
    at: usize,
}

impl<'a> PlanReader<'a> {
    /// A reader at the section's first record.
    pub fn new(section: &'a [u8]) -> Self {
        Self { section, at: 0 }
    }

    /// The reader that stands at byte `at` of the section, as [`position`](Self::position) gave it.
    #[must_use]
    pub fn at(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// Where the next record begins.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What the next record computes; `None` at the end.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or its operator is not known.
    pub fn next_kind(&self) -> Result<Option<OperatorKind>, PlanError> {
        let at = self.at as u32;
        match self.section.get(self.at..).unwrap_or_default() {
            [] => Ok(None),
            [low, high, ..] => {
                let kind = u16::from_le_bytes([*low, *high]);
                OperatorKind::from_code(kind).map(Some).ok_or(PlanError::UnknownOperator { kind, at })
            }
            _ => Err(PlanError::Truncated { at }),
        }
    }

    /// Puts the next record into `entry`, where it stays, since a record is large; `None` at the end.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or its operator is not linked. There is no next one then.
    #[inline(never)]
    pub fn read_next<L: Linked>(&mut self, entry: &mut Option<PlanEntry>) -> Result<(), PlanError> {
        *entry = None;
        let Some(rest) = self.section.get(self.at..).filter(|rest| !rest.is_empty()) else {
            return Ok(());
        };
        let at = self.at as u32;
        self.at = self.section.len();
        let Some((header, _)) = rest.split_first_chunk::<RECORD_HEADER_BYTES>() else {
            return Err(PlanError::Truncated { at });
        };
        let code = u16::from_le_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
        let layer = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let body = rest.get(RECORD_HEADER_BYTES..length);
        if let Some(body) = body
            && Record::read_fields::<L>(code, body, layer, entry)
        {
            self.at = at as usize + length;
            return Ok(());
        }
        *entry = None;
        let kind = OperatorKind::from_code(code).filter(|&kind| L::OPERATORS.contains(kind));
        Err(match (kind, body) {
            (None, _) => PlanError::UnknownOperator { kind: code, at },
            (Some(_), None) => PlanError::Truncated { at },
            (Some(kind), Some(_)) => PlanError::Malformed { kind, at },
        })
    }
}

impl Iterator for PlanReader<'_> {
    type Item = Result<PlanEntry, PlanError>;

    /// The next record; after an error there is none.
    fn next(&mut self) -> Option<Self::Item> {
        let mut entry = None;
        match self.read_next::<EveryOperator>(&mut entry) {
            Ok(()) => entry.map(Ok),
            Err(error) => Some(Err(error)),
        }
    }
}

impl PlanEntry {
    /// Bytes of the encoded record.
    pub fn encoded_bytes(&self) -> usize {
        self.record.encoded_bytes()
    }

    /// Encodes the record into `bytes`, which holds [`encoded_bytes`](Self::encoded_bytes).
    ///
    /// # Panics
    ///
    /// When `bytes` is shorter.
    pub fn encode(&self, bytes: &mut [u8]) {
        let length = self.encoded_bytes();
        bytes[0..2].copy_from_slice(&(self.record.kind() as u16).to_le_bytes());
        bytes[2..4].copy_from_slice(&(length as u16).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.layer.to_le_bytes());
        self.record.write_fields(&mut WordWriter::new(&mut bytes[RECORD_HEADER_BYTES..length]));
    }
}
