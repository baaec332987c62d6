//! What remains to be done when the runner is wrong: tell the host, and stop.

use edgepkg_format::link::{Answer, FrameWriter};
use edgepkg_image_cortex_m::{Port, stop};
use edgepkg_runtime::server::Transport;

/// Tells the host that the runner has failed.
pub fn report() -> ! {
    let mut port = Port::enabled();
    let answer = Answer::Failed;
    // A frame that was cut off by the failure ends here.
    port.write(&[0]);
    let _ = FrameWriter::new().send(0, answer.kind(), |body| answer.encode(body), |piece| port.write(piece));
    stop()
}
