//! Thumb-2, as far as the stack is concerned. Encodings: Armv7-M ARM (DDI 0403), A5 and A7.

use super::instruction::{Flow, Instruction, StackEffect, sign_extend};

const SP: u32 = 13;
const LR: u32 = 14;
const PC: u32 = 15;

/// The instructions in `code`, which lies at `address`.
pub(super) fn decode(code: &[u8], address: u64) -> Vec<Instruction> {
    let half = |at: usize| code.get(at..at + 2).map(|half| u32::from(u16::from_le_bytes([half[0], half[1]])));
    let mut instructions = Vec::new();
    let mut at = 0;
    let mut conditional = 0;
    while let Some(first) = half(at) {
        let here = address + at as u64;
        let is_wide = first >> 11 >= 0b11101;
        let (bytes, stack, flow) = match half(at + 2).filter(|_| is_wide) {
            Some(second) => (4, wide_stack_effect(first, second), wide_flow(first, second, here)),
            None => (2, narrow_stack_effect(first), narrow_flow(first, here)),
        };
        let (stack, flow) =
            if conditional > 0 { (maybe_stack(stack), maybe_flow(flow)) } else { (stack, flow) };
        conditional = match first {
            // IT: its mask's lowest set bit says how many instructions follow.
            _ if !is_wide && first >> 8 == 0xBF && first & 0xF != 0 => 4 - first.trailing_zeros(),
            _ => conditional.saturating_sub(1),
        };
        instructions.push(Instruction { address: here, bytes, stack, flow });
        at += bytes as usize;
    }
    instructions
}

/// An instruction that may not be executed: what it gives back may still be taken.
fn maybe_stack(effect: StackEffect) -> StackEffect {
    match effect {
        StackEffect::Take(bytes) if bytes < 0 => StackEffect::None,
        effect => effect,
    }
}

fn maybe_flow(flow: Flow) -> Flow {
    match flow {
        Flow::Return => Flow::ConditionalReturn,
        Flow::Jump(target) => Flow::Branch(target),
        Flow::Stop => Flow::Next,
        flow => flow,
    }
}

fn field(word: u32, high: u32, low: u32) -> u32 {
    word >> low & ((1 << (high - low + 1)) - 1)
}

fn narrow_flow(word: u32, address: u64) -> Flow {
    let target = |offset: i64| address.wrapping_add_signed(4 + offset);
    let register = field(word, 6, 3);
    match word {
        // B<cond>; UDF.
        _ if word >> 12 == 0xD => match field(word, 11, 8) {
            14 => Flow::Stop,
            15 => Flow::Next,
            _ => Flow::Branch(target(sign_extend(word & 0xFF, 8) * 2)),
        },
        _ if word >> 11 == 0b11100 => Flow::Jump(target(sign_extend(word & 0x7FF, 11) * 2)),
        // CBZ, CBNZ.
        _ if word & 0xF500 == 0xB100 => {
            Flow::Branch(target(i64::from(field(word, 9, 9) << 6 | field(word, 7, 3) << 1)))
        }
        // POP with PC.
        _ if word >> 8 == 0xBD => Flow::Return,
        _ if word & 0xFF80 == 0x4700 && register == LR => Flow::Return,
        _ if word & 0xFF80 == 0x4700 => Flow::IndirectJump,
        _ if word & 0xFF80 == 0x4780 => Flow::IndirectCall,
        // MOV and ADD into PC: but for a return, compilers jump so into tables of branches, and nowhere else.
        _ if matches!(word >> 8, 0x44 | 0x46) && high_destination(word) == PC => {
            if word == 0x46F7 {
                Flow::Return
            } else {
                Flow::TableJump
            }
        }
        _ => Flow::Next,
    }
}

fn high_destination(word: u32) -> u32 {
    field(word, 7, 7) << 3 | field(word, 2, 0)
}

fn narrow_stack_effect(word: u32) -> StackEffect {
    let registers = i64::from((word & 0x1FF).count_ones());
    match word >> 8 {
        0xB4 | 0xB5 => StackEffect::Take(4 * registers),
        0xBC | 0xBD => StackEffect::Take(-4 * registers),
        0xB0 if field(word, 7, 7) == 1 => StackEffect::Take(i64::from(word & 0x7F) * 4),
        0xB0 => StackEffect::Take(-i64::from(word & 0x7F) * 4),
        0x44 | 0x46 if high_destination(word) == SP => StackEffect::Set,
        _ => StackEffect::None,
    }
}

fn wide_flow(first: u32, second: u32, address: u64) -> Flow {
    let target = |offset: i64| address.wrapping_add_signed(4 + offset);
    let sign = field(first, 10, 10);
    let [j1, j2] = [field(second, 13, 13), field(second, 11, 11)];
    if first >> 11 == 0b11110 && second & 0x8000 != 0 {
        let [i1, i2] = [j1, j2].map(|j| 1 ^ j ^ sign);
        let far = sign << 23 | i1 << 22 | i2 << 21 | field(first, 9, 0) << 11 | field(second, 10, 0);
        return match second & 0xD000 {
            0xD000 => Flow::Call(target(sign_extend(far, 24) * 2)),
            0x9000 => Flow::Jump(target(sign_extend(far, 24) * 2)),
            0x8000 if field(first, 9, 6) < 14 => {
                let near = sign << 19 | j2 << 18 | j1 << 17 | field(first, 5, 0) << 11 | field(second, 10, 0);
                Flow::Branch(target(sign_extend(near, 20) * 2))
            }
            0x8000 if first & 0xFFF0 == 0xF7F0 && second & 0xF000 == 0xA000 => Flow::Stop,
            _ => Flow::Next,
        };
    }
    let loads_pc = field(second, 15, 12) == PC;
    match first {
        // POP.W with PC.
        0xE8BD if second & 0x8000 != 0 => Flow::Return,
        // LDR PC, [SP], #4.
        0xF85D if loads_pc && second & 0xF00 == 0xB00 => Flow::Return,
        // LDR into PC otherwise.
        _ if matches!(first & 0xFFF0, 0xF8D0 | 0xF850) && loads_pc => Flow::IndirectJump,
        // TBB, TBH.
        _ if first & 0xFFF0 == 0xE8D0 && second & 0xFFE0 == 0xF000 => Flow::TableJump,
        _ => Flow::Next,
    }
}

fn wide_stack_effect(first: u32, second: u32) -> StackEffect {
    let byte = i64::from(second & 0xFF);
    let destination = field(second, 11, 8);
    let into_sp = second & 0x8000 == 0 && destination == SP;
    let plain = field(first, 10, 10) << 11 | field(second, 14, 12) << 8 | second & 0xFF;
    match first {
        // STMDB SP!, LDMIA SP!.
        0xE92D => StackEffect::Take(4 * i64::from(second.count_ones())),
        0xE8BD => StackEffect::Take(-4 * i64::from(second.count_ones())),
        // STR [SP, #-n]!, LDR [SP], #n.
        0xF84D if second & 0xF00 == 0xD00 => StackEffect::Take(byte),
        0xF85D if second & 0xF00 == 0xB00 => StackEffect::Take(-byte),
        // STRD [SP, #-n]!, LDRD [SP], #n.
        0xE96D => StackEffect::Take(4 * byte),
        0xE8FD => StackEffect::Take(-4 * byte),
        // VPUSH, VPOP.
        _ if first & 0xFFBF == 0xED2D && second & 0xE00 == 0xA00 => StackEffect::Take(4 * byte),
        _ if first & 0xFFBF == 0xECBD && second & 0xE00 == 0xA00 => StackEffect::Take(-4 * byte),
        // SUB.W, ADD.W, SUBW, ADDW of SP and an immediate into SP.
        _ if first & 0xFBEF == 0xF1AD && into_sp => StackEffect::Take(expand(plain)),
        _ if first & 0xFBEF == 0xF10D && into_sp => StackEffect::Take(-expand(plain)),
        _ if first & 0xFBFF == 0xF2AD && into_sp => StackEffect::Take(i64::from(plain)),
        _ if first & 0xFBFF == 0xF20D && into_sp => StackEffect::Take(-i64::from(plain)),
        // Other data processing into SP, or a load of it.
        _ if first >> 11 == 0b11110 && into_sp => StackEffect::Set,
        _ if first >> 9 == 0b1110101 && destination == SP => StackEffect::Set,
        _ if matches!(first & 0xFFF0, 0xF8D0 | 0xF850) && field(second, 15, 12) == SP => StackEffect::Set,
        _ => StackEffect::None,
    }
}

/// ThumbExpandImm (A5.3.2).
fn expand(constant: u32) -> i64 {
    let byte = constant & 0xFF;
    let value = match constant >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte * 0x0101_0101,
        _ => (0x80 | constant & 0x7F).rotate_right(constant >> 7),
    };
    i64::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(halves: &[u16], stack: StackEffect, flow: Flow) {
        let code: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        let bytes = code.len() as u64;
        assert_eq!(
            decode(&code, 0x1000),
            [Instruction { address: 0x1000, bytes, stack, flow }],
            "{halves:x?}"
        );
    }

    #[test]
    fn follows_the_stack_pointer() {
        let check = |halves: &[u16], taken| check(halves, StackEffect::Take(taken), Flow::Next);
        check(&[0xB5F0], 20); // push {r4-r7, lr}
        check(&[0xBC10], -4); // pop {r4}
        check(&[0xB082], 8); // sub sp, #8
        check(&[0xB002], -8); // add sp, #8
        check(&[0xE92D, 0x4FF0], 36); // push.w {r4-r11, lr}
        check(&[0xE8BD, 0x0FF0], -32); // pop.w {r4-r11}
        check(&[0xF84D, 0x8D04], 4); // str r8, [sp, #-4]!
        check(&[0xF85D, 0x8B04], -4); // ldr r8, [sp], #4
        check(&[0xED2D, 0x8B06], 24); // vpush {d8-d10}
        check(&[0xECBD, 0x8B06], -24); // vpop {d8-d10}
        check(&[0xF5AD, 0x7D00], 512); // sub.w sp, sp, #512
        check(&[0xF50D, 0x6D80], -1024); // add.w sp, sp, #1024
        check(&[0xF6AD, 0x0D0C], 2060); // subw sp, sp, #2060
    }

    #[test]
    fn finds_a_stack_pointer_that_is_computed() {
        check(&[0x46A5], StackEffect::Set, Flow::Next); // mov sp, r4
        check(&[0xF1A7, 0x0D10], StackEffect::Set, Flow::Next); // sub.w sp, r7, #16
        check(&[0xEBAD, 0x0D04], StackEffect::Set, Flow::Next); // sub.w sp, sp, r4
        check(&[0xF8D0, 0xD000], StackEffect::Set, Flow::Next); // ldr.w sp, [r0]
    }

    #[test]
    fn follows_control() {
        let check = |halves: &[u16], flow| check(halves, StackEffect::None, flow);
        check(&[0xF000, 0xF802], Flow::Call(0x1008)); // bl +4
        check(&[0xF7FF, 0xFFFE], Flow::Call(0x1000)); // bl -4
        check(&[0xF000, 0xB802], Flow::Jump(0x1008)); // b.w +4
        check(&[0xE7FE], Flow::Jump(0x1000)); // b .
        check(&[0xD101], Flow::Branch(0x1006)); // bne +2
        check(&[0xF040, 0x8002], Flow::Branch(0x1008)); // bne.w +4
        check(&[0xB118], Flow::Branch(0x100A)); // cbz r0, +6
        check(&[0x4770], Flow::Return); // bx lr
        check(&[0x4718], Flow::IndirectJump); // bx r3
        check(&[0x4798], Flow::IndirectCall); // blx r3
        check(&[0xE8DF, 0xF000], Flow::TableJump); // tbb [pc, r0]
        check(&[0xE8DF, 0xF012], Flow::TableJump); // tbh [pc, r2, lsl #1]
        check(&[0x46B7], Flow::TableJump); // mov pc, r6
        check(&[0xDEFE], Flow::Stop); // udf
        check(&[0xF3BF, 0x8F4F], Flow::Next); // dsb
    }

    #[test]
    fn returns_by_loading_the_program_counter() {
        check(&[0xBDF0], StackEffect::Take(-20), Flow::Return); // pop {r4-r7, pc}
        check(&[0xE8BD, 0x8FF0], StackEffect::Take(-36), Flow::Return); // pop.w {r4-r11, pc}
        check(&[0xF85D, 0xFB04], StackEffect::Take(-4), Flow::Return); // ldr pc, [sp], #4
    }

    #[test]
    fn what_is_conditional_may_not_happen() {
        // itt eq; addeq sp, #8; popeq {r4, pc}; push {r4}
        let code = [0xBF04_u16, 0xB002, 0xBD10, 0xB410].map(u16::to_le_bytes).concat();
        let found: Vec<_> = decode(&code, 0).iter().map(|i| (i.stack, i.flow)).collect();
        assert_eq!(
            found,
            [
                (StackEffect::None, Flow::Next),
                (StackEffect::None, Flow::Next),
                (StackEffect::None, Flow::ConditionalReturn),
                (StackEffect::Take(4), Flow::Next),
            ]
        );
    }
}
