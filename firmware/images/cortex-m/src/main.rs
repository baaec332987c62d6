//! The runner for Cortex-M: answers the device link and runs the model in the board's slot.
//!
//! Everything it knows of a board it takes as linker symbols from the script that `edgepkg-boards`
//! makes of the board's file.
#![no_std]
#![no_main]

mod fault;
mod gauge;
mod memory;
mod start;
mod uart;

use edgepkg_runtime::server;

use crate::gauge::InstructionGauge;
use crate::memory::ModelSlot;
use crate::uart::Uart;

/// Runs once RAM is ready, on the stack that start-up painted.
fn main() -> ! {
    let mut uart = Uart::enabled();
    let mut gauge = InstructionGauge::calibrated();
    // SAFETY: `main` is called once, by `reset`, and takes each of these once.
    let (mut slot, arena) = unsafe { (ModelSlot::of_board(), memory::arena()) };
    server::serve(&mut uart, &mut slot, &mut gauge, arena);
    fault::stop()
}
