//! The kernels that define every result, in safe Rust, one operator a file.

pub mod unary;
