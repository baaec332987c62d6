//! The serial port on GPIO 14 (transmit) and 15 (receive): UART0, a PL011.

use edgepkg_runtime::server::Transport;

use crate::machine::Machine;
use crate::registers::DeviceRegister;

/// Symbols a second; 8 data bits, no parity, one stop bit.
pub const BAUD: u32 = 921_600;
/// What clocks the UART (`init_uart_clock` in config.txt).
const CLOCK_HZ: u32 = 48_000_000;

const GPIO_FUNCTION_SELECT_1: usize = 0x20_0004;
const UART0: usize = 0x20_1000;

const TRANSMIT_FIFO_FULL: u32 = 1 << 5;
const RECEIVE_FIFO_EMPTY: u32 = 1 << 4;
const BUSY: u32 = 1 << 3;

/// UART0, set up.
pub struct Uart {
    data: DeviceRegister,
    flags: DeviceRegister,
}

impl Uart {
    /// Routes GPIO 14 and 15 to UART0 and starts it.
    ///
    /// # Safety
    ///
    /// `machine`'s peripherals are where it says and nothing else drives UART0 or sets GPIO functions.
    pub unsafe fn start(machine: Machine) -> Self {
        // SAFETY: by the caller's word these are the Pi's GPIO and PL011 registers (BCM2837 and
        // BCM2711 peripherals manuals, chapters GPIO and UART), which touch no memory.
        let register = |offset: usize| unsafe { DeviceRegister::at(machine.peripherals + offset) };
        let functions = register(GPIO_FUNCTION_SELECT_1);
        let alternate_0 = 0b100 << 12 | 0b100 << 15;
        functions.write(functions.read() & !(0b111 << 12 | 0b111 << 15) | alternate_0);

        let [flags, integer, fraction, line, control, interrupt_mask, interrupt_clear] =
            [0x18, 0x24, 0x28, 0x2C, 0x30, 0x38, 0x44].map(|offset| register(UART0 + offset));
        while flags.read() & BUSY != 0 {}
        control.write(0);
        interrupt_mask.write(0);
        interrupt_clear.write(0x7FF);
        let divisor_64ths = (CLOCK_HZ * 4 + BAUD / 2) / BAUD;
        integer.write(divisor_64ths >> 6);
        fraction.write(divisor_64ths & 63);
        // Eight bits, FIFOs on.
        line.write(0b11 << 5 | 1 << 4);
        // Receive, transmit, UART on.
        control.write(1 << 9 | 1 << 8 | 1);
        Self { data: register(UART0), flags }
    }
}

impl Transport for Uart {
    /// Waits for a byte. One with an error (framing, overrun) is taken as it came: the link's frames
    /// have checksums.
    fn read(&mut self) -> Option<u8> {
        while self.flags.read() & RECEIVE_FIFO_EMPTY != 0 {
            core::hint::spin_loop();
        }
        Some(self.data.read() as u8)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            while self.flags.read() & TRANSMIT_FIFO_FULL != 0 {
                core::hint::spin_loop();
            }
            self.data.write(u32::from(byte));
        }
    }
}
