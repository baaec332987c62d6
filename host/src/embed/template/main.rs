//! Runs the model on its test vectors and writes what comes out to the board's serial port, a line each: the
//! artifact's digest, the outputs of each vector, the bytes of stack that were used.
#![no_std]
#![no_main]

use edgepkg_image_cortex_m::{Uart, image, stack_bytes, stop};
use edgepkg_runtime::embed_model;

embed_model!(
    /// The model: its artifact, the arena it takes, the operators that are linked for it.
    Network = "../model.epa"
);

/// The inputs of the test vectors, as the model stores them, one after the other.
static INPUTS: &[u8] = include_bytes!("../inputs.bin");

image!(main, stop);

fn main(arena: &'static mut [i8]) -> ! {
    let mut uart = Uart::enabled();
    if run(&mut uart, arena).is_none() {
        uart.write_text("failed\n");
    }
    uart.write_text("stack ");
    uart.write_number(stack_bytes() as i32);
    uart.write_text("\n");
    stop()
}

/// All test vectors; `None` where the model, its arena or its inputs are not as they should be.
fn run(uart: &mut Uart, arena: &mut [i8]) -> Option<()> {
    let model = Network::parse().ok()?;
    uart.write_text("digest ");
    uart.write_in_hexadecimal(model.artifact().digest());
    uart.write_text("\n");
    let ports = [model.artifact().inputs().len(), model.artifact().outputs().len()];
    let mut session = model.session(arena).ok()?;
    let mut rest = INPUTS;
    while !rest.is_empty() {
        for index in 0..ports[0] {
            let input = session.input(index).ok()?;
            let bytes;
            (bytes, rest) = rest.split_at_checked(input.cells().len())?;
            for (cell, &byte) in input.cells().iter().zip(bytes) {
                cell.set(byte as i8);
            }
        }
        session.run().ok()?;
        for index in 0..ports[1] {
            uart.write_text("output");
            for value in session.output(index).ok()?.values_i8() {
                uart.write_text(" ");
                uart.write_number(i32::from(value));
            }
            uart.write_text("\n");
        }
    }
    Some(())
}
