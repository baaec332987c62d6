//! What the end-to-end tests share.
#![forbid(unsafe_code)]

pub mod host_session;
pub mod models;
pub mod samples;
pub mod tflm_ops;
pub mod zoo;
