//! What each instruction costs on a Cortex-M4 whose memory never waits.
//!
//! The cycles are those of the instruction set summary in Arm's "Cortex-M4 Processor Technical Reference
//! Manual" (100166), 3.3: a load takes two, and one where it follows another that does not give its
//! address; a divide 2 to 12, taken as 7. Flash wait states, bus contention and caches are outside it.

/// What a taken branch adds: the manual's P, 1 to 3, is 2 for most targets.
const REFILL_CYCLES: u64 = 2;

/// The cycles of each of `instructions`, which run one after the other.
pub fn cycles(instructions: impl Iterator<Item = Instruction>) -> impl Iterator<Item = u32> {
    let mut previous = None;
    instructions.map(move |instruction| {
        let cost = Cost::of(instruction);
        cost.cycles_after(previous.replace(cost))
    })
}

/// The cycles that going on at `address` adds where the instruction before it ends at `end`: none
/// unless that has branched.
pub fn refill_cycles(end: u64, address: u64) -> u64 {
    if end == address { 0 } else { REFILL_CYCLES }
}

/// An instruction as it lies in memory: one halfword or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    Narrow(u16),
    Wide(u16, u16),
}

impl Instruction {
    /// The instruction that `bytes` begin with; `None` where they are too few.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut halfwords = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let first = halfwords.next()?;
        match first >> 11 {
            0b11101..=0b11111 => Some(Instruction::Wide(first, halfwords.next()?)),
            _ => Some(Instruction::Narrow(first)),
        }
    }

    /// Its bytes in memory.
    pub fn length(self) -> u64 {
        match self {
            Instruction::Narrow(_) => 2,
            Instruction::Wide(..) => 4,
        }
    }
}

/// What an instruction costs by itself, and how it uses the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub cycles: u32,
    pub access: Access,
}

/// The kinds of bus access by which neighbouring instructions overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No access, or one that overlaps with nothing: several words, exclusive.
    Alone,
    /// A load of one register.
    Load {
        /// The core register that it writes.
        destination: Option<u8>,
        base: u8,
    },
    /// A store of one register.
    Store,
}

const PC: u8 = 15;
const SP: u8 = 13;

impl Cost {
    /// What `instruction` costs where it overlaps with nothing and does not branch.
    pub fn of(instruction: Instruction) -> Self {
        match instruction {
            Instruction::Narrow(halfword) => narrow(halfword),
            Instruction::Wide(first, second) => wide(first, second),
        }
    }

    /// The cycles it takes after `previous`: the address phase of a load or store lies in the data phase
    /// of a load before it, unless that loads its address.
    pub fn cycles_after(self, previous: Option<Cost>) -> u32 {
        let Some(Access::Load { destination, .. }) = previous.map(|cost| cost.access) else {
            return self.cycles;
        };
        let overlaps = match self.access {
            Access::Alone => false,
            Access::Load { base, .. } => destination != Some(base),
            Access::Store => true,
        };
        if overlaps { 1 } else { self.cycles }
    }

    fn alone(cycles: u32) -> Self {
        Cost { cycles, access: Access::Alone }
    }

    /// Several words: the first takes two cycles, each other one.
    fn words(count: u32) -> Self {
        Cost::alone(1 + count)
    }

    fn load(destination: Option<u8>, base: u8) -> Self {
        Cost { cycles: 2, access: Access::Load { destination, base } }
    }

    /// A store to an address with a constant offset: the write buffer takes it.
    fn store() -> Self {
        Cost { cycles: 1, access: Access::Store }
    }

    fn store_with_register_offset() -> Self {
        Cost { cycles: 2, access: Access::Store }
    }
}

const ONE: Cost = Cost { cycles: 1, access: Access::Alone };

/// The register number in the three or four bits of `halfword` from `bit` on.
fn register(halfword: u16, bit: u32, mask: u16) -> u8 {
    (halfword >> bit & mask) as u8
}

/// 16 bits: Arm, "Armv7-M Architecture Reference Manual" (DDI 0403), A5.2.
fn narrow(halfword: u16) -> Cost {
    let low = |bit| register(halfword, bit, 7);
    match halfword >> 9 {
        // LDR from beside the code.
        0b010_0100..=0b010_0111 => Cost::load(Some(low(8)), PC),
        // Offset in a register: STR, STRH, STRB; LDRSB, LDR, LDRH, LDRB, LDRSH.
        0b010_1000..=0b010_1010 => Cost::store_with_register_offset(),
        0b010_1011..=0b010_1111 => Cost::load(Some(low(0)), low(3)),
        // PUSH and POP, with LR or PC.
        0b101_1010 | 0b101_1110 => Cost::words((halfword & 0x1FF).count_ones()),
        _ => match halfword >> 11 {
            // Offset in the instruction: STR, STRB, STRH, STR from the stack; their loads.
            0b01100 | 0b01110 | 0b10000 | 0b10010 => Cost::store(),
            0b01101 | 0b01111 | 0b10001 => Cost::load(Some(low(0)), low(3)),
            0b10011 => Cost::load(Some(low(8)), SP),
            // STM, LDM.
            0b11000 | 0b11001 => Cost::words((halfword & 0xFF).count_ones()),
            _ => ONE,
        },
    }
}

/// 32 bits: the same, A5.3.
fn wide(first: u16, second: u16) -> Cost {
    match first >> 9 {
        0b111_0100 if first & 1 << 6 == 0 => Cost::words(u32::from(second).count_ones()),
        0b111_0100 => dual_or_exclusive(first, second),
        0b111_1100 => single_access(first, second),
        0b111_1101 => multiply_or_divide(first),
        // Coprocessors 10 and 11 are the floating-point unit; the other bit of the first halfword is T.
        0b111_0110 => floating_point_access(first, second),
        0b111_0111 | 0b111_1111 if first & 1 << 8 == 0 => floating_point(first, second),
        _ => ONE,
    }
}

fn dual_or_exclusive(first: u16, second: u16) -> Cost {
    let is_table_branch = first & 0xFFF0 == 0xE8D0 && second & 0xFFE0 == 0xF000;
    // Neither pre-indexed nor written back: LDREX, STREX and their sizes.
    let is_exclusive = first & (1 << 8 | 1 << 5) == 0;
    if is_table_branch || is_exclusive { Cost::alone(2) } else { Cost::words(2) }
}

fn single_access(first: u16, second: u16) -> Cost {
    let is_load = first & 1 << 4 != 0;
    let has_register_offset = first & 1 << 7 == 0 && second & 1 << 11 == 0;
    match (is_load, has_register_offset) {
        (true, _) => Cost::load(Some(register(second, 12, 15)), register(first, 0, 15)),
        (false, true) => Cost::store_with_register_offset(),
        (false, false) => Cost::store(),
    }
}

/// A divide ends early; how early depends on its operands.
const DIVIDE_CYCLES: u32 = 7;

fn multiply_or_divide(first: u16) -> Cost {
    match first & 0xFFF0 {
        0xFB90 | 0xFBB0 => Cost::alone(DIVIDE_CYCLES),
        _ => ONE,
    }
}

/// VLDR, VSTR, VLDM, VSTM, and VMOV of two core registers.
fn floating_point_access(first: u16, second: u16) -> Cost {
    let (is_load, writes_back, is_indexed) = (first & 1 << 4 != 0, first & 1 << 5 != 0, first & 1 << 8 != 0);
    if first & 0xFFE0 == 0xEC40 {
        Cost::alone(2)
    } else if !is_indexed || writes_back {
        Cost::words(u32::from(second & 0xFF))
    } else if is_load {
        Cost::load(None, register(first, 0, 15))
    } else {
        Cost::store()
    }
}

const FUSED_OR_CHAINED_CYCLES: u32 = 3;
const DIVIDE_OR_ROOT_CYCLES: u32 = 14;

/// VMLA and its kin take three cycles, VDIV and VSQRT fourteen, the others one.
fn floating_point(first: u16, second: u16) -> Cost {
    let is_processing = second & 0x0E00 == 0x0A00 && second & 1 << 4 == 0;
    // The opcode, without the bit that holds the destination's lowest.
    match first >> 4 & 0b1011 {
        _ if !is_processing => ONE,
        0b0000 | 0b0001 | 0b1001 | 0b1010 => Cost::alone(FUSED_OR_CHAINED_CYCLES),
        0b1000 => Cost::alone(DIVIDE_OR_ROOT_CYCLES),
        0b1011 if first & 0xF == 1 && second & 0xC0 == 0xC0 => Cost::alone(DIVIDE_OR_ROOT_CYCLES),
        _ => ONE,
    }
}

#[cfg(test)]
mod tests;
