//! Any bytes: refused, or a graph that can be simplified.
//!
//! `cargo +nightly fuzz run onnx --fuzz-dir quantize/fuzz -- -max_len=65536 -rss_limit_mb=2048`
#![no_main]

use edgepkg_quantize::import::{ImportOptions, ImportedGraph, onnx};
use edgepkg_quantize::simplify::simplify;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(imported) = onnx::read(bytes, &ImportOptions::default()) else { return };
    if let ImportedGraph::Float(graph) = imported.graph {
        let _ = simplify(graph);
    }
});
