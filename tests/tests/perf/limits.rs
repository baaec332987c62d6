//! What figures may at most be, whatever is committed.

use crate::figures::Figures;

const BOARD: &str = "qemu-cortex-m4";
/// With the operators of the first release alone.
const BASE_RUNNER: &str = "qemu-cortex-m4-base";
const CODE_LIMIT_BYTES: u64 = 54 << 10;
/// Of keyword spotting, without the model.
const MINIMAL_IMAGE: &str = "qemu-cortex-m4-kws-embedded";
const MINIMAL_CODE_LIMIT_BYTES: u64 = 16 << 10;
const STACK_LIMIT_BYTES: u64 = 1024;

struct Limit {
    model: &'static str,
    arena_bytes: u64,
    /// To parse it and to open a session.
    start_instructions: u64,
    run_instructions: u64,
    /// Modelled.
    run_cycles: u64,
}

const LIMITS: [Limit; 5] = [
    Limit {
        model: "kws",
        arena_bytes: 10 << 10,
        start_instructions: 12_000,
        run_instructions: 3_500_000,
        run_cycles: 4_600_000,
    },
    Limit {
        model: "ad",
        arena_bytes: 1 << 10,
        start_instructions: u64::MAX,
        run_instructions: 320_000,
        run_cycles: 410_000,
    },
    Limit {
        model: "ic",
        arena_bytes: 35 << 10,
        start_instructions: u64::MAX,
        run_instructions: 13_200_000,
        run_cycles: 16_800_000,
    },
    Limit {
        model: "vww",
        arena_bytes: 56 << 10,
        start_instructions: 25_000,
        run_instructions: 5_600_000,
        run_cycles: 7_000_000,
    },
    Limit {
        model: "vww-all-channels",
        arena_bytes: 56 << 10,
        start_instructions: 25_000,
        run_instructions: 10_200_000,
        run_cycles: 12_500_000,
    },
];

#[track_caller]
pub fn check(measured: &Figures) {
    let code_bytes = measured.image[BASE_RUNNER].code_bytes;
    assert!(code_bytes <= CODE_LIMIT_BYTES, "{code_bytes} bytes of code");
    if let Some(minimal) = measured.image.get(MINIMAL_IMAGE) {
        let code_bytes = minimal.code_bytes;
        assert!(code_bytes <= MINIMAL_CODE_LIMIT_BYTES, "{code_bytes} bytes of code in a minimal image");
    }
    for limit in &LIMITS {
        let Some(of) = measured.model.get(limit.model).and_then(|boards| boards.get(BOARD)) else {
            continue;
        };
        assert!(of.arena_bytes <= limit.arena_bytes, "{}: an arena of {} bytes", limit.model, of.arena_bytes);
        assert!(of.stack_bytes <= STACK_LIMIT_BYTES, "{}: {} bytes of stack", limit.model, of.stack_bytes);
        let start = of.parse_instructions + of.session_instructions;
        assert!(start <= limit.start_instructions, "{}: {start} instructions to start", limit.model);
        let run = of.run_instructions;
        assert!(run <= limit.run_instructions, "{}: {run} instructions a run", limit.model);
        let cycles = of.run_cycles.unwrap_or_default();
        assert!(cycles <= limit.run_cycles, "{}: {cycles} modelled cycles a run", limit.model);
    }
}
