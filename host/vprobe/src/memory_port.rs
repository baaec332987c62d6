//! A memory access port (Arm IHI 0031, C2.2 and C2.6): what turns transfers into accesses of a bus.

use crate::debug_port::{AccessPorts, BusFault};

/// What the processor's own accesses go over too.
pub trait Bus {
    /// Reads from `address` on: an access of 1, 2 or 4 bytes, or whole words one after the other.
    ///
    /// # Errors
    ///
    /// Where nothing is there, or what is there refuses.
    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BusFault>;

    /// Writes as [`read`](Self::read) reads.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BusFault>;
}

// Registers (C2.6).
const CSW: u8 = 0x00;
const TAR: u8 = 0x04;
const DRW: u8 = 0x0C;
const BANKED_DATA: u8 = 0x10;
const BASE: u8 = 0xF8;
const IDR: u8 = 0xFC;

/// An AHB-AP: what a Cortex-M0's says.
const IDENTIFICATION: u32 = 0x0477_0021;
// CSW: size of an access in the lowest 3 bits, then automatic increment in 2; device enabled.
const SIZE: u32 = 0x7;
const INCREMENT: u32 = 0x30;
const WRITABLE: u32 = 0x7F00_0000 | 0x37;
const DEVICE_ENABLED: u32 = 1 << 6;
/// The address counts within blocks of this size (C2.2.2, where fewer bits cannot be relied on).
const INCREMENT_LIMIT: u32 = 1 << 10;

/// The port's registers.
#[derive(Debug)]
pub struct MemoryPort {
    control: u32,
    address: u32,
    /// Where the debugger finds the table of components.
    base: u32,
}

impl MemoryPort {
    /// A port whose components are listed at `base`.
    pub fn new(base: u32) -> Self {
        Self { control: 2, address: 0, base: base | 0b11 }
    }

    fn access_bytes(&self) -> Result<u32, BusFault> {
        match self.control & SIZE {
            size @ 0..=2 => Ok(1 << size),
            _ => Err(BusFault),
        }
    }

    fn advance(&mut self, bytes: u32) {
        if self.control & INCREMENT != 0 {
            let low = (self.address + bytes) % INCREMENT_LIMIT;
            self.address = (self.address / INCREMENT_LIMIT * INCREMENT_LIMIT) | low;
        }
    }

    fn read_data(&mut self, bus: &mut impl Bus) -> Result<u32, BusFault> {
        let length = self.access_bytes()?;
        let mut bytes = [0; 4];
        // Bytes travel in the lanes of their address.
        let lane = (self.address % 4) as usize;
        let place = bytes.get_mut(lane..lane + length as usize).ok_or(BusFault)?;
        bus.read(self.address, place)?;
        self.advance(length);
        Ok(u32::from_le_bytes(bytes))
    }

    fn write_data(&mut self, value: u32, bus: &mut impl Bus) -> Result<(), BusFault> {
        let length = self.access_bytes()?;
        let lane = (self.address % 4) as usize;
        let bytes = value.to_le_bytes();
        bus.write(self.address, bytes.get(lane..lane + length as usize).ok_or(BusFault)?)?;
        self.advance(length);
        Ok(())
    }

    /// Words that one access of the bus can take: all the same as that many transfers.
    fn run(&self, words: usize) -> usize {
        if self.control & (SIZE | INCREMENT) != 2 | 1 << 4 || !self.address.is_multiple_of(4) {
            return 0;
        }
        words.min(((INCREMENT_LIMIT - self.address % INCREMENT_LIMIT) / 4) as usize)
    }

    /// As many reads of DRW as there are `values`.
    ///
    /// # Errors
    ///
    /// Where the bus refuses one.
    pub fn read_block(&mut self, values: &mut [u32], bus: &mut impl Bus) -> Result<(), BusFault> {
        let mut rest = values;
        while !rest.is_empty() {
            let words = self.run(rest.len());
            if words == 0 {
                rest[0] = self.read_data(bus)?;
                rest = &mut rest[1..];
                continue;
            }
            let (head, tail) = rest.split_at_mut(words);
            let mut bytes = vec![0; 4 * words];
            bus.read(self.address, &mut bytes)?;
            for (value, word) in head.iter_mut().zip(bytes.chunks_exact(4)) {
                *value = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            }
            self.advance(4 * words as u32);
            rest = tail;
        }
        Ok(())
    }

    /// As many writes of DRW as there are `values`.
    ///
    /// # Errors
    ///
    /// Where the bus refuses one.
    pub fn write_block(&mut self, values: &[u32], bus: &mut impl Bus) -> Result<(), BusFault> {
        let mut rest = values;
        while !rest.is_empty() {
            let words = self.run(rest.len());
            if words == 0 {
                self.write_data(rest[0], bus)?;
                rest = &rest[1..];
                continue;
            }
            let (head, tail) = rest.split_at(words);
            let bytes: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
            bus.write(self.address, &bytes)?;
            self.advance(4 * words as u32);
            rest = tail;
        }
        Ok(())
    }
}

/// Access port 0 is a memory port on a bus; the others are not there, and read 0.
pub struct OnBus<'p, B> {
    /// The port.
    pub port: &'p mut MemoryPort,
    /// What it accesses.
    pub bus: &'p mut B,
}

impl<B: Bus> AccessPorts for OnBus<'_, B> {
    fn read(&mut self, port: u8, address: u8) -> Result<u32, BusFault> {
        if port != 0 {
            return Ok(0);
        }
        match address {
            CSW => Ok(self.port.control | DEVICE_ENABLED),
            TAR => Ok(self.port.address),
            DRW => self.port.read_data(self.bus),
            0x10..=0x1C => {
                let mut bytes = [0; 4];
                self.bus.read(self.port.address & !0xF | u32::from(address - BANKED_DATA), &mut bytes)?;
                Ok(u32::from_le_bytes(bytes))
            }
            BASE => Ok(self.port.base),
            IDR => Ok(IDENTIFICATION),
            _ => Ok(0),
        }
    }

    fn write(&mut self, port: u8, address: u8, value: u32) -> Result<(), BusFault> {
        match (port, address) {
            (0, CSW) => self.port.control = value & WRITABLE,
            (0, TAR) => self.port.address = value,
            (0, DRW) => self.port.write_data(value, self.bus)?,
            (0, 0x10..=0x1C) => {
                let place = self.port.address & !0xF | u32::from(address - BANKED_DATA);
                self.bus.write(place, &value.to_le_bytes())?;
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4 KiB of memory from 0 on, and the accesses that were made.
    struct Memory {
        bytes: Vec<u8>,
        accesses: Vec<(u32, usize)>,
    }

    impl Memory {
        fn new() -> Self {
            Self { bytes: vec![0; 4096], accesses: Vec::new() }
        }

        fn place(&mut self, address: u32, length: usize) -> Result<&mut [u8], BusFault> {
            self.accesses.push((address, length));
            self.bytes.get_mut(address as usize..address as usize + length).ok_or(BusFault)
        }
    }

    impl Bus for Memory {
        fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BusFault> {
            bytes.copy_from_slice(self.place(address, bytes.len())?);
            Ok(())
        }

        fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BusFault> {
            self.place(address, bytes.len())?.copy_from_slice(bytes);
            Ok(())
        }
    }

    const WORDS_INCREMENTING: u32 = 0x12;

    #[test]
    fn bytes_travel_in_their_lanes() {
        let (mut port, mut memory) = (MemoryPort::new(0), Memory::new());
        memory.bytes[..4].copy_from_slice(&[1, 2, 3, 4]);
        let mut ports = OnBus { port: &mut port, bus: &mut memory };
        ports.write(0, CSW, 0x10).unwrap();
        ports.write(0, TAR, 2).unwrap();
        assert_eq!(ports.read(0, DRW), Ok(3 << 16));
        assert_eq!(ports.read(0, DRW), Ok(4 << 24));
        ports.write(0, TAR, 1).unwrap();
        ports.write(0, DRW, 0xAABB_CCDD).unwrap();
        assert_eq!(memory.bytes[..4], [1, 0xCC, 3, 4]);
    }

    #[test]
    fn the_address_counts_within_a_kilobyte() {
        let (mut port, mut memory) = (MemoryPort::new(0), Memory::new());
        let mut ports = OnBus { port: &mut port, bus: &mut memory };
        ports.write(0, CSW, WORDS_INCREMENTING).unwrap();
        ports.write(0, TAR, 0x7FC).unwrap();
        ports.write(0, DRW, 1).unwrap();
        assert_eq!(ports.read(0, TAR), Ok(0x400));
    }

    #[test]
    fn a_block_is_the_same_as_its_transfers() {
        let values: Vec<u32> = (0..300).map(|index| index * 0x0101_0101).collect();
        for control in [WORDS_INCREMENTING, 2, 0x11, 0x10] {
            let (mut one_by_one, mut in_a_block) = (Memory::new(), Memory::new());
            let (mut port, mut block_port) = (MemoryPort::new(0), MemoryPort::new(0));
            let mut ports = OnBus { port: &mut port, bus: &mut one_by_one };
            ports.write(0, CSW, control).unwrap();
            ports.write(0, TAR, 0x900).unwrap();
            for &value in &values {
                ports.write(0, DRW, value).unwrap();
            }
            let mut ports = OnBus { port: &mut block_port, bus: &mut in_a_block };
            ports.write(0, CSW, control).unwrap();
            ports.write(0, TAR, 0x900).unwrap();
            block_port.write_block(&values, &mut in_a_block).unwrap();
            assert_eq!(one_by_one.bytes, in_a_block.bytes, "{control:#x}");
            assert_eq!(port.address, block_port.address, "{control:#x}");
            let mut read = vec![0; values.len()];
            block_port.address = 0x900;
            block_port.read_block(&mut read, &mut in_a_block).unwrap();
            port.address = 0x900;
            for value in read {
                assert_eq!(port.read_data(&mut one_by_one), Ok(value), "{control:#x}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_a_fault() {
        let (mut port, mut memory) = (MemoryPort::new(0xF000_0000), Memory::new());
        let mut ports = OnBus { port: &mut port, bus: &mut memory };
        assert_eq!(ports.read(0, BASE), Ok(0xF000_0003));
        ports.write(0, TAR, 0x1000).unwrap();
        assert_eq!(ports.read(0, DRW), Err(BusFault));
        assert_eq!(ports.read(1, IDR), Ok(0));
    }
}
