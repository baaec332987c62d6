//! Sequences whose cycles were counted by hand from the manual's table.

use super::*;

/// The cycles of each instruction of a sequence, given as halfwords: `&[0x4770]`, `&[0xFB90, 0xF0F1]`.
#[track_caller]
fn check(sequence: &[&[u16]], expected: &[u32]) {
    let instructions = sequence.iter().map(|halfwords| match **halfwords {
        [only] => Instruction::Narrow(only),
        [first, second] => Instruction::Wide(first, second),
        _ => panic!("{halfwords:x?} is no instruction"),
    });
    assert_eq!(cycles(instructions).collect::<Vec<_>>(), expected);
}

#[test]
fn instructions_are_read_in_the_order_of_their_halfwords() {
    let narrow = Instruction::from_bytes(&[0x70, 0x47, 0x90, 0xFB]);
    assert_eq!(narrow, Some(Instruction::Narrow(0x4770)), "what follows belongs to the next one");
    assert_eq!(Instruction::from_bytes(&[0x90, 0xFB, 0xF1, 0xF0]), Some(Instruction::Wide(0xFB90, 0xF0F1)));
    assert_eq!(Instruction::from_bytes(&[0x90, 0xFB]), None);
}

#[test]
fn arithmetic_takes_a_cycle_and_a_divide_seven() {
    check(
        &[
            &[0x1840],         // adds r0, r0, r1
            &[0x4348],         // muls r0, r1, r0
            &[0xFB20, 0x3101], // smlad r1, r0, r1, r3
            &[0xFBC0, 0x2301], // smlal r2, r3, r0, r1
            &[0xFB90, 0xF0F1], // sdiv r0, r0, r1
            &[0xFBB0, 0xF0F1], // udiv r0, r0, r1
            &[0xF3AF, 0x8000], // nop.w
        ],
        &[1, 1, 1, 1, 7, 7, 1],
    );
}

#[test]
fn a_load_overlaps_with_the_one_before_it() {
    check(
        &[
            &[0x6801],         // ldr r1, [r0]
            &[0x6842],         // ldr r2, [r0, #4]
            &[0xF850, 0x3B04], // ldr r3, [r0], #4
            &[0x1889],         // adds r1, r1, r2
            &[0x4801],         // ldr r0, [pc, #4]
            &[0x9901],         // ldr r1, [sp, #4]
            &[0x5C42],         // ldrb r2, [r0, r1]
        ],
        &[2, 1, 1, 1, 2, 1, 1],
    );
}

#[test]
fn a_load_waits_for_its_address() {
    check(
        &[
            &[0x6800], // ldr r0, [r0]
            &[0x6801], // ldr r1, [r0]
            &[0x680A], // ldr r2, [r1]
            &[0x6843], // ldr r3, [r0, #4]
        ],
        &[2, 2, 2, 1],
    );
}

#[test]
fn stores_with_a_constant_offset_are_buffered() {
    check(
        &[
            &[0x6001],         // str r1, [r0]
            &[0x7001],         // strb r1, [r0]
            &[0x8001],         // strh r1, [r0]
            &[0x9101],         // str r1, [sp, #4]
            &[0xF8C0, 0x1004], // str.w r1, [r0, #4]
            &[0x5081],         // str r1, [r0, r2]
            &[0xF840, 0x1022], // str.w r1, [r0, r2, lsl #2]
            &[0x6801],         // ldr r1, [r0]
            &[0x5081],         // str r1, [r0, r2]: overlaps with the load
            &[0x6801],         // ldr r1, [r0]: nothing overlaps with a store before it
        ],
        &[1, 1, 1, 1, 1, 2, 2, 2, 1, 2],
    );
}

#[test]
fn several_words_take_one_more_than_their_number() {
    check(
        &[
            &[0xB5F0],         // push {r4-r7, lr}
            &[0xC907],         // ldm r1!, {r0-r2}
            &[0xC103],         // stm r1!, {r0, r1}
            &[0xE8B1, 0x00FC], // ldm.w r1!, {r2-r7}
            &[0xE9D0, 0x1200], // ldrd r1, r2, [r0]
            &[0xE9C0, 0x1200], // strd r1, r2, [r0]
            &[0xE8F0, 0x1202], // ldrd r1, r2, [r0], #8
            &[0x6801],         // ldr r1, [r0]: nothing overlaps with several words
            &[0xBDF0],         // pop {r4-r7, pc}
        ],
        &[6, 4, 3, 7, 3, 3, 3, 2, 6],
    );
}

#[test]
fn exclusive_accesses_and_table_branches_take_two() {
    check(
        &[
            &[0xE850, 0x1F00], // ldrex r1, [r0]
            &[0xE840, 0x2100], // strex r1, r2, [r0]
            &[0xE8D0, 0x1F4F], // ldrexb r1, [r0]
            &[0xE8D0, 0xF001], // tbb [r0, r1]
            &[0xE8D0, 0xF011], // tbh [r0, r1, lsl #1]
        ],
        &[2, 2, 2, 2, 2],
    );
}

#[test]
fn floating_point_has_its_own_costs() {
    check(
        &[
            &[0xEE30, 0x0A20], // vadd.f32 s0, s0, s1
            &[0xEE20, 0x0A20], // vmul.f32 s0, s0, s1
            &[0xEE00, 0x0A20], // vmla.f32 s0, s0, s1
            &[0xEEA0, 0x0A20], // vfma.f32 s0, s0, s1
            &[0xEE80, 0x0A20], // vdiv.f32 s0, s0, s1
            &[0xEEB1, 0x0AE0], // vsqrt.f32 s0, s1
            &[0xEE00, 0x0A10], // vmov s0, r0
            &[0xEC51, 0x0B10], // vmov r0, r1, d0
            &[0xED90, 0x0A00], // vldr s0, [r0]
            &[0xEDD0, 0x0A01], // vldr s1, [r0, #4]
            &[0xED80, 0x0A00], // vstr s0, [r0]
            &[0xECB0, 0x0A04], // vldm r0!, {s0-s3}
        ],
        &[1, 1, 3, 3, 14, 14, 1, 2, 2, 1, 1, 5],
    );
}

#[test]
fn a_loop_pays_for_each_time_round() {
    // 100: ldr r2, [r0], #4; 104: ldr r3, [r1], #4; 108: smlad r4, r2, r3, r4; 10c: subs r5, #1;
    // 10e: bne 100.
    let body: [&[u16]; 5] = [&[0xF850, 0x2B04], &[0xF851, 0x3B04], &[0xFB22, 0x4403], &[0x3D01], &[0xD1F7]];
    check(&body, &[2, 1, 1, 1, 1]);
    assert_eq!(refill_cycles(0x110, 0x100), 2, "taken");
    assert_eq!(refill_cycles(0x110, 0x110), 0, "not taken");
}
