//! Any bytes: refused, or a graph that can be simplified, or lowered or says why not.
//!
//! `cargo +nightly fuzz run tflite --fuzz-dir quantize/fuzz -- -max_len=65536 -rss_limit_mb=2048`
#![no_main]

use edgepkg_format::Isa;
use edgepkg_quantize::import::{ImportedGraph, tflite};
use edgepkg_quantize::lower::lower;
use edgepkg_quantize::simplify::simplify;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(imported) = tflite::read(bytes) else { return };
    match imported.graph {
        ImportedGraph::Float(graph) => drop(simplify(graph)),
        ImportedGraph::Quantized(graph) => drop(lower(&graph, Isa::Portable)),
    }
});
