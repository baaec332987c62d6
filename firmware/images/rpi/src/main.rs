//! The runner for Raspberry Pi 3, Zero 2 and 4: bare metal, started by the firmware as `kernel8.img`.
//!
//! The firmware has put the model slot's bytes (artifact and commit record) at the start of the model
//! region, by `initramfs model.epa 0x08000000` in config.txt. The runner answers the device link on
//! the serial port.
#![no_std]
#![no_main]

mod boot;
mod fault;
mod machine;
mod mmu;
mod registers;
mod uart;

use machine::Machine;
use uart::Uart;

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let machine = Machine::detect();
    // SAFETY: this is the boot core's first Rust code, at EL1 with the MMU off.
    unsafe { mmu::enable(machine) };
    // SAFETY: nothing else drives the UART.
    let mut uart = unsafe { Uart::start(machine) };
    loop {
        let byte = uart.receive();
        uart.send(byte);
    }
}
