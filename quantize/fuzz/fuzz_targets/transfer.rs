//! Any bytes as a worker's answer: refused, or what an import can have found.
//!
//! `cargo +nightly fuzz run transfer --fuzz-dir quantize/fuzz -- -max_len=65536`
#![no_main]

use edgepkg_quantize::import::transfer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = transfer::read(bytes);
});
