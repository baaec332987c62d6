//! What figures may at most be, whatever is committed.

use crate::figures::Figures;

const BOARD: &str = "qemu-cortex-m4";
const CODE_LIMIT_BYTES: u64 = 48 << 10;

struct Limit {
    model: &'static str,
    arena_bytes: u64,
    /// To parse it and to open a session.
    start_instructions: u64,
}

const LIMITS: [Limit; 4] = [
    Limit { model: "kws", arena_bytes: 16_896, start_instructions: 20_000 },
    Limit { model: "ad", arena_bytes: 1 << 10, start_instructions: u64::MAX },
    Limit { model: "ic", arena_bytes: 49 << 10, start_instructions: u64::MAX },
    Limit { model: "vww", arena_bytes: 56 << 10, start_instructions: 40_000 },
];

#[track_caller]
pub fn check(measured: &Figures) {
    let code_bytes = measured.image[BOARD].code_bytes;
    assert!(code_bytes <= CODE_LIMIT_BYTES, "{code_bytes} bytes of code");
    for limit in &LIMITS {
        let Some(of) = measured.model.get(limit.model).and_then(|boards| boards.get(BOARD)) else {
            continue;
        };
        assert!(of.arena_bytes <= limit.arena_bytes, "{}: an arena of {} bytes", limit.model, of.arena_bytes);
        let start = of.parse_instructions + of.session_instructions;
        assert!(start <= limit.start_instructions, "{}: {start} instructions to start", limit.model);
    }
}
