//! Any bytes: refused, or a graph that can be lowered or says why not.
//!
//! `cargo +nightly fuzz run tflite --fuzz-dir quantize/fuzz -- -max_len=65536 -rss_limit_mb=2048`
#![no_main]

use edgepkg_quantize::import::{ImportedGraph, tflite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(imported) = tflite::read(bytes) else { return };
    if let ImportedGraph::Quantized(graph) = imported.graph {
        let _ = edgepkg_quantize::lower::lower(&graph, edgepkg_format::Isa::Portable);
    }
});
