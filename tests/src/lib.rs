//! What the end-to-end tests share.
#![forbid(unsafe_code)]

pub mod archive;
pub mod data_sets;
pub mod elsewhere;
pub mod firmware;
pub mod host_session;
pub mod import;
pub mod minimal_image;
pub mod models;
pub mod mutants;
pub mod onnx_file;
pub mod operator_table;
pub mod pictures;
pub mod python;
pub mod random_chains;
pub mod random_graphs;
pub mod round_trip;
pub mod samples;
pub mod tflite_file;
pub mod tflite_reference;
pub mod tflm_ops;
pub mod zoo;
