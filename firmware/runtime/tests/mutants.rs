//! Damaged artifacts: each is refused, or runs to its end inside its arena. The digest, which would
//! refuse nearly all of them, is not consulted.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::artifact::{ALIGNMENT, HEADER_BYTES, SECTION_ENTRY_BYTES};
use edgepkg_runtime::Model;

/// An artifact with every kind of record.
const EVERY_OPERATOR: &[u8] = include_bytes!("../../format/tests/golden/v1.epa");

/// One with every kind of record of int16.
const INT16: &[u8] = include_bytes!("../../format/tests/golden/v1-int16.epa");

/// One that keeps state.
const STATE: &[u8] = include_bytes!("../../format/tests/golden/v1-state.epa");

/// One with recurrent layers.
const RECURRENT: &[u8] = include_bytes!("../../format/tests/golden/v1-recurrent.epa");

/// MLPerf Tiny's keyword-spotting model.
const KEYWORDS: &[u8] = include_bytes!("data/kws.epa");

/// Arenas above this are not tried: a run takes time in proportion.
const GREATEST_ARENA_BYTES: usize = 1 << 16;
const GUARD: i8 = 0x5a;
const GUARD_BYTES: usize = 64;

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Where the constant section starts: the bytes before it decide what is executed.
fn constants_start(artifact: &[u8]) -> usize {
    let entry = HEADER_BYTES + 2 * SECTION_ENTRY_BYTES;
    u32::from_le_bytes(artifact[entry + 4..entry + 8].try_into().unwrap()) as usize
}

fn set_word(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

/// Damages `bytes` at one place; most often before `constants`, where the constant section starts.
fn damage(bytes: &mut Vec<u8>, constants: usize, random: &mut Random) {
    let end = if random.below(16) == 0 { bytes.len() } else { constants.min(bytes.len()) };
    // The magic and the version alone would refuse it.
    let place = |random: &mut Random| 10 + random.below(end.saturating_sub(14).max(1));
    if bytes.len() < HEADER_BYTES + 3 * SECTION_ENTRY_BYTES {
        return;
    }
    match random.below(16) {
        0..4 => {
            let at = place(random);
            bytes[at] ^= 1 << random.below(8);
        }
        4..6 => {
            let at = place(random);
            bytes[at] = random.pick(&[0, 1, 2, 0x7f, 0x80, 0xff]);
        }
        6..11 => {
            let at = place(random) & !3;
            let near = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let words = [
                0,
                1,
                16,
                u32::MAX,
                i32::MIN as u32,
                i32::MAX as u32,
                1 << 15,
                1 << 28,
                near.wrapping_add(1),
                near.wrapping_sub(1),
            ];
            set_word(bytes, at, random.pick(&words));
        }
        11..13 => {
            let (from, to) = (place(random) & !3, place(random) & !3);
            let length = 4 * random.below(32);
            let piece: Vec<u8> = bytes[from..].iter().copied().take(length).collect();
            let room = piece.len().min(bytes.len() - to);
            bytes[to..to + room].copy_from_slice(&piece[..room]);
        }
        13 => {
            let field = random.below(3 * SECTION_ENTRY_BYTES / 4);
            let value = random.below(bytes.len() + ALIGNMENT);
            let value = if field.is_multiple_of(4) { value % 5 } else { value & !random.pick(&[0, 3, 15]) };
            set_word(bytes, HEADER_BYTES + 4 * field, value as u32);
        }
        14 => {
            let length = random.below(bytes.len());
            bytes.truncate(length);
        }
        _ => {
            // A shorter artifact that states its length.
            let length = random.below(bytes.len()) & !(ALIGNMENT - 1);
            set_word(bytes, 12, length as u32);
        }
    }
}

/// Runs `artifact`, if it can be parsed, in exactly the arena that it states. Gives whether it ran.
fn run(artifact: &[u8]) -> bool {
    let Ok(model) = Model::parse(artifact) else { return false };
    let arena_bytes = model.arena_bytes();
    if arena_bytes > GREATEST_ARENA_BYTES {
        return false;
    }
    let mut memory = AlignedBytes::from(&vec![GUARD as u8; arena_bytes + 2 * GUARD_BYTES][..]);
    let memory: &mut [i8] = bytemuck::cast_slice_mut(&mut memory);
    let mut session = model.session(&mut memory[GUARD_BYTES..][..arena_bytes]).unwrap();
    let info = model.info();
    for index in 0..info.inputs.len() {
        let _ = session.input(index).unwrap();
    }
    session.run().unwrap();
    for index in 0..info.outputs.len() {
        let _ = session.output(index).unwrap().values_i8().count();
    }
    let (before, rest) = memory.split_at(GUARD_BYTES);
    assert!(before.iter().chain(&rest[arena_bytes..]).all(|&byte| byte == GUARD), "it wrote past its arena");
    true
}

fn check_mutants(artifact: &[u8], mutants: u64) {
    assert!(run(&AlignedBytes::from(artifact)), "undamaged, it runs");
    let mut ran = 0;
    for seed in 0..mutants {
        let mut random = Random(seed);
        let mut bytes = artifact.to_vec();
        for _ in 0..random.pick(&[1, 1, 1, 2, 3]) {
            damage(&mut bytes, constants_start(artifact), &mut random);
        }
        ran += u64::from(run(&AlignedBytes::from(&bytes[..])));
    }
    // Neither of the two is to be a rarity, or the test says little.
    assert!((mutants / 10..mutants * 9 / 10).contains(&ran), "{ran} of {mutants} mutants ran");
}

#[test]
fn mutants_of_every_operator_are_refused_or_run() {
    check_mutants(EVERY_OPERATOR, 10_000);
}

#[test]
fn mutants_of_operators_of_int16_are_refused_or_run() {
    check_mutants(INT16, 10_000);
}

#[test]
fn mutants_of_what_keeps_state_are_refused_or_run() {
    check_mutants(STATE, 10_000);
}

#[test]
fn mutants_of_recurrent_layers_are_refused_or_run() {
    check_mutants(RECURRENT, 10_000);
}

#[test]
fn mutants_of_a_real_model_are_refused_or_run() {
    check_mutants(KEYWORDS, 1000);
}
