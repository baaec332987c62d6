//! Counts cycles where the core counts them, and instructions on an emulator whose clock advances by the instruction.
//!
//! Cores of Armv7-M and Armv8-M have a cycle counter in their trace unit (Arm DDI 0403, C1.8: DWT_CYCCNT), 32 bits long,
//! which stands still in emulators.
//!
//! Under QEMU's `-icount shift=0` an instruction takes a virtual nanosecond, and the CMSDK timer ticks
//! every n of them, `_instructions_per_tick`. One reading is the time t divided by n, rounded. The sum of
//! n readings, taken s instructions apart with s coprime to n, is t itself plus a constant: the readings
//! meet every remainder once, and `floor(t/n) + floor((t+1)/n) + ... + floor((t+n-1)/n) = t` (Hermite's
//! identity). So the count is exact; the constant is measured once, on nothing.

use core::arch::asm;
use core::hint::black_box;

use edgepkg_format::Isa;
use edgepkg_format::link::Counter;
use edgepkg_runtime::server::Gauge;

use crate::memory::{self, number};

unsafe extern "C" {
    static _timer: u8;
    static _instructions_per_tick: u8;
}

// Debug exception and monitor control (C1.6.5), its bit that lets the trace unit work; the trace unit's control and
// cycle counter (C1.8.7, C1.8.8), and the bit that lets it count.
const MONITOR_CONTROL: *mut u32 = 0xE000_EDFC as *mut u32;
const TRACE_ENABLE: u32 = 1 << 24;
const TRACE_CONTROL: *mut u32 = 0xE000_1000 as *mut u32;
const CYCLES_ENABLE: u32 = 1 << 0;
const CYCLES: *const u32 = 0xE000_1004 as *const u32;

// Registers of the CMSDK timer (Arm DDI 0479, 4.2). VALUE counts down from RELOAD.
const CONTROL: usize = 0;
const VALUE: usize = 4;
const RELOAD: usize = 8;

/// Counts what is executed between [`start`](Gauge::start) and [`stop`](Gauge::stop).
pub struct CoreGauge {
    counter: Counter,
    /// The cycle counter at the start.
    first_cycle: u32,
    /// What counting nothing gives.
    overhead: u32,
}

/// The timer of the board's file.
fn timer() -> *mut u32 {
    number!(_timer) as *mut u32
}

impl CoreGauge {
    /// The core's cycle counter if it counts, else the timer of the board's file if it has one, running.
    pub fn calibrated() -> Self {
        // To the compiler no symbol is at 0, as the timer is of a board that has none.
        let has_timer = black_box(number!(_timer)) != 0;
        let counter = match (cycles_count(), has_timer) {
            (true, _) => Counter::Cycles,
            (false, true) => Counter::Instructions,
            (false, false) => Counter::None,
        };
        let mut gauge = Self { counter, first_cycle: 0, overhead: 0 };
        if counter == Counter::Instructions {
            gauge.write_register(RELOAD, u32::MAX);
            gauge.write_register(CONTROL, 1);
        }
        gauge.start();
        gauge.overhead = gauge.stop() as u32;
        gauge
    }

    fn write_register(&self, offset: usize, value: u32) {
        // SAFETY: the board's file gives the address of a timer, whose registers are these.
        unsafe { timer().wrapping_byte_add(offset).write_volatile(value) }
    }

    /// The sum of `count` readings of VALUE, 7 instructions apart.
    fn sum_readings(&self, count: usize) -> u64 {
        let value = timer().wrapping_byte_add(VALUE);
        let (mut low, mut high) = (0u32, 0u32);
        // SAFETY: it only reads the timer's register.
        unsafe {
            asm!(
                "2:",
                "ldr {reading}, [{value}]",
                "adds {low}, {low}, {reading}",
                "adcs {high}, {high}, {zero}",
                "nop",
                "nop",
                "subs {count}, {count}, #1",
                "bne 2b",
                reading = out(reg) _,
                value = in(reg) value,
                low = inout(reg) low,
                high = inout(reg) high,
                zero = in(reg) 0,
                count = inout(reg) count => _,
                options(nostack, readonly),
            );
        }
        u64::from(high) << 32 | u64::from(low)
    }
}

/// Lets the core count cycles; says whether it does.
fn cycles_count() -> bool {
    if matches!(edgepkg_runtime::ISA, Isa::Armv6m) {
        return false;
    }
    // SAFETY: the registers of a core with the main extension; they have no effect on memory.
    unsafe {
        MONITOR_CONTROL.write_volatile(MONITOR_CONTROL.read_volatile() | TRACE_ENABLE);
        TRACE_CONTROL.write_volatile(TRACE_CONTROL.read_volatile() | CYCLES_ENABLE);
    }
    let first = cycle();
    // SAFETY: the barrier, which takes cycles, waits for what was written.
    unsafe { asm!("dsb", "isb", options(nostack, preserves_flags)) }
    cycle() != first
}

fn cycle() -> u32 {
    // SAFETY: it only reads the core's register.
    unsafe { CYCLES.read_volatile() }
}

impl Gauge for CoreGauge {
    fn counter(&self) -> Counter {
        self.counter
    }

    // Never inlined, so that it costs the same wherever it is called. The names are those by which the
    // emulator's cycle model finds where to begin and to stop.
    #[inline(never)]
    #[unsafe(export_name = "gauge_start")]
    fn start(&mut self) {
        match self.counter {
            Counter::None => {}
            Counter::Instructions => self.write_register(VALUE, u32::MAX),
            Counter::Cycles => self.first_cycle = cycle(),
        }
    }

    #[inline(never)]
    #[unsafe(export_name = "gauge_stop")]
    fn stop(&mut self) -> u64 {
        let elapsed = match self.counter {
            Counter::None => 0,
            Counter::Instructions => {
                let readings = number!(_instructions_per_tick);
                readings as u64 * u64::from(u32::MAX) - self.sum_readings(readings)
            }
            Counter::Cycles => u64::from(cycle().wrapping_sub(self.first_cycle)),
        };
        elapsed.saturating_sub(u64::from(self.overhead))
    }

    fn stack_bytes(&self) -> u32 {
        memory::stack_bytes()
    }
}
