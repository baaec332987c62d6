//! The model slot on a board: an artifact at its start, a commit record at its end.
//!
//! The record is written after everything else, so a slot whose record matches holds a whole
//! artifact. It lies in the slot's last [`COMMIT_BYTES`], or in the whole program units that hold
//! them, and starts at a multiple of the program unit.

/// Bytes of the commit record.
pub const COMMIT_BYTES: usize = 16;

const MAGIC: [u8; 4] = *b"EPOK";

/// What makes a slot valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Bytes of the artifact at the slot's start.
    pub length: u32,
    /// CRC-32 (ISO-HDLC) of those bytes.
    pub crc32: u32,
    /// Rises by one with every model written, so that the newer of two slots is known.
    pub counter: u32,
}

impl Commit {
    /// The record of `artifact`.
    pub fn of(artifact: &[u8], counter: u32) -> Self {
        Self { length: artifact.len() as u32, crc32: crc32(artifact), counter }
    }

    /// Where a slot of `slot_bytes` with this program unit holds its record; `None` where the slot is
    /// too small for one.
    pub fn offset(slot_bytes: u32, program_unit: u32) -> Option<u32> {
        let unit = program_unit.max(COMMIT_BYTES as u32);
        slot_bytes.checked_sub(unit).map(|last| last - last % unit)
    }

    /// The record's bytes: magic, length, CRC, counter, little-endian.
    pub fn to_bytes(self) -> [u8; COMMIT_BYTES] {
        let mut bytes = [0; COMMIT_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.crc32.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.counter.to_le_bytes());
        bytes
    }

    /// The record in `bytes`; `None` where there is none (erased or half-written).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; COMMIT_BYTES] = bytes.get(..COMMIT_BYTES)?.try_into().ok()?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        (bytes[0..4] == MAGIC).then(|| Self { length: word(4), crc32: word(8), counter: word(12) })
    }

    /// The artifact it vouches for at the start of `slot`; `None` when length or CRC do not match.
    pub fn committed<'a>(&self, slot: &'a [u8]) -> Option<&'a [u8]> {
        slot.get(..self.length as usize).filter(|artifact| crc32(artifact) == self.crc32)
    }
}

/// What a host that has written a slot through a debug probe asks of the next start: to run that slot's model, which has
/// no commit record yet. It lies in the last bytes of RAM, and a runner takes it from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Which slot: 0, or 1 for the second.
    pub slot: u32,
    /// Bytes of the artifact at the slot's start.
    pub length: u32,
}

impl Trial {
    /// Bytes in RAM.
    pub const BYTES: usize = 16;
    const MAGIC: [u8; 4] = *b"EPTR";

    /// As it lies in RAM: magic, slot, length, CRC-32 of these, little-endian.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..4].copy_from_slice(&Self::MAGIC);
        bytes[4..8].copy_from_slice(&self.slot.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        let crc = crc32(&bytes[..12]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What `bytes` ask; `None` where they ask nothing, as after power-on.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let asks = bytes[0..4] == Self::MAGIC && crc32(&bytes[..12]) == word(12);
        asks.then(|| Self { slot: word(4), length: word(8) })
    }
}

/// CRC-32 (ISO-HDLC: polynomial 0x04C11DB7 reflected, initial value and final xor all ones).
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc32::new();
    crc.update(bytes);
    crc.finish()
}

/// [`crc32`] of bytes that come piece by piece. By half bytes: a table of 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc32(u32);

impl Crc32 {
    const TABLE: [u32; 16] = {
        let mut table = [0u32; 16];
        let mut i = 0;
        while i < 16 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 4 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };

    /// The CRC of nothing yet.
    pub const fn new() -> Self {
        Self(!0)
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 ^= u32::from(byte);
            self.0 = self.0 >> 4 ^ Self::TABLE[(self.0 & 15) as usize];
            self.0 = self.0 >> 4 ^ Self::TABLE[(self.0 & 15) as usize];
        }
    }

    /// The CRC of all that was taken.
    pub const fn finish(self) -> u32 {
        !self.0
    }
}

impl Default for Crc32 {
    fn default() -> Self {
        Self::new()
    }
}
