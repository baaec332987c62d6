//! Counts instructions with the performance monitors, on hardware as on an emulator that executes one
//! instruction a tick (QEMU's `-icount shift=0`).

use core::arch::asm;

use edgepkg_format::link::Counter;
use edgepkg_image_aarch64::stack_bytes;
use edgepkg_runtime::server::Gauge;

use crate::registers::{read_register, write_register};

/// The event "instruction architecturally executed".
const INSTRUCTIONS_RETIRED: u64 = 0x08;
/// Event counter 0, in the registers that have a bit a counter.
const COUNTER_0: u64 = 1;
/// PMCR_EL0: event counters to zero, counting on.
const RESET_AND_ENABLE: u64 = 1 << 1 | 1;

/// Counts what is executed between [`start`](Gauge::start) and [`stop`](Gauge::stop), up to 2^33.
pub struct InstructionGauge {
    counts: bool,
    /// What counting nothing gives.
    overhead: u64,
}

impl InstructionGauge {
    /// A gauge at work. Where the core does not count instructions, it gives 0.
    pub fn calibrated() -> Self {
        let counts = read_register!("pmceid0_el0") >> INSTRUCTIONS_RETIRED & 1 == 1;
        if counts {
            // SAFETY: the performance monitors touch no memory, and nothing else uses them.
            unsafe {
                write_register!("pmevtyper0_el0", INSTRUCTIONS_RETIRED);
                write_register!("pmcntenset_el0", COUNTER_0);
            }
        }
        let mut gauge = Self { counts, overhead: 0 };
        gauge.start();
        gauge.overhead = gauge.stop();
        gauge
    }
}

impl Gauge for InstructionGauge {
    fn counter(&self) -> Counter {
        Counter::Instructions
    }

    // Never inlined, so that it costs the same wherever it is called.
    #[inline(never)]
    fn start(&mut self) {
        // SAFETY: the performance monitors touch no memory, and nothing else uses them.
        unsafe {
            write_register!("pmovsclr_el0", COUNTER_0);
            write_register!("pmcr_el0", RESET_AND_ENABLE);
            asm!("isb", options(nostack, preserves_flags));
        }
    }

    #[inline(never)]
    fn stop(&mut self) -> u64 {
        if !self.counts {
            return 0;
        }
        // SAFETY: it only waits for what was begun, so that the counter has seen it.
        unsafe { asm!("isb", options(nostack, preserves_flags)) };
        let low = read_register!("pmevcntr0_el0") & 0xFFFF_FFFF;
        let overflown = read_register!("pmovsclr_el0") & COUNTER_0;
        (overflown << 32 | low).saturating_sub(self.overhead)
    }

    fn stack_bytes(&self) -> u32 {
        stack_bytes()
    }
}
