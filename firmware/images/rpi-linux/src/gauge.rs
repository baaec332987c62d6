//! Counts cycles by the core's performance monitors, where Linux lets a program do so.

use edgepkg_format::link::Counter;
use edgepkg_image_aarch64::stack_bytes;
use edgepkg_runtime::server::Gauge;

use crate::system::{self, Descriptor};

/// Counts what is executed between [`start`](Gauge::start) and [`stop`](Gauge::stop).
pub struct CycleGauge {
    counter: Option<Descriptor>,
    first: u64,
    /// What counting nothing gives.
    overhead: u64,
}

impl CycleGauge {
    /// A gauge at work; one that counts nothing where Linux has no counter for it (an emulator, a container).
    pub fn calibrated() -> Self {
        let mut gauge = Self { counter: system::count_cycles().ok(), first: 0, overhead: 0 };
        gauge.start();
        gauge.overhead = gauge.stop();
        gauge
    }

    fn cycles(&self) -> u64 {
        let mut value = [0; 8];
        let read = self.counter.map(|counter| system::read(counter, &mut value));
        if matches!(read, Some(Ok(8))) { u64::from_ne_bytes(value) } else { 0 }
    }
}

impl Gauge for CycleGauge {
    fn counter(&self) -> Counter {
        if self.counter.is_some() { Counter::Cycles } else { Counter::None }
    }

    // Never inlined, so that it costs the same wherever it is called.
    #[inline(never)]
    fn start(&mut self) {
        self.first = self.cycles();
    }

    #[inline(never)]
    fn stop(&mut self) -> u64 {
        self.cycles().saturating_sub(self.first).saturating_sub(self.overhead)
    }

    fn stack_bytes(&self) -> u32 {
        stack_bytes()
    }
}
