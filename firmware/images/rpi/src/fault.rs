//! What ends the runner: an exception or a panic. It is said on the serial port as a line of text
//! between zero bytes, which the device link's framing skips.

use core::arch::asm;
use core::panic::PanicInfo;

use crate::machine::Machine;
use crate::registers::read_register;
use crate::uart::Uart;

/// Entered from the exception vectors on the fault stack.
#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32) -> ! {
    let mut port = port();
    say(&mut port, b"exception, vector ");
    say_hex(&mut port, u64::from(vector));
    for (name, value) in [
        (&b" syndrome "[..], read_register!("esr_el1")),
        (b" at ", read_register!("elr_el1")),
        (b" address ", read_register!("far_el1")),
    ] {
        say(&mut port, name);
        say_hex(&mut port, value);
    }
    halt(port)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut port = port();
    say(&mut port, b"panic, line ");
    say_hex(&mut port, u64::from(info.location().map_or(0, |location| location.line())));
    halt(port)
}

fn port() -> Uart {
    // SAFETY: whoever drove UART0 never runs again.
    let mut port = unsafe { Uart::start(Machine::detect()) };
    say(&mut port, b"\0edgepkg runner: ");
    port
}

fn say(port: &mut Uart, text: &[u8]) {
    for &byte in text {
        port.send(byte);
    }
}

fn say_hex(port: &mut Uart, value: u64) {
    say(port, b"0x");
    for digit in (0..16).rev() {
        let digit = (value >> (4 * digit) & 15) as u8;
        port.send(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
}

fn halt(mut port: Uart) -> ! {
    say(&mut port, b"\r\n\0");
    loop {
        // SAFETY: waits for an event; no memory is touched.
        unsafe { asm!("wfe", options(nomem, nostack, preserves_flags)) };
    }
}
