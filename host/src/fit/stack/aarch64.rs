//! A64, as far as the stack is concerned. Encodings: Arm ARM (DDI 0487), C4.1.

use super::instruction::{Flow, Instruction, StackEffect, sign_extend};

/// The stack pointer's number where a register field means it.
const SP: u32 = 31;

/// How far back from a jump through a register its address may be computed.
const TABLE_WINDOW: usize = 16;

/// The instructions in `code`, which lies at `address`.
pub(super) fn decode(code: &[u8], address: u64) -> Vec<Instruction> {
    let words: Vec<u32> =
        code.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    let decode_at = |(index, &word): (usize, &u32)| {
        let address = address + 4 * index as u64;
        let before = &words[index.saturating_sub(TABLE_WINDOW)..index];
        Instruction { address, bytes: 4, stack: stack_effect(word), flow: flow(word, before, address) }
    };
    words.iter().enumerate().map(decode_at).collect()
}

fn field(word: u32, high: u32, low: u32) -> u32 {
    word >> low & ((1 << (high - low + 1)) - 1)
}

fn flow(word: u32, before: &[u32], address: u64) -> Flow {
    let target = |offset: u32, bits: u32| address.wrapping_add_signed(sign_extend(offset, bits) * 4);
    match word {
        _ if word >> 26 == 0b100101 => Flow::Call(target(field(word, 25, 0), 26)),
        _ if word >> 26 == 0b000101 => Flow::Jump(target(field(word, 25, 0), 26)),
        // B.cond; CBZ, CBNZ; TBZ, TBNZ.
        _ if word & 0xFF00_0010 == 0x5400_0000 => Flow::Branch(target(field(word, 23, 5), 19)),
        _ if word & 0x7E00_0000 == 0x3400_0000 => Flow::Branch(target(field(word, 23, 5), 19)),
        _ if word & 0x7E00_0000 == 0x3600_0000 => Flow::Branch(target(field(word, 18, 5), 14)),
        _ if word & 0xFFFF_FC1F == 0xD65F_0000 => Flow::Return,
        _ if word & 0xFFFF_FC1F == 0xD63F_0000 => Flow::IndirectCall,
        _ if word & 0xFFFF_FC1F == 0xD61F_0000 => {
            if is_from_table(field(word, 9, 5), before) {
                Flow::TableJump
            } else {
                Flow::IndirectJump
            }
        }
        // ERET; BRK; UDF.
        0xD69F_03E0 => Flow::Stop,
        _ if word & 0xFFE0_001F == 0xD420_0000 || word >> 16 == 0 => Flow::Stop,
        _ => Flow::Next,
    }
}

/// Whether `register` holds an address from a jump table: base plus entry, `ADD Xd, Xd, Xm, LSL #2`.
fn is_from_table(register: u32, before: &[u32]) -> bool {
    let writes = |word: &&u32| field(**word, 4, 0) == register;
    let is_add = |word: u32| word & 0xFF00_0000 == 0x8B00_0000 && field(word, 9, 5) == register;
    before.iter().rev().find(writes).is_some_and(|&word| is_add(word))
}

fn stack_effect(word: u32) -> StackEffect {
    let [rd, rn] = [field(word, 4, 0), field(word, 9, 5)];
    // ADD and SUB (immediate), 64-bit, no flags.
    if word & 0xBF80_0000 == 0x9100_0000 && rd == SP {
        let amount = i64::from(field(word, 21, 10)) << (12 * field(word, 22, 22));
        let is_sub = field(word, 30, 30) == 1;
        return match rn {
            SP if is_sub => StackEffect::Take(amount),
            SP => StackEffect::Take(-amount),
            _ => StackEffect::Set,
        };
    }
    // ADD and SUB (extended register), and AND, ORR, EOR (immediate), into the stack pointer.
    let extended = word & 0xBFE0_0000 == 0x8B20_0000;
    let logical = word & 0x9F80_0000 == 0x9200_0000 && field(word, 30, 29) != 0b11;
    if (extended || logical) && rd == SP {
        return StackEffect::Set;
    }
    if rn != SP {
        return StackEffect::None;
    }
    // Load and store pair, post- and pre-indexed.
    if word & 0x3A80_0000 == 0x2880_0000 {
        let opc = field(word, 31, 30);
        let scale = if field(word, 26, 26) == 1 { 4 << opc } else { 4 << (opc >> 1) };
        return StackEffect::Take(-sign_extend(field(word, 21, 15), 7) * scale);
    }
    // Load and store register, post- and pre-indexed.
    if word & 0x3B20_0400 == 0x3800_0400 {
        return StackEffect::Take(-sign_extend(field(word, 20, 12), 9));
    }
    StackEffect::None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: u32, stack: StackEffect, flow: Flow) {
        let found = decode(&word.to_le_bytes(), 0x1000);
        assert_eq!(found, [Instruction { address: 0x1000, bytes: 4, stack, flow }], "{word:#010x}");
    }

    #[test]
    fn follows_the_stack_pointer() {
        let check = |word, taken| check(word, StackEffect::Take(taken), Flow::Next);
        check(0xD100_83FF, 32); // sub sp, sp, #32
        check(0x9100_83FF, -32); // add sp, sp, #32
        check(0xD140_07FF, 4096); // sub sp, sp, #1, lsl #12
        check(0xA9BE_7BFD, 32); // stp x29, x30, [sp, #-32]!
        check(0xA8C2_7BFD, -32); // ldp x29, x30, [sp], #32
        check(0x6DBE_23E9, 32); // stp d9, d8, [sp, #-32]!
        check(0xF81F_0FFE, 16); // str x30, [sp, #-16]!
        check(0xF841_07FE, -16); // ldr x30, [sp], #16
        check(0xFC1E_0FEA, 32); // str d10, [sp, #-32]!
    }

    #[test]
    fn leaves_other_uses_of_the_stack_pointer_alone() {
        check(0xA901_7BFD, StackEffect::None, Flow::Next); // stp x29, x30, [sp, #16]
        check(0x9100_43FD, StackEffect::None, Flow::Next); // add x29, sp, #16
        check(0xF940_07E8, StackEffect::None, Flow::Next); // ldr x8, [sp, #8]
        check(0xEB1F_03FF, StackEffect::None, Flow::Next); // cmp xzr, xzr
        check(0xF100_03FF, StackEffect::None, Flow::Next); // cmp sp, #0
    }

    #[test]
    fn finds_a_stack_pointer_that_is_computed() {
        check(0x9100_03BF, StackEffect::Set, Flow::Next); // mov sp, x29
        check(0xCB28_63FF, StackEffect::Set, Flow::Next); // sub sp, sp, x8
        check(0x927B_E93F, StackEffect::Set, Flow::Next); // and sp, x9, #-32
    }

    #[test]
    fn follows_control() {
        let check = |word, flow| check(word, StackEffect::None, flow);
        check(0x9400_0004, Flow::Call(0x1010)); // bl +16
        check(0x97FF_FFFF, Flow::Call(0xFFC)); // bl -4
        check(0x1400_0002, Flow::Jump(0x1008)); // b +8
        check(0x5400_0041, Flow::Branch(0x1008)); // b.ne +8
        check(0xB400_0060, Flow::Branch(0x100C)); // cbz x0, +12
        check(0x3707_FFE8, Flow::Branch(0xFFC)); // tbnz w8, #0, -4
        check(0xD65F_03C0, Flow::Return); // ret
        check(0xD63F_0100, Flow::IndirectCall); // blr x8
        check(0xD61F_0040, Flow::IndirectJump); // br x2
        check(0xD420_0020, Flow::Stop); // brk #1
        check(0xD503_201F, Flow::Next); // nop
    }

    #[test]
    fn tells_a_jump_table_from_a_call_by_address() {
        let check = |code: [u32; 3], expect| {
            assert_eq!(decode(&code.map(u32::to_le_bytes).concat(), 0)[2].flow, expect);
        };
        // add x10, x10, x11, lsl #2; mov x21, x1; br x10
        check([0x8B0B_094A, 0xAA01_03F5, 0xD61F_0140], Flow::TableJump);
        // ldr x10, [x8, #24]; mov x21, x1; br x10
        check([0xF940_0D0A, 0xAA01_03F5, 0xD61F_0140], Flow::IndirectJump);
    }
}
