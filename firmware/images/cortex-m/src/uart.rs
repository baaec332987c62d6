//! The CMSDK UART of Arm's FPGA boards and their emulators.
//!
//! Arm, "Cortex-M System Design Kit Technical Reference Manual" (DDI 0479), 4.3: DATA at 0, STATE at 4
//! (bit 0: the transmit buffer is full, bit 1: a byte has arrived), CTRL at 8 (bit 0: transmit enable,
//! bit 1: receive enable), BAUDDIV at 16 (16 and more).

use edgepkg_runtime::server::Transport;

use crate::memory::number;

unsafe extern "C" {
    static _uart: u8;
}

const STATE: usize = 4;
const CONTROL: usize = 8;
const BAUD_DIVIDER: usize = 16;

const TRANSMIT_FULL: u32 = 1 << 0;
const RECEIVE_FULL: u32 = 1 << 1;

/// The serial port.
pub struct Uart(());

impl Uart {
    /// The port of the board's file, ready.
    pub fn enabled() -> Self {
        let uart = Self(());
        uart.write_register(BAUD_DIVIDER, 16);
        uart.write_register(CONTROL, 0b11);
        uart
    }

    fn register(&self, offset: usize) -> *mut u32 {
        (number!(_uart) as *mut u32).wrapping_byte_add(offset)
    }

    fn read_register(&self, offset: usize) -> u32 {
        // SAFETY: the board's file gives the address of a UART, whose registers are these.
        unsafe { self.register(offset).read_volatile() }
    }

    fn write_register(&self, offset: usize, value: u32) {
        // SAFETY: as in `read_register`.
        unsafe { self.register(offset).write_volatile(value) }
    }
}

impl Transport for Uart {
    fn read(&mut self) -> Option<u8> {
        while self.read_register(STATE) & RECEIVE_FULL == 0 {}
        Some(self.read_register(0) as u8)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            while self.read_register(STATE) & TRANSMIT_FULL != 0 {}
            self.write_register(0, u32::from(byte));
        }
    }
}
