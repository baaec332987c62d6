//! Says which word was spoken in recordings whose features lie in flash.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprint, hprintln};
use edgepkg_runtime::built_model;
use panic_semihosting as _;

built_model!(mod keywords);

/// Features of four recordings, as the model stores them.
static RECORDINGS: &[u8; 4 * keywords::input::LEN] = include_bytes!("../recordings.bin");

#[entry]
fn main() -> ! {
    let status = match listen() {
        Some(()) => debug::EXIT_SUCCESS,
        None => debug::EXIT_FAILURE,
    };
    debug::exit(status);
    unreachable!("the emulator has ended")
}

fn listen() -> Option<()> {
    let mut arena = keywords::Arena::new();
    let mut session = keywords::Network::MODEL.session(&mut arena).ok()?;
    for recording in RECORDINGS.chunks_exact(keywords::input::LEN) {
        // What computes features writes them where the model reads them.
        let mut input = session.input(keywords::input::INDEX).ok()?;
        for (element, &feature) in input.as_i8_mut().iter_mut().zip(recording) {
            *element = feature as i8;
        }
        session.run().ok()?;
        let scores = session.output(keywords::output::INDEX).ok()?;
        let best = scores.argmax();
        let share = keywords::output::QUANTIZATION.dequantize(scores.as_i8()[best].into());
        hprintln!("{} ({:.0} %)", keywords::output::LABELS[best], share * 100.0);
        for score in scores.as_i8() {
            hprint!(" {}", score);
        }
        hprintln!("");
    }
    Some(())
}
