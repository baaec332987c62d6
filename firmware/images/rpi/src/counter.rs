//! Instructions and cycles, from the performance monitors.

use core::arch::asm;

use crate::registers::{read_register, write_register};

/// The event "instruction architecturally executed".
const INSTRUCTIONS_RETIRED: u64 = 0x08;
/// PMCR_EL0: 64-bit cycle counter, both counters to zero, counting on.
const CONTROL: u64 = 1 << 6 | 1 << 2 | 1 << 1 | 1;
/// The cycle counter and event counter 0 in PMCNTENSET_EL0.
const ENABLE: u64 = 1 << 31 | 1;

/// The counters.
pub struct Counters {
    counts_instructions: bool,
    last: u32,
    instructions: u64,
}

impl Counters {
    /// Starts both counters at zero.
    pub fn start() -> Self {
        let counts_instructions = read_register!("pmceid0_el0") >> INSTRUCTIONS_RETIRED & 1 == 1;
        // SAFETY: the performance monitors touch no memory, and nothing else uses them.
        unsafe {
            if counts_instructions {
                write_register!("pmevtyper0_el0", INSTRUCTIONS_RETIRED);
            }
            write_register!("pmccfiltr_el0", 0u64);
            write_register!("pmcntenset_el0", ENABLE);
            write_register!("pmcr_el0", CONTROL);
            asm!("isb", options(nomem, nostack, preserves_flags));
        }
        Self { counts_instructions, last: 0, instructions: 0 }
    }

    /// Instructions since the start; `None` where the core does not count them (QEMU without
    /// `-icount`). The counter has 32 bits: it is right when read once in 2^32 instructions.
    pub fn instructions(&mut self) -> Option<u64> {
        if !self.counts_instructions {
            return None;
        }
        let now = read_register!("pmevcntr0_el0") as u32;
        self.instructions += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        Some(self.instructions)
    }

    /// Core cycles since the start.
    pub fn cycles(&self) -> u64 {
        read_register!("pmccntr_el0")
    }
}
