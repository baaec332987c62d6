//! What remains to be done when the runner is wrong: tell the host, and stop.

use edgepkg_format::link::{Answer, FrameWriter};
use edgepkg_image_cortex_m::{Uart, stop};
use edgepkg_runtime::server::Transport;

/// Tells the host that the runner has failed.
pub fn report() -> ! {
    let mut uart = Uart::enabled();
    let answer = Answer::Failed;
    // A frame that was cut off by the failure ends here.
    uart.write(&[0]);
    let _ = FrameWriter::new().send(0, answer.kind(), |body| answer.encode(body), |piece| uart.write(piece));
    stop()
}
