//! The store that a watchpoint stopped the core at.
//!
//! QEMU stops before it is executed, and names the watched region's start, not what is written. So the instruction is
//! decoded, and executed with no watchpoint in its way.

use std::io;
use std::ops::Range;

use crate::gdb::Register;
use crate::qemu::Qemu;

/// Where the instruction at `program_counter` stores to, where it is a store of Armv6-M (Armv6-M ARM, A5.2).
pub(crate) fn destination(qemu: &mut Qemu, program_counter: u32) -> io::Result<Option<Range<u32>>> {
    let mut bytes = [0; 2];
    qemu.qtest.read(program_counter & !1, &mut bytes)?;
    let Some(store) = Store::decode(u16::from_le_bytes(bytes)) else { return Ok(None) };
    let mut address = qemu.gdb.read_register(Register::General(store.base))?.wrapping_add(store.offset);
    if let Some(index) = store.index {
        address = address.wrapping_add(qemu.gdb.read_register(Register::General(index))?);
    }
    Ok(Some(address..address.wrapping_add(store.length)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Store {
    base: u8,
    offset: u32,
    index: Option<u8>,
    /// Bytes that are stored.
    length: u32,
}

impl Store {
    fn decode(instruction: u16) -> Option<Self> {
        let field = |shift: u16| (instruction >> shift & 7) as u8;
        let offset = u32::from(instruction >> 6 & 31);
        let immediate = |length: u32| Self { base: field(3), offset: offset * length, index: None, length };
        let register = |length| Self { base: field(3), offset: 0, index: Some(field(6)), length };
        match instruction >> 11 {
            0b01100 => Some(immediate(4)),
            0b10000 => Some(immediate(2)),
            0b01110 => Some(immediate(1)),
            0b01010 => match instruction >> 9 & 3 {
                0b00 => Some(register(4)),
                0b01 => Some(register(2)),
                0b10 => Some(register(1)),
                _ => None,
            },
            0b11000 => {
                let words = (instruction & 0xFF).count_ones();
                Some(Self { base: field(8), offset: 0, index: None, length: 4 * words })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_decoded() {
        let store = |base, offset, index, length| Some(Store { base, offset, index, length });
        // str r1, [r0]; str r4, [r2, #8]; strb r3, [r1, #2]; strh r0, [r5, #6]
        assert_eq!(Store::decode(0x6001), store(0, 0, None, 4));
        assert_eq!(Store::decode(0x6094), store(2, 8, None, 4));
        assert_eq!(Store::decode(0x708B), store(1, 2, None, 1));
        assert_eq!(Store::decode(0x80E8), store(5, 6, None, 2));
        // str r0, [r1, r2]; stmia r0!, {r3, r4}
        assert_eq!(Store::decode(0x5088), store(1, 0, Some(2), 4));
        assert_eq!(Store::decode(0xC018), store(0, 0, None, 8));
        // ldr r1, [r0]; nop
        assert_eq!(Store::decode(0x6801), None);
        assert_eq!(Store::decode(0xBF00), None);
    }
}
