//! Draws a sine, point by point, with a model that was trained to know it.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::f32::consts::TAU;

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use edgepkg_runtime::{TensorError, built_model};
use panic_semihosting as _;

built_model!(mod sine);

/// Points over one period.
const POINTS: u8 = 32;
/// Characters from -1 to 1.
const WIDTH: f32 = 40.0;

#[entry]
fn main() -> ! {
    let status = match draw() {
        Ok(()) => debug::EXIT_SUCCESS,
        Err(error) => {
            hprintln!("error: {}", error);
            debug::EXIT_FAILURE
        }
    };
    debug::exit(status);
    unreachable!("the emulator has ended")
}

fn draw() -> Result<(), &'static str> {
    let mut arena = sine::Arena::new();
    let mut session = sine::Network::MODEL.session(&mut arena).map_err(|_| "the arena is too small")?;
    for point in 0..POINTS {
        let x = TAU * f32::from(point) / f32::from(POINTS);
        let input = sine::input::QUANTIZATION.quantize_i8(x);
        let set = |error: TensorError| match error {
            TensorError::NoSuchTensor { .. } => "the model has no input",
            TensorError::Length { .. } => "the input has another length",
        };
        session
            .input(sine::input::INDEX)
            .and_then(|mut tensor| tensor.copy_from_i8(&[input]))
            .map_err(set)?;
        session.run().map_err(|_| "an input was not set")?;
        let output = session.output(sine::output::INDEX).map_err(set)?.as_i8()[0];
        let y = sine::output::QUANTIZATION.dequantize(output.into());
        let column = ((y + 1.0) / 2.0 * WIDTH) as usize;
        hprintln!("{:4} {:4} {:>column$}", input, output, '*');
    }
    Ok(())
}
