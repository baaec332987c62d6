//! Counts instructions on an emulator whose clock advances by the instruction.
//!
//! Under QEMU's `-icount shift=0` an instruction takes a virtual nanosecond, and the CMSDK timer ticks
//! every n of them, `_instructions_per_tick`. One reading is the time t divided by n, rounded. The sum of
//! n readings, taken s instructions apart with s coprime to n, is t itself plus a constant: the readings
//! meet every remainder once, and `floor(t/n) + floor((t+1)/n) + ... + floor((t+n-1)/n) = t` (Hermite's
//! identity). So the count is exact; the constant is measured once, on nothing.

use core::arch::asm;

use edgepkg_format::link::Counter;
use edgepkg_runtime::server::Gauge;

use crate::memory::{self, number};

unsafe extern "C" {
    static _timer: u8;
    static _instructions_per_tick: u8;
}

// Registers of the CMSDK timer (Arm DDI 0479, 4.2). VALUE counts down from RELOAD.
const CONTROL: usize = 0;
const VALUE: usize = 4;
const RELOAD: usize = 8;

/// Counts what is executed between [`start`](Gauge::start) and [`stop`](Gauge::stop).
pub struct InstructionGauge {
    timer: *mut u32,
    /// What counting nothing gives.
    overhead: u64,
}

impl InstructionGauge {
    /// The timer of the board's file, running.
    pub fn calibrated() -> Self {
        let mut gauge = Self { timer: number!(_timer) as *mut u32, overhead: 0 };
        gauge.write_register(RELOAD, u32::MAX);
        gauge.write_register(CONTROL, 1);
        gauge.start();
        gauge.overhead = gauge.stop();
        gauge
    }

    fn write_register(&self, offset: usize, value: u32) {
        // SAFETY: the board's file gives the address of a timer, whose registers are these.
        unsafe { self.timer.wrapping_byte_add(offset).write_volatile(value) }
    }

    /// The sum of `count` readings of VALUE, 7 instructions apart.
    fn sum_readings(&self, count: usize) -> u64 {
        let value = self.timer.wrapping_byte_add(VALUE);
        let (mut low, mut high) = (0u32, 0u32);
        // SAFETY: it only reads the timer's register.
        unsafe {
            asm!(
                "2:",
                "ldr {reading}, [{value}]",
                "adds {low}, {low}, {reading}",
                "adc {high}, {high}, #0",
                "nop",
                "nop",
                "subs {count}, {count}, #1",
                "bne 2b",
                reading = out(reg) _,
                value = in(reg) value,
                low = inout(reg) low,
                high = inout(reg) high,
                count = inout(reg) count => _,
                options(nostack, readonly),
            );
        }
        u64::from(high) << 32 | u64::from(low)
    }
}

impl Gauge for InstructionGauge {
    const COUNTER: Counter = Counter::Instructions;

    // Never inlined, so that it costs the same wherever it is called. The names are those by which the
    // emulator's cycle model finds where to begin and to stop.
    #[inline(never)]
    #[unsafe(export_name = "gauge_start")]
    fn start(&mut self) {
        self.write_register(VALUE, u32::MAX);
    }

    #[inline(never)]
    #[unsafe(export_name = "gauge_stop")]
    fn stop(&mut self) -> u64 {
        let readings = number!(_instructions_per_tick);
        let elapsed = readings as u64 * u64::from(u32::MAX) - self.sum_readings(readings);
        elapsed.saturating_sub(self.overhead)
    }

    fn stack_bytes(&self) -> u32 {
        memory::stack_bytes()
    }
}
