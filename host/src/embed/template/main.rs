//! Runs the model on its test vectors and writes what comes out to the host, a line each: the artifact's
//! digest, the outputs of each vector, the bytes of stack that were used.
#![no_std]
#![no_main]

use edgepkg_image_cortex_m::{Port, image, stack_bytes, stop};
use edgepkg_runtime::embed_model;

embed_model!(
    /// The model: its artifact, the arena it takes, the operators that are linked for it.
    Network = "../model.epa"
);

/// The inputs of the test vectors, as the model stores them, one after the other.
static INPUTS: &[u8] = include_bytes!("../inputs.bin");

image!(main, stop);

fn main(arena: &'static mut [i8]) -> ! {
    let mut port = Port::enabled();
    if run(&mut port, arena).is_none() {
        port.write_text("failed\n");
    }
    port.write_text("stack ");
    port.write_number(stack_bytes() as i32);
    port.write_text("\n");
    stop()
}

/// All test vectors; `None` where the model, its arena or its inputs are not as they should be.
fn run(port: &mut Port, arena: &mut [i8]) -> Option<()> {
    let artifact = Network::MODEL.artifact();
    port.write_text("digest ");
    port.write_in_hexadecimal(artifact.digest());
    port.write_text("\n");
    let ports = [artifact.inputs().len(), artifact.outputs().len()];
    let mut session = Network::MODEL.session(arena).ok()?;
    let mut rest = INPUTS;
    while !rest.is_empty() {
        for index in 0..ports[0] {
            let input = session.input_bytes(index).ok()?;
            let bytes;
            (bytes, rest) = rest.split_at_checked(input.len())?;
            for (element, &byte) in input.iter_mut().zip(bytes) {
                *element = byte as i8;
            }
        }
        session.run().ok()?;
        for index in 0..ports[1] {
            port.write_text("output");
            for &value in session.output_bytes(index).ok()? {
                port.write_text(" ");
                port.write_number(i32::from(value));
            }
            port.write_text("\n");
        }
    }
    Some(())
}
