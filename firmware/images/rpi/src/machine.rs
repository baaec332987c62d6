//! Which Raspberry Pi this is.

use crate::registers::read_register;

/// Where a model's devices lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// First address of the peripherals, a multiple of 2 MiB.
    pub peripherals: usize,
}

/// Bytes of peripherals behind [`Machine::peripherals`].
pub const PERIPHERAL_BYTES: usize = 0x0100_0000;

const CORTEX_A72: u64 = 0xD08;

impl Machine {
    /// By the core's part number: Cortex-A72 is a Pi 4, anything else a Pi 3 or Zero 2 (Cortex-A53).
    pub fn detect() -> Self {
        let part = read_register!("midr_el1") >> 4 & 0xFFF;
        Self { peripherals: if part == CORTEX_A72 { 0xFE00_0000 } else { 0x3F00_0000 } }
    }
}
