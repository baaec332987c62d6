//! What remains to be done when the program is wrong: say so and stop.

use core::arch::asm;
use core::panic::PanicInfo;

use edgepkg_format::link::{Answer, FrameWriter};
use edgepkg_runtime::server::Transport;

use crate::uart::Uart;

/// Tells the host that the runner has failed.
fn report() {
    let mut uart = Uart::enabled();
    let answer = Answer::Failed;
    // A frame that was cut off by the failure ends here.
    uart.write(&[0]);
    let _ = FrameWriter::new().send(0, answer.kind(), |body| answer.encode(body), |piece| uart.write(piece));
}

/// Waits for a reset.
pub fn stop() -> ! {
    loop {
        // SAFETY: waiting has no effect on memory.
        unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) }
    }
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    report();
    stop()
}

/// Every exception: the runner enables none, so each is a fault.
pub unsafe extern "C" fn fault() -> ! {
    report();
    stop()
}
