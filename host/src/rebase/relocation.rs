//! Addresses in Arm code and data: "ELF for the Arm Architecture" (Arm IHI 0044), 5.6.1.

use std::collections::BTreeMap;

use object::elf::{self, RelocationType};

use super::{Image, RebaseError};

/// Where an address stands, and how far what it names moves.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Its old address.
    pub address: u32,
    /// Its offset in the file.
    pub offset: usize,
    /// The symbol that is named.
    pub symbol: u32,
    /// How far that moves, modulo 2^32.
    pub by: u32,
    /// How far the place itself moves.
    pub own_shift: u32,
}

/// The relocations of one section, in the order of their addresses.
#[derive(Default)]
pub(super) struct Relocations {
    /// Lower halves whose upper half has not come yet, by the register they are loaded to: several of one address where
    /// branches that load it meet.
    lower_halves: BTreeMap<u16, Vec<Place>>,
}

impl Relocations {
    pub(super) fn apply(
        &mut self,
        kind: RelocationType,
        place: Place,
        image: &mut Image,
    ) -> Result<(), RebaseError> {
        match kind {
            elf::R_ARM_NONE | elf::R_ARM_V4BX => Ok(()),
            elf::R_ARM_ABS32 | elf::R_ARM_TARGET1 => {
                let value = image.word(place.offset)?.wrapping_add(place.by);
                image.set_word(place.offset, value)
            }
            elf::R_ARM_THM_MOVW_ABS_NC => {
                let half = Immediate::read(image, place.offset)?;
                let waiting = self.lower_halves.entry(half.register()).or_default();
                if let Some(other) = waiting.first()
                    && (other.symbol, Immediate::read(image, other.offset)?.value())
                        != (place.symbol, half.value())
                {
                    return Err(RebaseError::HalfAddress { address: other.address });
                }
                waiting.push(place);
                Ok(())
            }
            elf::R_ARM_THM_MOVT_ABS => self.apply_halves(place, image),
            // The distance between two places of one block stays.
            elf::R_ARM_THM_PC22
            | elf::R_ARM_THM_JUMP24
            | elf::R_ARM_THM_JUMP19
            | elf::R_ARM_THM_PC11
            | elf::R_ARM_THM_PC9
            | elf::R_ARM_REL32
            | elf::R_ARM_PREL31
                if place.by == place.own_shift =>
            {
                Ok(())
            }
            kind => Err(RebaseError::UnknownRelocation { kind: kind.0, address: place.address }),
        }
    }

    /// Both halves of an address. The lower one alone says what a sum carries into the upper one, so the instruction
    /// that loads it is found: the last one before it that loads the same register, on each way to it.
    fn apply_halves(&mut self, upper: Place, image: &mut Image) -> Result<(), RebaseError> {
        let upper_half = Immediate::read(image, upper.offset)?;
        let lowers = self.lower_halves.remove(&upper_half.register());
        let lowers = lowers.filter(|lowers| lowers[0].symbol == upper.symbol);
        let lowers = lowers.ok_or(RebaseError::HalfAddress { address: upper.address })?;
        let lower_half = Immediate::read(image, lowers[0].offset)?;
        let old = u32::from(upper_half.value()) << 16 | u32::from(lower_half.value());
        let new = old.wrapping_add(upper.by);
        for lower in lowers {
            Immediate::read(image, lower.offset)?.with_value(new as u16).write(image, lower.offset)?;
        }
        upper_half.with_value((new >> 16) as u16).write(image, upper.offset)
    }

    /// Whether every half address had its other half.
    pub(super) fn finish(self) -> Result<(), RebaseError> {
        match self.lower_halves.into_values().flatten().next() {
            None => Ok(()),
            Some(lonely) => Err(RebaseError::HalfAddress { address: lonely.address }),
        }
    }
}

/// `MOVW` or `MOVT` in Thumb, encodings T3 and T1: `11110 i 10x100 imm4`, `0 imm3 register imm8`.
struct Immediate {
    first: u16,
    second: u16,
}

impl Immediate {
    fn read(image: &mut Image, offset: usize) -> Result<Self, RebaseError> {
        Ok(Self { first: image.halfword(offset)?, second: image.halfword(offset + 2)? })
    }

    fn register(&self) -> u16 {
        self.second >> 8 & 0xF
    }

    /// `imm4:i:imm3:imm8`.
    fn value(&self) -> u16 {
        let Self { first, second } = *self;
        (first & 0xF) << 12 | (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    }

    fn with_value(&self, value: u16) -> Self {
        Self {
            first: self.first & !(0xF | 1 << 10) | value >> 12 | (value >> 11 & 1) << 10,
            second: self.second & !(7 << 12 | 0xFF) | (value >> 8 & 7) << 12 | value & 0xFF,
        }
    }

    fn write(&self, image: &mut Image, offset: usize) -> Result<(), RebaseError> {
        image.set_halfword(offset, self.first)?;
        image.set_halfword(offset + 2, self.second)
    }
}

#[cfg(test)]
mod tests {
    use super::Immediate;

    #[test]
    fn immediates_are_those_of_the_manual() {
        // movw r3, #0xABCD; movt r3, #0x2000
        let lower = Immediate { first: 0xF64A, second: 0x33CD };
        assert_eq!((lower.register(), lower.value()), (3, 0xABCD));
        let upper = Immediate { first: 0xF2C2, second: 0x0300 };
        assert_eq!((upper.register(), upper.value()), (3, 0x2000));
        for value in [0, 0x0800, 0x1234, 0xABCD, 0xFFFF] {
            let changed = lower.with_value(value);
            assert_eq!((changed.register(), changed.value()), (3, value));
            assert_eq!(changed.first & 0xFBF0, 0xF240);
        }
    }
}
