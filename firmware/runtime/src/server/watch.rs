//! Reports every operator of a run while it runs, so that a plan of any length takes no RAM for it.

use core::cell::Cell;

use edgepkg_format::link::{Answer, Observe, StepReport};
use edgepkg_format::slot::Crc32;

use super::link::Reply;
use super::{Gauge, Transport};
use crate::observer::{Observer, Step};

pub(super) struct Watch<'w, 'l, T, G> {
    pub(super) observe: Observe,
    pub(super) reply: &'w mut Reply<'l, T>,
    pub(super) gauge: &'w mut G,
}

impl<T: Transport, G: Gauge> Observer for Watch<'_, '_, T, G> {
    fn before(&mut self, _step: &Step<'_>) {
        if self.observe == Observe::Counts {
            self.gauge.start();
        }
    }

    fn after(&mut self, step: &Step<'_>) {
        let value = match self.observe {
            Observe::Nothing => return,
            Observe::Digests => u64::from(digest(step.output)),
            Observe::Counts => self.gauge.stop(),
        };
        self.report(step, value);
    }
}

impl<T: Transport, G> Watch<'_, '_, T, G> {
    // By itself, so that it is not on the stack while operators run.
    #[inline(never)]
    fn report(&mut self, step: &Step<'_>, value: u64) {
        let report = StepReport { record: step.record, layer: step.layer, kind: step.kind as u16, value };
        self.reply.answer(&Answer::Step(report));
    }
}

/// CRC-32 of what an operator wrote.
pub fn digest(output: &[Cell<i8>]) -> u32 {
    let mut crc = Crc32::new();
    for cell in output {
        crc.update(&[cell.get() as u8]);
    }
    crc.finish()
}
