//! What remains to be done when the program is wrong: say so and stop.
//!
//! First as a line of text, for whoever looks at the serial port with a terminal; it stands between
//! zero bytes, so that the device link takes it for a damaged frame. Then as an answer.

use core::arch::asm;
use core::panic::PanicInfo;

use edgepkg_format::link::{Answer, FrameWriter};
use edgepkg_runtime::server::Transport as _;

use crate::machine::Machine;
use crate::registers::read_register;
use crate::uart::Uart;

/// Entered from the exception vectors on the fault stack.
#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32) -> ! {
    let mut port = port();
    port.write(b"exception, vector ");
    write_hexadecimal(&mut port, u64::from(vector));
    for (name, value) in [
        (&b" syndrome "[..], read_register!("esr_el1")),
        (b" at ", read_register!("elr_el1")),
        (b" address ", read_register!("far_el1")),
    ] {
        port.write(name);
        write_hexadecimal(&mut port, value);
    }
    fail(port)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut port = port();
    port.write(b"panic, line ");
    write_hexadecimal(&mut port, u64::from(info.location().map_or(0, |location| location.line())));
    fail(port)
}

fn port() -> Uart {
    // SAFETY: whoever drove UART0 never runs again.
    let mut port = unsafe { Uart::start(Machine::detect()) };
    port.write(b"\0edgepkg runner: ");
    port
}

fn write_hexadecimal(port: &mut Uart, value: u64) {
    port.write(b"0x");
    for digit in (0..16).rev() {
        port.write(&[b"0123456789abcdef"[(value >> (4 * digit) & 15) as usize]]);
    }
}

/// Tells the host that the runner has failed.
fn fail(mut port: Uart) -> ! {
    port.write(b"\r\n\0");
    let answer = Answer::Failed;
    let _ = FrameWriter::new().send(0, answer.kind(), |body| answer.encode(body), |piece| port.write(piece));
    stop()
}

/// Waits for a reset.
pub fn stop() -> ! {
    loop {
        // SAFETY: waiting has no effect on memory.
        unsafe { asm!("wfe", options(nomem, nostack, preserves_flags)) };
    }
}
