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

use edgepkg_format::linked::{EveryOperator, Linked, Only};
use edgepkg_runtime::server;

use crate::gauge::InstructionGauge;
use crate::memory::ModelSlot;
use crate::uart::Uart;

/// The operators that models may use here: all, or those of the set that `EDGEPKG_OPERATORS` gives when the
/// runner is built, its bits in hexadecimal.
const OPERATORS: u64 = match option_env!("EDGEPKG_OPERATORS") {
    None => EveryOperator::OPERATORS.bits(),
    Some(bits) => match u64::from_str_radix(bits, 16) {
        Ok(bits) => bits,
        Err(_) => panic!("EDGEPKG_OPERATORS is not a hexadecimal number"),
    },
};

/// Runs once RAM is ready, on the stack that start-up painted.
fn main() -> ! {
    let mut uart = Uart::enabled();
    let mut gauge = InstructionGauge::calibrated();
    // SAFETY: `main` is called once, by `reset`, and takes each of these once.
    let (mut slot, arena) = unsafe { (ModelSlot::of_board(), memory::arena()) };
    server::serve::<Only<OPERATORS>>(&mut uart, &mut slot, &mut gauge, arena);
    fault::stop()
}
