//! What the ONNX tests share: models and samples of the zoo, tract as the oracle, and comparison.

#![allow(dead_code, reason = "each test uses its part")]

pub mod examples;
pub mod node_tests;
pub mod onnx_file;

use std::path::PathBuf;

use edgepkg_quantize::graph::FloatGraph;
use edgepkg_quantize::import::{ImportError, ImportOptions, onnx as onnx_import};
use edgepkg_quantize::interpret::Interpreter;
use tract_onnx::prelude::*;

/// The folder of models that `EDGEPKG_ZOO` names; says that the test is skipped when it is unset.
pub fn zoo() -> Option<PathBuf> {
    let zoo = std::env::var_os("EDGEPKG_ZOO").map(PathBuf::from);
    if zoo.is_none() {
        eprintln!("skipped: set EDGEPKG_ZOO to the folder of models");
    }
    zoo
}

/// The float models of the zoo.
pub const MODELS: [&str; 14] = [
    "ad",
    "digits_cnn",
    "digits_dsres",
    "digits_mlp",
    "hello_world_sine",
    "ic",
    "kws",
    "kws_alibaba",
    "magic_wand",
    "micro_speech",
    "mnist_cntk",
    "mnist_emlearn",
    "sww",
    "vww",
];

/// The elements of a version 1 `.npy` file of little-endian float32 in row-major order.
pub fn read_npy(path: &PathBuf) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let description = std::str::from_utf8(&bytes[10..10 + header]).expect("the header is text");
    assert!(description.contains("'<f4'") && description.contains("'fortran_order': False"), "{description}");
    let words = bytes[10 + header..].chunks_exact(4);
    words.map(|word| f32::from_le_bytes(word.try_into().expect("four bytes"))).collect()
}

/// The graph of a float ONNX file; an error for any other.
pub fn read_onnx(file: &[u8]) -> Result<FloatGraph, ImportError> {
    let reason = "the model is quantized already".to_owned();
    let quantized = ImportError::Unreadable { format: "float ONNX".into(), reason };
    onnx_import::read(file, &ImportOptions::default())?.into_float().ok_or(quantized)
}

/// Runs `graph` in our interpreter.
pub fn interpret(graph: &FloatGraph, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let inputs: Vec<&[f32]> = inputs.iter().map(|input| &**input).collect();
    Interpreter::new(graph).run(&inputs, |_, _| ())
}

/// Runs an ONNX file in tract, with inputs of these shapes.
pub fn run_tract(file: &[u8], inputs: &[(Vec<usize>, Vec<f32>)]) -> TractResult<Vec<Vec<f32>>> {
    let mut model = onnx().with_ignore_value_info(true).model_for_read(&mut std::io::Cursor::new(file))?;
    for (index, (shape, _)) in inputs.iter().enumerate() {
        model.set_input_fact(index, f32::fact(shape).into())?;
    }
    let tensors = inputs
        .iter()
        .map(|(shape, data)| Ok(Tensor::from_shape(shape, data)?.into_tvalue()))
        .collect::<TractResult<TVec<TValue>>>()?;
    let outputs = model.into_typed()?.into_runnable()?.run(tensors)?;
    let floats = |output: &TValue| Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect());
    outputs.iter().map(floats).collect()
}

/// Asserts that `found` is within `tolerance` of the largest magnitude in `expected`, or of 0.1 where all
/// are smaller: what is left of larger numbers that cancel is noise.
pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, context: &str) {
    assert_eq!(found.len(), expected.len(), "{context}: elements");
    let scale = expected.iter().fold(0.1f32, |scale, value| scale.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= tolerance * scale,
            "{context}: element {index} is {found}, where {expected} is expected (scale {scale})"
        );
    }
}

/// The same numbers on every machine, from a seed (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// An integer in `range`.
    pub fn within(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        range.start() + self.next() as usize % (range.end() - range.start() + 1)
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.within(0..=choices.len() - 1)]
    }

    /// Heads or tails.
    pub fn flip(&mut self) -> bool {
        self.within(0..=1) == 1
    }

    /// Floats in [-1, 1].
    pub fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.within(0..=20_000) as f32 / 10_000.0 - 1.0).collect()
    }
}
