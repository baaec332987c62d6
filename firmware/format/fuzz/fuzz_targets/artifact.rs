//! Any bytes: refused, or executed inside the arena they state.
//!
//! `cargo +nightly fuzz run artifact --fuzz-dir firmware/format/fuzz -- -max_len=4096`
#![no_main]

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_runtime::Model;
use libfuzzer_sys::fuzz_target;

/// Arenas above this are not tried: a run takes time in proportion.
const GREATEST_ARENA_BYTES: usize = 1 << 14;

fuzz_target!(|bytes: &[u8]| {
    let artifact = AlignedBytes::from(bytes);
    let Ok(model) = Model::parse(&artifact) else { return };
    let _ = model.artifact().verify_digest();
    if model.arena_bytes() > GREATEST_ARENA_BYTES {
        return;
    }
    let mut memory = AlignedBytes::from(&vec![0; model.arena_bytes()][..]);
    let mut session = model.session(bytemuck::cast_slice_mut(&mut memory)).expect("the arena it states");
    for index in 0..model.info().inputs.len() {
        session.input(index).expect("an input it states");
    }
    session.run().expect("every input is set");
    for index in 0..model.info().outputs.len() {
        session.output(index).expect("an output it states");
    }
});
