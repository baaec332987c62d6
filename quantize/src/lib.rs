//! From a model file to the flat artifact that a board executes.
//!
//! The modules stand in the order of the data's way: a file becomes a [`graph::FloatGraph`] or, where it is
//! int8 already, a [`graph::QuantizedGraph`]; calibration and [`mod@assign_int8`] make the second from the
//! first; lowering, memory planning and emission make an artifact for one instruction set.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod graph;
mod tflite_schema;
pub mod file_kind;
pub mod import;
pub mod simplify;
pub mod keep_state;
pub mod validate;
pub mod wire;
pub mod equalize;
pub mod calibrate;
pub mod assign_int8;
pub mod interpret;
pub mod samples;
pub mod multiplier;
pub mod drop_dead_channels;
pub mod optimize;
pub mod lower;
pub mod plan_memory;
pub mod arena_map;
pub mod emit;
pub mod export;
pub mod simulate;
pub mod score;
pub mod report;
pub mod pipeline;
pub mod tensor_file;
pub mod digest;
pub mod package;
pub mod whole_file;
pub mod error_text;
pub mod build;
